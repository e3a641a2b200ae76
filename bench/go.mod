module vole/bench

go 1.24
