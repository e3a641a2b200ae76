// SPDX-License-Identifier: Apache-2.0
// The choice and the tables. Invariants: runtime/contention.h.

#include "runtime/contention.h"

#include <algorithm>

#include "vole/internal/annotations.h"
#include "vole/internal/raw_mutex.h"
#include "vole/internal/unlock_sample.h"

#include "base/rand.h"
#include "runtime/fork_locks.h"
#include "runtime/own_stack.h"
#include "runtime/scheduler.h"

namespace vole::internal::contention {
namespace {

constexpr std::uint32_t period_max = 1 << 20;

constinit atomic<std::int64_t> interval_ns{1'000'000'000 / samples_per_second_default};

// How one thread chooses among the events of one kind.
struct chooser {
  std::uint32_t pause = 1024;  // events that pass without a look while all is off
  std::uint32_t countdown = 1;
  std::uint32_t period = 1;  // of how many one is taken now
  time_point taken{};

  // choose returns the weight of the event that comes now, or 0.
  std::uint32_t choose(time_point* now) noexcept {
    if (--countdown > 0) return 0;
    return take(now);
  }

 private:
  [[gnu::noinline]] std::uint32_t take(time_point* now) noexcept {
    std::int64_t const wanted = interval_ns.load(memory_order_relaxed);
    if (wanted == 0) {
      countdown = pause;
      return 0;
    }
    std::uint32_t const weight = period;
    *now = internal::monotonic_now();
    std::int64_t const passed = std::max<std::int64_t>((*now - taken).count(), 1);
    taken = *now;
    // Towards one event per interval, by a factor of four at most at a time.
    double const ratio = static_cast<double>(wanted) / static_cast<double>(passed);
    double const next = static_cast<double>(period) * std::clamp(ratio, 0.25, 4.0);
    period = static_cast<std::uint32_t>(std::clamp(next, 1.0, static_cast<double>(period_max)));
    countdown = 1 + fast_rand_below(2 * period - 1);  // on average period
    return weight;
  }
};

// Initial-exec, and never kept over a switch: the functions that touch them are not inlined.
[[gnu::tls_model("initial-exec")]] constinit thread_local chooser waits_here;
[[gnu::tls_model("initial-exec")]] constinit thread_local chooser unlocks_here;
[[gnu::tls_model("initial-exec")]] constinit thread_local chooser long_waits_here{.pause = 1};
[[gnu::tls_model("initial-exec")]] constinit thread_local chooser long_unlocks_here{.pause = 1};

class tally {
 public:
  void count(std::int64_t events, std::int64_t ns, void const* from) noexcept VOLE_EXCLUDES(mu_) {
    std::uintptr_t pcs[stack_table::depth_max];
    std::size_t const depth = unwind_own_stack(pcs, from);
    guard_forks();
    if (this_thread_forks()) return;  // the lock is held, by itself
    raw_lock const lock(mu_);
    stack_bucket& at = table_.at({pcs, depth}, 0);
    at.counts[0] += events;
    at.counts[1] += ns;
  }
  void for_each(void (*visit)(void*, stack_bucket const&), void* arg) VOLE_EXCLUDES(mu_) {
    raw_lock const lock(mu_);
    table_.for_each([&](stack_bucket const& b) { visit(arg, b); });
  }
  std::size_t size() noexcept VOLE_EXCLUDES(mu_) {
    raw_lock const lock(mu_);
    return table_.size();
  }
  void lock_for_fork() noexcept VOLE_ACQUIRE(mu_) { mu_.lock(); }
  void unlock_after_fork() noexcept VOLE_RELEASE(mu_) { mu_.unlock(); }

 private:
  raw_mutex mu_;
  stack_table table_ VOLE_GUARDED_BY(mu_);
};

constinit tally waits;
constinit tally unlocks;

[[gnu::noinline]] std::uint32_t choose_unlock(time_point* now) noexcept {
  return unlocks_here.choose(now);
}
[[gnu::noinline]] std::uint32_t choose_long_unlock(time_point* now) noexcept {
  return long_unlocks_here.choose(now);
}

}  // namespace

void set_samples_per_second(int most) noexcept {
  interval_ns.store(most <= 0 ? 0 : std::max(1'000'000'000 / most, 1), memory_order_relaxed);
}

[[gnu::noinline]] std::uint32_t wait_sample::choose_wait(time_point* begun) noexcept {
  return waits_here.choose(begun);
}

[[gnu::noinline]] void wait_sample::record_wait(time_point begun, std::uint32_t weight,
                                                duration waited, void const* from) noexcept {
  if (waited < long_wait) {
    std::int64_t const ns = (internal::monotonic_now() - begun).count();
    waits.count(weight, ns * weight, from);
    return;
  }
  time_point now;
  std::uint32_t const among_long = long_waits_here.choose(&now);
  if (among_long == 0) return;
  if (weight != 0) waited = now - begun;
  waits.count(among_long, waited.count() * among_long, from);
}

void before_fork() noexcept {
  waits.lock_for_fork();
  unlocks.lock_for_fork();
}
void after_fork() noexcept {
  unlocks.unlock_after_fork();
  waits.unlock_after_fork();
}

void for_each_wait(void (*visit)(void*, stack_bucket const&), void* arg) {
  waits.for_each(visit, arg);
}
void for_each_unlock(void (*visit)(void*, stack_bucket const&), void* arg) {
  unlocks.for_each(visit, arg);
}
std::size_t wait_stacks() noexcept {
  return waits.size();
}
std::size_t unlock_stacks() noexcept {
  return unlocks.size();
}

}  // namespace vole::internal::contention

namespace vole::internal {

void unlock_sample::charge_to(void const* from) const noexcept {
  time_point now;
  std::uint32_t weight = contention::choose_unlock(&now);
  // The coarse clock may not have come to where the last of them began.
  std::int64_t const coarse_ns = the_scheduler().coarse_now().time_since_epoch().count();
  if (waiters_ * coarse_ns - since_ns_ >= contention::long_wait.count()) [[unlikely]]
    weight = contention::choose_long_unlock(&now);
  if (weight == 0) return;
  std::int64_t const waited = waiters_ * now.time_since_epoch().count() - since_ns_;
  contention::unlocks.count(waiters_ * weight, std::max<std::int64_t>(waited, 0) * weight, from);
}

}  // namespace vole::internal
