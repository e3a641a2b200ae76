# SPDX-License-Identifier: Apache-2.0
# Reads goals.txt, then lines "side case Benchmark... n value unit ..."; prints the table of compare.sh.

function median(key, n,    i, j, t, v) {
  for (i = 1; i <= n; i++) v[i] = sample[key, i]
  for (i = 2; i <= n; i++)
    for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
  return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
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
  printf "%-26s %-12s %12s %12s %7s %6s\n", "case", "unit", "vole", "go", "ratio", "goal"
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
    a = median(ours, count[ours])
    b = median(theirs, count[theirs])
    ratio = (b > 0) ? a / b : 0
    verdict = (b > 0 && ratio <= goal) ? "ok" : "SHORT"
    check_a = "vole" SUBSEP row SUBSEP "check/op"
    check_b = "go" SUBSEP row SUBSEP "check/op"
    if (!same(median(check_a, count[check_a]), median(check_b, count[check_b]))) verdict = "CHECKSUM DIFFERS"
    if (verdict != "ok") bad = 1
    printf "%-26s %-12s %12s %12s %7.2f %6.2f %s\n", row, unit, show(a), show(b), ratio, goal, verdict
  }
  exit bad
}
