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
// several that can proceed it takes one uniformly at random. A nil channel switches its case off.
// Nothing is allocated, however many cases there are, and nothing spins: a goroutine that cannot
// proceed is parked in the queues of all its channels.
// Where the number of cases is known at run time only: select_list.

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "vole/chan.h"
#include "vole/internal/select_case.h"
#include "vole/internal/select_list.h"

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

// select_list is a select whose cases are put together at run time: Go's reflect.Select.
//   select_list inputs;
//   for (auto const& in : channels) inputs.recv(in, &v, &ok);
//   switch (int const which = select(inputs)) { ... }
// A list is made once and selected from many times. Its cases are numbered in the order they are
// added in; a send that was carried out is switched off, since its element is gone.
// Safety:  one goroutine at a time.
// Cost:    an allocation when a case is added; none when selecting, after the first time.
class select_list {
 public:
  select_list() = default;
  select_list(select_list&&) = default;
  select_list& operator=(select_list&&) = default;

  // The cases, each as the function of that name; they return its index.
  template <internal::receivable C, class To>
    requires internal::receives_into<typename C::value_type, To>
  int recv(C const& c, To* to, bool* ok = nullptr) {
    return cases_.add(
        std::make_unique<internal::listed_recv<typename C::value_type, To>>(c, to, ok));
  }
  template <internal::receivable C>
  int recv(C const& c) {
    using T = typename C::value_type;
    return cases_.add(std::make_unique<internal::listed_recv<T, void>>(c, nullptr, nullptr));
  }
  template <internal::sendable C, class V>
    requires std::constructible_from<typename C::value_type, V&&>
  int send(C const& c, V&& v) {
    using T = typename C::value_type;
    return cases_.add(std::make_unique<internal::listed_send<T>>(c, std::forward<V>(v)));
  }
  int otherwise() { return cases_.add(std::make_unique<internal::listed_otherwise>()); }

  // off switches a case off for good; the others keep their numbers. Panics: no such case.
  void off(int index) { cases_.switch_off(index); }
  void clear() noexcept { cases_.clear(); }
  std::size_t size() const noexcept { return cases_.size(); }

 private:
  friend int select_until(internal::park_limit const& limit, select_list& list);

  internal::select_cases cases_;
};

// The same as for cases that are written out; select(ctx, list) too. Without a case that is on, it
// parks until the limit.
inline int select_until(internal::park_limit const& limit, select_list& list) {
  return list.cases_.run(limit);
}
inline int select(select_list& list) {
  return select_until({}, list);
}

}  // namespace vole
