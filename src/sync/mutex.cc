// SPDX-License-Identifier: Apache-2.0
// The slow paths of sync::mutex: spin, queue, hand over. The word's transitions:
// vole/internal/mutex_word.h.
//
// The owner decides what unlock() does while it still owns the mutex, and gives it up by its last
// access. A waiter that
// wakes up competes with newcomers, who are on a CPU already and mostly win: that is what makes a
// contended mutex fast.
// A waiter that has lost for starving_after turns the mutex to hand-off, in which nobody can
// overtake.
// REJECTED  Always handing over: each unlock then costs a context switch, an order of magnitude
//           under contention.
// Source: Go internal/sync/mutex.go.

#include "vole/sync/mutex.h"

#include "vole/assert.h"
#include "vole/internal/spin.h"
#include "vole/internal/unlock_sample.h"

namespace vole::sync {

using internal::mutex_waiter;
using internal::mutex_word;
using internal::wake_reason;

namespace {

constexpr duration starving_after = std::chrono::milliseconds(1);
constexpr int spin_rounds = 4;
constexpr int pauses_per_round = 30;

}  // namespace

// take_or_spin takes the mutex; false: it is worth no more spinning, to be queued for. awake: the
// word's woken bit stands for this goroutine.
bool mutex::take_or_spin(std::uint32_t& seen, int& spins_left, bool& awake) noexcept {
  for (;;) {
    if ((seen & (mutex_word::locked | mutex_word::starving)) == 0) {
      if (word_.try_take(seen, awake)) return true;
      continue;
    }
    if (spins_left == 0 || (seen & mutex_word::starving) != 0 || !internal::spinning_pays()) {
      return false;
    }
    --spins_left;
    if (!awake) awake = word_.try_set_woken(seen);
    for (int i = 0; i < pauses_per_round; ++i) internal::spin_pause();
    seen = word_.load();
  }
}

wake_reason mutex::lock_slow(internal::park_limit const& limit) {
  int spins_left = spin_rounds;
  bool awake = false;
  std::uint32_t seen = word_.load();
  if (take_or_spin(seen, spins_left, awake)) return wake_reason::ready;
  mutex_waiter self;
  time_point waiting_since{};
  do {
    // Who has queued before and not got it has lost.
    bool const first_time = waiting_since == time_point{};
    self.since = internal::monotonic_now();
    bool const starve = !first_time && self.since - waiting_since > starving_after;
    {
      internal::raw_lock const lock(queue_lock_);
      if (!word_.try_queue(seen, awake, starve)) continue;
      if (first_time) {
        queue_.push_back(self);
      } else {
        queue_.push_front(self);  // it has waited longest
      }
    }
    if (first_time) waiting_since = self.since;
    awake = false;
    wake_reason const reason = self.ticket.park(internal::wait_reason::mutex_lock, limit);
    if (reason != wake_reason::ready) {
      internal::raw_lock const lock(queue_lock_);
      queue_.remove(self);
      if (queue_.empty()) word_.drop_queue();
      return reason;
    }
    if (self.owns) {
      if (internal::monotonic_now() - waiting_since < starving_after) word_.drop_starving();
      return wake_reason::ready;
    }
    awake = true;
    self.ticket.reset();
    spins_left = spin_rounds;
    seen = word_.load();
  } while (!take_or_spin(seen, spins_left, awake));
  return wake_reason::ready;
}

void mutex::unlock_slow() {
  if ((word_.load() & mutex_word::locked) == 0) panic("unlock of unlocked sync::mutex");
  mutex_waiter* next = nullptr;
  mutex_word::release_step step{};
  while (next == nullptr) {
    step = word_.begin_release();
    if (step == mutex_word::release_step::released) return;
    internal::raw_lock const lock(queue_lock_);
    next = queue_.pop_claimed();
    if (queue_.empty()) word_.drop_queue();
    if (next == nullptr && step == mutex_word::release_step::wake) word_.drop_woken();
  }
  internal::unlock_sample ended;
  ended.add(next->since);
  if (step == mutex_word::release_step::hand_over) {
    next->owns = true;
  } else {
    word_.release_to();
  }
  next->ticket.finish();
  ended.charge();
}

}  // namespace vole::sync
