// SPDX-License-Identifier: Apache-2.0
// The classes of scheduling: who goes first, and that nobody is forgotten.
#include "runtime/background.h"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "vole/go.h"
#include "vole/internal/park.h"
#include "vole/runtime.h"

#include "runtime/latch_test.h"
#include "runtime/netpoll.h"
#include "runtime/sanitizer.h"
#include "runtime/scheduler.h"

namespace vole::internal {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr spawn_options in_background{.scheduling = scheduling_class::background};
constexpr spawn_options in_foreground{.scheduling = scheduling_class::foreground};

// Runs fn as main goroutine with 1, 2 and 8 processors.
template <class Fn>
void with_processors(Fn fn) {
  run([&] {
    int const before = runtime::max_procs();
    for (int const procs : {1, 2, 8}) {
      runtime::set_max_procs(procs);
      while (runtime::read_stats().processors > static_cast<std::size_t>(procs)) runtime::yield();
      fn(procs);
    }
    runtime::set_max_procs(before);
  });
}

bool here_in_background() {
  return runtime::scheduling() == scheduling_class::background;
}

background_turn turn_here() {
  return current_worker()->held->turn.load();
}

// Whether the turn of the processor says what runs on it.
bool turn_is_right() {
  return (turn_here() != background_turn::none) == here_in_background();
}

TEST(background, is_inherited_and_may_be_left) {
  run([] {
    latch done(4);
    go([&] {
      EXPECT_FALSE(here_in_background());
      done.count_down();
    });
    go(in_background, [&] {
      EXPECT_TRUE(here_in_background());
      go([&] {
        EXPECT_TRUE(here_in_background());
        runtime::yield();
        EXPECT_TRUE(here_in_background());
        done.count_down();
      });
      go(in_foreground, [&] {
        EXPECT_FALSE(here_in_background());
        done.count_down();
      });
      done.count_down();
    });
    done.wait();
    std::thread([] {
      latch of_thread(1);
      go([&] {
        EXPECT_FALSE(here_in_background());
        of_thread.count_down();
      });
      of_thread.wait();
    }).join();
  });
}

TEST(background, is_the_class_of_a_plain_threads_goroutine_when_it_says_so) {
  run([] {
    latch done(2);
    EXPECT_EQ(runtime::scheduling(), scheduling_class::foreground);
    std::thread([&] {
      EXPECT_EQ(runtime::scheduling(), scheduling_class::foreground);
      go(in_background, [&] {
        EXPECT_TRUE(here_in_background());
        done.count_down();
      });
      go([&] {
        EXPECT_FALSE(here_in_background());
        done.count_down();
      });
    }).join();
    done.wait();
  });
}

// Of `each` goroutines of both classes, how many of the background ran before the last other.
long background_before_the_foreground(int each) {
  latch done(2 * each);
  raw_mutex mu;
  std::string order;
  auto const say = [&](char who) {
    {
      raw_lock const lock(mu);
      order += who;
    }
    done.count_down();
  };
  for (int i = 0; i < each; ++i) go(in_background, [&] { say('b'); });
  for (int i = 0; i < each; ++i) go([&] { say('f'); });
  // A spare processor may have begun with them, where this one had no core for long.
  EXPECT_LE(runtime::read_stats().runnable_background, static_cast<std::size_t>(each));
  done.wait();
  auto const last = order.begin() + static_cast<long>(order.rfind('f'));
  return std::count(order.begin(), last, 'b');
}

TEST(background, waits_while_the_foreground_is_runnable) {
  if (VOLE_ASAN || VOLE_TSAN) GTEST_SKIP() << "slow turns draw spare processors";
  run([] {
    int const before = runtime::set_max_procs(1);
    while (runtime::read_stats().processors != 1) runtime::yield();
    constexpr int each = 200;
    // What is due is due by the clock: a machine that stops us in the midst gives the background
    // more. First come, first served would never be so few.
    while (background_before_the_foreground(each) > each / 8 + 1) {
    }
    runtime::set_max_procs(before);
  });
}

void compute_for(duration d) {
  time_point const end = monotonic_now() + d;
  while (monotonic_now() < end) spin_pause();
}

TEST(background, has_many_short_turns_beside_long_ones_of_the_foreground) {
  run([] {
    int const before = runtime::set_max_procs(1);
    while (runtime::read_stats().processors != 1) runtime::yield();
    atomic<bool> stop{false};
    atomic<std::uint64_t> slices{0};
    latch done(10);
    for (int i = 0; i < 2; ++i) {
      go([&] {
        while (!stop.load()) {
          compute_for(milliseconds(1));
          ++slices;
          runtime::yield();
        }
        done.count_down();
      });
    }
    atomic<std::uint64_t> turns{0};
    for (int i = 0; i < 8; ++i) {
      go(in_background, [&] {
        while (!stop.load()) {
          // A tenth of their time is many turns; one for each of their slices would not do.
          if (++turns > 3 * slices.load() && slices.load() >= 20) stop.store(true);
          runtime::yield();
        }
        done.count_down();
      });
    }
    done.wait();
    runtime::set_max_procs(before);
  });
}

TEST(background_rest, is_nine_times_the_turn_less_what_was_saved) {
  time_point const t = monotonic_now();
  using std::chrono::seconds;
  // On time.
  EXPECT_EQ(next_background_turn(t, t, t + microseconds(10)), t + microseconds(100));
  // Before it was due, as nobody else wanted to: paid for as if it had been.
  EXPECT_EQ(next_background_turn(t + seconds(1), t, t + microseconds(10)), t + microseconds(100));
  // Late: it goes on until the tenth is used up.
  EXPECT_EQ(next_background_turn(t - milliseconds(1), t, t + microseconds(10)),
            t - microseconds(900));
  // Very late: half a millisecond at once is enough.
  EXPECT_EQ(next_background_turn(time_point{}, t, t), t - milliseconds(5));
  // Far too long.
  EXPECT_EQ(next_background_turn(t, t, t + seconds(60)), t + seconds(61));
}

TEST(background, has_its_turns_however_busy_the_foreground_is) {
  with_processors([](int procs) {
    int const busy = 3 * procs;
    atomic<bool> stop{false};
    latch done(busy + 1);
    for (int i = 0; i < busy; ++i) {
      go([&] {
        while (!stop.load()) runtime::yield();
        done.count_down();
      });
    }
    std::uint64_t const before = runtime::read_stats().background_turns_total;
    go(in_background, [&] {
      for (int i = 0; i < 50; ++i) runtime::yield();
      stop.store(true);
      done.count_down();
    });
    done.wait();
    EXPECT_GE(runtime::read_stats().background_turns_total, before + 50);
  });
}

TEST(background, that_computes_without_end_leaves_a_processor) {
  with_processors([](int procs) {
    constexpr int hogs = 16;
    atomic<bool> stop{false};
    atomic<int> computing{0};
    latch ended(hogs);
    for (int i = 0; i < hogs; ++i) {
      go(in_background, [&] {
        ++computing;
        while (!stop.load(memory_order_relaxed)) spin_pause();
        ended.count_down();
      });
    }
    int const most = procs > 1 ? procs - 1 : 1;
    // Those that wait draw no spare processor, however long they do.
    gate never_opened;
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(never_opened.wait({now() + milliseconds(2), nullptr}), wake_reason::deadline);
      latch child(1);
      go([&] { child.count_down(); });
      child.wait();
      EXPECT_LE(computing.load(), most);
    }
    while (computing.load() != most) runtime::yield();
    stop.store(true);
    ended.wait();
    EXPECT_EQ(computing.load(), hogs);
  });
}

TEST(background, is_in_a_turn_wherever_it_runs) {
  with_processors([](int) {
    constexpr int n = 6;
    latch done(n);
    for (int i = 0; i < n; ++i) {
      go(i % 3 == 2 ? in_foreground : in_background, [&] {
        EXPECT_TRUE(turn_is_right());
        for (int k = 0; k < 20; ++k) {
          gate never_opened;
          blocking([] {});
          EXPECT_TRUE(turn_is_right());
          runtime::lock_thread();
          EXPECT_TRUE(turn_is_right());
          runtime::yield();
          EXPECT_TRUE(turn_is_right());
          never_opened.wait({now() + microseconds(20), nullptr});
          EXPECT_TRUE(turn_is_right());
          blocking([] { blocking([] {}); });
          EXPECT_TRUE(turn_is_right());
          runtime::unlock_thread();
          runtime::yield();
          EXPECT_TRUE(turn_is_right());
        }
        done.count_down();
      });
    }
    done.wait();
  });
}

// As many as may compute without end, and not one more, whatever the number becomes.
TEST(background, bound_of_turns_follows_the_processors) {
  run([] {
    int const before = runtime::set_max_procs(2);
    while (runtime::read_stats().processors > 2) runtime::yield();
    constexpr int hogs = 8;
    atomic<bool> stop{false};
    atomic<int> computing{0};
    latch ended(hogs);
    for (int i = 0; i < hogs; ++i) {
      go(in_background, [&] {
        runtime::lock_thread();
        runtime::yield();
        blocking([] {});
        ++computing;
        while (!stop.load(memory_order_relaxed)) spin_pause();
        ended.count_down();
      });
    }
    for (int const procs : {2, 4, 3, 5}) {
      runtime::set_max_procs(procs);
      int const most = procs == 3 ? 3 : procs - 1;  // those that run go on
      while (computing.load() < most) runtime::yield();
      for (int i = 0; i < 1000; ++i) runtime::yield();
      EXPECT_EQ(computing.load(), most);
    }
    stop.store(true);
    ended.wait();
    EXPECT_EQ(computing.load(), hogs);
    runtime::set_max_procs(before);
  });
}

TEST(background, whose_thread_sleeps_does_not_keep_out_who_could_wake_it) {
  run([] {
    int const before = runtime::max_procs();
    for (int const procs : {1, 2}) {
      runtime::set_max_procs(procs);
      while (runtime::read_stats().processors > static_cast<std::size_t>(procs)) runtime::yield();
      int fds[2];
      ASSERT_EQ(::pipe(fds), 0);
      atomic<bool> reads{false};
      latch done(2);
      go(in_background, [&] {
        char c = 0;
        reads.store(true);
        EXPECT_EQ(::read(fds[0], &c, 1), 1);  // undeclared
        // It computes: its turn counts again.
        while (turn_here() != background_turn::counted) spin_pause();
        done.count_down();
      });
      while (!reads.load()) runtime::yield();
      go(in_background, [&] {
        EXPECT_EQ(::write(fds[1], "x", 1), 1);
        done.count_down();
      });
      done.wait();
      ::close(fds[0]);
      ::close(fds[1]);
    }
    runtime::set_max_procs(before);
  });
}

// What lies next here may be stolen then, and who puts something there wakes a thief.
TEST(background, turn_is_not_taken_for_a_short_slice) {
  run([] {
    latch done(1);
    go(in_background, [&] {
      EXPECT_FALSE(current_worker()->held->slices_short.load());
      done.count_down();
    });
    done.wait();
  });
}

TEST(background, does_not_count_as_late) {
  run([] {
    latch done(2);
    go(in_background, [&] {
      stamp_ready(current_goroutine());
      EXPECT_EQ(current_goroutine()->ready_at, 0);
      done.count_down();
    });
    go([&] {
      stamp_ready(current_goroutine());
      EXPECT_NE(current_goroutine()->ready_at, 0);
      current_goroutine()->ready_at = 0;
      done.count_down();
    });
    done.wait();
  });
}

TEST(background, is_named_in_dumps) {
  run([] {
    gate g;
    latch done(1);
    go(in_background, [&] {
      g.wait();
      done.count_down();
    });
    while (runtime::dump_goroutines().find("[chan receive, background]:") == std::string::npos) {
      runtime::yield();
    }
    while (!g.wake_one()) runtime::yield();
    done.wait();
  });
}

TEST(background, gives_its_turn_back_in_a_blocking_call) {
  with_processors([](int) {
    constexpr int n = 12;
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    latch done(n);
    for (int i = 0; i < n; ++i) {
      go(in_background, [&] {
        char c = 0;
        EXPECT_EQ(blocking([&] { return ::read(fds[0], &c, 1); }), 1);
        EXPECT_TRUE(turn_is_right());
        done.count_down();
      });
    }
    while (runtime::read_stats().blocking_calls != n) runtime::yield();
    for (int i = 0; i < n; ++i) EXPECT_EQ(::write(fds[1], "x", 1), 1);
    done.wait();
    ::close(fds[0]);
    ::close(fds[1]);
  });
}

TEST(background, is_woken_by_descriptors_and_timers) {
  with_processors([](int) {
    int fds[2];
    ASSERT_EQ(::pipe2(fds, O_NONBLOCK), 0);
    poll_handle* handle = nullptr;
    ASSERT_EQ(poll_handle::open(fds[0], &handle), 0);
    latch done(1);
    go(in_background, [&] {
      gate never_opened;
      EXPECT_EQ(never_opened.wait({now() + milliseconds(1), nullptr}), wake_reason::deadline);
      go([&] { EXPECT_EQ(::write(fds[1], "x", 1), 1); });
      char c = 0;
      while (::read(fds[0], &c, 1) != 1) {
        EXPECT_EQ(handle->wait(poll_mode::read), poll_result::ready);
      }
      done.count_down();
    });
    done.wait();
    handle->close();
    handle->release();
    ::close(fds[0]);
    ::close(fds[1]);
  });
}

TEST(background, stress_both_classes_hand_tokens_on_in_every_way) {
  with_processors([](int procs) {
    constexpr int pairs = 24;
    constexpr int turns = 200;
    struct pair {
      gate ping, pong;
    };
    std::vector<pair> all(pairs);
    latch done(2 * pairs);
    atomic<int> spawned{0};
    atomic<int> ran{0};
    auto const between = [&](int i) {
      if (i % 7 == 0) runtime::yield();
      if (i % 31 == 0) blocking([] {});
      if (i % 41 == 0) {
        ++spawned;
        go([&] { ++ran; });
      }
      if (i % 67 == 0) {
        runtime::lock_thread();
        gate never_opened;
        never_opened.wait({now() + microseconds(20), nullptr});
        EXPECT_TRUE(turn_is_right());
        runtime::unlock_thread();
      }
      EXPECT_TRUE(turn_is_right());
    };
    for (int k = 0; k < pairs; ++k) {
      pair& p = all[static_cast<std::size_t>(k)];
      go(k % 2 == 0 ? in_background : in_foreground, [&] {
        for (int i = 0; i < turns; ++i) {
          while (!p.ping.wake_one()) runtime::yield();
          between(i);
          p.pong.wait();
        }
        done.count_down();
      });
      go(k % 3 == 0 ? in_foreground : in_background, [&] {
        for (int i = 0; i < turns; ++i) {
          p.ping.wait();
          between(i);
          while (!p.pong.wake_one()) runtime::yield();
        }
        done.count_down();
      });
    }
    done.wait();
    while (ran.load() != spawned.load()) runtime::yield();
    while (runtime::read_stats().runnable_background != 0) runtime::yield();
    EXPECT_GT(ran.load(), pairs) << procs;
  });
}

TEST(background_death, wired_goroutine_goes_on_at_the_bound_of_threads) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        ::setenv("VOLE_MAXTHREADS", "1", 1);
        run([] {
          latch done(1);
          go(in_background, [&] {
            runtime::lock_thread();
            runtime::yield();
            runtime::unlock_thread();
            runtime::yield();
            done.count_down();
          });
          done.wait();
        });
        std::_Exit(0);
      },
      testing::ExitedWithCode(0), "");
}

TEST(background_death, deadlock_of_background_goroutines_is_reported) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(run([] {
                runtime::set_max_procs(2);
                gate never_opened;
                for (int i = 0; i < 4; ++i) {
                  go(in_background, [&, i] {
                    if (i % 2 == 0) blocking([] {});
                    runtime::yield();
                    never_opened.wait();
                  });
                }
                never_opened.wait();
              }),
              testing::ExitedWithCode(2),
              "all goroutines are asleep - deadlock!(.|\n)*chan receive, background");
}

TEST(background_death, schedule_that_is_seeded_knows_no_classes) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        ::setenv("VOLE_SEED", "7", 1);
        run([] {
          latch done(20);
          for (int i = 0; i < 20; ++i) {
            go(in_background, [&] {
              if (here_in_background() || turn_here() != background_turn::none) std::_Exit(1);
              runtime::yield();
              blocking([] {});
              done.count_down();
            });
          }
          if (runtime::read_stats().runnable_background != 0) std::_Exit(1);
          done.wait();
        });
        std::_Exit(0);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace vole::internal
