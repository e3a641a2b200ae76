// SPDX-License-Identifier: Apache-2.0
#pragma once
// How much memory the process has taken from malloc, summed per thread. A program that wants the
// figure links hooks that call add() (src/bench/main.cc does); without hooks it stays zero.

#include <cstddef>
#include <cstdint>

namespace vole::internal::malloc_count {

struct totals {
  std::uint64_t blocks = 0;
  std::uint64_t bytes = 0;
};

// add counts one block. Safety: any thread, at any time after the start of the loader; allocates
// nothing.
// Cost: about 1 ns.
void add(std::size_t bytes) noexcept;

// read sums what all threads have counted so far. Cost: a load per thread that ever allocated, at
// most 1,024.
totals read() noexcept;

}  // namespace vole::internal::malloc_count
