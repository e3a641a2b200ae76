# SPDX-License-Identifier: Apache-2.0
# Reads goals.txt, then lines "side case Benchmark... n value unit ..."; prints the table of compare.sh.

function sort(v, n,    i, j, t) {
  for (i = 2; i <= n; i++)
    for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
}

function middle(v, n) {
  return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}

function median(key,    i, n, v) {
  n = count[key]
  for (i = 1; i <= n; i++) v[i] = sample[key, i]
  sort(v, n)
  return middle(v, n)
}

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

# Of the rounds' ratios: the middle into ratio, the interval into low and high, their number into rounds.
function hold_beside(ours, theirs,    i, n, v, out) {
  rounds = 0
  ratio = low = high = 0
  n = count[ours] < count[theirs] ? count[ours] : count[theirs]
  for (i = 1; i <= n; i++)
    if (sample[theirs, i] > 0) v[++rounds] = sample[ours, i] / sample[theirs, i]
  if (!rounds) return
  sort(v, rounds)
  out = outside(rounds)
  if (out < 0) out = 0
  ratio = middle(v, rounds)
  low = v[1 + out]
  high = v[rounds - out]
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
  unit_of[$1] = $2
  goal_of[$1] = $3
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
  for (i = 5; i < NF; i += 2) {
    key = $1 SUBSEP row SUBSEP $(i + 1)
    sample[key, ++count[key]] = $i
  }
}

END {
  printf "%-26s %-12s %12s %12s %7s %-13s %6s\n", "case", "unit", "vole", "go", "ratio", "interval", "goal"
  bad = 0
  for (r = 1; r <= rows; r++) {
    row = order[r]
    name = known[row]
    unit = name in unit_of ? unit_of[name] : unit_of["default"]
    goal = name in goal_of ? goal_of[name] : goal_of["default"]
    ours = "vole" SUBSEP row SUBSEP unit
    theirs = "go" SUBSEP row SUBSEP unit
    if (!count[ours] || !count[theirs]) {
      printf "%-26s only one side has it\n", row
      bad = 1
      continue
    }
    hold_beside(ours, theirs)
    good = rounds && ratio <= goal
    verdict = good ? "ok" : "SHORT"
    if (rounds < 5 || (low <= goal && goal < high)) verdict = verdict " ~"
    check_a = "vole" SUBSEP row SUBSEP "check/op"
    check_b = "go" SUBSEP row SUBSEP "check/op"
    if (!count[check_a] || !count[check_b]) {
      good = 0
      verdict = "NO CHECKSUM"
    } else if (!same(median(check_a), median(check_b))) {
      good = 0
      verdict = "CHECKSUM DIFFERS"
    }
    if (!good) bad = 1
    interval = sprintf("[%.2f,%.2f]", low, high)
    printf "%-26s %-12s %12s %12s %7.2f %-13s %6.2f %s\n", row, unit, show(median(ours)), show(median(theirs)), ratio,
      interval, goal, verdict
  }
  exit bad
}
