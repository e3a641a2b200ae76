#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Holds vole's harness beside Google Benchmark on the same ten kernels, interleaved:
#   bench/agreement/run.sh [-r rounds] [-t seconds] [-b build-dir]       2 rounds at the least
# Prints for each kernel both medians, their ratio and the noise floor: how far vole's odd rounds are from its even
# ones, and Google's from its own, whichever is more (1 % at least). Ends with 1 when a ratio is outside the floor, with
# 77 when Google Benchmark is not there.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rounds=10
seconds=0.05
build=$here/../../build/release
while getopts 'r:t:b:h' flag; do
  case $flag in
    r) rounds=$OPTARG ;;
    t) seconds=$OPTARG ;;
    b) build=$OPTARG ;;
    *) sed -n '3,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
  esac
done
if ! [[ $rounds =~ ^[0-9]+$ ]] || ((10#$rounds < 2)); then
  echo "agreement: -r $rounds: want two rounds at the least, since the noise floor is how far odd ones are from even ones" >&2
  exit 2
fi
[ -x "$build/bench/agreement/bench_agreement_google" ] ||
  { echo "agreement: skipped: bench_agreement_google is not built (libbenchmark-dev)" >&2; exit 77; }

run_vole() { "$build/bench/agreement/bench_agreement_vole" -benchtime="${seconds}s" -cpu=1 2>/dev/null |
  awk -v r="$1" '/^Benchmark/ { name = tolower(substr($1, 10)); gsub(/_/, "", name); print "vole", name, r, $3 }'; }
run_google() { "$build/bench/agreement/bench_agreement_google" --benchmark_min_time="$seconds" 2>/dev/null |
  awk -v r="$1" '$3 == "ns" { name = $1; gsub(/_/, "", name); print "google", name, r, $2 }'; }

for ((round = 1; round <= rounds; ++round)); do
  if ((round % 2)); then run_vole "$round"; run_google "$round"; else run_google "$round"; run_vole "$round"; fi
done | awk '
  function median(key, n,    i, j, t, v) {
    for (i = 1; i <= n; i++) v[i] = sample[key, i]
    for (i = 2; i <= n; i++)
      for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
    return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
  }
  function add(key, value) { sample[key, ++count[key]] = value }
  function apart(side, name,    a, b) {
    a = median(side SUBSEP name SUBSEP 0, count[side, name, 0])
    b = median(side SUBSEP name SUBSEP 1, count[side, name, 1])
    return a > b ? a / b - 1 : b / a - 1
  }
  {
    if ($1 == "vole" && !($2 in known)) { known[$2]; order[++names] = $2 }
    add($1 SUBSEP $2, $4)
    add($1 SUBSEP $2 SUBSEP $3 % 2, $4)
  }
  END {
    printf "%-12s %12s %12s %7s %7s\n", "kernel", "vole ns", "google ns", "ratio", "floor"
    for (i = 1; i <= names; i++) {
      name = order[i]
      if (!count["google", name]) {
        printf "%-12s only vole has it\n", name
        bad = 1
        continue
      }
      ratio = median("vole" SUBSEP name, count["vole", name]) / median("google" SUBSEP name, count["google", name])
      floor = apart("vole", name)
      if (apart("google", name) > floor) floor = apart("google", name)
      if (floor < 0.01) floor = 0.01
      off = ratio > 1 ? ratio - 1 : 1 / ratio - 1
      verdict = off <= floor ? "ok" : "APART"
      if (verdict != "ok") bad = 1
      printf "%-12s %12.2f %12.2f %7.3f %6.1f%% %s\n", name, median("vole" SUBSEP name, count["vole", name]),
        median("google" SUBSEP name, count["google", name]), ratio, 100 * floor, verdict
    }
    exit bad
  }'
