// SPDX-License-Identifier: Apache-2.0
// spawn and task: a goroutine whose result one gets. scope: goroutines that end before the block
// does.
//
//   task<quote> price = spawn([sym] { return load_quote(sym); });
//   ...
//   auto q = VOLE_TRY(price.get(ctx), "load the price of {}", sym);
//
// INVARIANTS
//   - The outcome is written once, by the goroutine, before done is set; it is moved out once, by
//   get().
//   - State and goroutine share the count: the state lives until both the goroutine has ended and
//   the task is gone.
//   - No function given to a scope is alive after the scope's destructor.
// LOCKS none here; see vole/internal/event.h and the wait group's.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include "vole/assert.h"
#include "vole/context.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/internal/event.h"
#include "vole/sync/wait_group.h"

namespace vole {

// task_threw is the outcome of a task whose exception went to spawn_options::on_exception.
inline constinit errors::sentinel task_threw{"the task's function threw an exception"};

template <class T>
class task;

namespace internal {

// What a task of a function that returns R holds: spawn of a function that returns a result<T>, or
// an error, is a task of T, or of void.
template <class R>
struct task_value {
  using type = std::remove_cv_t<R>;
};
template <class T>
struct task_value<result<T>> {
  using type = T;
};
template <>
struct task_value<error> {
  using type = void;
};

template <class T>
struct task_state {
  atomic<int> refs{2};  // the goroutine's and the task's
  event done;
  std::optional<result<T>> outcome;

  void release() noexcept {
    // pairs with itself: the last to release sees what the other did before it released.
    if (refs.fetch_sub(1, memory_order_acq_rel) == 1) delete this;
  }

  // ended tells the waiter, also where an exception goes to the goroutine's hook.
  struct ended {
    task_state& state;
    ~ended() {
      if (!state.outcome) state.outcome.emplace(error(task_threw));
      state.done.set();
      state.release();
    }
  };

  template <class Fn>
  void run(Fn& fn) {
    using R = std::invoke_result_t<Fn&>;
    ended const at_end{*this};
    if constexpr (std::is_void_v<R>) {
      fn();
      outcome.emplace();
    } else {
      outcome.emplace(fn());
    }
  }
};

template <class Fn>
using task_of = task<typename task_value<std::invoke_result_t<Fn&>>::type>;

}  // namespace internal

// task is the result, to be had later, of a function that runs in a goroutine of its own.
// Dropping it does not stop the goroutine, nor wait for it: what the function refers to must
// outlive it. Where it refers to locals, use a scope. Safety: one goroutine at a time.   Cost: 1
// allocation beside the goroutine.
template <class T>
class [[nodiscard]] task {
 public:
  // error for a task of void, else result<T>.
  using outcome = std::conditional_t<std::is_void_v<T>, error, result<T>>;

  task() noexcept = default;
  task(task&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  task& operator=(task&& other) noexcept {
    task old(std::move(*this));
    state_ = std::exchange(other.state_, nullptr);
    return *this;
  }
  ~task() {
    if (state_ != nullptr) state_->release();
  }

  // get waits for the function's end and moves its outcome out; the task is empty then.
  // Blocks: parks.   Cancels: when ctx ends first; the error is ctx.err(), and the task may be
  // asked again. Panics: the task is empty (caller's bug).
  outcome get(context const& ctx) {
    VOLE_REQUIRE(state_ != nullptr, "get() of a task that holds nothing");
    if (error err =
            internal::wait_error(ctx, state_->done.wait(internal::wait_reason::task_wait, ctx))) {
      return err;
    }
    task const taken(std::move(*this));
    if constexpr (std::is_void_v<T>) {
      return std::move(*taken.state_->outcome).error();
    } else {
      return *std::move(taken.state_->outcome);
    }
  }

  // ready: get() would not wait.   empty: there is nothing to get.
  bool ready() const noexcept { return state_ != nullptr && state_->done.is_set(); }
  bool empty() const noexcept { return state_ == nullptr; }

 private:
  template <class Fn>
  friend internal::task_of<std::decay_t<Fn>> spawn(spawn_options const& options, Fn&& fn);

  explicit task(internal::task_state<T>* counted) noexcept : state_(counted) {}

  internal::task_state<T>* state_ = nullptr;
};

// spawn is go() with a result: fn returns a T, a result<T>, an error or nothing.
template <class Fn>
internal::task_of<std::decay_t<Fn>> spawn(spawn_options const& options, Fn&& fn) {
  using T = typename internal::task_value<std::invoke_result_t<std::decay_t<Fn>&>>::type;
  auto* const state = new internal::task_state<T>;
  task<T> made(state);
  go(options, [state, fn = std::forward<Fn>(fn)]() mutable { state->run(fn); });
  return made;
}
template <class Fn>
internal::task_of<std::decay_t<Fn>> spawn(Fn&& fn) {
  return spawn(spawn_options{}, std::forward<Fn>(fn));
}

// scope starts goroutines that may refer to whatever was declared before it: its destructor waits
// for them.
//
//   scope s(ctx);
//   s.go([&] { warm(cache); });
//   task<int> n = s.spawn([&](context const& ctx) { return count(ctx, rows); });
//
// It does not cancel of itself; on the way out of a failed block, call cancel() to end what runs
// early, or use an errgroup::group, which does. Safety: any goroutine of the scope may start more;
// wait() and the destructor belong to its owner.
class scope {
 public:
  explicit scope(context const& parent, member_options const& members = {})
      : scope(context::with_cancel(parent), members) {}
  scope(scope const&) = delete;
  scope& operator=(scope const&) = delete;
  ~scope() { wait(); }

  // ctx is a child of the parent: what the goroutines get.
  context const& ctx() const noexcept { return ctx_; }

  // go runs fn() or fn(ctx) in a goroutine of this scope.
  template <class Fn>
  void go(Fn&& fn) {
    running_.go({.stack_bytes = members_.stack_bytes},
                [this, fn = std::forward<Fn>(fn)]() mutable { call(fn); });
  }

  // spawn is go() with a result.
  template <class Fn>
  auto spawn(Fn&& fn) {
    running_.add(1);
    return vole::spawn({.stack_bytes = members_.stack_bytes},
                       [this, fn = internal::call_once(std::forward<Fn>(fn))]() mutable {
                         member const counted{running_};
                         return call(fn);
                       });
  }

  void cancel() const { cancel_(); }
  void cancel(error cause) const { cancel_(std::move(cause)); }

  // wait waits for all goroutines started so far.
  void wait() { running_.wait(); }

 private:
  struct member {
    sync::wait_group& running;
    ~member() { running.done(); }
  };

  scope(std::pair<context, cancel_handle> made, member_options const& members)
      : ctx_(std::move(made.first)), cancel_(std::move(made.second)), members_(members) {}

  template <class Fn>
  decltype(auto) call(Fn& fn) {
    if constexpr (std::is_invocable_v<Fn&, context const&>) {
      return fn(ctx_.get());
    } else {
      return fn();
    }
  }

  context::stored const ctx_;
  cancel_handle const cancel_;
  member_options const members_;
  sync::wait_group running_;
};

}  // namespace vole
