// SPDX-License-Identifier: Apache-2.0
#pragma once
// What goroutines and threads wait for each other: the block profile (where they waited, and for
// how long) and the mutex profile (whose unlocking they waited for).
//
// Both are always on, within a budget: each thread takes at most about samples_per_second_default
// of each a second, and counts each for as many as it has let pass (the weight). Events that are
// rarer than that are all taken. Each choice is made from what came before, so the sums are
// unbiased. Long ones are chosen among themselves: one wait of 100 ms among a million of 1 us
// would else be missed, or stand for a thousand such.
//
// INVARIANTS
//   - A wait is chosen before it begins, so that only chosen ones read the clock. Whether it was
//     long says the scheduler's coarse clock, for all in the same way: a chosen one that was long
//     counts with the long ones only.
//   - A thread's countdown is its own; the tables are shared.
// LOCKS      a raw lock for each table, leaf, held over fork (runtime/fork_locks.h).
// REJECTED   Go's way, which takes each event that is longer than a rate: it reads the clock twice
//            for every wait, and it costs 5 % of a busy program, so it is off when it is needed.
//            All long waits: 10,000 workers that wait for work are as many of them as one likes.

#include <chrono>
#include <cstdint>

#include "vole/internal/clock.h"
#include "vole/internal/park.h"

#include "runtime/stack_table.h"

namespace vole::internal::contention {

inline constexpr int samples_per_second_default = 1000;

// long_wait is from when on a wait is chosen among the long ones: several times what the coarse
// clock may be behind.
inline constexpr duration long_wait = std::chrono::milliseconds(20);

// set_samples_per_second sets the budget of each thread; 0: off. What was counted stays.
void set_samples_per_second(int most) noexcept;

// wait_sample is one wait: made before, ended after it. Cost: 2 ns if it is not chosen.
class wait_sample {
 public:
  explicit wait_sample(wait_reason why) noexcept : counted_(counted(why)) {
    if (counted_) weight_ = choose_wait(&begun_);
  }
  // from: the return address of the function that waits. waited: by the coarse clock; zero where
  // that is not known.
  void end(void const* from, duration waited) const noexcept {
    if (weight_ != 0 || (counted_ && waited >= long_wait)) [[unlikely]]
      record_wait(begun_, weight_, waited, from);
  }

 private:
  // Not those that wait for no goroutine: sleep, descriptors, nothing at all.
  static constexpr bool counted(wait_reason why) noexcept {
    switch (why) {
      case wait_reason::chan_receive:
      case wait_reason::chan_send:
      case wait_reason::select:
      case wait_reason::mutex_lock:
      case wait_reason::rw_mutex_rlock:
      case wait_reason::rw_mutex_lock:
      case wait_reason::cond_wait:
      case wait_reason::wait_group_wait:
      case wait_reason::semaphore_acquire:
      case wait_reason::once_wait:
      case wait_reason::pool_wait:
      case wait_reason::task_wait:
        return true;
      default:
        return false;
    }
  }
  static std::uint32_t choose_wait(time_point* begun) noexcept;
  static void record_wait(time_point begun, std::uint32_t weight, duration waited,
                          void const* from) noexcept;

  time_point begun_{};
  std::uint32_t weight_ = 0;  // 0: not chosen
  bool counted_;
};

// for_each_wait and for_each_unlock visit what was counted: counts[0] is the number of waits,
// counts[1] the nanoseconds. The table's lock is held meanwhile.
void for_each_wait(void (*visit)(void* arg, stack_bucket const& at), void* arg);
void for_each_unlock(void (*visit)(void* arg, stack_bucket const& at), void* arg);
std::size_t wait_stacks() noexcept;
std::size_t unlock_stacks() noexcept;

}  // namespace vole::internal::contention
