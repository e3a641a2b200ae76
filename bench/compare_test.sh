#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Holds compare.awk to its verdicts: rounds that are known go in, the table and the status come out.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# rounds SIDE CASE CHECK NS...: the results of the rounds; CHECK - is none.
rounds() {
  local side=$1 name=$2 check=$3 ns
  shift 3
  for ns in "$@"; do
    if [ "$check" = - ]; then check_column=; else check_column="$check check/op"; fi
    echo "$side $name BenchmarkX-2 1000 $ns ns/op $check_column"
  done >>"$work/results"
}

# expect STATUS ROW: what comes of the results so far; empties them.
expect() {
  local status=0 row
  awk -f "$here/median.awk" -f "$here/compare.awk" "$work/goals" "$work/results" >"$work/table" || status=$?
  row=$(tail -n 1 "$work/table" | tr -s ' ')
  if [ "$status $row" != "$1 $2" ]; then
    printf 'want: %s %s\ngot:  %s %s\n' "$1" "$2" "$status" "$row" >&2
    failed=1
  fi
  : >"$work/results"
}

cat >"$work/goals" <<'GOALS'
default ns/op 0.50
alone ns/op <=3
floor ns/op -
GOALS
: >"$work/results"

rounds vole a 7 40 41 39 40 42
rounds go a 7 100 100 100 100 100
expect 0 'a ns/op 40.0 100.0 0.40 [0.39,0.42] 0.50 ok'

rounds vole a 7 60 61 59 60 62
rounds go a 7 100 100 100 100 100
expect 1 'a ns/op 60.0 100.0 0.60 [0.59,0.62] 0.50 SHORT'

# The goal within the noise: a mark, whichever way the middle fell.
rounds vole a 7 48 40 60 48 47
rounds go a 7 100 100 100 100 100
expect 0 'a ns/op 48.0 100.0 0.48 [0.40,0.60] 0.50 ok ~'
rounds vole a 7 52 40 60 52 53
rounds go a 7 100 100 100 100 100
expect 1 'a ns/op 52.0 100.0 0.52 [0.40,0.60] 0.50 SHORT ~'

# A machine that slows down meets both sides of a round: their ratio does not move.
rounds vole a 7 40 80 120 160 200
rounds go a 7 100 200 300 400 500
expect 0 'a ns/op 120.0 300.0 0.40 [0.40,0.40] 0.50 ok'

# Of nine rounds one at either end may be an outlier; of fewer than five nothing is sure.
rounds vole a 7 40 40 40 40 40 40 40 40 90
rounds go a 7 100 100 100 100 100 100 100 100 100
expect 0 'a ns/op 40.0 100.0 0.40 [0.40,0.40] 0.50 ok'
rounds vole a 7 40
rounds go a 7 100
expect 0 'a ns/op 40.0 100.0 0.40 [0.40,0.40] 0.50 ok ~'

# The same work, or the figures mean nothing.
rounds vole a 7 40 40 40 40 40
rounds go a 8 100 100 100 100 100
expect 1 'a ns/op 40.0 100.0 0.40 [0.40,0.40] 0.50 CHECKSUM DIFFERS'
rounds vole a - 40 40 40 40 40
rounds go a - 100 100 100 100 100
expect 1 'a ns/op 40.0 100.0 0.40 [0.40,0.40] 0.50 NO CHECKSUM'
rounds vole a 0 40 40 40 40 40
rounds go a - 100 100 100 100 100
expect 1 'a ns/op 40.0 100.0 0.40 [0.40,0.40] 0.50 NO CHECKSUM'

rounds vole a 7 40 40 40 40 40
expect 1 'a only one side has it'

# A goal that is a number of ours: no twin is needed, and one that is there changes nothing.
rounds vole alone 7 2.5 2.6 2.4 2.5 2.5
expect 0 'alone ns/op 2.500 - - - <=3 ok'
rounds vole alone 7 3.5 3.6 3.4 3.5 3.5
expect 1 'alone ns/op 3.500 - - - <=3 SHORT'
rounds vole alone 7 2.9 2.8 3.3 2.9 2.9
expect 0 'alone ns/op 2.900 - - - <=3 ok ~'
rounds vole alone 7 2 2 2 2 2
rounds go alone 7 1 1 1 1 1
expect 0 'alone ns/op 2.000 1.000 2.00 [2.00,2.00] <=3 ok'
rounds vole alone 7 2 2 2 2 2
rounds go alone 8 1 1 1 1 1
expect 1 'alone ns/op 2.000 1.000 2.00 [2.00,2.00] <=3 CHECKSUM DIFFERS'
rounds vole alone - 2 2 2 2 2
expect 1 'alone ns/op 2.000 - - - <=3 NO CHECKSUM'

# What is only shown still has to be the same work.
rounds vole floor 7 20 20 20 20 20
rounds go floor 7 10 10 10 10 10
expect 0 'floor ns/op 20.0 10.0 2.00 [2.00,2.00] -'
rounds vole floor 7 20 20 20 20 20
rounds go floor 8 10 10 10 10 10
expect 1 'floor ns/op 20.0 10.0 2.00 [2.00,2.00] - CHECKSUM DIFFERS'
rounds vole floor 7 20 20 20 20 20
expect 1 'floor only one side has it'

# A case with two goals has two rows.
cat >"$work/goals" <<'GOALS'
default ns/op 0.50
default B/op <=10
GOALS
for side in vole go; do
  for round in 1 2 3 4 5; do echo "$side a BenchmarkX-2 1000 40 ns/op 12 B/op 7 check/op"; done
done >"$work/results"
expect 1 'a B/op 12.0 12.0 1.00 [1.00,1.00] <=10 SHORT'
[ "$(grep -c '^a ' "$work/table")" = 2 ] || { echo "want two rows of a case with two goals" >&2; failed=1; }
exit $failed
