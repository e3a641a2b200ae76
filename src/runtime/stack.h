// SPDX-License-Identifier: Apache-2.0
#pragma once
// Stacks: address space in slabs, memory as it is touched, a guard page below each, the goroutine's
// control block on top.
//
// INVARIANTS
//   A stack is cold (no control block, no memory), pooled (control block dead, memory kept) or in
//   use.
//   slab::occupied[i] is set while the stack has a control block; only such control blocks may be
//   read.
//   Slabs are never unmapped: whoever finds a control block may read it at any time while
//   scavenging is held off. One whose stacks are all cold is mapped anew, without page tables.
// LOCKS  stack_pool::mu_ (leaf) guards free lists and slabs; a processor's cache belongs to its
//        worker.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <system_error>
#include <vector>

#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/internal/raw_mutex.h"

namespace vole::internal {

struct goroutine;

// The sizes of stack reservations. A spawn takes the smallest that holds what it asked for.
inline constexpr std::size_t stack_class_bytes[] = {64 << 10, 256 << 10, 1 << 20, 8 << 20};
inline constexpr int stack_classes = 4;
inline constexpr int stack_class_default = 1;
static_assert(stack_class_bytes[stack_classes - 1] == spawn_options::stack_bytes_max);
// -1: larger than any. A class of which a guard would take more than a quarter is not used: on a
// kernel with pages of 64 KiB, as some for aarch64 have, the smallest stack is one of 256 KiB.
int stack_class_for(std::size_t bytes) noexcept;

// stack_guard_bytes is the kernel's page.
std::size_t stack_guard_bytes() noexcept;

// stack_holds says whether so many bytes lie above the guard of a stack.
inline bool stack_holds(int size_class, std::size_t bytes) noexcept {
  std::size_t const all = stack_class_bytes[size_class];
  return bytes <= all / 4 * 3 || bytes <= all - stack_guard_bytes();
}

// Whether the kernel guards a page without splitting its mapping (MADV_GUARD_INSTALL, Linux 6.13).
bool stack_guards_take_no_map_entry() noexcept;

struct slab {
  char* base = nullptr;
  std::size_t slots = 0;
  int size_class = 0;
  std::unique_ptr<atomic<bool>[]> occupied;
  // Under the pool's lock:
  std::size_t blocks = 0;       // of its stacks, those that are not cold
  std::uint64_t guarded = 0;    // a bit for each stack that has its guard
  std::uint64_t unguarded = 0;  // and for each that could get none
};

class stack_pool;

// kept_blocks keeps every control block where it is: while one lives, none is given back and built
// anew.
class kept_blocks {
 public:
  explicit kept_blocks(stack_pool& pool) noexcept;
  ~kept_blocks();
  kept_blocks(kept_blocks const&) = delete;
  kept_blocks& operator=(kept_blocks const&) = delete;

 private:
  stack_pool& pool_;
};

// block_cursor is a place in the order in which walk_on visits control blocks.
struct block_cursor {
  std::vector<slab*> slabs = {};  // those that there were at the last walk
  std::size_t slots = 0;          // of these together
  std::size_t row = 0;            // the slab that comes next,
  std::size_t column = 0;         // and the slot in it
};

struct stack_counters {
  std::size_t pooled = 0;
  std::size_t cold = 0;
  std::uint64_t scavenged_total = 0;
  std::size_t reserved_bytes = 0;
  std::size_t unguarded = 0;
  std::size_t blocks = 0;      // stacks with a control block: in use, cached or pooled
  std::size_t blocks_max = 0;  // the limit that was set; SIZE_MAX: none
  std::size_t high_water_bytes = 0;
};

class stack_pool {
 public:
  // take returns the control block of a stack of this class, constructed and dead, or null with the
  // reason: not_enough_memory, or resource_unavailable_try_again at the limit.
  goroutine* take(int size_class, std::errc* why) noexcept;
  // take_many and give_many move whole chains (linked by goroutine::next), to amortise the lock.
  goroutine* take_pooled(int size_class, std::size_t count) noexcept;
  void give_many(int size_class, goroutine* first) noexcept;

  // plan_scavenge marks the stacks for return that nobody needed since the last plan; scavenge
  // gives the memory of at most that many back, and says whether marked ones are left.
  void plan_scavenge() noexcept;
  bool scavenge(std::size_t most) noexcept;
  // scavenge_due: some stack is pooled, so that a plan may find it unneeded.
  bool scavenge_due() noexcept;

  // for_each_block calls visit(arg, block) for every control block. Spawns and ends go on
  // meanwhile.
  void for_each_block(void (*visit)(void* arg, goroutine& g), void* arg) noexcept;

  // walk_on calls visit(arg, block) for the control blocks that come next after `at`, until enough
  // says so or all were visited once, and returns how many slots it has passed, of at.slots. enough
  // is called after each visit, and after many slots without a block. Neighbours in its order lie
  // in different slabs, so that a part of it is a fair sample of all.
  std::size_t walk_on(block_cursor& at, void (*visit)(void* arg, goroutine& g),
                      bool (*enough)(void* arg), void* arg) noexcept;

  // set_limit bounds the stacks that have a control block; 0: no bound. Those that are pooled are
  // used again in any case.
  void set_limit(std::size_t blocks) noexcept;

  // note_depth asks the kernel how much of a stack was ever touched, for the high-water mark.
  void note_depth(goroutine const& g) noexcept;

  stack_counters counters() noexcept;

 private:
  friend class kept_blocks;

  struct cold_stack {
    slab* owner;
    std::size_t slot;
  };
  struct size_class_pool {
    goroutine* pooled = nullptr;
    std::size_t pooled_count = 0;
    std::size_t pooled_low = 0;  // smallest pooled_count since the last plan
    std::size_t unneeded = 0;    // marked for return
    std::vector<cold_stack> cold;
  };

  bool note_slabs(block_cursor& at) noexcept VOLE_EXCLUDES(mu_);
  bool add_slab(int size_class) noexcept VOLE_REQUIRES_LOCK(mu_);
  // protect makes a page the guard; false: that would be a map entry too much.
  bool protect(char* page) noexcept VOLE_REQUIRES_LOCK(mu_);
  void guard(slab& owner, std::size_t slot) noexcept VOLE_REQUIRES_LOCK(mu_);
  void drop_page_tables(slab& of) noexcept VOLE_REQUIRES_LOCK(mu_);
  void release_one(int size_class) noexcept VOLE_REQUIRES_LOCK(mu_);

  raw_mutex mu_;
  size_class_pool classes_[stack_classes] VOLE_GUARDED_BY(mu_);
  std::vector<std::unique_ptr<slab>> slabs_ VOLE_GUARDED_BY(mu_);
  std::size_t reserved_bytes_ VOLE_GUARDED_BY(mu_) = 0;
  std::size_t unguarded_ VOLE_GUARDED_BY(mu_) = 0;
  std::uint64_t scavenged_total_ VOLE_GUARDED_BY(mu_) = 0;
  std::size_t blocks_ VOLE_GUARDED_BY(mu_) = 0;
  std::size_t blocks_max_ VOLE_GUARDED_BY(mu_) = SIZE_MAX;
  atomic<std::size_t> high_water_{0};  // bytes
  bool map_limit_reached_ VOLE_GUARDED_BY(mu_) = false;
  atomic<int> readers_{0};  // kept_blocks that live: scavenge waits for its next turn
};

}  // namespace vole::internal
