#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Holds vole beside Boost.Fiber in the cases that it has too (boost.cc), interleaved, and prints the medians:
#   bench/boost_fiber/run.sh [-r rounds] [-t milliseconds] [-b build-dir] [case...]
# vole runs as it is by default, and on one processor for comparison. Boost.Fiber runs in its best configuration for each
# case, on one thread and on two: a short run of each beforehand says which. The ratio is vole's default beside the
# better of Boost's two, whose configuration stands at the end. Ends with 1 when a case is BEHIND.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
rounds=5
milliseconds=200
build=$root/build/release
all=(spawn_join spawn_1000 yield chan_pingpong chan_stream_unbuffered chan_buffered_100 chan_same_goroutine
  mutex_uncontended mutex_contended skynet)

die() {
  echo "boost_fiber: $*" >&2
  exit 2
}
source "$here/../build.sh"
while getopts 'r:t:b:h' flag; do
  case $flag in
    r) rounds=$OPTARG ;;
    t) milliseconds=$OPTARG ;;
    b) build=$OPTARG ;;
    *) sed -n '3,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; echo "Cases: ${all[*]}"; exit 2 ;;
  esac
done
shift $((OPTIND - 1))
[[ $rounds =~ ^[1-9][0-9]*$ ]] || die "-r $rounds: not a positive number"
[[ $milliseconds =~ ^[1-9][0-9]*$ ]] || die "-t $milliseconds: not a positive number of milliseconds"
chosen=("$@")
[ ${#chosen[@]} -gt 0 ] || chosen=("${all[@]}")
for name in "${chosen[@]}"; do
  [[ " ${all[*]} " == *" $name "* ]] || die "no case '$name'; there are: ${all[*]}"
done

configure_build
grep -q '^build bench_boost_fiber:' "$build/build.ninja" ||
  { echo "boost_fiber: skipped: bench_boost_fiber cannot be built (libboost-fiber1.81-dev)"; exit 0; }
build_targets boost_fiber bench_boost_fiber "${chosen[@]/#/bench_}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
boost() { "$build/bench/boost_fiber/bench_boost_fiber" -bench="$1" -benchtime="$2ms" -config="$3"; }

# configurations CASE: the one-threaded ones, then the others.
configurations() {
  local one=(round_robin) two=() stacks=() launches=('') sharing stack launch
  two=(work_stealing work_stealing+suspend shared_work shared_work+suspend)
  case $1 in
    skynet)
      one=(round_robin+small round_robin+pooled+small)
      two=("${two[@]/%/+small}")
      ;;
    spawn_*)
      one=(round_robin round_robin+small round_robin+pooled round_robin+pooled+small)
      for sharing in "${two[@]}"; do stacks+=("$sharing" "$sharing+small"); done
      two=("${stacks[@]}")
      ;;
  esac
  [[ $1 == spawn_* ]] && launches=('' +dispatch)
  for launch in "${launches[@]}"; do
    for stack in "${one[@]}" "${two[@]}"; do echo "$stack$launch"; done
  done
}

# The best configuration for each row, of one thread and of two: lines "row threads configuration".
for name in "${chosen[@]}"; do
  [ -t 2 ] && printf '\rchoosing %-30s' "$name" >&2
  for config in $(configurations "$name"); do
    boost "$name" 50 "$config" | awk -v c="$config" -v name="$name" '{ print name, $1, $3, c }' ||
      die "bench_boost_fiber -bench=$name -config=$config failed"
  done
done | awk '
  { threads = $4 ~ /^round_robin/ ? 1 : 2
    sub(/-[0-9]+$/, "", $2)
    key = $1 " " $2 " " threads
    if (!(key in best) || $3 < best[key]) { best[key] = $3; config[key] = $4 } }
  END { for (key in best) print key, config[key] }' | sort >"$work/best"

run_vole() {
  "$build/bench/bench_$1" -benchtime="${milliseconds}ms" ${3:+-cpu=$3} 2>/dev/null |
    sed -n "s/^Benchmark/$2 $1 Benchmark/p" >>"$work/results"
}
# Of a case with several rows each row has a configuration of its own.
run_boost() {
  local config
  for config in $(awk -v name="$1" -v threads="$2" '$1 == name && $3 == threads { print $4 }' "$work/best" | sort -u); do
    boost "$1" "$milliseconds" "$config" | sed "s/^/boost$2=$config $1 /" >>"$work/results"
  done
}
for ((round = 1; round <= rounds; ++round)); do
  for name in "${chosen[@]}"; do
    [ -t 2 ] && printf '\rround %d/%d %-30s' "$round" "$rounds" "$name" >&2
    run_vole "$name" vole ''
    run_boost "$name" 1
    run_vole "$name" vole1 1
    run_boost "$name" 2
  done
done
[ -t 2 ] && printf '\r%50s\r' '' >&2

awk "$(<"$here/../median.awk")"'
  function add(key, value) { sample[key, ++count[key]] = value }
  function show(x) { return x >= 1000 ? sprintf("%.0f", x) : sprintf("%.1f", x) }
  function same(a, b,    d) { d = a > b ? a - b : b - a; return d <= 0.001 * (a > b ? a : b) }
  FNR == NR { config[$2, $3] = $4; next }
  {
    sub(/-[0-9]+$/, "", $3)
    row = $3
    side = $1
    if (split($1, part, "=") > 1) {
      side = part[1]
      if (config[row, substr(side, 6)] != part[2]) next  # the configuration of another row of the case
    }
    if (!(row in name)) {
      order[++rows] = row
      name[row] = $2
      if (split(row, part, "/") > 1) name[row] = $2 "/" part[2]
    }
    for (i = 5; i < NF; i += 2) add(side SUBSEP row SUBSEP $(i + 1), $i)
  }
  END {
    printf "%-24s %10s %10s %10s %10s %7s\n", "ns/op", "vole", "vole, 1", "boost, 1", "boost, 2", "ratio"
    for (r = 1; r <= rows; r++) {
      row = order[r]
      ours = median("vole" SUBSEP row SUBSEP "ns/op")
      one = median("boost1" SUBSEP row SUBSEP "ns/op")
      two = median("boost2" SUBSEP row SUBSEP "ns/op")
      better = one < two ? 1 : 2
      ratio = ours / (better == 1 ? one : two)
      verdict = ratio <= 1 ? "ok" : "BEHIND"
      for (side = 1; side <= 2; side++)
        if (!same(median("vole" SUBSEP row SUBSEP "check/op"), median("boost" side SUBSEP row SUBSEP "check/op")))
          verdict = "CHECKSUM DIFFERS"
      if (verdict != "ok") bad = 1
      printf "%-24s %10s %10s %10s %10s %7.2f %s  %s\n", name[row], show(ours),
        show(median("vole1" SUBSEP row SUBSEP "ns/op")), show(one), show(two), ratio, verdict, config[row, better]
    }
    exit bad
  }' "$work/best" "$work/results"
