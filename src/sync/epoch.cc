// SPDX-License-Identifier: Apache-2.0
// Pins and limbo. Invariants: vole/internal/epoch.h.
//
// The epoch and the pins are process-wide, as are the workers whose threads hold them.
// ORDERING  pin: store pinned, then read the container. collect: unlink, slow_barrier, then read
//           pinned. Either the pin is seen, or the reader sees the unlinking.

#include "vole/internal/epoch.h"

#include <algorithm>

#include "runtime/asymmetric.h"
#include "runtime/processor.h"
#include "runtime/scheduler.h"

namespace vole::internal {
namespace {

constexpr std::size_t slots_per_chunk = 64;
constexpr std::size_t chunks_max = scheduler::workers_max / slots_per_chunk;
static_assert(chunks_max * slots_per_chunk == scheduler::workers_max);

struct slot_chunk {
  epoch_slot slots[slots_per_chunk];
  atomic<slot_chunk*> next{nullptr};  // of the guests' chunks
};

atomic<std::uint64_t> the_epoch{1};
atomic<slot_chunk*> worker_slots[chunks_max];
atomic<std::size_t> chunk_count{0};  // never shrinks
slot_chunk guest_slots;              // never fewer than have been pinned at once

epoch_slot& worker_slot(std::uint32_t index) noexcept {
  std::size_t const chunk = index / slots_per_chunk;
  slot_chunk* c = worker_slots[chunk].load(memory_order_acquire);  // pairs with the exchange below
  if (c == nullptr) [[unlikely]] {
    // Counted first: whoever finds the chunk here may pin by it at once.
    std::size_t count = chunk_count.load(memory_order_relaxed);
    // pairs with epoch.cc:oldest_pin
    while (count <= chunk && !chunk_count.compare_exchange_weak(count, chunk + 1)) {
    }
    auto* const fresh = new slot_chunk;
    // pairs with the load above and epoch.cc:oldest_pin
    if (worker_slots[chunk].compare_exchange_strong(c, fresh, memory_order_acq_rel)) {
      c = fresh;
    } else {
      delete fresh;
    }
  }
  return c->slots[index % slots_per_chunk];
}

epoch_slot& guest_slot(std::uint64_t epoch) noexcept {
  for (slot_chunk* chunk = &guest_slots;;) {
    for (epoch_slot& slot : chunk->slots) {
      std::uint64_t expected = 0;
      // pairs with epoch.cc:oldest_pin
      if (slot.pinned.compare_exchange_strong(expected, epoch, memory_order_seq_cst)) {
        fast_barrier();
        return slot;
      }
    }
    // Linked before it is pinned in. pairs with epoch.cc:oldest_pin
    slot_chunk* next = chunk->next.load(memory_order_acquire);
    if (next == nullptr) {
      auto* const fresh = new slot_chunk;
      // pairs with epoch.cc:oldest_pin
      if (chunk->next.compare_exchange_strong(next, fresh, memory_order_seq_cst)) {
        next = fresh;
      } else {
        delete fresh;
      }
    }
    chunk = next;
  }
}

std::uint64_t oldest_pin() noexcept {
  slow_barrier();
  std::uint64_t oldest = UINT64_MAX;
  auto const look = [&oldest](epoch_slot const& slot) {
    // pairs with epoch.cc:epoch_pin, epoch_unpin
    std::uint64_t const pinned = slot.pinned.load(memory_order_seq_cst);
    if (pinned != 0) oldest = std::min(oldest, pinned);
  };
  std::size_t const chunks = chunk_count.load(memory_order_seq_cst);  // pairs with worker_slot
  for (std::size_t i = 0; i < chunks; ++i) {
    // pairs with worker_slot
    slot_chunk const* const c = worker_slots[i].load(memory_order_acquire);
    if (c != nullptr) std::for_each(std::begin(c->slots), std::end(c->slots), look);
  }
  for (slot_chunk const* c = &guest_slots; c != nullptr;) {
    std::for_each(std::begin(c->slots), std::end(c->slots), look);
    c = c->next.load(memory_order_seq_cst);  // pairs with guest_slot
  }
  return oldest;
}

}  // namespace

epoch_slot& epoch_pin() noexcept {
  worker const* const w = current_worker();
  std::uint64_t const epoch = the_epoch.load(memory_order_acquire);  // pairs with limbo::retire
  if (w == nullptr) [[unlikely]] {
    epoch_slot& slot = guest_slot(epoch);
    slot.guest = true;
    return slot;
  }
  epoch_slot& slot = worker_slot(w->index);
  if (slot.depth++ == 0) fast_store(slot.pinned, epoch);  // pairs with epoch.cc:oldest_pin
  return slot;
}

void epoch_unpin(epoch_slot& slot) noexcept {
  // pairs with epoch.cc:oldest_pin: what the reader has read is not freed before
  if (slot.guest || --slot.depth == 0) slot.pinned.store(0, memory_order_release);
}

limbo::~limbo() {
  for (entry const& e : entries_) e.free(e.object);
}

void limbo::retire(void* object, deleter free) {
  std::vector<entry> freed;
  {
    raw_lock const lock(mu_);
    // pairs with epoch.cc: the advance of the_epoch
    entries_.push_back({the_epoch.load(memory_order_seq_cst), object, free});
    if (entries_.size() < collect_at_) return;
    // Readers that pin from now on cannot see what is in limbo. pairs with epoch_pin
    the_epoch.fetch_add(1, memory_order_seq_cst);
    std::uint64_t const oldest = oldest_pin();
    auto const kept = std::partition(entries_.begin(), entries_.end(),
                                     [oldest](entry const& e) { return e.epoch >= oldest; });
    freed.assign(kept, entries_.end());
    entries_.erase(kept, entries_.end());
    // a reader that stays long must not make each retire collect
    collect_at_ = entries_.size() + batch_;
  }
  for (entry const& e : freed) e.free(e.object);
}

}  // namespace vole::internal
