// SPDX-License-Identifier: Apache-2.0
// Which signal the runtime takes for its dumps. Each in a process of its own, where the runtime has
// not started yet.
#include "runtime/signal.h"

#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>
#include <signal.h>
#include <string>
#include <thread>

#include "vole/go.h"
#include "vole/internal/spin.h"
#include "vole/runtime.h"

#include "runtime/latch_test.h"
#include "runtime/sanitizer.h"

namespace vole::internal {
namespace {

constexpr int exit_well = 0;

atomic<bool> running{false};
atomic<bool> may_end{false};
atomic<int> foreign_calls{0};

void foreign_handler(int) {
  foreign_calls.fetch_add(1);
}

bool is_foreign(int signal) {
  struct sigaction now{};
  return ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == &foreign_handler;
}

[[gnu::noinline]] void run_until_told() {
  running.store(true);
  while (!may_end.load(memory_order_relaxed)) spin_pause();
  asm volatile("" ::: "memory");
}

// Whether a dump shows the stack of a goroutine that runs. A machine that is busy answers too late
// now and then.
bool dump_shows_one_that_runs(int attempts) {
  latch ended(1);
  go([&] {
    run_until_told();
    ended.count_down();
  });
  while (!running.load()) std::this_thread::yield();
  bool shown = false;
  for (int i = 0; i < attempts && !shown; ++i) {
    shown = runtime::dump_goroutines().find("run_until_told") != std::string::npos;
  }
  may_end.store(true);
  ended.wait();
  return shown;
}

// Ends the process well if the dump's signal is this one, a dump shows what it asked for, and the
// program's handler was not called.
[[noreturn]] void expect_dumps_by(int signal) {
  // TSan keeps signals back: a goroutine that computes does not answer.
  bool const shown = dump_shows_one_that_runs(VOLE_TSAN ? 1 : 200) || VOLE_TSAN;
  if (shown && capture_signal() == signal && foreign_calls.load() == 0) std::_Exit(exit_well);
  std::fprintf(stderr, "shown: %d, by %d, foreign calls: %d\n", shown, capture_signal(),
               foreign_calls.load());
  std::_Exit(1);
}

class dump_signal_death : public ::testing::Test {
 protected:
  dump_signal_death() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(dump_signal_death, is_the_one_that_was_chosen) {
  EXPECT_EXIT(
      {
        runtime::set_dump_signal(SIGRTMIN + 9);
        expect_dumps_by(SIGRTMIN + 9);
      },
      ::testing::ExitedWithCode(exit_well), "^$");
}

TEST_F(dump_signal_death, of_the_environment_goes_before_the_programs_choice) {
  EXPECT_EXIT(
      {
        ::setenv("VOLE_DUMPSIGNAL", std::to_string(SIGRTMAX).c_str(), 1);
        runtime::set_dump_signal(SIGRTMIN + 9);
        expect_dumps_by(SIGRTMAX);
      },
      ::testing::ExitedWithCode(exit_well), "^$");
}

TEST_F(dump_signal_death, of_the_environment_must_be_a_real_time_one) {
  EXPECT_EXIT(
      {
        ::setenv("VOLE_DUMPSIGNAL", "10", 1);
        expect_dumps_by(SIGRTMIN + 6);
      },
      ::testing::ExitedWithCode(exit_well),
      "VOLE_DUMPSIGNAL is '10': want a number from [0-9]+ to [0-9]+; ignored");
}

TEST_F(dump_signal_death, leaves_a_handler_alone_and_says_what_it_takes_instead) {
  EXPECT_EXIT(
      {
        ::signal(SIGRTMIN + 6, &foreign_handler);
        ::signal(SIGRTMIN + 7, &foreign_handler);
        go([] {});
        if (!is_foreign(SIGRTMIN + 6) || !is_foreign(SIGRTMIN + 7)) std::_Exit(1);
        expect_dumps_by(SIGRTMIN + 8);
      },
      ::testing::ExitedWithCode(exit_well),
      "^vole: signal [0-9]+ \\(SIGRTMIN\\+6\\) has a handler already: dumps use signal [0-9]+; "
      "VOLE_DUMPSIGNAL=<n> and runtime::set_dump_signal choose\n$");
}

TEST_F(dump_signal_death, is_not_sent_to_a_handler_that_came_later) {
  EXPECT_EXIT(
      {
        go([] {});
        ::signal(SIGRTMIN + 6, &foreign_handler);
        bool const shown = dump_shows_one_that_runs(2);
        std::_Exit(!shown && foreign_calls.load() == 0 ? exit_well : 1);
      },
      ::testing::ExitedWithCode(exit_well),
      "^vole: signal [0-9]+ \\(SIGRTMIN\\+6\\) has another handler now: dumps are without the "
      "stacks of running goroutines; .*\n$");
}

TEST_F(dump_signal_death, is_found_missing_when_all_have_handlers) {
  EXPECT_EXIT(
      {
        for (int s = SIGRTMIN; s <= SIGRTMAX; ++s) ::signal(s, &foreign_handler);
        bool const shown = dump_shows_one_that_runs(2);
        std::_Exit(!shown && foreign_calls.load() == 0 ? exit_well : 1);
      },
      ::testing::ExitedWithCode(exit_well),
      "^vole: every real-time signal has a handler already: dumps are without the stacks");
}

TEST_F(dump_signal_death, is_chosen_before_the_start_and_among_the_real_time_ones) {
  EXPECT_DEATH(runtime::set_dump_signal(SIGUSR1), "set_dump_signal: 10 is no real-time signal");
  EXPECT_DEATH(
      {
        go([] {});
        runtime::set_dump_signal(SIGRTMIN + 9);
      },
      "set_dump_signal comes before the first goroutine");
}

}  // namespace
}  // namespace vole::internal
