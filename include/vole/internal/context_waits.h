// SPDX-License-Identifier: Apache-2.0
// Every blocking call of chan and sync once more with a context in front, in their own words:
// recv(ctx, ch), lock(ctx, mu). Templates over what has the waiting call, so that this header needs
// neither of the two. Included by vole/context.h. No shared state.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "vole/context.h"
#include "vole/errors.h"
#include "vole/internal/park.h"
#include "vole/result.h"

namespace vole {
namespace internal {

template <class C>
concept receivable_until = requires(C const& ch, park_limit limit) {
  typename C::value_type;
  { ch.recv_until(limit).value } -> std::convertible_to<std::optional<typename C::value_type>>;
};
template <class C, class U>
concept sendable_until =
    requires(C const& ch, U&& v, park_limit limit) { ch.send_until(std::forward<U>(v), limit); };
template <class M>
concept lockable_until = requires(M& mu, park_limit limit) {
  { mu.lock_until(limit) } -> std::same_as<wake_reason>;
};
template <class M>
concept read_lockable_until = requires(M& mu, park_limit limit) {
  { mu.rlock_until(limit) } -> std::same_as<wake_reason>;
};
template <class W>
concept waitable_until = requires(W& waited, park_limit limit) {
  { waited.wait_until(limit) } -> std::same_as<wake_reason>;
};
template <class S>
concept acquirable_until = requires(S& sem, std::int64_t n, park_limit limit) {
  { sem.acquire_until(n, limit) } -> std::same_as<wake_reason>;
};

template <class O, class Fn>
concept callable_until = requires(O& once, Fn&& fn, park_limit limit) {
  { once.call_until(limit, std::forward<Fn>(fn)) } -> std::same_as<wake_reason>;
};

// The error of a wait that the limit of ctx has ended. A deadline that ended it has passed, so
// err() is not null.
error context_error(context const& ctx);

// The error of a wait under ctx that ended for this reason; null for ready.
inline error wait_error(context const& ctx, wake_reason reason) {
  return reason == wake_reason::ready ? error() : context_error(ctx);
}

}  // namespace internal

// recv is the next element, empty when the channel is closed and drained, or ctx.err() if the
// context ends first.
template <internal::receivable_until C>
result<std::optional<typename C::value_type>> recv(context const& ctx, C const& ch) {
  auto got = ch.recv_until(ctx);
  using outcome = decltype(got.outcome);
  if (got.outcome == outcome::ok || got.outcome == outcome::closed) return std::move(got.value);
  return internal::context_error(ctx);
}

// send delivers v, or returns ctx.err() if the context ends first; then nothing was sent, and v is
// as before.
template <class C, class U>
  requires internal::sendable_until<C, U>
error send(context const& ctx, C const& ch, U&& v) {
  auto const outcome = ch.send_until(std::forward<U>(v), ctx);
  if (outcome == decltype(outcome)::ok) return nullptr;
  return internal::context_error(ctx);
}

// select carries out one case and is its index, or ctx.err() if the context ends first; then no
// case was taken.
template <class... Cases>
  requires(sizeof...(Cases) > 0) && requires(context const& ctx, Cases&&... cases) {
    { select_until(ctx, std::forward<Cases>(cases)...) } -> std::same_as<int>;
  }
result<int> select(context const& ctx, Cases&&... cases) {
  int const taken = select_until(ctx, std::forward<Cases>(cases)...);
  if (taken >= 0) return taken;
  return internal::context_error(ctx);
}

// lock locks mu, or returns ctx.err() if the context ends first.
template <internal::lockable_until M>
error lock(context const& ctx, M& mu) {
  return internal::wait_error(ctx, mu.lock_until(ctx));
}

// rlock locks mu for reading, or returns ctx.err() if the context ends first.
template <internal::read_lockable_until M>
error rlock(context const& ctx, M& mu) {
  return internal::wait_error(ctx, mu.rlock_until(ctx));
}

namespace internal {

// What hold() gives: it unlocks when it goes. Clang's thread-safety analysis does not see through
// it.
template <class M, void (M::*Unlock)()>
class [[nodiscard]] held_lock {
 public:
  explicit held_lock(M& locked) noexcept : mu_(&locked) {}
  held_lock(held_lock&& other) noexcept : mu_(std::exchange(other.mu_, nullptr)) {}
  held_lock& operator=(held_lock&&) = delete;
  ~held_lock() {
    if (mu_ != nullptr) (mu_->*Unlock)();
  }

 private:
  M* mu_;
};

}  // namespace internal

// hold locks mu until the end of the scope, or returns ctx.err() if the context ends first:
//   auto const held = VOLE_TRY(hold(ctx, mu), "lock the accounts");
template <internal::lockable_until M>
result<internal::held_lock<M, &M::unlock>> hold(context const& ctx, M& mu) {
  if (error err = lock(ctx, mu)) return err;
  return internal::held_lock<M, &M::unlock>(mu);
}

// hold_read is hold for reading.
template <internal::read_lockable_until M>
result<internal::held_lock<M, &M::runlock>> hold_read(context const& ctx, M& mu) {
  if (error err = rlock(ctx, mu)) return err;
  return internal::held_lock<M, &M::runlock>(mu);
}

// wait waits for a wait_group's zero or a cond's signal, or returns ctx.err() if the context ends
// first; the mutex of a cond is held again either way.
template <internal::waitable_until W>
error wait(context const& ctx, W& waited) {
  return internal::wait_error(ctx, waited.wait_until(ctx));
}

// acquire takes n units of a semaphore, or returns ctx.err() if the context ends first.
template <internal::acquirable_until S>
error acquire(context const& ctx, S& sem, std::int64_t n = 1) {
  return internal::wait_error(ctx, sem.acquire_until(n, ctx));
}

// call runs fn unless a call of the same once has, or returns ctx.err() if the context ends while
// another caller's fn still runs.
template <class Once, class Fn>
  requires internal::callable_until<Once, Fn>
error call(context const& ctx, Once& once, Fn&& fn) {
  return internal::wait_error(ctx, once.call_until(ctx, std::forward<Fn>(fn)));
}

}  // namespace vole
