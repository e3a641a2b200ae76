// SPDX-License-Identifier: Apache-2.0
#pragma once
// The heap profile's samples: on average one in every rate() allocated bytes, each with its stack,
// and of those which still live. The hooks of malloc and operator new feed it.
//
// How free() knows a sampled block: a filter of 2^17 bits by address says "not sampled" for nearly
// all blocks without a look at the table. It is 16 KiB, so it stays in the processor's cache.
//
// INVARIANTS
//   - A live block that was sampled has its entry in the table, and its bit in the filter is set.
//     An entry is taken out before the real free or realloc: afterwards the address may be another
//     thread's.
//   - An address is put in or taken out only by who owns the block, so a lookup without the lock is
//     right about its own address even while others change the table; the version says when the
//     table moved under it.
//   - No memory of this comes from malloc, and nothing is recorded while recording.
// LOCKS  heap::mu (leaf, held over fork: fork_locks.h) guards the tables and the filter's counts.
// REJECTED  a header before each sampled block: aligned_alloc, foreign free and malloc_usable_size
//           would see it. Sampled blocks on pages of their own, as tcmalloc and jemalloc keep them:
//           that is for the allocator itself. A hash set instead of the filter: a cache miss
//           for nearly every free.
// Source: Go runtime/mprof.go (MemProfileRate), runtime/pprof/protomem.go (scaleHeapSample).

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "vole/internal/atomic.h"

#include "runtime/malloc_count.h"
#include "runtime/stack_table.h"

namespace vole::internal::heap {

inline constexpr std::size_t rate_default = std::size_t{512} << 10;

// set_rate sets the bytes between samples: 0 none, 1 every block. Blocks sampled before stay.
void set_rate(std::size_t bytes) noexcept;
std::size_t rate() noexcept;

// --- for the hooks, and tests in their place ---

// draw is asked when count_again() says so: true, this block is sampled. Draws the next one.
bool draw() noexcept;
// record enters a block that draw() chose. from: where the hook returns to.
void record(void* block, std::size_t bytes, void const* from) noexcept;

inline constexpr unsigned filter_log2 = 17;
[[gnu::visibility(
    "hidden")]] extern constinit atomic<std::uint64_t> filter[(1U << filter_log2) / 64];

// The low half of the address is enough: two blocks that are 4 GiB apart share a bit.
inline std::uint32_t filter_bit(void const* block) noexcept {
  auto const low = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(block));
  return (low * 0x9e3779b1U) >> (32 - filter_log2);
}

// maybe_sampled: false for nearly all blocks that were not sampled, true for all that were.
inline bool maybe_sampled(void const* block) noexcept {
  std::uint32_t const bit = filter_bit(block);
  // relaxed, no partner: this block's bit was set by who allocated it
  return (filter[bit / 64].load(memory_order_relaxed) >> (bit % 64) & 1) != 0;
}

// A block taken out of the table, which put_back enters again.
struct taken_block {
  stack_bucket* at = nullptr;  // null: it was not sampled
  std::size_t bytes = 0;
};
taken_block take(void* block) noexcept;
void put_back(void* block, taken_block const& was) noexcept;

// --- for the profile ---

// What was sampled at one stack, as it was drawn: to be scaled.
struct stack_counts {
  std::span<std::uintptr_t const> pcs;  // return addresses; valid for ever; empty: not known
  std::size_t rate = 0;
  std::size_t block_bytes = 0;  // at least so large is each block, and less than an eighth larger
  std::int64_t objects_allocated = 0;
  std::int64_t bytes_allocated = 0;
  std::int64_t objects_freed = 0;
  std::int64_t bytes_freed = 0;
};
std::vector<stack_counts> snapshot();
std::size_t stacks() noexcept;

}  // namespace vole::internal::heap
