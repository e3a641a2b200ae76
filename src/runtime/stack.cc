// SPDX-License-Identifier: Apache-2.0
// REJECTED  one mmap per stack with mprotect guards: two VMAs each, so the map limit of 65,530 ends
//           it at 32,000 goroutines.
//           MADV_FREE on scavenge: RSS as the operator sees it does not fall until memory is short.

#include "runtime/stack.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <new>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/goroutine.h"
#include "runtime/sanitizer.h"

namespace vole::internal {
namespace {

constexpr std::size_t page_bytes_min = 4096;
constexpr std::size_t slab_bytes = 16 << 20;
constexpr std::size_t slots_max = 64;      // of a slab, which has a bit for each in a word
constexpr std::uint64_t depth_every = 16;  // of the stacks given back, one in so many is measured
constexpr int madv_guard_install = 102;    // Linux 6.13; the C library here does not name it

std::size_t slots_of(int size_class) {
  std::size_t const n = slab_bytes / stack_class_bytes[size_class];
  return n > slots_max ? slots_max : n;
}

// By effect, not by return value: emulators answer success to advice that they do not know.
bool probe_guard_advice() noexcept {
  // LeakSanitizer reads whole stacks and would stop at a guard that its map does not show.
  if (VOLE_ASAN || VOLE_TSAN) return false;
  std::size_t const page_bytes = stack_guard_bytes();
  void* const page =
      ::mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return false;
  int fds[2];
  bool works = false;
  if (::madvise(page, page_bytes, madv_guard_install) == 0 && ::pipe(fds) == 0) {
    works = ::write(fds[1], page, 1) == -1 && errno == EFAULT;
    ::close(fds[0]);
    ::close(fds[1]);
  }
  ::munmap(page, page_bytes);
  return works;
}

// map_stacks maps memory that is nowhere yet, in place of what is at `at` unless that is null.
char* map_stacks(char* at, std::size_t bytes) noexcept {
  void* const mapped = ::mmap(
      at, bytes, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK | (at == nullptr ? 0 : MAP_FIXED), -1,
      0);
  if (mapped == MAP_FAILED) return nullptr;
  ::madvise(mapped, bytes, MADV_NOHUGEPAGE);
  return static_cast<char*>(mapped);
}

// The caches of neighbouring stacks would compete for the same sets if all tops were alike.
std::size_t colour_of(std::size_t slot) {
  return (slot % 8) * 64;
}

goroutine* block_at(slab const& s, std::size_t slot) {
  char* const top = s.base + (slot + 1) * stack_class_bytes[s.size_class];
  return reinterpret_cast<goroutine*>(top - sizeof(goroutine) - colour_of(slot));
}

goroutine* build_block(slab& owner, std::size_t slot) noexcept {
  std::size_t const bytes = stack_class_bytes[owner.size_class];
  char* const low = owner.base + slot * bytes;
  char* const at = low + bytes - sizeof(goroutine) - colour_of(slot);
  auto* const g = ::new (at) goroutine;
  g->size_class = static_cast<std::uint8_t>(owner.size_class);
  g->stack_low = low + stack_guard_bytes();
  g->stack_high = at;
  g->home = &owner;
  g->slot = slot;
#if VOLE_ASAN
  g->context.stack_low = g->stack_low;
  g->context.stack_bytes = static_cast<std::size_t>(g->stack_high - g->stack_low);
#endif
  // pairs with stack.cc:for_each_block and walk_on
  owner.occupied[slot].store(true, memory_order_release);
  return g;
}

// Doubles as push_back would; a plain reserve() of the next slab's slots grows by them alone.
template <class T>
void room_for(std::vector<T>& v, std::size_t more) {
  if (v.capacity() - v.size() < more) v.reserve(std::max(2 * v.capacity(), v.size() + more));
}

}  // namespace

int stack_class_for(std::size_t bytes) noexcept {
  if (bytes == 0) return stack_class_default;
  for (int c = 0; c < stack_classes; ++c) {
    if (bytes <= stack_class_bytes[c] && 4 * stack_guard_bytes() <= stack_class_bytes[c]) return c;
  }
  return -1;
}

std::size_t stack_guard_bytes() noexcept {
  static auto const page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return page;
}

bool stack_guards_take_no_map_entry() noexcept {
  static bool const by_advice = probe_guard_advice();
  return by_advice;
}

bool stack_pool::protect(char* page) noexcept {
  std::size_t const bytes = stack_guard_bytes();
  if (stack_guards_take_no_map_entry() && ::madvise(page, bytes, madv_guard_install) == 0)
    return true;
  if (map_limit_reached_) return false;
  // ENOMEM: the map limit. The stacks to come go without, and are counted.
  map_limit_reached_ = ::mprotect(page, bytes, PROT_NONE) != 0;
  return !map_limit_reached_;
}

void stack_pool::guard(slab& owner, std::size_t slot) noexcept {
  std::uint64_t const bit = std::uint64_t{1} << slot;
  if (((owner.guarded | owner.unguarded) & bit) != 0) return;
  bool const done = protect(owner.base + slot * stack_class_bytes[owner.size_class]);
  (done ? owner.guarded : owner.unguarded) |= bit;
  if (!done) ++unguarded_;
}

bool stack_pool::add_slab(int size_class) noexcept try {
  std::size_t const slots = slots_of(size_class);
  std::size_t const each = stack_class_bytes[size_class];
  auto& cold = classes_[size_class].cold;
  auto owned = std::make_unique<slab>();
  owned->occupied = std::make_unique<atomic<bool>[]>(slots);
  room_for(cold, slots);
  room_for(slabs_, 1);
  owned->base = map_stacks(nullptr, slots * each);
  if (owned->base == nullptr) return false;
  owned->slots = slots;
  owned->size_class = size_class;
#if VOLE_ASAN
  // LeakSanitizer reads the process' map once for each: one for all stacks, not one for each of
  // them. It leaves out the guards, which the map shows.
  __lsan_register_root_region(owned->base, slots * each);
#endif
  for (std::size_t i = slots; i-- > 0;) cold.push_back({owned.get(), i});
  reserved_bytes_ += slots * each;
  slabs_.push_back(std::move(owned));
  return true;
} catch (std::bad_alloc const&) {
  return false;  // what is needed beside the mapping is had before it, so none is lost
}

goroutine* stack_pool::take(int size_class, std::errc* why) noexcept {
  raw_lock const lock(mu_);
  auto& pool = classes_[size_class];
  if (goroutine* g = pool.pooled) {
    pool.pooled = g->next;
    if (--pool.pooled_count < pool.pooled_low) pool.pooled_low = pool.pooled_count;
    return g;
  }
  if (blocks_ >= blocks_max_) {
    *why = std::errc::resource_unavailable_try_again;
    return nullptr;
  }
  if (pool.cold.empty() && !add_slab(size_class)) {
    *why = std::errc::not_enough_memory;
    return nullptr;
  }
  cold_stack const c = pool.cold.back();
  pool.cold.pop_back();
  guard(*c.owner, c.slot);
  ++blocks_;
  ++c.owner->blocks;
  return build_block(*c.owner, c.slot);
}

goroutine* stack_pool::take_pooled(int size_class, std::size_t count) noexcept {
  raw_lock const lock(mu_);
  auto& pool = classes_[size_class];
  goroutine* const first = pool.pooled;
  goroutine* last = nullptr;
  goroutine* g = first;
  for (; g != nullptr && count > 0; --count) {
    last = g;
    g = g->next;
    --pool.pooled_count;
  }
  if (last != nullptr) last->next = nullptr;
  pool.pooled = g;
  if (pool.pooled_count < pool.pooled_low) pool.pooled_low = pool.pooled_count;
  return first;
}

void stack_pool::give_many(int size_class, goroutine* first) noexcept {
  std::size_t n = 1;
  goroutine* last = first;
  for (; last->next != nullptr; ++n) last = last->next;
  raw_lock const lock(mu_);
  auto& pool = classes_[size_class];
  last->next = pool.pooled;
  pool.pooled = first;
  pool.pooled_count += n;
}

bool stack_pool::scavenge_due() noexcept {
  raw_lock const lock(mu_);
  for (auto const& pool : classes_) {
    if (pool.pooled_count > 0) return true;
  }
  return false;
}

void stack_pool::plan_scavenge() noexcept {
  raw_lock const lock(mu_);
  for (auto& pool : classes_) {
    pool.unneeded = pool.pooled_low;
    pool.pooled_low = pool.pooled_count;
  }
}

bool stack_pool::scavenge(std::size_t most) noexcept {
  // A few at a time: the lock is on the path of every spawn that misses its processor's cache.
  constexpr std::size_t batch = 32;
  for (int c = 0; c < stack_classes; ++c) {
    while (true) {
      raw_lock const lock(mu_);
      auto& pool = classes_[c];
      if (readers_.load() != 0) return false;  // marked again by the next plan
      pool.unneeded = std::min(pool.unneeded, pool.pooled_count);
      if (pool.unneeded == 0) break;
      if (most == 0) return true;
      std::size_t const n = std::min({batch, most, pool.unneeded});
      for (std::size_t i = 0; i < n; ++i) release_one(c);
      most -= n;
    }
  }
  return false;
}

void stack_pool::release_one(int size_class) noexcept {
  auto& pool = classes_[size_class];
  goroutine* const g = pool.pooled;
  pool.pooled = g->next;
  --pool.pooled_count;
  --pool.unneeded;
  pool.pooled_low = std::min(pool.pooled_low, pool.pooled_count);
  if (++scavenged_total_ % depth_every == 0) note_depth(*g);
  --blocks_;
  cold_stack const cold{g->home, g->slot};
  char* const low = g->stack_low;
  cold.owner->occupied[cold.slot].store(false);
  std::size_t const bytes = stack_class_bytes[size_class] - stack_guard_bytes();
#if VOLE_ASAN
  __asan_unpoison_memory_region(low, bytes);
#endif
  ::madvise(low, bytes, MADV_DONTNEED);
  pool.cold.push_back(cold);
  if (--cold.owner->blocks == 0) drop_page_tables(*cold.owner);
}

// The kernel keeps page tables for as long as a mapping lives: an eighth of a page for each stack.
void stack_pool::drop_page_tables(slab& of) noexcept {
  if (map_stacks(of.base, of.slots * stack_class_bytes[of.size_class]) == nullptr) {
    // Old kernels unmap before they find that they cannot map: what lies there is nobody's now.
    std::erase_if(classes_[of.size_class].cold,
                  [&of](cold_stack const& c) { return c.owner == &of; });
    return;
  }
  unguarded_ -= static_cast<std::size_t>(std::popcount(of.unguarded));
  of.guarded = 0;
  of.unguarded = 0;
  map_limit_reached_ = false;
}

kept_blocks::kept_blocks(stack_pool& pool) noexcept : pool_(pool) {
  pool_.readers_.fetch_add(1);
  raw_lock const lock(pool_.mu_);  // a batch that has begun is through
}
kept_blocks::~kept_blocks() {
  pool_.readers_.fetch_sub(1);
}

void stack_pool::for_each_block(void (*visit)(void*, goroutine&), void* arg) noexcept {
  kept_blocks const kept(*this);
  std::size_t index = 0;
  while (true) {
    slab* s = nullptr;
    {
      raw_lock const lock(mu_);
      if (index < slabs_.size()) s = slabs_[index].get();
    }
    if (s == nullptr) break;
    ++index;
    for (std::size_t i = 0; i < s->slots; ++i) {
      // pairs with stack.cc:build_block
      if (s->occupied[i].load(memory_order_acquire)) visit(arg, *block_at(*s, i));
    }
  }
}

// note_slabs tells the cursor of some slabs that it does not know yet; false: it knows all.
bool stack_pool::note_slabs(block_cursor& at) noexcept {
  constexpr std::size_t most = 256;  // spawns wait for the lock
  room_for(at.slabs, most);
  raw_lock const lock(mu_);
  std::size_t const end = std::min(slabs_.size(), at.slabs.size() + most);
  for (std::size_t i = at.slabs.size(); i < end; ++i) {
    at.slabs.push_back(slabs_[i].get());
    at.slots += slabs_[i]->slots;
  }
  return end < slabs_.size();
}

std::size_t stack_pool::walk_on(block_cursor& at, void (*visit)(void*, goroutine&),
                                bool (*enough)(void*), void* arg) noexcept {
  constexpr std::size_t slots_per_question = 64;
  kept_blocks const kept(*this);
  while (note_slabs(at)) {
  }
  std::size_t passed = 0;
  while (passed < at.slots) {
    if (at.row >= at.slabs.size()) {
      at.row = 0;
      at.column = (at.column + 1) % slots_max;
    }
    slab const& s = *at.slabs[at.row++];
    if (at.column >= s.slots) continue;
    ++passed;
    // pairs with stack.cc:build_block
    bool const occupied = s.occupied[at.column].load(memory_order_acquire);
    if (occupied) visit(arg, *block_at(s, at.column));
    if ((occupied || passed % slots_per_question == 0) && enough(arg)) break;
  }
  return passed;
}

void stack_pool::set_limit(std::size_t blocks) noexcept {
  raw_lock const lock(mu_);
  blocks_max_ = blocks == 0 ? SIZE_MAX : blocks;
}

void stack_pool::note_depth(goroutine const& g) noexcept {
  constexpr std::size_t pages_max = stack_class_bytes[stack_classes - 1] / page_bytes_min;
  std::size_t const page_bytes = stack_guard_bytes();
  auto const pages = stack_class_bytes[g.size_class] / page_bytes - 1;
  unsigned char resident[pages_max];
  if (::mincore(g.stack_low, pages * page_bytes, resident) != 0) return;
  std::size_t untouched = 0;
  while (untouched < pages && (resident[untouched] & 1) == 0) ++untouched;
  std::size_t const bytes = (pages - untouched) * page_bytes;
  std::size_t seen = high_water_.load(memory_order_relaxed);
  while (seen < bytes && !high_water_.compare_exchange_weak(seen, bytes)) {
  }
}

stack_counters stack_pool::counters() noexcept {
  raw_lock const lock(mu_);
  stack_counters c;
  for (auto const& pool : classes_) {
    c.pooled += pool.pooled_count;
    c.cold += pool.cold.size();
  }
  c.reserved_bytes = reserved_bytes_;
  c.unguarded = unguarded_;
  c.blocks = blocks_;
  c.blocks_max = blocks_max_;
  c.high_water_bytes = high_water_.load(memory_order_relaxed);
  c.scavenged_total = scavenged_total_;
  return c;
}

}  // namespace vole::internal
