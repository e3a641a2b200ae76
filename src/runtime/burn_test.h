// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tests of the sampler: work to be sampled.

#include <cstdint>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

namespace vole::internal::sample {

inline std::uint64_t cpu_ns(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(t.tv_nsec);
}

// The kernel's look at the timers of the calling thread after the thread has used ms of a
// processor. It looks when its tick finds the thread running: of threads that take turns, that can
// be half a second late (the sample then weighs 50). All timers that are due fire at the same look,
// so what was used until then is in samples.
class look_at_timers {
 public:
  explicit look_at_timers(std::uint64_t ms) {
    sigemptyset(&own_);
    sigaddset(&own_, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &own_, nullptr);
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGUSR2;
    event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
    itimerspec const when{.it_interval = {},
                          .it_value = {.tv_sec = static_cast<time_t>(ms / 1000),
                                       .tv_nsec = static_cast<long>(ms % 1000 * 1'000'000)}};
    EXPECT_EQ(timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer_), 0);
    EXPECT_EQ(timer_settime(timer_, 0, &when, nullptr), 0);
  }
  ~look_at_timers() { timer_delete(timer_); }
  look_at_timers(look_at_timers const&) = delete;
  look_at_timers& operator=(look_at_timers const&) = delete;

  bool taken() const {
    timespec const now{};
    return sigtimedwait(&own_, nullptr, &now) == SIGUSR2;
  }

 private:
  sigset_t own_{};
  timer_t timer_{};
};

// burn_until computes until over(processor time at the start, in ns); returns what it used, in ns.
template <int Which, class Over>
[[gnu::always_inline]] inline std::uint64_t burn_until(Over over) {
  std::uint64_t const from = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
  volatile std::uint64_t work = Which;
  while (!over(from)) {
    for (int i = 0; i < 20'000; ++i) work = work * 31 + 7;
  }
  return cpu_ns(CLOCK_THREAD_CPUTIME_ID) - from;
}

// Functions of their own, so that a profile can tell them apart. burn_alone ends by the clock,
// burn_measured when all that it used can be in samples.
template <int Which>
[[gnu::noinline]] std::uint64_t burn_alone(std::uint64_t ms) {
  return burn_until<Which>([ms](std::uint64_t from) {
    return cpu_ns(CLOCK_THREAD_CPUTIME_ID) - from >= ms * 1'000'000;
  });
}

template <int Which>
[[gnu::noinline]] std::uint64_t burn_measured(std::uint64_t ms) {
  look_at_timers const look(ms);
  return burn_until<Which>([&look](std::uint64_t) { return look.taken(); });
}

}  // namespace vole::internal::sample
