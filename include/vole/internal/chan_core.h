// SPDX-License-Identifier: Apache-2.0
#pragma once
// What chan<T> points to: one untyped core for every element type, with thin typed fast paths over
// it.
//
// INVARIANTS
//   - Elements lie in buffer_[head_ .. head_+count_), modulo capacity_; all other slots are raw
//   memory.
//   - receivers_ holds a live waiter only while the buffer is empty, senders_ only while it is
//   full. A waiter that has
//     ended by deadline, cancel or another case of its select may still be linked: it is dropped by
//     whoever meets it.
//   - Who claims a waiter's ticket moves the element to or from waiter.slot, sets episode->fired
//   and delivered, and
//     finishes the ticket; until then the waiter's stack frame stands. Nobody else touches the
//     slot.
//   - closed_ goes from false to true once. Nothing enters buffer_ after it, and both lists stay
//   empty.
//   - A timer's channel (is_timer_) has no buffer and no senders: the clock sends, see time.cc. Who
//   finds nothing there asks take_due(); who parks on it holds it (timer_hold) for that time.
//   - refs_ counts handles. An operation runs under a handle of its caller. One that parks holding
//   the lock is woken by
//     who takes the lock next, and may be the last to hold the core: unlock's last access is its
//     store.
// LOCKS  lock_ guards everything but refs_, capacity_, buffer_, ops_ and dispose_, which never
//        change. Several cores are
//        locked together only by select, in order of address. A lock section never parks, allocates
//        or runs user code
//        other than the move constructor and destructor of an element that goes through the buffer.
// Source: Go runtime/chan.go. Differs: a hand-over is moved after the unlock; handles are counted
// instead of collected.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "vole/internal/chan_lock.h"
#include "vole/internal/clock.h"
#include "vole/internal/park.h"
#include "vole/internal/waiter_list.h"

namespace vole::internal {

enum class chan_outcome : std::uint8_t {
  ok,        // the element was sent or received
  closed,    // receive only: closed and drained
  deadline,  // the limit's deadline passed first
  canceled,  // the limit's cancel source fired first
};

struct chan_waiter;

// chan_episode is one wait of one goroutine, on one channel or, in a select, on several.
struct chan_episode {
  park_ticket ticket;
  chan_waiter* fired = nullptr;  // whose case it was; written between claim and finish
};

// chan_waiter is the place of an episode in the queue of one channel. Lives on the waiter's stack.
struct chan_waiter {
  chan_waiter* next = nullptr;
  chan_waiter* previous = nullptr;
  chan_episode* episode = nullptr;
  void* slot = nullptr;    // sender: the element to move from; receiver: raw memory for it
  bool linked = false;     // guarded by the channel's lock
  bool delivered = false;  // the element went over; false when the channel was closed instead
  // parked holding the channel's lock: who finds it there has it, without a claim
  bool exclusive = false;

  bool claim() noexcept { return exclusive || episode->ticket.try_claim(); }
  void finish(bool success) noexcept {
    delivered = success;
    episode->fired = this;
    if (exclusive) {
      episode->ticket.wake_parked();
    } else {
      episode->ticket.finish();
    }
  }
};

// element_ops is what the untyped code knows of an element type; null functions mean memcpy and
// nothing.
struct element_ops {
  std::size_t bytes;  // 0 for empty types: they take no room and are never moved
  std::size_t align;
  // constructs *to; *from stays to be destroyed by its owner
  void (*move)(void* to, void* from) noexcept;
  void (*destroy)(void* at) noexcept;

  void move_element(void* to, void* from) const noexcept {
    if (move != nullptr) {
      move(to, from);
    } else if (bytes != 0) {
      std::memcpy(to, from, bytes);
    }
  }
  void destroy_element(void* at) const noexcept {
    if (destroy != nullptr) destroy(at);
  }
};

template <class T>
inline constexpr bool element_has_bytes =
    !(std::is_empty_v<T> && std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T>);

template <class T>
constexpr element_ops make_element_ops() noexcept {
  element_ops ops{element_has_bytes<T> ? sizeof(T) : 0, alignof(T), nullptr, nullptr};
  if constexpr (!std::is_trivially_copyable_v<T>) {
    ops.move = [](void* to, void* from) noexcept {
      ::new (to) T(std::move(*static_cast<T*>(from)));
    };
  }
  if constexpr (!std::is_trivially_destructible_v<T>) {
    ops.destroy = [](void* at) noexcept { static_cast<T*>(at)->~T(); };
  }
  return ops;
}
template <class T>
inline constexpr element_ops element_ops_of = make_element_ops<T>();

class chan_core {
 public:
  chan_core(chan_core const&) = delete;
  chan_core& operator=(chan_core const&) = delete;

  // make allocates a core with one reference. Panics when the capacity cannot be had.
  static chan_core* make(element_ops const& ops, std::size_t capacity);

  // relaxed, no partner: whoever copies a handle holds a reference already
  void retain() noexcept { refs_.fetch_add(1, memory_order_relaxed); }
  void release() noexcept {
    // pairs with itself: the last one sees what the others did
    if (refs_.fetch_sub(1, memory_order_acq_rel) == 1) dispose_(this);
  }

  // send moves from `from`, waiting for room. Panics: closed.
  template <class T>
  void send(T& from) {
    if (!send_or_lock(from)) park(wait_reason::chan_send, &from, {});
  }
  template <class T>
  chan_outcome send_until(T& from, park_limit const& limit) {
    return send_or_lock(from) ? chan_outcome::ok : park(wait_reason::chan_send, &from, limit);
  }
  template <class T>
  bool try_send(T& from) {
    if (!looks_sendable()) return false;
    if (send_or_lock(from)) return true;
    lock_.unlock();
    return false;
  }

  // recv fills `to`, or leaves it empty when the channel is closed and drained.
  template <class T>
  void recv(std::optional<T>& to) {
    if (!recv_or_lock(to)) recv_parked(to, {});
  }
  template <class T>
  chan_outcome recv_until(std::optional<T>& to, park_limit const& limit) {
    if (!recv_or_lock(to)) return recv_parked(to, limit);
    return to.has_value() ? chan_outcome::ok : chan_outcome::closed;
  }
  template <class T>
  void try_recv(std::optional<T>& to) {
    if (!looks_receivable()) return;
    if (!recv_or_lock(to)) lock_.unlock();
  }

  void close();

  // Looks without the lock: false only if the operation could not proceed a moment ago.
  bool looks_sendable() const noexcept {
    bool const full =
        capacity_ == 0 ? receivers_.empty() : count_.load(memory_order_relaxed) == capacity_;
    return !full || closed_.load(memory_order_relaxed);
  }
  bool looks_receivable() const noexcept {
    // Nothing enters a channel after its close: one seen empty, then open, was both when it was
    // seen open.
    // pairs with chan_core.h:set_count, chan_core.cc:close
    bool const empty = capacity_ == 0 ? senders_.empty() : count_.load(memory_order_acquire) == 0;
    return !empty || closed_.load(memory_order_acquire) || is_timer_;
  }

  std::size_t len() const noexcept { return count_.load(memory_order_relaxed); }
  std::size_t cap() const noexcept { return capacity_; }

 protected:
  chan_core(element_ops const& ops, std::size_t capacity, void* buffer, void (*dispose)(chan_core*),
            bool is_timer) noexcept
      : is_timer_(is_timer),
        capacity_(capacity),
        buffer_(static_cast<std::byte*>(buffer)),
        ops_(&ops),
        dispose_(dispose) {}
  ~chan_core();

  chan_lock lock_;
  waiter_list<chan_waiter> receivers_;

 private:
  friend class timer_hold;
  friend struct select_access;

  // What an operation may do at once, it does, and returns true; else false, and lock_ is held.
  template <class T>
  bool send_or_lock(T& from) noexcept VOLE_TRY_ACQUIRE(false, lock_);
  template <class T>
  bool recv_or_lock(std::optional<T>& to) noexcept VOLE_TRY_ACQUIRE(false, lock_);

  template <class T>
  chan_outcome recv_parked(std::optional<T>& to, park_limit const& limit) VOLE_RELEASE(lock_);

  // park enqueues the caller, gives the lock back and waits. One function for both directions:
  // goroutines that wait in
  // the same place return through the same addresses, which the processor's return stack then
  // predicts.
  chan_outcome park(wait_reason why, void* slot, park_limit const& limit) VOLE_RELEASE(lock_);
  [[noreturn, gnu::cold]] void panic_send_on_closed() VOLE_RELEASE(lock_);

  // take_due puts the time into *slot if that of this timer has come. Only for a timer's channel.
  bool take_due(void* slot) noexcept VOLE_REQUIRES_LOCK(lock_);
  chan_outcome recv_parked_on_timer(std::optional<time_point>& to, park_limit const& limit)
      VOLE_RELEASE(lock_);

  template <class T>
  T* slot_at(std::size_t index) noexcept {
    return reinterpret_cast<T*>(buffer_ + index * sizeof(T));
  }
  void* slot_at(std::size_t index) noexcept { return buffer_ + index * ops_->bytes; }
  std::size_t after(std::size_t index) const noexcept {
    return index + 1 == capacity_ ? 0 : index + 1;
  }
  std::size_t tail(std::size_t count) const noexcept VOLE_REQUIRES_LOCK(lock_) {
    return head_ + count < capacity_ ? head_ + count : head_ + count - capacity_;
  }
  // pairs with chan_core.h: the loads of count_ that look without the lock
  void set_count(std::size_t count) noexcept { count_.store(count, memory_order_release); }

  atomic<bool> closed_{false};
  bool const is_timer_;
  atomic<std::size_t> count_{0};  // written under lock_
  std::size_t const capacity_;
  std::size_t head_ VOLE_GUARDED_BY(lock_) = 0;
  std::byte* const buffer_;
  waiter_list<chan_waiter> senders_;
  element_ops const* const ops_;
  void (*const dispose_)(chan_core*);
  atomic<std::uint32_t> refs_{1};
};

// timer_hold makes the clock send to those who wait in a timer's channel, as long as it lives; to
// others it means nothing. Made before the waiter looks under the lock for the last time.
class timer_hold {
 public:
  explicit timer_hold(chan_core& core) noexcept : core_(core) { begin(core); }
  ~timer_hold() { end(core_); }
  timer_hold(timer_hold const&) = delete;
  timer_hold& operator=(timer_hold const&) = delete;

  // The same as two calls, for one who has many channels.
  static void begin(chan_core& core) noexcept {
    if (core.is_timer_) begin_timer(core);
  }
  static void end(chan_core& core) noexcept {
    if (core.is_timer_) end_timer(core);
  }

 private:
  static void begin_timer(chan_core& core) noexcept;
  static void end_timer(chan_core& core) noexcept;

  chan_core& core_;
};

template <class T>
bool chan_core::send_or_lock(T& from) noexcept VOLE_NO_THREAD_SAFETY_ANALYSIS {
  lock_.lock();
  if (closed_.load(memory_order_relaxed)) [[unlikely]] {
    panic_send_on_closed();
  }
  if (!receivers_.empty()) {
    if (chan_waiter* const w = receivers_.pop_claimed()) {
      lock_.unlock();
      if constexpr (element_has_bytes<T>) ::new (w->slot) T(std::move(from));
      w->finish(true);
      return true;
    }
  }
  std::size_t const count = count_.load(memory_order_relaxed);
  if (count == capacity_) return false;
  if constexpr (element_has_bytes<T>) ::new (slot_at<T>(tail(count))) T(std::move(from));
  set_count(count + 1);
  lock_.unlock();
  return true;
}

template <class T>
bool chan_core::recv_or_lock(std::optional<T>& to) noexcept VOLE_NO_THREAD_SAFETY_ANALYSIS {
  constexpr bool has_bytes = element_has_bytes<T>;
  lock_.lock();
  std::size_t const count = count_.load(memory_order_relaxed);
  if (count != 0) {
    std::size_t const head = head_;
    if constexpr (has_bytes) {
      T* const slot = slot_at<T>(head);
      to.emplace(std::move(*slot));
      slot->~T();
    } else {
      to.emplace();
    }
    head_ = after(head);
    chan_waiter* w = nullptr;
    if (!senders_.empty() && (w = senders_.pop_claimed()) != nullptr) {
      // The buffer was full: the slot just emptied is its new tail.
      if constexpr (has_bytes) {
        ::new (slot_at<T>(head)) T(std::move(*static_cast<T*>(w->slot)));
      }
    } else {
      set_count(count - 1);
    }
    lock_.unlock();
    if (w != nullptr) w->finish(true);
    return true;
  }
  if (!senders_.empty()) {
    if (chan_waiter* const w = senders_.pop_claimed()) {
      lock_.unlock();
      if constexpr (has_bytes) {
        to.emplace(std::move(*static_cast<T*>(w->slot)));
      } else {
        to.emplace();
      }
      w->finish(true);
      return true;
    }
  }
  if constexpr (std::same_as<T, time_point>) {
    if (is_timer_) {
      if (!take_due(std::addressof(to.emplace()))) {
        to.reset();
        return false;
      }
      lock_.unlock();
      return true;
    }
  }
  if (!closed_.load(memory_order_relaxed)) return false;
  lock_.unlock();
  return true;
}

template <class T>
chan_outcome chan_core::recv_parked(std::optional<T>& to, park_limit const& limit) {
  if constexpr (std::same_as<T, time_point>) {
    if (is_timer_) return recv_parked_on_timer(to, limit);
  }
  if constexpr (std::is_trivially_copyable_v<T> && std::is_trivially_default_constructible_v<T>) {
    // The element may be moved straight into its place.
    chan_outcome const outcome =
        park(wait_reason::chan_receive, std::addressof(to.emplace()), limit);
    if (outcome != chan_outcome::ok) to.reset();
    return outcome;
  } else {
    union storage {
      storage() noexcept {}
      ~storage() {}
      T element;
    } raw;
    chan_outcome const outcome =
        park(wait_reason::chan_receive, std::addressof(raw.element), limit);
    if (outcome == chan_outcome::ok) {
      to.emplace(std::move(raw.element));
      raw.element.~T();
    }
    return outcome;
  }
}

// What a nil channel does: waits until the limit, or for ever.
[[noreturn]] void park_for_ever(wait_reason why);
chan_outcome park_on_nil(wait_reason why, park_limit const& limit);
[[noreturn]] void panic_close_of_nil();

}  // namespace vole::internal
