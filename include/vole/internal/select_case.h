// SPDX-License-Identifier: Apache-2.0
#pragma once
// The cases of a select: made as temporaries by recv(), send() and otherwise(), gone at the end of
// the expression.
//
// INVARIANTS
//   - slot is where the element goes (raw memory) or comes from. Only the case that select_run
//   returns has had its
//     element moved; complete() then hands it to the user.
//   - waiter is set and linked only while select_run waits.
// LOCKS  see chan_core.h; a case itself belongs to one goroutine.

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "vole/chan.h"
#include "vole/internal/chan_core.h"

namespace vole::internal {

// What select_until returns when no case was taken.
inline constexpr int select_deadline = -1;
inline constexpr int select_canceled = -2;

template <class C>
concept receivable = std::same_as<C, chan<typename C::value_type>> ||
                     std::same_as<C, recv_chan<typename C::value_type>>;
template <class C>
concept sendable = std::same_as<C, chan<typename C::value_type>> ||
                   std::same_as<C, send_chan<typename C::value_type>>;

template <class T, class To>
concept receives_into =
    (std::same_as<To, T> && std::is_move_assignable_v<T>) || std::same_as<To, std::optional<T>>;

enum class case_kind : std::uint8_t { recv, send, otherwise, off };

struct select_case {
  select_case(case_kind case_kind_, chan_core* case_core, void* case_slot) noexcept
      : core(case_core), slot(case_slot), kind(case_kind_) {}
  select_case(select_case const&) = delete;
  select_case& operator=(select_case const&) = delete;

  // A look without the lock: false only if the case could not proceed a moment ago.
  bool looks_ready() const noexcept {
    if (core == nullptr) return false;
    return kind == case_kind::recv ? core->looks_receivable() : core->looks_sendable();
  }

  // No select takes it any more.
  void switch_off() noexcept {
    core = nullptr;
    kind = case_kind::off;
  }

  chan_core* core;  // null: nil channel, otherwise, or off
  void* slot;
  case_kind kind;
  bool received = false;  // recv, once taken: an element came; false: closed and drained
  int index;              // place in the call; set by select_run, as the waiter
  chan_waiter* waiter;
};

template <class C>
concept a_select_case = std::derived_from<std::remove_cvref_t<C>, select_case>;

struct otherwise_case : select_case {
  otherwise_case() noexcept : select_case(case_kind::otherwise, nullptr, nullptr) {}
  void complete() noexcept {}
};

// Moves from the caller's rvalue, which lives as long as the full expression.
template <class T>
struct send_case : select_case {
  send_case(chan_core* core, T& from) noexcept
      : select_case(case_kind::send, core, std::addressof(from)) {}
  void complete() noexcept {}
};

template <class T>
struct send_copy_case : select_case {
  template <class V>
  send_copy_case(chan_core* core, V&& v)
      : select_case(case_kind::send, core, std::addressof(value_)), value_(std::forward<V>(v)) {}
  void complete() noexcept {}

 private:
  T value_;
};

// To is T, std::optional<T>, or void for an element that is dropped.
template <class T, class To>
struct recv_case : select_case {
  recv_case(chan_core* core, To* to, bool* ok) noexcept
      : select_case(case_kind::recv, core, std::addressof(raw_.element)), to_(to), ok_(ok) {
    if constexpr (direct) {
      if (to != nullptr) slot = to;
    }
  }

  void complete() {
    if (ok_ != nullptr) *ok_ = received;
    if (!received) {
      if constexpr (std::same_as<To, T> && std::is_default_constructible_v<T>) {
        if (to_ != nullptr) *to_ = T();
      } else if constexpr (std::same_as<To, std::optional<T>>) {
        if (to_ != nullptr) to_->reset();
      }
      return;
    }
    if constexpr (direct) {
      if (to_ != nullptr) return;  // it is there already
    } else if constexpr (!std::is_void_v<To>) {
      if (to_ != nullptr) *to_ = std::move(raw_.element);
    }
    raw_.element.~T();
  }

 private:
  // The bytes of an element may be copied straight over the user's object.
  static constexpr bool direct = std::same_as<To, T> && std::is_trivially_copyable_v<T>;

  union storage {
    storage() noexcept {}
    ~storage() {}
    T element;
  } raw_;
  To* to_;
  bool* ok_;
};

// The working memory of one select, in the frame of its caller and raw until it is needed.
template <std::size_t N>
struct select_memory {
  select_case* in_call_order[N];
  select_case* by_address[N];
  alignas(chan_waiter) std::byte waiters[N * sizeof(chan_waiter)];
};

// select_run carries out one case: its index, or select_deadline or select_canceled. cases comes
// back in another order;
// by_address and waiters have room for as many.
int select_run(std::span<select_case*> cases, select_case** by_address, void* waiters,
               park_limit const& limit);

template <class... Cases>
int select_all(park_limit const& limit, Cases&... cases) {
  constexpr std::size_t n = sizeof...(Cases);
  constexpr bool is_default[] = {std::same_as<std::remove_cv_t<Cases>, otherwise_case>..., false};
  constexpr std::size_t defaults = std::count(std::begin(is_default), std::end(is_default), true);
  static_assert(defaults <= 1, "a select has at most one otherwise()");
  if constexpr (n == 0) {
    return park_on_nil(wait_reason::select_no_cases, limit) == chan_outcome::canceled
               ? select_canceled
               : select_deadline;
  } else {
    if constexpr (n == 2 && defaults == 1) {
      // One channel: a look at it is a look at all of them.
      if (!(cases.looks_ready() || ...)) return is_default[0] ? 0 : 1;
    }
    select_memory<n> memory;
    std::size_t i = 0;
    ((memory.in_call_order[i++] = &cases), ...);
    int const chosen = select_run(memory.in_call_order, memory.by_address, memory.waiters, limit);
    int index = 0;
    ((index++ == chosen ? cases.complete() : void()), ...);
    return chosen;
  }
}

}  // namespace vole::internal
