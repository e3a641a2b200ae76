# SPDX-License-Identifier: Apache-2.0
# The median of sample[key, 1..count[key]]; for the comparisons.

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
