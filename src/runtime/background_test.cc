// SPDX-License-Identifier: Apache-2.0
// The classes of scheduling: who goes first, and that nobody is forgotten.
#include <algorithm>
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
  return current_goroutine()->background;
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

TEST(background, waits_while_the_foreground_is_runnable) {
  if (VOLE_ASAN || VOLE_TSAN) GTEST_SKIP() << "slow turns draw spare processors";
  run([] {
    int const before = runtime::set_max_procs(1);
    while (runtime::read_stats().processors != 1) runtime::yield();
    constexpr int each = 200;
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
    EXPECT_EQ(runtime::read_stats().runnable_background, static_cast<std::size_t>(each));
    done.wait();
    std::size_t const last = order.rfind('f');
    auto const early = std::count(order.begin(), order.begin() + static_cast<long>(last), 'b');
    // One turn in 61 is theirs; a few more where the machine made the monitor add a processor.
    EXPECT_LE(early, each / 61 + 5) << order;
    runtime::set_max_procs(before);
  });
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
        runtime::unlock_thread();
      }
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

}  // namespace
}  // namespace vole::internal
