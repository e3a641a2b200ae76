// SPDX-License-Identifier: Apache-2.0
// The tables behind the heap profile. Invariants: runtime/heap_sample.h.
//
// ORDERING  version: odd while the table changes. A reader that sees the same even value before and
//           after has seen one state of it.

#include "runtime/heap_sample.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <limits>
#include <sys/mman.h>
#include <utility>

#include "vole/internal/annotations.h"
#include "vole/internal/raw_mutex.h"

#include "base/rand.h"
#include "runtime/fork_locks.h"
#include "runtime/own_stack.h"

namespace vole::internal::heap {

constinit atomic<std::uint64_t> filter[(1U << filter_log2) / 64] = {};

namespace {

constexpr std::size_t entries_at_first = 1 << 12;

constinit atomic<std::size_t> rate_now{rate_default};

[[gnu::tls_model("initial-exec")]] constinit thread_local bool recording = false;

struct recording_scope {
  recording_scope() noexcept { recording = true; }
  ~recording_scope() { recording = false; }
};

// How many buckets a stack may have: one for each of eight sizes between a power of two and the
// next, and each rate. Go keeps its size classes apart for the same reason: the scale depends on
// the size.
std::uint64_t tag_of(std::size_t bytes, std::size_t rate) noexcept {
  std::uint64_t const size = std::max<std::uint64_t>(bytes, 8);
  auto const log2 =
      static_cast<unsigned>(std::numeric_limits<std::uint64_t>::digits - 1 - __builtin_clzll(size));
  std::uint64_t const size_class = (log2 << 3) | ((size >> (log2 - 3)) & 7);
  return size_class << 48 | std::min<std::uint64_t>(rate, (std::uint64_t{1} << 48) - 1);
}
// block_bytes_of is the least size in the class: that a stack's blocks have other sizes today than
// yesterday must not give it another name.
std::size_t block_bytes_of(std::uint64_t tag) noexcept {
  std::uint64_t const size_class = tag >> 48;
  std::uint64_t const log2 = size_class >> 3;
  return log2 < 3 ? 0 : (8 | (size_class & 7)) << (log2 - 3);
}
std::size_t rate_of(std::uint64_t tag) noexcept {
  return tag & ((std::uint64_t{1} << 48) - 1);
}

// Sampled blocks that live, by address: open addressing with linear probing, at most half full.
class block_table {
 public:
  struct entry {
    atomic<std::uintptr_t> block;  // 0: free
    stack_bucket* at;
    std::size_t bytes;
  };

  // may_hold: without the lock; false only if the caller's own block is not in the table.
  bool may_hold(std::uintptr_t block) const noexcept {
    std::uint64_t const before = version_.load(memory_order_acquire);  // pairs with change
    if (before % 2 != 0) return true;
    std::size_t const mask = mask_.load(memory_order_acquire);         // pairs with grow
    entry const* const entries = entries_.load(memory_order_acquire);  // pairs with grow
    if (entries == nullptr) return false;
    std::size_t i = home_of(block, mask);
    // A table that moves meanwhile may be read for ever: as many steps as there are entries.
    for (std::size_t steps = 0; steps <= mask; ++steps, i = (i + 1) & mask) {
      // acquire: the version is read after it
      std::uintptr_t const there = entries[i].block.load(memory_order_acquire);
      if (there == block) return true;
      if (there == 0) break;
    }
    return version_.load(memory_order_relaxed) != before;
  }

  // put enters a block; what stood under its address is returned in *old. False: no memory.
  bool put(std::uintptr_t block, taken_block const& what, taken_block* old) noexcept {
    if (2 * (used_ + 1) > capacity_ && !grow()) return false;
    entry& e = find(block);
    *old = e.block.load(memory_order_relaxed) == block ? taken_block{e.at, e.bytes} : taken_block{};
    if (old->at == nullptr) ++used_;
    e.at = what.at;
    e.bytes = what.bytes;
    e.block.store(block, memory_order_release);  // pairs with may_hold
    return true;
  }

  taken_block take(std::uintptr_t block) noexcept {
    if (entries_.load(memory_order_relaxed) == nullptr) return {};
    entry& e = find(block);
    if (e.block.load(memory_order_relaxed) != block) return {};
    taken_block const was{e.at, e.bytes};
    change const guard(*this);
    close_gap(static_cast<std::size_t>(&e - entries_.load(memory_order_relaxed)));
    --used_;
    return was;
  }

 private:
  // While one lives, readers without the lock know that they cannot know.
  class change {
   public:
    explicit change(block_table& t) noexcept : table_(t) {
      table_.version_.fetch_add(1, memory_order_acq_rel);  // pairs with may_hold
    }
    ~change() { table_.version_.fetch_add(1, memory_order_release); }  // pairs with may_hold
    change(change const&) = delete;
    change& operator=(change const&) = delete;

   private:
    block_table& table_;
  };

  static std::size_t home_of(std::uintptr_t block, std::size_t mask) noexcept {
    return ((block >> 4) * 0x9e3779b97f4a7c15 >> 20) & mask;
  }

  // find is the entry of block, or the free one where it would go.
  entry& find(std::uintptr_t block) noexcept {
    entry* const entries = entries_.load(memory_order_relaxed);
    std::size_t const mask = capacity_ - 1;
    std::size_t i = home_of(block, mask);
    for (;; i = (i + 1) & mask) {
      std::uintptr_t const there = entries[i].block.load(memory_order_relaxed);
      if (there == block || there == 0) return entries[i];
    }
  }

  // close_gap moves up those behind entry i that would not be found past a free one.
  void close_gap(std::size_t gap) noexcept {
    entry* const entries = entries_.load(memory_order_relaxed);
    std::size_t const mask = capacity_ - 1;
    for (std::size_t i = (gap + 1) & mask;; i = (i + 1) & mask) {
      std::uintptr_t const there = entries[i].block.load(memory_order_relaxed);
      if (there == 0) break;
      std::size_t const from_home = (i - home_of(there, mask)) & mask;
      if (from_home < ((i - gap) & mask)) continue;  // it stands between its home and the gap
      entries[gap].at = entries[i].at;
      entries[gap].bytes = entries[i].bytes;
      entries[gap].block.store(there, memory_order_release);  // pairs with may_hold
      gap = i;
    }
    entries[gap].block.store(0, memory_order_release);  // pairs with may_hold
  }

  // grow doubles the table. The old one stays mapped: somebody may still look at it.
  bool grow() noexcept {
    std::size_t const wider = capacity_ == 0 ? entries_at_first : 2 * capacity_;
    void* const fresh = ::mmap(nullptr, wider * sizeof(entry), PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fresh == MAP_FAILED) return false;
    change const guard(*this);
    entry* const old = entries_.load(memory_order_relaxed);
    std::size_t const old_capacity = capacity_;
    // The entries before the mask, and a reader takes the mask before the entries: so it never has
    // a mask that is too wide.
    entries_.store(static_cast<entry*>(fresh), memory_order_release);  // pairs with may_hold
    mask_.store(wider - 1, memory_order_release);                      // pairs with may_hold
    capacity_ = wider;
    for (std::size_t i = 0; i < old_capacity; ++i) {
      std::uintptr_t const block = old[i].block.load(memory_order_relaxed);
      if (block == 0) continue;
      entry& e = find(block);
      e.at = old[i].at;
      e.bytes = old[i].bytes;
      e.block.store(block, memory_order_relaxed);
    }
    return true;
  }

  atomic<std::uint64_t> version_{0};
  atomic<entry*> entries_{nullptr};
  atomic<std::size_t> mask_{0};
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
};

constinit raw_mutex mu;
constinit stack_table by_stack VOLE_GUARDED_BY(mu);
constinit block_table live;  // changed under mu
constinit std::uint16_t filter_counts[1U << filter_log2] VOLE_GUARDED_BY(mu) = {};

void raise_filter(void* block) noexcept VOLE_REQUIRES_LOCK(mu) {
  std::uint32_t const bit = filter_bit(block);
  if (filter_counts[bit]++ > 0) return;
  // relaxed, no partner: who frees the block got it, after this, from who allocated it
  filter[bit / 64].fetch_or(std::uint64_t{1} << (bit % 64), memory_order_relaxed);
}
void lower_filter(void* block) noexcept VOLE_REQUIRES_LOCK(mu) {
  std::uint32_t const bit = filter_bit(block);
  if (--filter_counts[bit] > 0) return;
  // relaxed, no partner: a bit that is seen too long costs a look
  filter[bit / 64].fetch_and(~(std::uint64_t{1} << (bit % 64)), memory_order_relaxed);
}

void count_freed(taken_block const& was) noexcept VOLE_REQUIRES_LOCK(mu) {
  if (was.at == nullptr) return;
  was.at->counts[2] += 1;
  was.at->counts[3] += static_cast<std::int64_t>(was.bytes);
}

void enter(void* block, taken_block const& what) noexcept VOLE_REQUIRES_LOCK(mu) {
  taken_block stale;
  if (!live.put(reinterpret_cast<std::uintptr_t>(block), what, &stale)) {
    count_freed(what);  // it cannot be followed: better not seen to live than for ever
    return;
  }
  // The address was freed behind our back, past the hooks.
  count_freed(stale);
  if (stale.at == nullptr) raise_filter(block);
}

taken_block take_locked(void* block) noexcept VOLE_REQUIRES_LOCK(mu) {
  taken_block const was = live.take(reinterpret_cast<std::uintptr_t>(block));
  count_freed(was);
  if (was.at != nullptr) lower_filter(block);
  return was;
}

// The next distance of a Poisson process.
std::uint64_t distance(std::size_t rate) noexcept {
  constexpr double unit = 1.0 / 9007199254740992.0;  // 2^-53
  double const uniform = (static_cast<double>(fast_rand() >> 11) + 0.5) * unit;
  return 1 + static_cast<std::uint64_t>(-std::log(uniform) * static_cast<double>(rate));
}

}  // namespace

void set_rate(std::size_t bytes) noexcept {
  rate_now.store(bytes);
  malloc_count::look_again();
}
std::size_t rate() noexcept {
  return rate_now.load(memory_order_relaxed);
}

[[gnu::noinline]] bool draw() noexcept {
  malloc_count::slot& s = malloc_count::slot_of_caller();
  for (bool first = true;; first = false) {
    std::size_t const rate = rate_now.load(memory_order_relaxed);
    std::uint64_t due_at = s.sample_at.load(memory_order_relaxed);
    std::uint64_t const bytes = s.bytes.load(memory_order_relaxed);
    if (first && bytes < due_at) return false;  // in the shared slot another thread was faster
    bool const due = rate == 1 || s.rate.load(memory_order_relaxed) == rate;
    std::uint64_t next = std::numeric_limits<std::uint64_t>::max();
    if (rate == 1) next = 0;
    if (rate > 1) next = bytes + distance(rate);
    // seq_cst, both: pairs with malloc_count.cc:look_again
    if (!s.sample_at.compare_exchange_strong(due_at, next)) continue;
    s.rate.store(rate, memory_order_relaxed);
    if (rate_now.load() == rate) return due && rate > 0 && !recording && !this_thread_forks();
  }
}

[[gnu::noinline]] void record(void* block, std::size_t bytes, void const* from) noexcept {
  int const saved_errno = errno;
  recording_scope const scope;
  std::uintptr_t pcs[stack_table::depth_max];
  std::size_t const depth = unwind_own_stack(pcs, from);
  guard_forks();
  {
    raw_lock const lock(mu);
    stack_bucket& at = by_stack.at({pcs, depth}, tag_of(bytes, rate()));
    at.counts[0] += 1;
    at.counts[1] += static_cast<std::int64_t>(bytes);
    enter(block, {&at, bytes});
  }
  errno = saved_errno;
}

[[gnu::noinline]] taken_block take(void* block) noexcept VOLE_NO_THREAD_SAFETY_ANALYSIS {
  if (!live.may_hold(reinterpret_cast<std::uintptr_t>(block))) return {};
  if (this_thread_forks()) return take_locked(block);
  int const saved_errno = errno;
  mu.lock();
  taken_block const was = take_locked(block);
  mu.unlock();
  errno = saved_errno;
  return was;
}

void put_back(void* block, taken_block const& was) noexcept VOLE_NO_THREAD_SAFETY_ANALYSIS {
  if (was.at == nullptr) return;
  bool const locked = this_thread_forks();
  if (!locked) mu.lock();
  was.at->counts[2] -= 1;
  was.at->counts[3] -= static_cast<std::int64_t>(was.bytes);
  enter(block, was);
  if (!locked) mu.unlock();
}

void before_fork() noexcept {
  mu.lock();
}
void after_fork() noexcept {
  mu.unlock();
}

std::vector<stack_counts> snapshot() {
  std::vector<stack_counts> all;
  for (std::size_t room = stacks() + 64;; room *= 2) {
    all.clear();
    all.reserve(room);  // nothing is allocated under the lock, which malloc takes
    raw_lock const lock(mu);
    if (by_stack.size() >= room) continue;
    by_stack.for_each([&](stack_bucket const& b) {
      all.push_back({.pcs = b.stack(),
                     .rate = rate_of(b.tag),
                     .block_bytes = block_bytes_of(b.tag),
                     .objects_allocated = b.counts[0],
                     .bytes_allocated = b.counts[1],
                     .objects_freed = b.counts[2],
                     .bytes_freed = b.counts[3]});
    });
    return all;
  }
}

std::size_t stacks() noexcept {
  raw_lock const lock(mu);
  return by_stack.size();
}

}  // namespace vole::internal::heap
