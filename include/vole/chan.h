// SPDX-License-Identifier: Apache-2.0
#pragma once
// Channels: typed queues through which goroutines hand each other values, and wait for each other.
//
//   chan<int> c(8);                         // make(chan int, 8); chan<int> c(0) is unbuffered
//   c.send(1);                              // c <- 1
//   std::optional<int> v = c.recv();        // v, ok := <-c
//   c.close();                              // close(c)
//   for (int v : c) { ... }                 // for v := range c
//   chan<int> none;                         // a nil channel: blocks for ever, switches a select
//   case off
//
// A channel is a handle: copies share the channel, which goes when the last one does. Goroutines
// and plain threads may
// be at both ends. An element type must be movable; a move that throws ends the process.

#include <concepts>
#include <cstddef>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>

#include "vole/internal/chan_core.h"

namespace vole {

// unit is the element of a channel that carries no data: chan<unit> is Go's chan struct{}.
struct unit {
  friend constexpr bool operator==(unit, unit) noexcept = default;
};

template <class T>
class chan;
template <class T>
class recv_chan;
template <class T>
class send_chan;

namespace internal {

// chan_handle counts one reference; null is the nil channel.
class chan_handle {
 public:
  chan_handle() noexcept = default;
  explicit chan_handle(chan_core* adopted) noexcept : core_(adopted) {}
  chan_handle(chan_handle const& other) noexcept : core_(other.core_) {
    if (core_ != nullptr) core_->retain();
  }
  chan_handle(chan_handle&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  chan_handle& operator=(chan_handle other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~chan_handle() {
    if (core_ != nullptr) core_->release();
  }

  // len counts the elements in the buffer; of the past when it returns unless nobody else uses the
  // channel.
  std::size_t len() const noexcept { return core_ == nullptr ? 0 : core_->len(); }
  std::size_t cap() const noexcept { return core_ == nullptr ? 0 : core_->cap(); }

  // True unless this is the nil channel.
  explicit operator bool() const noexcept { return core_ != nullptr; }
  // Equal: the same channel.
  friend bool operator==(chan_handle const& a, chan_handle const& b) noexcept {
    return a.core_ == b.core_;
  }

 protected:
  friend struct chan_access;

  chan_core* core_ = nullptr;
};

struct chan_access {
  static chan_core* core(chan_handle const& c) noexcept { return c.core_; }
};

template <class T>
void recv_from(chan_core* core, std::optional<T>& to) {
  if (core == nullptr) [[unlikely]] {
    park_for_ever(wait_reason::chan_receive_nil);
  }
  core->recv(to);
}

template <class T>
concept chan_element = std::is_object_v<T> && std::same_as<T, std::remove_cv_t<T>> &&
                       std::move_constructible<T> && std::destructible<T>;

// What a receive under a limit yields: with a value the outcome is ok, without one it says why.
template <class T>
struct recv_result {
  chan_outcome outcome;
  std::optional<T> value;
};

// The range of `for (auto v : c)`: each step receives, the end is the close.
template <class T>
class recv_iterator {
 public:
  using value_type = T;
  using difference_type = std::ptrdiff_t;
  using iterator_concept = std::input_iterator_tag;

  explicit recv_iterator(chan_core* from) : from_(from) { ++*this; }
  T& operator*() const noexcept { return *value_; }
  recv_iterator& operator++() {
    value_.reset();
    recv_from(from_, value_);
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(recv_iterator const& i, std::default_sentinel_t) noexcept {
    return !i.value_.has_value();
  }

 private:
  chan_core* from_;
  mutable std::optional<T> value_;
};

// recv_side is what recv_chan and chan can do; Self is the handle.
template <class Self, class T>
class recv_side {
 public:
  // recv takes the next element, waiting for one; empty when the channel is closed and drained.
  // Blocks:  parks the goroutine; never the worker thread. Cancels: no; recv(ctx, c) or select with
  // ctx.done().
  // Safety:  any goroutine or thread; takes chan_core::lock_.          Cost: 1 lock, 0 allocations.
  // Source:  Go spec "Receive operator". Differs: "ok" is the optional's.
  std::optional<T> recv() const {
    std::optional<T> to;
    recv_from(core(), to);
#ifndef __clang__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12: of an optional that is empty
#endif
    return to;
#ifndef __clang__
#pragma GCC diagnostic pop
#endif
  }

  // try_recv takes an element if there is one now; empty: nothing there, or closed. Blocks: no.
  // Where that difference matters: switch (select(recv(c, &x, &ok), otherwise())).
  std::optional<T> try_recv() const {
    std::optional<T> to;
    if (core() != nullptr) core()->try_recv(to);
    return to;
  }
  // The same into an existing object; false: nothing was received, `to` is as before.
  bool try_recv(T& to) const
    requires std::is_move_assignable_v<T>
  {
    std::optional<T> got = try_recv();
    if (got.has_value()) to = std::move(*got);
    return got.has_value();
  }

  // recv_until is recv under a limit.
  recv_result<T> recv_until(park_limit const& limit) const {
    recv_result<T> result{};
    result.outcome = core() == nullptr ? park_on_nil(wait_reason::chan_receive_nil, limit)
                                       : core()->recv_until(result.value, limit);
    return result;
  }

  // for (auto& v : c) receives until the channel is closed and drained.
  recv_iterator<T> begin() const { return recv_iterator<T>(core()); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  chan_core* core() const noexcept { return chan_access::core(static_cast<Self const&>(*this)); }
};

// send_side is what send_chan and chan can do; Self is the handle.
template <class Self, class T>
class send_side {
 public:
  // send delivers v to a receiver, or stores it if the buffer has room; else it waits for either.
  // Blocks:  parks the goroutine; never the worker thread. Cancels: no; send(ctx, c, v) or select
  // with ctx.done().
  // Errors:  none. Panics: closed, before or while it waits (caller's bug).
  // Safety:  any goroutine or thread; takes chan_core::lock_.          Cost: 1 lock, 0 allocations.
  // Source:  Go spec "Send statements". Differs: an rvalue is moved.
  void send(T&& v) const {
    if (core() == nullptr) [[unlikely]] {
      park_for_ever(wait_reason::chan_send_nil);
    }
    core()->send(v);
  }
  void send(T const& v) const
    requires std::copy_constructible<T>
  {
    send(T(v));
  }

  // try_send sends if that needs no waiting; false: nothing was sent, v is as before. Panics:
  // closed.
  bool try_send(T&& v) const { return core() != nullptr && core()->try_send(v); }
  bool try_send(T const& v) const
    requires std::copy_constructible<T>
  {
    return try_send(T(v));
  }

  // send_until is send under a limit. Unless the outcome is ok nothing was sent and v is as before.
  // Panics: closed.
  chan_outcome send_until(T&& v, park_limit const& limit) const {
    return core() == nullptr ? park_on_nil(wait_reason::chan_send_nil, limit)
                             : core()->send_until(v, limit);
  }
  chan_outcome send_until(T const& v, park_limit const& limit) const
    requires std::copy_constructible<T>
  {
    return send_until(T(v), limit);
  }

  // close says that nothing more will be sent: receivers get what is buffered, then nothing.
  // Blocks:  no. Panics: closed already, or nil (caller's bug); a goroutine that is still sending
  // panics too.
  // Safety:  any goroutine or thread; the sender's side closes.        Cost: 1 lock, and a wake-up
  // per waiter.
  // Source:  Go spec "Close". Differs: nothing.
  void close() const {
    if (core() == nullptr) panic_close_of_nil();
    core()->close();
  }

 private:
  chan_core* core() const noexcept { return chan_access::core(static_cast<Self const&>(*this)); }
};

std::size_t checked_capacity(std::intmax_t capacity);

}  // namespace internal

// recv_chan is the receiving direction: Go's <-chan T. Any chan<T> converts to it.
template <class T>
class recv_chan : public internal::chan_handle, public internal::recv_side<recv_chan<T>, T> {
 public:
  using value_type = T;

  recv_chan() noexcept = default;
  explicit recv_chan(internal::chan_handle handle) noexcept : chan_handle(std::move(handle)) {}
};

// send_chan is the sending direction: Go's chan<- T. Any chan<T> converts to it.
template <class T>
class send_chan : public internal::chan_handle, public internal::send_side<send_chan<T>, T> {
 public:
  using value_type = T;

  send_chan() noexcept = default;
  explicit send_chan(internal::chan_handle handle) noexcept : chan_handle(std::move(handle)) {}
};

// chan is both directions: Go's chan T. chan<T>{} is nil; chan<T> c(0) is unbuffered.
template <class T>
class chan : public internal::chan_handle,
             public internal::recv_side<chan<T>, T>,
             public internal::send_side<chan<T>, T> {
  static_assert(internal::chan_element<T>,
                "the element of a channel is a movable object type without const or volatile");

 public:
  using value_type = T;

  chan() noexcept = default;
  // Room for `capacity` elements; 0: each send waits for its receiver. Panics: negative, or more
  // than there is memory.
  template <std::integral Capacity>
  explicit chan(Capacity capacity)
      : chan_handle(internal::chan_core::make(internal::element_ops_of<T>,
                                              internal::checked_capacity(capacity))) {}

  operator recv_chan<T>() const noexcept { return recv_chan<T>(handle()); }
  operator send_chan<T>() const noexcept { return send_chan<T>(handle()); }

 private:
  internal::chan_handle const& handle() const noexcept { return *this; }
};

}  // namespace vole
