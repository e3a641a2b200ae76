// SPDX-License-Identifier: Apache-2.0
// Goroutines that nobody waits for, and the end of the process. Each in a process of its own.
#include <cstdlib>
#include <gtest/gtest.h>
#include <malloc.h>
#include <thread>

#include "vole/go.h"
#include "vole/internal/spin.h"
#include "vole/runtime.h"

#include "runtime/exit_hold.h"
#include "runtime/latch_test.h"
#include "runtime/sanitizer.h"
#include "runtime/scheduler.h"

namespace vole::internal {
namespace {

using std::chrono::microseconds;

constexpr int none_ran = 3;
constexpr int one_ran = 4;
constexpr int waited = 5;

atomic<std::uint64_t> turns{0};
// Written by goroutines, one after the other, and read when they are held back: TSan looks at it.
std::uint64_t turns_unguarded = 0;

// at_destruction has a static object made whose destructor ends the process with what it calls.
void at_destruction(int (*say)()) {
  struct last_words {
    int (*say)();
    ~last_words() { std::_Exit(say()); }
  };
  static last_words const spoken{say};
}

// The hold may end while this thread waits for a core: what runs then says nothing.
int whether_one_runs() {
  std::uint64_t const before = turns.load() + turns_unguarded;
  for (int i = 0; i < 20; ++i) {
    std::this_thread::yield();
    std::uint64_t const now = turns.load() + turns_unguarded;
    if (!the_scheduler().held()) return none_ran;
    if (now != before) return one_ran;
  }
  return none_ran;
}

void wait_for_turns() {
  std::uint64_t const before = turns.load();
  while (turns.load() < before + 100) runtime::yield();
}

// Ways in which goroutines go on for ever.
void yield_for_ever() {
  go([] {
    while (true) {
      turns.fetch_add(1);
      ++turns_unguarded;
      runtime::yield();
    }
  });
}
void pass_on_for_ever() {
  static gate ping;
  static gate pong;
  go([] {
    while (true) {
      while (!ping.wake_one()) runtime::yield();
      turns.fetch_add(1);
      pong.wait();
    }
  });
  go([] {
    while (true) {
      ping.wait();
      while (!pong.wake_one()) runtime::yield();
    }
  });
}
void sleep_for_ever() {
  static gate never_woken;
  go([] {
    while (true) {
      never_woken.wait({now() + microseconds(20), nullptr});
      turns.fetch_add(1);
    }
  });
}
void block_for_ever() {
  go([] {
    while (true) {
      blocking([] { std::this_thread::yield(); });
      turns.fetch_add(1);
    }
  });
}
void yield_wired_for_ever() {
  go([] {
    runtime::lock_thread();
    while (true) {
      turns.fetch_add(1);
      runtime::yield();
    }
  });
}
void yield_in_the_background_for_ever() {
  go({.scheduling = scheduling_class::background}, [] {
    while (true) {
      turns.fetch_add(1);
      runtime::yield();
    }
  });
}
void spawn_for_ever() {
  struct again {
    void operator()() const {
      turns.fetch_add(1);
      go(again{});
    }
  };
  go(again{});
}
constexpr void (*ways[])() = {&yield_for_ever,       &pass_on_for_ever,
                              &sleep_for_ever,       &block_for_ever,
                              &yield_wired_for_ever, &yield_in_the_background_for_ever,
                              &spawn_for_ever};

class exit_death : public ::testing::Test {
 protected:
  exit_death() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(exit_death, no_goroutine_runs_while_static_objects_are_destroyed) {
  for (auto* const way : ways) {
    EXPECT_EXIT(
        {
          run([way] {
            at_destruction(&whether_one_runs);  // made after the runtime has started
            way();
            wait_for_turns();
          });
          std::exit(0);
        },
        ::testing::ExitedWithCode(none_ran), "^$");
  }
}

TEST_F(exit_death, of_all_ways_at_once) {
  EXPECT_EXIT(
      {
        run([] {
          runtime::set_max_procs(4);
          at_destruction(&whether_one_runs);
          for (auto* const way : ways) way();
          wait_for_turns();
        });
        std::exit(0);
      },
      ::testing::ExitedWithCode(none_ran), "^$");
}

// What was made before the runtime started is safe without any run().
TEST_F(exit_death, of_a_runtime_beside_an_existing_main) {
  EXPECT_EXIT(
      {
        at_destruction(&whether_one_runs);
        yield_for_ever();
        wait_for_turns();
        std::exit(0);
      },
      ::testing::ExitedWithCode(none_ran), "^$");
}

TEST_F(exit_death, by_a_goroutine) {
  EXPECT_EXIT(
      {
        at_destruction(&whether_one_runs);
        run([] {
          yield_for_ever();
          wait_for_turns();
          std::exit(0);
        });
      },
      ::testing::ExitedWithCode(none_ran), "^$");
}

int wait_for_a_goroutine() {
  latch ended(1);
  go([&] {
    gate never_woken;
    never_woken.wait({now() + microseconds(20), nullptr});
    ended.count_down();
  });
  ended.wait();
  return waited;
}

int wait_for_the_background() {
  latch ended(1);
  go({.scheduling = scheduling_class::background}, [&] { ended.count_down(); });
  ended.wait();
  return waited;
}

// The turn of who was held back does not keep the place of others.
TEST_F(exit_death, may_wait_for_the_background_in_a_destructor) {
  EXPECT_EXIT(
      {
        run([] {
          runtime::set_max_procs(1);
          at_destruction(&wait_for_the_background);
          yield_in_the_background_for_ever();
          wait_for_turns();
        });
        std::exit(0);
      },
      ::testing::ExitedWithCode(waited), "^$");
}

TEST_F(exit_death, may_wait_for_goroutines_in_a_destructor) {
  EXPECT_EXIT(
      {
        run([] {
          at_destruction(&wait_for_a_goroutine);
          yield_for_ever();
          wait_for_turns();
        });
        std::exit(0);
      },
      ::testing::ExitedWithCode(waited), "^$");
  EXPECT_EXIT(
      {
        run([] {
          at_destruction([] { return run([] { return waited; }); });
          yield_for_ever();
        });
        std::exit(0);
      },
      ::testing::ExitedWithCode(waited), "^$");
}

TEST_F(exit_death, may_wait_for_goroutines_in_a_destructor_that_a_goroutine_runs) {
  for (bool const in_blocking : {false, true}) {
    EXPECT_EXIT(
        {
          at_destruction(&wait_for_a_goroutine);
          run([in_blocking] {
            yield_for_ever();
            wait_for_turns();
            if (in_blocking) blocking([] { std::exit(0); });
            std::exit(0);
          });
        },
        ::testing::ExitedWithCode(waited), "^$");
  }
}

// As a std::future does, which the runtime does not see: it goes on after a second.
TEST_F(exit_death, is_not_hung_by_a_destructor_that_waits_by_other_means) {
  EXPECT_EXIT(
      {
        run([] {
          at_destruction([] {
            std::uint64_t const before = turns.load();
            while (turns.load() == before) std::this_thread::yield();
            return waited;
          });
          yield_for_ever();
          wait_for_turns();
        });
        std::exit(0);
      },
      ::testing::ExitedWithCode(waited), "^$");
}

TEST_F(exit_death, is_not_held_up_by_a_goroutine_that_computes) {
  EXPECT_EXIT(
      {
        run([] {
          go([] {
            turns.fetch_add(1);
            while (true) spin_pause();
          });
          while (turns.load() == 0) runtime::yield();
        });
        std::exit(waited);
      },
      ::testing::ExitedWithCode(waited), "^$");
}

TEST(run, leaves_no_registration_behind_for_each_time) {
  if (VOLE_ASAN || VOLE_TSAN) GTEST_SKIP() << "another malloc, which tells nothing";
  auto const in_use = [] { return ::mallinfo2().uordblks; };
  for (int i = 0; i < 100; ++i) run([] {});
  std::size_t const before = in_use();
  constexpr int times = 5'000;
  for (int i = 0; i < times; ++i) run([] {});
  EXPECT_LT(in_use(), before + 16 * times);
}

}  // namespace
}  // namespace vole::internal
