// SPDX-License-Identifier: Apache-2.0
#pragma once
// sync::wait_group waits for a number of goroutines to finish.
//
// INVARIANTS (word_)
//   one * n    the counter, in the upper half, never negative.
//   waiters    a waiter is in queue_; when the counter is 0, or it may have left, and the done()
//   that saw it there is on its way. Set and, above 0, cleared by a waiter under queue_lock_.
//   releasing  one goroutine, the one whose done() brought the counter to 0, is waking the queue.
//   It alone clears it.
//   0          nobody is counted and nobody will touch the wait_group any more: wait() returns, its
//   owner may destroy it.
// LOCKS     queue_lock_ guards queue_; a leaf.
// ORDERING  what a goroutine did before done() is seen after wait().

#include <cstdint>
#include <type_traits>
#include <utility>

#include "vole/go.h"
#include "vole/sync/mutex.h"

namespace vole::sync {

// wait_group: the zero value counts nobody.
// Blocks:  wait() parks the goroutine; a plain thread sleeps.      Cancels: wait(ctx, wg).
// Safety:  any goroutine or thread; an add() from zero must happen before the wait() it concerns.
// Cost:    one atomic operation for add and done.
// Source:  Go sync.WaitGroup. Differs: nothing.
class wait_group {
 public:
  constexpr wait_group() noexcept = default;
  wait_group(wait_group const&) = delete;
  wait_group& operator=(wait_group const&) = delete;

  // add counts n more, or -n fewer. Panics: the counter becomes negative (caller's bug).
  void add(std::int32_t n) {
    std::uint64_t const delta = static_cast<std::uint64_t>(n) << 32;
    // pairs with wait_group.h:wait_until, wait_group.cc:release
    std::uint64_t const after = word_.fetch_add(delta, internal::memory_order_acq_rel) + delta;
    if (static_cast<std::int64_t>(after) < one && after != 0) [[unlikely]] {
      release(after);
    }
  }
  void done() { add(-1); }

  // wait returns when the counter is zero.
  void wait() { static_cast<void>(wait_until({})); }
  // wait_until is wait under a limit: ready when the counter was zero, else deadline or canceled.
  internal::wake_reason wait_until(internal::park_limit const& limit) {
    // pairs with wait_group.h:add
    if (word_.load(internal::memory_order_acquire) == 0) return internal::wake_reason::ready;
    return wait_slow(limit);
  }

  // go runs fn in a new goroutine that is counted until fn is destroyed: it has returned, or
  // its exception went to the hook of the options.
  template <class Fn>
  void go(Fn&& fn) {
    go(spawn_options{}, std::forward<Fn>(fn));
  }
  template <class Fn>
  void go(spawn_options const& options, Fn&& fn) {
    add(1);
    vole::go(options, [this, fn = internal::call_once(std::forward<Fn>(fn))]() mutable {
      member const counted{*this};
      fn();
    });
  }

 private:
  struct member {
    wait_group& in;
    ~member() { in.done(); }
  };

  static constexpr std::int64_t one = std::int64_t{1} << 32;
  enum : std::uint64_t { waiters = 1, releasing = 2, flags = 3 };

  void release(std::uint64_t after);
  void collect(internal::waiter_list<internal::mutex_waiter>& released);
  internal::wake_reason wait_slow(internal::park_limit const& limit);
  bool leave_queue(internal::mutex_waiter& self);

  internal::atomic<std::uint64_t> word_{0};
  internal::raw_mutex queue_lock_;
  internal::waiter_list<internal::mutex_waiter> queue_ VOLE_GUARDED_BY(queue_lock_);
};

}  // namespace vole::sync
