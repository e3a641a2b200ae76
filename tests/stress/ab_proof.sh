#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Shows what `vole bench ab` finds on this machine: planted slowdowns of 5 % and 10 %, and programs
# compared with themselves. Prints each verdict and the counts; ends with 1 when a goal is missed.
#   tests/stress/ab_proof.sh [-b build-folder] [slow [gate [same]]]       runs of each; default 20 20 40
# Goals, of 20, 20 and 40 runs and in proportion: "slower" at 5 % in 18, the 5 % gate tripped at 10 %
# in 20, no alarm at all in 40, "cannot tell" in 2 of 20; no run takes more than 90 s.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$root/build/release
while getopts 'b:h' flag; do
  case $flag in
    b) build=$OPTARG ;;
    h) sed -n '3,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
slow=${1:-20} gate=${2:-20} same=${3:-40}
vole=$build/cmd/vole/vole
for program in "$vole" "$build"/tests/stress/vole_planted_{0,50,100}; do
  [[ -x $program ]] || { echo "ab_proof.sh: $program is missing: build vole_tool and vole_planted_*" >&2; exit 2; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
longest=0

# compare NAME SEED NEW FLAG...: one run; its verdict is left in $verdict, its exit status in $status.
compare() {
  local name=$1 seed=$2 new=$3
  shift 3
  local begun=$EPOCHREALTIME
  status=0
  "$vole" bench ab -time 60s -seed "$seed" -o '' "$@" "$build/tests/stress/vole_planted_0" \
    "$build/tests/stress/vole_planted_$new" >"$work/out" 2>&1 || status=$?
  local seconds
  seconds=$(awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
  longest=$(awk -v a="$longest" -v b="$seconds" 'BEGIN { print (a > b ? a : b) }')
  local row
  row=$(grep '^Planted' "$work/out" | tr -s ' ') || { cat "$work/out"; exit 2; }
  verdict=$(sed -E 's/^.* [0-9]+ (slower|faster|no difference|cannot tell)$/\1/' <<<"$row")
  printf '%-5s %5s s  status %d  %s\n' "$name" "$seconds" "$status" "$row"
}

found=0 tripped=0 alarms=0 unsure=0 unsure_same=0
for ((i = 1; i <= slow; i++)); do
  compare 5% "$i" 50
  [[ $verdict != slower ]] || found=$((found + 1))
  [[ $verdict != 'cannot tell' ]] || unsure=$((unsure + 1))
done
for ((i = 1; i <= gate; i++)); do
  compare gate "$((100 + i))" 100 -gate 5%
  [[ $status != 1 ]] || tripped=$((tripped + 1))
done
for ((i = 1; i <= same; i++)); do
  compare same "$((200 + i))" 0 -gate 5%
  [[ $verdict != slower && $verdict != faster && $status == 0 ]] || alarms=$((alarms + 1))
  [[ $verdict != 'cannot tell' ]] || unsure_same=$((unsure_same + 1))
done

echo
echo "slower at 5 %:        $found of $slow (cannot tell: $unsure)"
echo "gate of 5 % at 10 %:  $tripped of $gate"
echo "alarms at 0 %:        $alarms of $same (cannot tell: $unsure_same)"
echo "longest run:          $longest s"
missed=0
((found * 20 >= slow * 18)) || missed=1
((unsure * 20 <= slow * 2)) || missed=1
((tripped == gate)) || missed=1
((alarms == 0)) || missed=1
awk -v s="$longest" 'BEGIN { exit !(s <= 90) }' || missed=1
exit $missed
