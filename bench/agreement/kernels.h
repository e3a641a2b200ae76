// SPDX-License-Identifier: Apache-2.0
#pragma once
// Ten pieces of work that both harnesses measure; each takes its input from outside and returns
// what it computed. No shared state.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <unordered_map>
#include <vector>

namespace agreement {

struct inputs {
  std::vector<std::uint64_t> numbers = std::vector<std::uint64_t>(1000);
  std::vector<double> reals = std::vector<double>(1000, 1.000001);
  std::vector<char> from = std::vector<char>(4096, 'x');
  std::vector<char> to = std::vector<char>(4096);
  std::vector<std::uint32_t> chain = std::vector<std::uint32_t>(4096);
  std::unordered_map<std::uint64_t, std::uint64_t> table;
  std::string text = std::string(1000, 'a');

  inputs() {
    std::uint64_t x = 1;
    for (auto& n : numbers) n = x = x * 6364136223846793005ULL + 1442695040888963407ULL;
    for (std::size_t i = 0; i < chain.size(); ++i) {
      chain[i] = static_cast<std::uint32_t>((i * 1597 + 51) % chain.size());
    }
    for (std::uint64_t i = 0; i < 1000; ++i) table[i * 7] = i;
    text.back() = 'b';
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
  for (std::uint64_t key = 0; key < 70; key += 7) sum += in.table.find(key)->second;
  return sum;
}
inline std::size_t find_byte(inputs& in) {
  return in.text.find('b');
}
inline std::uint64_t divide(inputs& in) {
  std::uint64_t sum = 0;
  for (int i = 0; i < 50; ++i) sum += in.numbers[0] / (in.numbers[static_cast<std::size_t>(i)] | 1);
  return sum;
}
inline std::unique_ptr<char[]> allocate(inputs& in) {
  return std::make_unique_for_overwrite<char[]>(in.text.size());
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
      apply(find_byte) apply(divide) apply(allocate) apply(hash_bytes)
