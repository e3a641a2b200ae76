// SPDX-License-Identifier: Apache-2.0
#pragma once
// sync::once runs a function the first time only; sync::once_value keeps what it returned.
//
// INVARIANTS  done_ turns true once, after the function has returned; mu_ is held while it runs.
// LOCKS       mu_; user code runs under it, so a function that calls the same once again never
//             returns (as in Go).

#include <concepts>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "vole/sync/mutex.h"

namespace vole::sync {

// Blocks:  while another caller runs the function, parks the goroutine.    Safety: any goroutine or
// thread.
// Cost:    one load when done.    Source: Go sync.Once. Differs: nothing.
class once {
 public:
  constexpr once() noexcept = default;
  once(once const&) = delete;
  once& operator=(once const&) = delete;

  // call runs fn unless some call has done so; returns when that has returned.
  template <std::invocable Fn>
  void call(Fn&& fn) {
    if (!done()) static_cast<void>(call_slow(std::forward<Fn>(fn), {}));
  }

  // call_until waits under a limit for another caller's function; its own is run without one.
  template <std::invocable Fn>
  [[nodiscard]] internal::wake_reason call_until(internal::park_limit const& limit, Fn&& fn) {
    return done() ? internal::wake_reason::ready : call_slow(std::forward<Fn>(fn), limit);
  }

  // done says that the function has returned.
  bool done() const noexcept {
    return done_.load(internal::memory_order_acquire);  // pairs with once.h:call_slow
  }

 private:
  template <class Fn>
  internal::wake_reason call_slow(Fn&& fn, internal::park_limit const& limit)
      VOLE_NO_THREAD_SAFETY_ANALYSIS {
    internal::wake_reason const reason = mu_.lock_until(limit);
    if (reason != internal::wake_reason::ready) return reason;
    // Also when fn leaves by an exception: as in Go it has been called.
    struct finisher {
      once& o;
      ~finisher() {
        o.done_.store(true, internal::memory_order_release);  // pairs with once.h:done
        o.mu_.unlock();
      }
    } const finish{*this};
    // relaxed: written under mu_
    if (!done_.load(internal::memory_order_relaxed)) std::forward<Fn>(fn)();
    return reason;
  }

  internal::atomic<bool> done_{false};
  mutex mu_;
};

// once_value<Fn> calls Fn at the first get() and keeps its result; of a Fn that returns void, that
// it was called:
//   sync::once_value config = [] { return parse_config(); };    use(config.get());
// An exception that Fn has thrown is thrown again by every get().
// Source:  Go sync.OnceFunc, OnceValue, OnceValues. Differs: a type, not a function.
template <std::invocable Fn>
class once_value {
  static constexpr bool is_void = std::is_void_v<std::invoke_result_t<Fn&>>;

 public:
  using value_type = std::remove_cvref_t<std::invoke_result_t<Fn&>>;
  using reference = std::add_lvalue_reference_t<value_type const>;  // void const if there is none

  // NOLINT(google-explicit-constructor): reads as a definition
  once_value(Fn fn) : fn_(std::move(fn)) {}

  reference get() const {
    once_.call([this] { run(); });
    if (failure_ != nullptr) [[unlikely]] {
      std::rethrow_exception(failure_);
    }
    if constexpr (!is_void) return *value_;
  }
  reference operator()() const { return get(); }

 private:
  void run() const {
    try {
      if constexpr (is_void) {
        fn_();
      } else {
        value_.emplace(fn_());
      }
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  mutable once once_;
  mutable Fn fn_;
  mutable std::optional<std::conditional_t<is_void, std::monostate, value_type>> value_;
  mutable std::exception_ptr failure_;
};

}  // namespace vole::sync
