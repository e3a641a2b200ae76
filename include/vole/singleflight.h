// SPDX-License-Identifier: Apache-2.0
// singleflight: callers that want the same thing at the same time share one call.
//
//   singleflight::group<std::string, std::shared_ptr<quote const>> loads;
//   auto q = VOLE_TRY(loads.run(ctx, symbol, [&](context const& ctx) { return load(ctx, symbol);
//   }), "load {}", symbol);
//
// INVARIANTS
//   - flights holds a flight from its first caller until its function has returned, forget(), or
//   its last caller left.
//   - outcome is written once, before done is set, and only read after.
//   - callers counts who waits for the flight; who brings it to zero cancels the flight's context.
// LOCKS  shared::mu guards flights and every callers; it is a leaf, held for a look-up and no
// longer.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "vole/context.h"
#include "vole/go.h"
#include "vole/internal/event.h"
#include "vole/sync/mutex.h"

namespace vole::singleflight {

// T is copied to every caller: make it cheap, a std::shared_ptr<X const> say.
// Safety: any goroutine.
// Source: Go x/sync/singleflight. Differs: each caller waits under its own context and may leave;
// the call runs
//         under a context with the first caller's values, which ends when the last caller has left.
template <class Key, class T>
class group {
 public:
  // run calls fn(ctx), which returns a result<T> or a T, unless a call for key is in flight: then
  // it waits for that one. Blocks: parks.   Cancels: when ctx ends; the flight goes on for the
  // others.
  // Cost:    a caller whose ctx cannot end calls fn itself, on its own stack; for others a
  // goroutine does.
  // Panics:  an exception leaves fn: all callers wait for what it was to make.
  template <class Fn>
  result<T> run(context const& ctx, Key const& key, Fn&& fn) {
    bool const stays = internal::park_limit(ctx).unlimited();
    std::shared_ptr<flight> joined;
    bool first = false;
    {
      sync::lock_guard const lock(shared_->mu);
      auto at = shared_->flights.find(key);
      first = at == shared_->flights.end();
      if (first) {
        at = shared_->flights.emplace(key, std::make_shared<flight>(ctx, !stays)).first;
      }
      joined = at->second;
      ++joined->callers;
    }
    if (first && stays) {
      [&]() noexcept { shared_->end(key, joined, fn(joined->ctx)); }();
      return *joined->outcome;
    }
    if (first) start(joined, key, std::forward<Fn>(fn));
    if (error err =
            internal::wait_error(ctx, joined->done.wait(internal::wait_reason::task_wait, ctx))) {
      shared_->leave(key, joined);
      return err;
    }
    return *joined->outcome;
  }

  // forget lets the next run for key start a call of its own, whatever is in flight.
  void forget(Key const& key) {
    sync::lock_guard const lock(shared_->mu);
    shared_->flights.erase(key);
  }

 private:
  struct flight {
    flight(context const& values, bool can_end)
        : flight(can_end ? context::with_cancel(context::without_cancel(values))
                         : std::pair(values, cancel_handle())) {}
    explicit flight(std::pair<context, cancel_handle> made)
        : ctx(std::move(made.first)), cancel(std::move(made.second)) {}

    context::stored const ctx;
    cancel_handle const cancel;
    int callers = 0;
    internal::event done;
    std::optional<result<T>> outcome;
  };

  template <class Fn>
  void start(std::shared_ptr<flight> const& begun, Key const& key, Fn&& fn) {
    try {
      go([shared = shared_, begun, key, fn = std::forward<Fn>(fn)]() mutable {
        shared->end(key, begun, fn(begun->ctx));
      });
    } catch (...) {  // key or fn could not be copied
      shared_->end(key, begun, errors::make("singleflight: the call could not be started"));
      throw;
    }
  }

  // Outlives the group while an abandoned flight still runs.
  struct shared {
    sync::mutex mu;
    std::map<Key, std::shared_ptr<flight>>
        flights;  // ordered: keys of outside origin cannot make it slow

    void end(Key const& key, std::shared_ptr<flight> const& ended, result<T> outcome) {
      ended->outcome.emplace(std::move(outcome));
      {
        sync::lock_guard const lock(mu);
        drop(key, ended);
      }
      ended->done.set();
    }
    void leave(Key const& key, std::shared_ptr<flight> const& left) {
      bool last = false;
      {
        sync::lock_guard const lock(mu);
        last = --left->callers == 0;
        if (last) drop(key, left);
      }
      if (last) left->cancel();
    }
    // drop lets the next caller begin anew, unless one has already. Under mu.
    void drop(Key const& key, std::shared_ptr<flight> const& gone) {
      auto const at = flights.find(key);
      if (at != flights.end() && at->second == gone) flights.erase(at);
    }
  };

  std::shared_ptr<shared> const shared_ = std::make_shared<shared>();
};

}  // namespace vole::singleflight
