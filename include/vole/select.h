// SPDX-License-Identifier: Apache-2.0
#pragma once
// select waits for the first of several channel operations, as Go's select statement.
//
//   switch (select(recv(a, &x), send(b, y), otherwise())) {
//     case 0: ...   // received x from a
//     case 1: ...   // sent y on b
//     case 2: ...   // neither could proceed at once
//   }
//
// It returns the index of the case that was carried out, so control flow stays in the caller. Among
// several that can
// proceed it takes one uniformly at random. A nil channel switches its case off. Nothing is
// allocated, however many
// cases there are, and nothing spins: a goroutine that cannot proceed is parked in the queues of
// all its channels.

#include <concepts>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

#include "vole/chan.h"
#include "vole/internal/select_case.h"

namespace vole {

// recv is a case that takes the next element of c: into *to, which stays as it is unless the case
// is taken.
// When c is closed and drained the case can proceed too: *to becomes T{} (an optional: empty), *ok
// false.
// `to` is a T* or a std::optional<T>*.
template <internal::receivable C, class To>
  requires internal::receives_into<typename C::value_type, To>
internal::recv_case<typename C::value_type, To> recv(C const& c, To* to, bool* ok = nullptr) {
  return {internal::chan_access::core(c), to, ok};
}
// A case that takes the next element of c and drops it.
template <internal::receivable C>
internal::recv_case<typename C::value_type, void> recv(C const& c) {
  return {internal::chan_access::core(c), nullptr, nullptr};
}

// send is a case that sends v. An rvalue is moved from only if the case is taken; an lvalue is
// copied at once.
template <internal::sendable C, class V>
  requires std::constructible_from<typename C::value_type, V&&>
auto send(C const& c, V&& v) {
  using T = typename C::value_type;
  if constexpr (std::same_as<V, T>) {
    return internal::send_case<T>(internal::chan_access::core(c), v);
  } else {
    return internal::send_copy_case<T>(internal::chan_access::core(c), std::forward<V>(v));
  }
}

// otherwise is the case taken when no other can proceed at once: Go's default.
inline internal::otherwise_case otherwise() noexcept {
  return {};
}

// select carries out one case and returns its index.
// Blocks:  parks the goroutine unless a case can proceed or there is an otherwise().  Cancels: no;
// add
//          recv(ctx.done()), or use select(ctx, ...).
// Panics:  the case taken sends on a closed channel (caller's bug).
// Safety:  any goroutine or thread; locks the channels in order of address.
// Cost:    1 lock when a case can proceed; else 2 locks per case. 0 allocations.
// Source:  Go spec "Select statements", runtime/select.go. Differs: returns an index instead of
// choosing a block.
template <internal::a_select_case... Cases>
int select(Cases&&... cases) {
  return internal::select_all({}, cases...);
}
// Go's select {}: parks for ever.
[[noreturn]] void select();

// select_until is select under a limit: the index of the case, or internal::select_deadline,
// select_canceled.
template <internal::a_select_case... Cases>
int select_until(internal::park_limit const& limit, Cases&&... cases) {
  return internal::select_all(limit, cases...);
}

}  // namespace vole
