// SPDX-License-Identifier: Apache-2.0
// The slow paths of sync::rw_mutex. Invariants and locks: vole/sync/rw_mutex.h.

#include "vole/sync/rw_mutex.h"

#include <algorithm>
#include <cstddef>
#include <new>

#include "vole/assert.h"
#include "vole/internal/unlock_sample.h"
#include "vole/runtime.h"

#include "base/futex.h"
#include "runtime/asymmetric.h"
#include "runtime/processor.h"

namespace vole::sync {

using internal::mutex_waiter;
using internal::reader_slot;
using internal::wake_reason;
using waiter_list = internal::waiter_list<mutex_waiter>;

namespace {

constexpr std::int32_t bias_after = 4;     // samples that saw another reader, without a writer
constexpr std::int32_t rest_samples = 80;  // and so many more after a revocation
constexpr int busy_spins = 100;
constexpr duration busy_nap = std::chrono::microseconds(50);

// Workers with a higher number count themselves in the word.
std::size_t slot_count() {
  static std::size_t const n =
      std::min(2 * static_cast<std::size_t>(runtime::max_procs()) + 2, std::size_t{64});
  return n;
}

reader_slot* own_slot(reader_slot* slots) {
  internal::worker const* const w = internal::current_worker();
  return w == nullptr || w->index >= slot_count() ? nullptr : slots + w->index;
}

// Returns what the caller charges to itself once it has let go of the rw_mutex.
internal::unlock_sample finish_all(waiter_list& admitted) {
  internal::unlock_sample ended;
  while (mutex_waiter* const w = admitted.pop_front()) {
    ended.add(w->since);
    w->ticket.finish();
  }
  return ended;
}

}  // namespace

rw_mutex::~rw_mutex() {
  // Whoever still leaves has given the lock up, but may be on its last steps through this object.
  writers_.lock();
  writers_.unlock();
  internal::raw_lock const lock(queue_lock_);
  delete[] slots_;
}

// --- readers
// -------------------------------------------------------------------------------------------

bool rw_mutex::try_rlock() {
  if (bias_.load(internal::memory_order_relaxed) != nullptr && count_in_slot(1)) return true;
  std::uint32_t seen = word_.load(internal::memory_order_relaxed);
  while ((seen & writer_bits) == 0) {
    // pairs with rw_mutex.cc:unlock
    if (word_.compare_exchange_weak(seen, seen + one_reader, internal::memory_order_acquire,
                                    internal::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

// The caller is counted in word_, and has seen a writer.
wake_reason rw_mutex::rlock_slow(internal::park_limit const& limit) {
  mutex_waiter self;
  {
    internal::raw_lock const lock(queue_lock_);
    if (permits_ > 0) {
      --permits_;
      return wake_reason::ready;
    }
    std::uint32_t const seen = word_.load(internal::memory_order_relaxed);
    VOLE_ASSERT((seen & writer_bits) != 0, "a reader that saw a writer has no permit");
    if ((seen & pending) != 0 && writer_ == nullptr) {
      count_entered(1);
      return wake_reason::ready;
    }
    self.since = internal::monotonic_now();
    queue_.push_back(self);
  }
  wake_reason const reason = self.ticket.park(internal::wait_reason::rw_mutex_rlock, limit);
  if (reason != wake_reason::ready) leave_queue(self);
  return reason;
}

// The caller has waited as long as it may, and counts itself out.
void rw_mutex::leave_queue(mutex_waiter& self) {
  {
    internal::raw_lock const lock(queue_lock_);
    // Not linked: a writer has left meanwhile, and there is a permit for this reader, unless
    // another has used it.
    if (queue_.remove(self) || permits_ == 0) {
      word_.fetch_sub(one_reader, internal::memory_order_relaxed);
      return;
    }
    --permits_;
  }
  leave();
}

// Lets n more readers in under a writer that gave up.
void rw_mutex::count_entered(std::int32_t n) {
  if (n == 0) return;
  if (departing_.fetch_add(n, internal::memory_order_relaxed) == 0) ++early_;
}

// The caller has counted itself out of word_ under a writer that is pending, or of a count that was
// not positive.
void rw_mutex::runlock_slow(std::uint32_t before) {
  if ((before & biased) != 0) return;  // it came in by a slot
  if (before < one_reader || (before & writing) != 0) {
    panic("runlock of sync::rw_mutex not locked for reading");
  }
  // pairs with itself and rw_mutex.cc:lock_until: the writer sees what all readers have done
  if (departing_.fetch_sub(1, internal::memory_order_acq_rel) != 1) return;
  waiter_list admitted;
  {
    internal::raw_lock const lock(queue_lock_);
    if (early_ > 0) {
      --early_;  // readers were let in after all had left: the last of those will end it
      return;
    }
    end_pending(admitted);
  }
  finish_all(admitted).charge();
}

// Nobody is inside: the writer goes in, or else the readers do. Fills the list with those to be
// woken.
void rw_mutex::end_pending(waiter_list& admitted) {
  mutex_waiter* const w = writer_;
  writer_ = nullptr;
  if (w != nullptr && w->claim()) {
    // One step from pending to writing: new readers see one or the other.
    // pairs with rw_mutex: the readers' changes of word_
    word_.fetch_xor(pending | writing, internal::memory_order_acq_rel);
    admitted.push_back(*w);
    return;
  }
  // pairs with rw_mutex: the readers' changes of word_
  std::uint32_t const before =
      word_.fetch_and(~std::uint32_t{pending}, internal::memory_order_acq_rel);
  std::uint32_t waiting = count(before);
  admit_queue(admitted);
  for (mutex_waiter* r = admitted.front(); r != nullptr; r = r->next) --waiting;
  permits_ += waiting;
}

// Claims all readers that wait; those that have ended otherwise count themselves out.
void rw_mutex::admit_queue(waiter_list& admitted) {
  while (mutex_waiter* const r = queue_.pop_claimed()) admitted.push_back(*r);
}

// --- bias
// ----------------------------------------------------------------------------------------------

// Counts n in the slot of the caller's worker; false: there is none, or no bias any more.
bool rw_mutex::count_in_slot(std::int32_t n) noexcept {
  // pairs with rw_mutex.cc:bias: the slots are made
  reader_slot* const slots = bias_.load(internal::memory_order_acquire);
  reader_slot* const own = slots == nullptr ? nullptr : own_slot(slots);
  if (own == nullptr) return false;
  internal::fast_store(own->busy, 1);  // pairs with rw_mutex.cc:revoke
  // pairs with rw_mutex.cc:bias: what the last writer did is seen
  bool const on = bias_.load(internal::memory_order_acquire) != nullptr;
  if (on) own->count += static_cast<std::uint32_t>(n);
  own->busy.store(0, internal::memory_order_release);  // pairs with rw_mutex.cc:revoke
  return on;
}

// The caller is inside as a reader.
void rw_mutex::sample_reader() noexcept {
  internal::worker const* const w = internal::current_worker();
  if (w == nullptr || w->index == last_reader_.load(internal::memory_order_relaxed)) return;
  last_reader_.store(w->index, internal::memory_order_relaxed);
  if (mixed_.fetch_add(1, internal::memory_order_relaxed) + 1 >= bias_after) bias();
}

// The caller is inside as a reader, so there is no writer inside.
void rw_mutex::bias() noexcept {
  internal::raw_lock const lock(queue_lock_);
  if ((word_.load(internal::memory_order_relaxed) & (writer_bits | biased)) != 0) return;
  if (slots_ == nullptr) slots_ = new (std::nothrow) reader_slot[slot_count()];
  if (slots_ == nullptr) return;
  // relaxed, no partner: only who holds queue_lock_ depends on it
  word_.fetch_or(biased, internal::memory_order_relaxed);
  bias_.store(slots_, internal::memory_order_release);  // pairs with rw_mutex.cc:count_in_slot
}

// Ends the bias, if there is one: all readers inside are counted in word_ then.
void rw_mutex::revoke() {
  forget_samples();
  if (bias_.load(internal::memory_order_relaxed) == nullptr) return;
  bias_.exchange(nullptr, internal::memory_order_seq_cst);  // pairs with rw_mutex.cc:count_in_slot
  internal::slow_barrier();  // who does not see that is seen to be busy
  std::uint32_t inside = 0;
  for (std::size_t i = 0; i < slot_count(); ++i) {
    reader_slot& slot = slots_[i];
    // Its worker is a few instructions before the end, or has lost its CPU there.
    // pairs with rw_mutex.cc:count_in_slot: what readers have done is seen
    for (int spin = 0; slot.busy.load(internal::memory_order_acquire) != 0; ++spin) {
      if (spin < busy_spins) {
        internal::spin_pause();
      } else {
        internal::futex_wait(slot.busy, 1, internal::monotonic_now() + busy_nap);
      }
    }
    inside += slot.count;
    slot.count = 0;
  }
  std::uint32_t const change = inside * one_reader - biased;
  // pairs with rw_mutex: the readers' changes of word_
  std::uint32_t const after = word_.fetch_add(change, internal::memory_order_acq_rel) + change;
  mixed_.store(-rest_samples, internal::memory_order_relaxed);
  if (static_cast<std::int32_t>(after) < 0)
    panic("runlock of sync::rw_mutex not locked for reading");
}

// --- writers
// -------------------------------------------------------------------------------------------

wake_reason rw_mutex::lock_until(internal::park_limit const& limit) {
  wake_reason const reason = writers_.lock_until(limit);
  if (reason != wake_reason::ready) return reason;
  std::uint32_t expected = 0;
  // pairs with rw_mutex.h:runlock
  if (word_.compare_exchange_strong(expected, writing, internal::memory_order_acquire,
                                    internal::memory_order_relaxed)) {
    forget_samples();
    return wake_reason::ready;
  }
  return wait_for_readers(limit);
}

bool rw_mutex::try_lock() {
  if (!writers_.try_lock()) return false;
  if (bias_.load(internal::memory_order_relaxed) != nullptr) {
    internal::raw_lock const lock(queue_lock_);
    revoke();
  }
  std::uint32_t expected = 0;
  // pairs with rw_mutex.h:runlock
  if (word_.compare_exchange_strong(expected, writing, internal::memory_order_acquire,
                                    internal::memory_order_relaxed)) {
    return true;
  }
  writers_.unlock();
  return false;
}

// The caller holds writers_.
wake_reason rw_mutex::wait_for_readers(internal::park_limit const& limit)
    VOLE_NO_THREAD_SAFETY_ANALYSIS {
  mutex_waiter self;
  {
    internal::raw_lock const lock(queue_lock_);
    revoke();
    // pairs with rw_mutex: what readers release when they leave
    std::uint32_t const before = word_.fetch_or(pending, internal::memory_order_acquire);
    if ((before & pending) == 0) {
      auto const inside = static_cast<std::int32_t>(count(before));
      // pairs with rw_mutex.cc:runlock_slow. Some of those inside may have left since, and
      // subtracted already.
      if (departing_.fetch_add(inside, internal::memory_order_acq_rel) == -inside) {
        // pairs with rw_mutex: the readers' changes of word_
        word_.fetch_xor(pending | writing, internal::memory_order_acq_rel);
        return wake_reason::ready;
      }
    }
    self.since = internal::monotonic_now();
    writer_ = &self;
  }
  wake_reason const reason = self.ticket.park(internal::wait_reason::rw_mutex_lock, limit);
  if (reason != wake_reason::ready) {
    give_up(self);
    writers_.unlock();
  }
  return reason;
}

// Lets the readers in that wait for a writer that no longer wants to come.
void rw_mutex::give_up(mutex_waiter& self) {
  waiter_list admitted;
  {
    internal::raw_lock const lock(queue_lock_);
    if (writer_ == &self) {
      writer_ = nullptr;
      admit_queue(admitted);
      std::int32_t entered = 0;
      for (mutex_waiter* r = admitted.front(); r != nullptr; r = r->next) ++entered;
      count_entered(entered);
    }
  }
  static_cast<void>(finish_all(admitted));
}

void rw_mutex::unlock() {
  std::uint32_t expected = writing;
  internal::unlock_sample ended;
  // pairs with rw_mutex.h:rlock, rw_mutex.cc:lock_until
  if (!word_.compare_exchange_strong(expected, 0, internal::memory_order_release,
                                     internal::memory_order_relaxed)) {
    if ((expected & writing) == 0) panic("unlock of sync::rw_mutex not locked for writing");
    waiter_list admitted;
    {
      internal::raw_lock const lock(queue_lock_);
      // pairs with rw_mutex.h:rlock, rw_mutex.cc:rlock_slow
      std::uint32_t const before =
          word_.fetch_and(~std::uint32_t{writing}, internal::memory_order_acq_rel);
      std::uint32_t waiting = count(before);
      admit_queue(admitted);
      for (mutex_waiter* r = admitted.front(); r != nullptr; r = r->next) --waiting;
      permits_ += waiting;
    }
    ended = finish_all(admitted);
  }
  writers_.unlock();
  ended.charge();
}

}  // namespace vole::sync
