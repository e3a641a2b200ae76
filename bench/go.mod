module vole/bench

go 1.26
