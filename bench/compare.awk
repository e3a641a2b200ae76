# SPDX-License-Identifier: Apache-2.0
# Reads goals.txt, then lines "side case Benchmark... n value unit ..."; prints the table of compare.sh.

# How many of n sorted values stand outside their interval at either end: so many that in 15 of 16 cases the middle of
# what they are drawn from lies between the rest. None of five; fewer than five cannot say so much.
function outside(n,    k, term, tail) {
  term = 0.5 ^ n
  tail = term
  for (k = 0; 2 * tail <= 1 / 16; k++) {
    term *= (n - k) / (k + 1)
    tail += term
  }
  return k - 1
}

# Of values: the middle into middle_of, the interval into low and high, their number into rounds.
function spread(v, n,    out) {
  rounds = n
  middle_of = low = high = 0
  if (!n) return
  sort(v, n)
  out = outside(n)
  if (out < 0) out = 0
  middle_of = middle(v, n)
  low = v[1 + out]
  high = v[n - out]
}

# spread of the rounds' ratios.
function hold_beside(ours, theirs,    i, n, m, v) {
  n = count[ours] < count[theirs] ? count[ours] : count[theirs]
  for (i = 1; i <= n; i++)
    if (sample[theirs, i] > 0) v[++m] = sample[ours, i] / sample[theirs, i]
  spread(v, m + 0)
}

# spread of our own figures.
function hold_alone(ours,    i, v) {
  for (i = 1; i <= count[ours]; i++) v[i] = sample[ours, i]
  spread(v, count[ours])
}

function same(a, b,    d) {
  d = a > b ? a - b : b - a
  return d <= 0.001 * (a > b ? a : b)
}

function show(x) {
  return x >= 1000 ? sprintf("%.0f", x) : x >= 10 ? sprintf("%.1f", x) : sprintf("%.3f", x)
}

FNR == NR {
  if ($1 ~ /^#/ || NF == 0) next
  unit_of[$1, ++goals[$1]] = $2
  goal_of[$1, goals[$1]] = $3
  next
}

$3 ~ /^Benchmark/ && NF >= 6 && $4 ~ /^[0-9]+$/ {
  row = $2
  if (split($3, parts, "/") > 1) {
    sub(/^[^\/]*\//, "", $3)
    sub(/-[0-9]+$/, "", $3)
    row = $2 "/" $3
  }
  if (!(row in known)) { known[row] = $2; order[++rows] = row }
  if ($1 == "go") twin[row] = 1
  for (i = 5; i < NF; i += 2) {
    key = $1 SUBSEP row SUBSEP $(i + 1)
    sample[key, ++count[key]] = $i
  }
}

# Whether they did the same work, or what is wrong.
function wrong_with(row,    ours, theirs) {
  ours = "vole" SUBSEP row SUBSEP "check/op"
  theirs = "go" SUBSEP row SUBSEP "check/op"
  if (!count[ours] || (twin[row] && !count[theirs])) return "NO CHECKSUM"
  if (twin[row] && !same(median(ours), median(theirs))) return "CHECKSUM DIFFERS"
  return ""
}

# One line of the table: a row held to one goal.
function judge(row, unit, goal,    ours, theirs, bound, verdict, ratio, interval, go_shown) {
  ours = "vole" SUBSEP row SUBSEP unit
  theirs = "go" SUBSEP row SUBSEP unit
  bound = goal
  if (!count[ours] || (!count[theirs] && !sub(/^<=/, "", bound))) {
    printf "%-26s only one side has it\n", row
    bad = 1
    return
  }
  ratio = interval = go_shown = "-"
  if (count[theirs]) {
    hold_beside(ours, theirs)
    ratio = sprintf("%.2f", middle_of)
    interval = sprintf("[%.2f,%.2f]", low, high)
    go_shown = show(median(theirs))
  }
  if (goal ~ /^<=/) {
    sub(/^<=/, "", bound)
    hold_alone(ours)
  }
  verdict = ""
  if (goal != "-") {
    verdict = rounds && middle_of <= bound + 0 ? " ok" : " SHORT"
    if (verdict == " SHORT") bad = 1
    if (rounds < 5 || (low <= bound + 0 && bound + 0 < high)) verdict = verdict " ~"
  }
  if (wrong_with(row) != "") {
    verdict = " " wrong_with(row)
    bad = 1
  }
  printf "%-26s %-18s %12s %12s %7s %-13s %6s%s\n", row, unit, show(median(ours)), go_shown, ratio, interval,
    goal ~ /^[0-9]/ ? sprintf("%.2f", goal) : goal, verdict
}

END {
  printf "%-26s %-18s %12s %12s %7s %-13s %6s\n", "case", "unit", "vole", "go", "ratio", "interval", "goal"
  bad = 0
  for (r = 1; r <= rows; r++) {
    row = order[r]
    name = known[row] in goals ? known[row] : "default"
    for (g = 1; g <= goals[name]; g++) judge(row, unit_of[name, g], goal_of[name, g])
  }
  exit bad
}
