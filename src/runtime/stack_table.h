// SPDX-License-Identifier: Apache-2.0
#pragma once
// Counters by stack, for the profiles that add up: each stack is kept once, with what was counted
// at it. Its memory comes from mmap, never from malloc: the heap profile records from inside
// malloc.
//
// INVARIANTS
//   - A bucket, once made, stays where it is with its stack and its tag; only its counts change.
//   - No stack is added once bytes_max, less the last chunk, is used up; what comes then is counted
//     without its stack, at one bucket for each tag: the chunk is kept for these.
// LOCKS  the owner's lock guards everything.

#include <cstddef>
#include <cstdint>
#include <span>

namespace vole::internal {

struct stack_bucket {
  stack_bucket* next = nullptr;  // in the chain of its hash
  std::uint64_t hash = 0;
  std::uint64_t tag = 0;  // the owner's: buckets of one stack differ by it
  std::uint32_t depth = 0;
  std::uintptr_t const* pcs = nullptr;  // return addresses, innermost first
  std::int64_t counts[4] = {};          // the owner's

  std::span<std::uintptr_t const> stack() const noexcept { return {pcs, depth}; }
};

class stack_table {
 public:
  constexpr stack_table() noexcept = default;
  stack_table(stack_table const&) = delete;
  stack_table& operator=(stack_table const&) = delete;

  // at is the bucket of this stack and tag. Never fails.
  // Cost: about 60 ns for one known, of 32 frames.
  stack_bucket& at(std::span<std::uintptr_t const> pcs, std::uint64_t tag) noexcept;

  // for_each calls visit(bucket) for all.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (stack_bucket* const first : heads_) {
      for (stack_bucket* b = first; b != nullptr; b = b->next) visit(*b);
    }
    if (overflow_.counts[0] != 0) visit(overflow_);
  }

  std::size_t size() const noexcept { return size_; }

  static constexpr std::size_t depth_max = 128;
  static constexpr std::size_t bytes_max = std::size_t{64} << 20;

 private:
  static constexpr std::size_t heads_count = 1 << 13;

  // null: no more, where `most` is how much the table may hold.
  void* take(std::size_t bytes, std::size_t most) noexcept;

  stack_bucket* heads_[heads_count] = {};
  stack_bucket overflow_;  // when the system has no memory either
  char* chunk_ = nullptr;
  std::size_t chunk_left_ = 0;
  std::size_t bytes_ = 0;
  std::size_t size_ = 0;
};

}  // namespace vole::internal
