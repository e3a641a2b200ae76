// SPDX-License-Identifier: Apache-2.0
#include "kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <numeric>

namespace agreement {

std::uint64_t sum(inputs& in) {
  return std::accumulate(in.numbers.begin(), in.numbers.end(), std::uint64_t{0});
}
double dot(inputs& in) {
  return std::inner_product(in.reals.begin(), in.reals.end(), in.reals.begin(), 0.0);
}
double root_chain(inputs& in) {
  double x = in.reals[0] + 1e9;
  for (int i = 0; i < 20; ++i) x = std::sqrt(x) + 1e6;
  return x;
}
char copy_4k(inputs& in) {
  std::memcpy(in.to.data(), in.from.data(), in.from.size());
  return in.to[4095];
}
std::uint32_t chase(inputs& in) {
  std::uint32_t at = 0;
  for (int i = 0; i < 100; ++i) at = in.chain[at];
  return at;
}
std::uint64_t look_up(inputs& in) {
  std::uint64_t sum = 0;
  for (std::uint64_t key = 0; key < 7000; key += 700) {
    sum += *std::lower_bound(in.sorted.begin(), in.sorted.end(), key);
  }
  return sum;
}
std::size_t find_byte(inputs& in) {
  return static_cast<std::size_t>(std::find(in.text.begin(), in.text.end(), 'b') - in.text.begin());
}
std::uint64_t divide(inputs& in) {
  std::uint64_t sum = 0;
  for (int i = 0; i < 50; ++i) sum += in.numbers[0] / (in.numbers[static_cast<std::size_t>(i)] | 1);
  return sum;
}
// Not an allocation: vole's programs count theirs, Google's do not.
int format(inputs& in) {
  return std::snprintf(in.to.data(), in.to.size(), "%s=%d", in.from[0] == 'x' ? "x" : "y", 12345);
}
std::uint64_t hash_bytes(inputs& in) {
  std::uint64_t h = 14695981039346656037ULL;
  for (char const c : in.text) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return h;
}

}  // namespace agreement
