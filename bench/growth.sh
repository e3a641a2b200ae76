#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures how vole's cost grows and prints it as a markdown table: goroutines started, waiting and woken, 10 to a
# million of them, and selects over 2 to 64 cases; each on one and on two processors.
#   bench/growth.sh [-r rounds] [-t benchtime] [-p 'processors...'] [-b build-dir]
# Medians of the rounds, which are interleaved; each figure of goroutines is from a process of its own.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
rounds=3
benchtime=200ms
processors='1 2'
build=$root/build/release

die() {
  echo "growth.sh: $*" >&2
  exit 2
}
source "$here/build.sh"
while getopts 'r:t:p:b:h' flag; do
  case $flag in
    r) rounds=$OPTARG ;;
    t) benchtime=$OPTARG ;;
    p) processors=$OPTARG ;;
    b) build=$OPTARG ;;
    *) sed -n '3,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
  esac
done
[[ $rounds =~ ^[1-9][0-9]*$ ]] || die "-r $rounds: not a positive number"
[[ $processors =~ ^[1-9][0-9]*( [1-9][0-9]*)*$ ]] || die "-p '$processors': want numbers, as in '1 2'"
build_targets growth bench_growth

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# run PROCESSORS BENCHMARK: its lines, "processors name n value unit ...".
run() {
  "$build/bench/growth/bench_growth" -bench="$2" -benchtime="$benchtime" -cpu="$1" 2>"$work/stderr" |
    sed -n "s/^Benchmark/$1 /p" >>"$work/results" || { cat "$work/stderr" >&2; die "bench_growth failed"; }
}
for ((round = 1; round <= rounds; ++round)); do
  [ -t 2 ] && printf '\rround %d/%d' "$round" "$rounds" >&2
  for count in 10 100 1000 10000 100000 1000000; do
    for p in $processors; do run "$p" "^Goroutines\$/^$count\$"; done
  done
  for p in $processors; do run "$p" '^Select'; done
done
[ -t 2 ] && printf '\r%20s\r' '' >&2

awk -v processors="$processors" "$(<"$here/median.awk")"'
  function figure(p, name, n, unit,    key) {
    key = p SUBSEP name SUBSEP n SUBSEP unit
    return count[key] ? sprintf("%.0f", median(key)) : "?"
  }
  # Two lines: the head of a table that begins with `first` and has these columns for each number of processors.
  function head(first, columns,    i, c, n, part, line, rule) {
    line = "| " first " |"
    rule = "|---|"
    n = split(columns, part, ";")
    for (i = 1; i <= widths; i++)
      for (c = 1; c <= n; c++) {
        line = line " " part[c] ", " p[i] (p[i] == 1 ? " processor" : " processors") " |"
        rule = rule "---|"
      }
    print line
    print rule
  }
  {
    sub(/-[0-9]+$/, "", $2)
    split($2, name, "/")
    for (i = 4; i < NF; i += 2) {
      key = $1 SUBSEP name[1] SUBSEP name[2] SUBSEP $(i + 1)
      sample[key, ++count[key]] = $i
    }
  }
  END {
    widths = split(processors, p, " ")
    head("goroutines", "start ns;wake ns;bytes")
    for (n = 10; n <= 1000000; n *= 10) {
      printf "| %d |", n
      for (i = 1; i <= widths; i++)
        printf " %s | %s | %s |", figure(p[i], "Goroutines", n, "start-ns"), figure(p[i], "Goroutines", n, "wake-ns"),
          figure(p[i], "Goroutines", n, "mem-B/goroutine")
      print ""
    }
    print ""
    head("cases of a select", "one ready, ns;waits at all, ns")
    for (n = 2; n <= 64; n *= 2) {
      printf "| %d |", n
      for (i = 1; i <= widths; i++)
        printf " %s | %s |", figure(p[i], "SelectReady", n, "ns/op"), figure(p[i], "SelectWaiting", n, "ns/op")
      print ""
    }
  }' "$work/results"
