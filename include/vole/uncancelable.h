// SPDX-License-Identifier: Apache-2.0
// uncancelable: calls that nothing can stop once they have begun (getaddrinfo, fsync). Their caller
// may still leave: each runs in a goroutine of its own, in blocking(), and ends alone.
//
//   uncancelable disk(16);
//   result<void> synced = disk.run(ctx, [fd] { return sync_of(fd); });
//
// INVARIANTS
//   - At most `at_once` calls run; each holds a unit of slots until it has returned, whether or not
//     somebody still waits for it. So callers that leave cannot pile calls up: the next one waits.
//   - A call owns what it needs: nothing in it refers to a caller that may have left.
// LOCKS none besides those of semaphore and channel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "vole/chan.h"
#include "vole/context.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/result.h"
#include "vole/sync/semaphore.h"
#include "vole/task.h"

namespace vole {

// Safety: any goroutine; the object may go while calls still run.
class uncancelable {
 public:
  struct stats {
    std::int64_t running = 0;          // begun and not returned, abandoned ones included
    std::int64_t abandoned_total = 0;  // whose caller has left
  };

  // stack_bytes: of each call's goroutine; 0: the usual.
  explicit uncancelable(std::int64_t at_once, std::size_t stack_bytes = 0)
      : shared_(std::make_shared<shared>(at_once)), stack_bytes_(stack_bytes) {}

  // run calls fn() and returns what it returned, or ctx.err() as soon as ctx ends.
  // Blocks: parks, also for a slot.     Cost: a goroutine and a channel.
  template <class Fn>
  auto run(context const& ctx, Fn fn)
      -> result<typename internal::task_value<std::invoke_result_t<Fn&>>::type> {
    using outcome = result<typename internal::task_value<std::invoke_result_t<Fn&>>::type>;
    if (error err = acquire(ctx, shared_->slots)) return err;
    // relaxed here and below, no partner: counters that order nothing.
    shared_->running.fetch_add(1, internal::memory_order_relaxed);
    chan<outcome> const answers(1);
    // In the foreground: it holds no processor meanwhile, and others wait for its slot.
    go({.stack_bytes = stack_bytes_, .scheduling = scheduling_class::foreground},
       [all = shared_, answers, fn = std::move(fn)]() mutable {
         std::optional<outcome> got(blocking([&]() -> outcome { return fn(); }));
         all->running.fetch_sub(1, internal::memory_order_relaxed);
         all->slots.release();
         answers.send(*std::move(got));
       });
    auto got = recv(ctx, answers);
    if (got) return **std::move(got);
    shared_->abandoned_total.fetch_add(1, internal::memory_order_relaxed);
    return std::move(got).error();
  }

  stats read_stats() const noexcept {
    return {shared_->running.load(internal::memory_order_relaxed),
            shared_->abandoned_total.load(internal::memory_order_relaxed)};
  }

 private:
  struct shared {
    explicit shared(std::int64_t at_once) : slots(at_once) {}

    sync::semaphore slots;
    internal::atomic<std::int64_t> running{0};
    internal::atomic<std::int64_t> abandoned_total{0};
  };

  std::shared_ptr<shared> shared_;  // also the running calls'
  std::size_t const stack_bytes_;
};

}  // namespace vole
