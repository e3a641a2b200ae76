// SPDX-License-Identifier: Apache-2.0
// errgroup: goroutines that work on one thing; the first error cancels the others and is the
// group's.
//
//   errgroup::group g(ctx);
//   g.set_limit(8);
//   for (auto const& symbol : symbols) g.go([&](context const& ctx) { return load(ctx, symbol); });
//   if (error err = g.wait()) return errors::wrap(err, "load the prices");
//
// INVARIANTS
//   - first_ is written once, by the goroutine whose error came first, before the context is
//   canceled.
//   - No function given to a group is alive after wait() or the destructor.
// LOCKS  mu_ guards first_; it is a leaf, never held over a wait.
#pragma once

#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "vole/assert.h"
#include "vole/context.h"
#include "vole/errors.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/internal/raw_mutex.h"
#include "vole/sync/semaphore.h"
#include "vole/sync/wait_group.h"

namespace vole::errgroup {

// Safety: any goroutine of the group may start more; set_limit, wait and the destructor belong to
// its owner. Source: Go x/sync/errgroup. Differs: functions may take the group's context, which
// carries the first error as
//         its cause; a group that is left early cancels and waits, so functions may refer to locals
//         before it.
class group {
 public:
  explicit group(context const& parent, member_options const& members = {});
  group(group const&) = delete;
  group& operator=(group const&) = delete;
  ~group();

  // ctx is a child of the parent; it ends with the first error, and when wait() returns.
  context const& ctx() const noexcept { return ctx_; }

  // set_limit bounds how many functions run at once; go() waits while so many do.
  // Panics: n < 1, a limit is set, or functions were started already (caller's bugs).
  void set_limit(std::int64_t n);

  // go runs fn() or fn(ctx), which returns an error (or result<void>), in a goroutine of its own.
  // Blocks: parks while the limit is reached; not longer than the functions run.
  template <class Fn>
  void go(Fn&& fn) {
    start();
    launch(std::forward<Fn>(fn));
  }

  // try_go is go() unless that would wait; false: fn was not started.
  template <class Fn>
  bool try_go(Fn&& fn) {
    if (!try_start()) return false;
    launch(std::forward<Fn>(fn));
    return true;
  }

  // wait waits for all functions and returns the first error, or null.
  // Blocks: parks.   Cancels: no; the functions end early when they honour ctx().
  error wait();

 private:
  // Counts one function; the closure is gone when it stops counting.
  struct member {
    group& owner;
    ~member() { owner.stop(); }
  };

  group(std::pair<context, cancel_handle> made, member_options const& members);

  template <class Fn>
  void launch(Fn&& fn) {
    vole::go({.stack_bytes = members_.stack_bytes},
             [this, fn = internal::call_once(std::forward<Fn>(fn))]() mutable {
               member const counted{*this};
               if (error err = call(fn)) fail(std::move(err));
             });
  }
  template <class Fn>
  error call(Fn& fn) {
    if constexpr (std::is_invocable_v<Fn&, context const&>) {
      return to_error(fn(ctx_.get()));
    } else {
      return to_error(fn());
    }
  }
  static error to_error(error err) noexcept { return err; }
  static error to_error(result<void> r) noexcept { return std::move(r).error(); }

  void start();
  bool try_start();
  void stop() noexcept;
  void fail(error err);

  context::stored const ctx_;
  cancel_handle const cancel_;
  member_options const members_;
  std::optional<sync::semaphore> slots_;  // none: no limit
  sync::wait_group running_;
  internal::atomic<bool> started_{false};  // relaxed: only to tell misuse
  internal::raw_mutex mu_;
  error first_ VOLE_GUARDED_BY(mu_);
};

}  // namespace vole::errgroup
