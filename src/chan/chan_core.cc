// SPDX-License-Identifier: Apache-2.0
// The slow paths of a channel: making, closing, parking. Invariants and locks:
// vole/internal/chan_core.h.

#include "vole/internal/chan_core.h"

#include <algorithm>
#include <limits>
#include <new>

#include "vole/assert.h"
#include "vole/chan.h"

namespace vole::internal {
namespace {

constexpr std::size_t bytes_max = std::numeric_limits<std::ptrdiff_t>::max();

std::size_t core_align(element_ops const& ops) {
  return std::max(ops.bytes == 0 ? std::size_t{1} : ops.align, alignof(chan_core));
}

chan_outcome to_outcome(wake_reason reason) {
  return reason == wake_reason::canceled ? chan_outcome::canceled : chan_outcome::deadline;
}

}  // namespace

std::size_t checked_capacity(std::intmax_t capacity) {
  VOLE_REQUIRE(capacity >= 0, "a channel's capacity is {}", capacity);
  return static_cast<std::size_t>(capacity);
}

chan_core* chan_core::make(element_ops const& ops, std::size_t capacity) {
  // One block: the core, then the buffer.
  std::size_t const align = core_align(ops);
  std::size_t const header = (sizeof(chan_core) + align - 1) / align * align;
  VOLE_REQUIRE(ops.bytes == 0 || capacity <= (bytes_max - header) / ops.bytes,
               "a channel of {} elements of {} bytes does not fit into memory", capacity,
               ops.bytes);
  void* const block = ::operator new(header + capacity * ops.bytes, std::align_val_t{align});
  return ::new (block) chan_core(
      ops, capacity, static_cast<std::byte*>(block) + header,
      [](chan_core* core) {
        std::align_val_t const block_align{core_align(*core->ops_)};
        core->~chan_core();
        ::operator delete(static_cast<void*>(core), block_align);
      },
      false);
}

chan_core::~chan_core() {
  if (ops_->destroy == nullptr) return;
  std::size_t index = head_;
  for (std::size_t left = count_.load(memory_order_relaxed); left != 0; --left) {
    ops_->destroy_element(slot_at(index));
    index = after(index);
  }
}

void chan_core::close() {
  lock_.lock();
  if (closed_.load(memory_order_relaxed)) {
    lock_.unlock();
    panic("close of closed channel");
  }
  closed_.store(true, memory_order_release);  // pairs with chan_core.h:looks_receivable
  // One at a time: each waiter lies on a page of its own, which is fetched while the one before it
  // is made ready. Nobody comes after the close, and who has been woken may drop the last handle.
  bool const waited_for = !receivers_.empty() || !senders_.empty();
  if (waited_for) retain();
  for (;;) {
    chan_waiter* w = receivers_.pop_claimed();
    if (w == nullptr) w = senders_.pop_claimed();
    __builtin_prefetch(receivers_.front());
    lock_.unlock();
    if (w == nullptr) break;
    w->finish(false);
    lock_.lock();
  }
  if (waited_for) release();
}

chan_outcome chan_core::park(wait_reason why, void* slot,
                             park_limit const& limit) VOLE_NO_THREAD_SAFETY_ANALYSIS {
  bool const sends = why == wait_reason::chan_send;
  waiter_list<chan_waiter>& list = sends ? senders_ : receivers_;
  chan_episode episode;
  chan_waiter w{.episode = &episode, .slot = slot, .exclusive = limit.unlimited()};
  list.push_back(w);
  if (w.exclusive) {
    park_ticket::held_lock held{
        [](void* lock) VOLE_NO_THREAD_SAFETY_ANALYSIS { static_cast<chan_lock*>(lock)->unlock(); },
        &lock_};
    episode.ticket.park_holding(why, held);
  } else {
    lock_.unlock();
    wake_reason const reason = episode.ticket.park(why, limit);
    if (reason != wake_reason::ready) {
      lock_.lock();
      list.remove(w);
      lock_.unlock();
      return to_outcome(reason);
    }
  }
  if (w.delivered) return chan_outcome::ok;
  if (sends) panic("send on closed channel");
  return chan_outcome::closed;
}

void chan_core::panic_send_on_closed() {
  lock_.unlock();
  panic("send on closed channel");
}

chan_outcome park_on_nil(wait_reason why, park_limit const& limit) {
  park_ticket ticket;
  wake_reason const reason = ticket.park(why, limit);
  VOLE_ASSERT(reason == wake_reason::deadline || reason == wake_reason::canceled);
  return to_outcome(reason);
}

void park_for_ever(wait_reason why) {
  static_cast<void>(park_on_nil(why, {}));
  __builtin_unreachable();
}

void panic_close_of_nil() {
  panic("close of nil channel");
}

}  // namespace vole::internal
