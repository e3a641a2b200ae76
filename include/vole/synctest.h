// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tests of concurrent code that take no time: a bubble of goroutines with a clock of its own.
//
//   synctest::test([] {
//     auto [ctx, cancel] = context::with_timeout(context::background(), 1h);
//     go([&] { flush_every(ctx, 1min); });
//     time::sleep(59min);       // no time passes outside
//     synctest::wait();         // the others have done what there was to do
//     EXPECT_EQ(flushed(), 59);
//   });
//
// Inside, time::now, sleeps, timers, deadlines of contexts and of waits go by the bubble's clock.
// It moves to the next timer when every goroutine of the bubble is in a durable wait: one that only
// another of them, or a timer, can end. Durable: channels and selects, sleep, cond, wait_group,
// semaphore, task, errgroup, net::pipe and io::pipe. Not durable, since somebody outside may end
// it: mutex, rw_mutex, once, other input and output, blocking(). So use channels and pipes that
// were made inside. Of what is due at one instant, any may come first. The wall clock
// (std::chrono::system_clock) is not the bubble's.

#include <memory>
#include <type_traits>

namespace vole::synctest {

namespace internal_ {
void run(void (*invoke)(void*), void* arg);
}

// test calls fn in a new bubble: of the goroutine that runs fn and of all that are started from
// inside. It returns when all have ended.
// Blocks:  parks.   Panics: called from a plain thread or inside of a bubble; with a dump, when the
//          goroutines of the bubble wait for one another for ever.
// Source:  Go testing/synctest.Test. Differs: the clock begins at the machine's time, not in 2000;
//          a channel does not know its bubble, so one from outside is not told from one inside.
template <class Fn>
void test(Fn&& fn) {
  using F = std::remove_reference_t<Fn>;
  F* call = std::addressof(fn);
  internal_::run([](void* p) { (**static_cast<F**>(p))(); }, &call);
}

// wait returns when all other goroutines of the bubble are in durable waits; no time passes.
// Blocks:  parks.   Panics: outside of a bubble; another goroutine of it waits here.
// Source:  Go testing/synctest.Wait. Differs: nothing.
void wait();

}  // namespace vole::synctest
