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
  awk -f "$here/compare.awk" "$work/goals" "$work/results" >"$work/table" || status=$?
  row=$(tail -n 1 "$work/table" | tr -s ' ')
  if [ "$status $row" != "$1 $2" ]; then
    printf 'want: %s %s\ngot:  %s %s\n' "$1" "$2" "$status" "$row" >&2
    failed=1
  fi
  : >"$work/results"
}

echo 'default ns/op 0.50' >"$work/goals"
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
exit $failed
