// SPDX-License-Identifier: Apache-2.0
#pragma once
// Ten pieces of work that both harnesses measure; each takes its input from outside and returns
// what it computed. No shared state.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <numeric>

namespace agreement {

// All in one page-aligned piece: where the allocator of a process happens to put things would
// decide how fast a copy is.
struct alignas(4096) inputs {
  std::array<char, 4096> from;
  std::array<char, 2048> gap;  // the copy does not lie a whole number of pages behind
  std::array<char, 4096> to;
  std::array<char, 1000> text;
  std::array<std::uint64_t, 1000> numbers;
  std::array<double, 1000> reals;
  std::array<std::uint32_t, 4096> chain;
  std::array<std::uint64_t, 1024> sorted;

  inputs() {
    from.fill('x');
    text.fill('a');
    text.back() = 'b';
    reals.fill(1.000001);
    std::uint64_t x = 1;
    for (auto& n : numbers) n = x = x * 6364136223846793005ULL + 1442695040888963407ULL;
    for (std::size_t i = 0; i < chain.size(); ++i) {
      chain[i] = static_cast<std::uint32_t>((i * 1597 + 51) % chain.size());
    }
    for (std::size_t i = 0; i < sorted.size(); ++i) sorted[i] = 7 * i;
  }
};

inline std::uint64_t sum(inputs& in) {
  return std::accumulate(in.numbers.begin(), in.numbers.end(), std::uint64_t{0});
}
inline double dot(inputs& in) {
  return std::inner_product(in.reals.begin(), in.reals.end(), in.reals.begin(), 0.0);
}
inline double root_chain(inputs& in) {
  double x = in.reals[0] + 1e9;
  for (int i = 0; i < 20; ++i) x = std::sqrt(x) + 1e6;
  return x;
}
inline char copy_4k(inputs& in) {
  std::memcpy(in.to.data(), in.from.data(), in.from.size());
  return in.to[4095];
}
inline std::uint32_t chase(inputs& in) {
  std::uint32_t at = 0;
  for (int i = 0; i < 100; ++i) at = in.chain[at];
  return at;
}
inline std::uint64_t look_up(inputs& in) {
  std::uint64_t sum = 0;
  for (std::uint64_t key = 0; key < 7000; key += 700) {
    sum += *std::lower_bound(in.sorted.begin(), in.sorted.end(), key);
  }
  return sum;
}
inline std::size_t find_byte(inputs& in) {
  return static_cast<std::size_t>(std::find(in.text.begin(), in.text.end(), 'b') - in.text.begin());
}
inline std::uint64_t divide(inputs& in) {
  std::uint64_t sum = 0;
  for (int i = 0; i < 50; ++i) sum += in.numbers[0] / (in.numbers[static_cast<std::size_t>(i)] | 1);
  return sum;
}
// Not an allocation: vole's programs count theirs, Google's do not.
inline int format(inputs& in) {
  return std::snprintf(in.to.data(), in.to.size(), "%s=%d", in.from[0] == 'x' ? "x" : "y", 12345);
}
inline std::uint64_t hash_bytes(inputs& in) {
  std::uint64_t h = 14695981039346656037ULL;
  for (char const c : in.text) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return h;
}

}  // namespace agreement

// VOLE_AGREEMENT_KERNELS(apply) applies a macro to the name of each.
#define VOLE_AGREEMENT_KERNELS(apply)                                                \
  apply(sum) apply(dot) apply(root_chain) apply(copy_4k) apply(chase) apply(look_up) \
      apply(find_byte) apply(divide) apply(format) apply(hash_bytes)
