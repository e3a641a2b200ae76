// SPDX-License-Identifier: Apache-2.0
// sync::pool: a magazine per worker in front of a shared depot. Invariants and locks:
// vole/sync/pool.h.

#include "vole/sync/pool.h"

#include <algorithm>
#include <new>
#include <vector>

#include "runtime/asymmetric.h"
#include "runtime/pressure.h"
#include "runtime/processor.h"

namespace vole::internal {

pool_core::pool_core(void (*destroy)(void*))
    : destroy_(destroy),
      reclaimer_(
          std::make_unique<reclaimer>(this, [](void* self, relief need, std::vector<garbage>& out) {
            static_cast<pool_core*>(self)->collect(need, out);
          })) {}

pool_core::~pool_core() {
  reclaimer_.reset();
  atomic<magazine*>* const all = magazines_.load(memory_order_acquire);  // pairs with make_magazine
  for (std::size_t i = 0; all != nullptr && i < magazines_max; ++i) {
    magazine* const m = all[i].load(memory_order_acquire);  // pairs with make_magazine
    if (m == nullptr) continue;
    for (std::size_t k = 0; k < m->count; ++k) destroy_(m->objects[k]);
    delete m;
  }
  delete[] all;
  raw_lock const lock(mu_);
  for (std::size_t k = 0; k < depot_count_; ++k) destroy_(depot_[k]);
  delete[] depot_;
}

// Null: the caller runs on a thread that has no magazine.
pool_core::magazine* pool_core::own_magazine() noexcept {
  worker const* const w = current_worker();
  if (w == nullptr || w->index >= magazines_max) return nullptr;
  atomic<magazine*>* const all = magazines_.load(memory_order_acquire);  // pairs with make_magazine
  if (all != nullptr) {
    // relaxed, no partner: only this thread stores here
    if (magazine* const m = all[w->index].load(memory_order_relaxed)) return m;
  }
  return make_magazine(w->index);
}

pool_core::magazine* pool_core::make_magazine(std::size_t index) noexcept {
  raw_lock const lock(mu_);
  atomic<magazine*>* all = magazines_.load(memory_order_relaxed);
  if (all == nullptr) {
    all = new (std::nothrow) atomic<magazine*>[magazines_max] {};
    if (all == nullptr) return nullptr;
    magazines_.store(all, memory_order_release);  // pairs with own_magazine
  }
  auto* const m = new (std::nothrow) magazine;
  all[index].store(m, memory_order_release);  // pairs with the destructor
  return m;
}

// enter makes the caller the only one who touches its magazine; null: it has none, or the pool is
// being trimmed.
pool_core::magazine* pool_core::enter() noexcept {
  magazine* const own = own_magazine();
  if (own == nullptr) return nullptr;
  fast_store(own->busy, true);  // pairs with trim
  // pairs with trim, whose changes of the magazine are seen here
  if (!trimming_.load(memory_order_acquire)) [[likely]] {
    if (!own->touched) [[unlikely]] {
      touch(own);
    }
    return own;
  }
  leave(own);
  return nullptr;
}

void pool_core::touch(magazine* own) noexcept {
  own->touched = true;
  raw_lock const lock(mu_);
  reclaimer_->keeps(true);
}

void pool_core::leave(magazine* own) noexcept {
  if (own != nullptr) own->busy.store(false, memory_order_release);  // pairs with trim
}

void* pool_core::get() noexcept {
  magazine* const own = enter();
  void* const object = own != nullptr && own->count != 0 ? own->objects[--own->count] : refill(own);
  leave(own);
  return object;
}

void pool_core::put(void* object) noexcept {
  magazine* const own = enter();
  if (own != nullptr && own->count != magazine_size) {
    own->objects[own->count++] = object;
    leave(own);
    return;
  }
  void* surplus[magazine_size + 1];
  std::size_t count = flush(own, object, surplus);
  leave(own);
  while (count != 0) destroy_(surplus[--count]);
}

void pool_core::trim() noexcept {
  std::vector<garbage> idle;
  collect(relief::all, idle);
  for (garbage const& g : idle) g.destroy(g.object);
}

void pool_core::collect(relief need, std::vector<garbage>& idle) noexcept {
  raw_lock const lock(mu_);
  trimming_.exchange(true, memory_order_seq_cst);  // pairs with enter
  slow_barrier();                                  // who does not see the flag is seen to be busy
  bool kept = false;
  // pairs with make_magazine
  atomic<magazine*>* const all = magazines_.load(memory_order_acquire);
  for (std::size_t i = 0; all != nullptr && i < magazines_max; ++i) {
    magazine* const m = all[i].load(memory_order_acquire);  // pairs with make_magazine
    if (m == nullptr) continue;
    // Its worker is at it just now: what it has is in use.
    bool const busy = m->busy.load(memory_order_acquire);  // pairs with leave
    if (!busy && (need == relief::all || !m->touched)) {
      for (std::size_t k = 0; k < m->count; ++k) idle.push_back({m->objects[k], destroy_});
      m->count = 0;
    }
    if (!busy) m->touched = false;
    kept = kept || busy || m->count != 0;
  }
  std::size_t const going = need == relief::all ? depot_count_ : depot_low_;
  for (std::size_t k = 0; k < going; ++k) idle.push_back({depot_[k], destroy_});
  std::copy(depot_ + going, depot_ + depot_count_, depot_);  // the last in are the warm ones
  depot_count_ -= going;
  depot_low_ = depot_count_;
  reclaimer_->keeps(kept || depot_count_ != 0);
  trimming_.store(false, memory_order_release);  // pairs with enter
}

// Takes one object from the depot, and half a magazine with it.
void* pool_core::refill(magazine* own) noexcept {
  raw_lock const lock(mu_);
  if (depot_count_ == 0) return nullptr;
  void* const object = depot_[--depot_count_];
  while (own != nullptr && own->count < magazine_size / 2 && depot_count_ != 0) {
    own->objects[own->count++] = depot_[--depot_count_];
  }
  depot_low_ = std::min(depot_low_, depot_count_);
  return object;
}

// Puts an object into the depot, and half the magazine with it; what finds no room is returned.
std::size_t pool_core::flush(magazine* own, void* object, void** surplus) noexcept {
  std::size_t count = 0;
  surplus[count++] = object;
  while (own != nullptr && own->count > magazine_size / 2) {
    surplus[count++] = own->objects[--own->count];
  }
  raw_lock const lock(mu_);
  if (depot_count_ + count > depot_room_ && depot_room_ < depot_max) {
    std::size_t const room = std::min(depot_max, std::max(depot_room_ * 2, 4 * magazine_size));
    if (void** const bigger = new (std::nothrow) void*[room]) {
      std::copy_n(depot_, depot_count_, bigger);
      delete[] depot_;
      depot_ = bigger;
      depot_room_ = room;
    }
  }
  while (count != 0 && depot_count_ < depot_room_) depot_[depot_count_++] = surplus[--count];
  reclaimer_->keeps(true);
  return count;
}

}  // namespace vole::internal
