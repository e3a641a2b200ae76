#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Holds vole's primitives beside Go's: builds each case twice, runs the two in turn, prints the medians.
#   bench/compare.sh [-r rounds] [-t benchtime] [-c cpus] [-b build-dir] [-o file] [case...]
# -o also keeps the table in a file; rows of cases that were not measured now stay as they are.
# Ends with 0 when every case is ok, 1 when one is SHORT or differs in its checksum (or has none), 2 when it cannot run.
# A "~" behind the verdict: the goal lies within the noise of the rounds, or they are fewer than five.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
rounds=5
benchtime=300ms
cpus=
build=$root/build/release
kept=
# Cases without a twin: the program that has them below the build, and its benchmark.
declare -A alone=([fiber_switch]="src/runtime/vole_runtime_bench FiberSwitch$")

usage() {
  sed -n '3,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
  echo "Cases:" $(cases)
}
cases() {
  local file
  {
    for file in "$here"/*/bench.cc; do basename "$(dirname "$file")"; done
    printf '%s\n' "${!alone[@]}"
  } | sort
}
die() {
  echo "compare.sh: $*" >&2
  exit 2
}
source "$here/build.sh"

while getopts 'r:t:c:b:o:h' flag; do
  case $flag in
    r) rounds=$OPTARG ;;
    t) benchtime=$OPTARG ;;
    c) cpus=$OPTARG ;;
    b) build=$OPTARG ;;
    o) kept=$OPTARG ;;
    h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
shift $((OPTIND - 1))
[[ $rounds =~ ^[1-9][0-9]*$ ]] || die "-r $rounds: not a positive number"
[[ $cpus =~ ^[0-9]*$ ]] || die "-c $cpus: one number of processors, please"
command -v go >/dev/null || die "no 'go' on the PATH: the twins need Go 1.26 or later"
chosen=("$@")
[ ${#chosen[@]} -gt 0 ] || mapfile -t chosen < <(cases)
for name in "${chosen[@]}"; do
  [[ -f $here/$name/bench.cc || ${alone[$name]-} ]] || die "no case '$name'; there are:" $(cases)
done

# --- build ------------------------------------------------------------------------------------------
targets=()
for name in "${chosen[@]}"; do
  program=${alone[$name]-}
  program=${program%% *}
  targets+=("${program:-bench_$name}")
done
build_targets compare "${targets[@]##*/}"
twins=$build/go_twins
# Go's compiler gets what the machine has, as far as it knows: GOAMD64=v3 is AVX2, BMI2 and FMA.
if grep -qw avx2 /proc/cpuinfo && grep -qw bmi2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo; then
  export GOAMD64=${GOAMD64:-v3}
fi
mkdir -p "$twins"
for name in "${chosen[@]}"; do
  [[ ${alone[$name]-} ]] && continue
  (cd "$here" && go test -c -o "$twins/$name" "./$name/bench_test.go") || die "Go's twin of $name does not build"
done

# --- run: vole go, go vole, vole go, ... so that a slow drift of the machine meets both alike ----------
results=$(mktemp)
trap 'rm -f "$results"' EXIT
run_vole() {
  local program benchmark
  read -r program benchmark <<<"${alone[$1]:-bench/bench_$1 .}"
  "$build/$program" -bench="$benchmark" -benchtime="$benchtime" ${cpus:+-cpu=$cpus} | sed "s/^/vole $1 /" >>"$results"
}
run_go() {
  [[ ${alone[$1]-} ]] && return
  "$twins/$1" -test.run='^$' -test.bench=. -test.benchtime="$benchtime" ${cpus:+-test.cpu=$cpus} |
    sed "s/^/go $1 /" >>"$results"
}
for ((round = 1; round <= rounds; ++round)); do
  for name in "${chosen[@]}"; do
    [ -t 2 ] && printf '\rround %d/%d %-30s' "$round" "$rounds" "$name" >&2
    if ((round % 2)); then sides=(run_vole run_go); else sides=(run_go run_vole); fi
    for side in "${sides[@]}"; do
      "$side" "$name" || die "${side#run_} failed in case $name"
    done
  done
done
[ -t 2 ] && printf '\r%50s\r' '' >&2

# --- report -----------------------------------------------------------------------------------------
status=0
table=$(awk -f "$here/median.awk" -f "$here/compare.awk" "$here/goals.txt" "$results") || status=$?
printf '%s\n' "$table"
[ -n "$kept" ] || exit "$status"
{
  echo "# bench/compare.sh: medians of interleaved rounds; $(nproc) processors, $(go env GOVERSION), $(date -u +%F)"
  head -n 1 <<<"$table"
  {
    tail -n +2 <<<"$table"
    [ ! -f "$kept" ] || awk -v chosen=" ${chosen[*]} " '
      /^#/ || $1 == "case" || NF == 0 { next }
      { split($1, part, "/"); if (!index(chosen, " " part[1] " ")) print }' "$kept"
  } | sort
} >"$kept.new"
mv "$kept.new" "$kept"
exit "$status"
