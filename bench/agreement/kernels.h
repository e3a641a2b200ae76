// SPDX-License-Identifier: Apache-2.0
#pragma once
// Ten pieces of work that both harnesses measure; each takes its input from outside and returns
// what it computed. No shared state.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

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

// Compiled once: a loop that is inlined into two harnesses is two loops.
std::uint64_t sum(inputs& in);
double dot(inputs& in);
double root_chain(inputs& in);
char copy_4k(inputs& in);
std::uint32_t chase(inputs& in);
std::uint64_t look_up(inputs& in);
std::size_t find_byte(inputs& in);
std::uint64_t divide(inputs& in);
int format(inputs& in);
std::uint64_t hash_bytes(inputs& in);

}  // namespace agreement

// VOLE_AGREEMENT_KERNELS(apply) applies a macro to the name of each.
#define VOLE_AGREEMENT_KERNELS(apply)                                                \
  apply(sum) apply(dot) apply(root_chain) apply(copy_4k) apply(chase) apply(look_up) \
      apply(find_byte) apply(divide) apply(format) apply(hash_bytes)
