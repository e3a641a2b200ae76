#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Holds ways to keep a waiting stack in less than a page beside each other, interleaved, and prints the medians as a
# markdown table; small_stacks.cc says what the columns are, docs/design/0008-small-stacks.md what follows:
#   bench/small_stacks/run.sh [-r rounds] [-n stacks] [-s stride] [-2] [-b build-dir] [way...]
# Each figure is from a process of its own; behind a time stand the least and the greatest of the rounds. -2: another
# thread of the process computes meanwhile. A million stacks take 5 GB. What the kernel does not permit has no row, but
# its reason on stderr.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
rounds=5
stacks=100000
stride=262144
beside=()
build=$root/build/release

die() {
  echo "small_stacks: $*" >&2
  exit 2
}
source "$here/../build.sh"
while getopts 'r:n:s:2b:h' flag; do
  case $flag in
    r) rounds=$OPTARG ;;
    n) stacks=$OPTARG ;;
    s) stride=$OPTARG ;;
    2) beside=(-b) ;;
    b) build=$OPTARG ;;
    *) sed -n '3,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
  esac
done
shift $((OPTIND - 1))
[[ $rounds =~ ^[1-9][0-9]*$ ]] || die "-r $rounds: not a positive number"
ways=("$@")
[ ${#ways[@]} -gt 0 ] || ways=(page dontneed_each dontneed guard uffd_thread uffd_poison halves)
build_targets small_stacks bench_small_stacks

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for ((round = 1; round <= rounds; ++round)); do
  for way in "${ways[@]}"; do
    [ -t 2 ] && printf '\rround %d/%d %-20s' "$round" "$rounds" "$way" >&2
    status=0
    "$build/bench/small_stacks/bench_small_stacks" "$way" -n "$stacks" -s "$stride" "${beside[@]}" \
      >>"$work/results" 2>"$work/stderr" || status=$?
    case $status in
      0) ;;
      77) [ "$round" -gt 1 ] || sed "s/^/$way: /" "$work/stderr" >&2 ;;
      *) cat "$work/stderr" >&2; die "$way ended with $status" ;;
    esac
  done
done
[ -t 2 ] && printf '\r%40s\r' '' >&2

awk "$(<"$here/../median.awk")"'
  {
    for (i = 1; i <= NF; i++) {
      split($i, part, "=")
      if (part[1] == "way") { way = part[2]; if (!(way in seen)) { seen[way] = 1; order[++n] = way } }
      else { key = way SUBSEP part[1]; sample[key, ++count[key]] = part[2]; last[key] = part[2] }
    }
  }
  function show(x) { return sprintf("%.0f", x) }
  # The median, and of times the least and the greatest round.
  function figure(unit,    key, i, least, most) {
    key = way SUBSEP unit
    if (!count[key]) return "-"
    if (unit !~ /-ns$/) return show(median(key))
    least = most = sample[key, 1]
    for (i = 2; i <= count[key]; i++) {
      if (sample[key, i] < least) least = sample[key, i]
      if (sample[key, i] > most) most = sample[key, i]
    }
    return show(median(key)) " (" show(least) "-" show(most) ")"
  }
  END {
    columns = split("mapped held-B stowed-B entries-B start-ns look-ns stow-ns wake-ns touch-ns wrong lost", unit, " ")
    printf "| way |"
    for (c = 1; c <= columns; c++) printf " %s |", unit[c]
    printf " kernel |\n|"
    for (c = 1; c <= columns + 2; c++) printf "---|"
    print ""
    for (w = 1; w <= n; w++) {
      way = order[w]
      printf "| %s |", way
      for (c = 1; c <= columns; c++) printf " %s |", figure(unit[c])
      print " " ((way, "kernel") in last ? last[way, "kernel"] : "-") " |"
    }
  }' "$work/results"
