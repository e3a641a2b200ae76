// SPDX-License-Identifier: Apache-2.0
#include "vole/runtime.h"

#include <cerrno>
#include <gtest/gtest.h>
#include <linux/membarrier.h>
#include <set>
#include <signal.h>
#include <stdexcept>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "vole/go.h"
#include "vole/internal/park.h"

#include "runtime/dump.h"
#include "runtime/latch_test.h"
#include "runtime/scheduler.h"
#include "runtime/timer.h"

namespace vole::internal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(run, returns_what_main_returns) {
  EXPECT_EQ(run([] { return 7; }), 7);
  EXPECT_EQ(run([] {}), 0);
}

// Not by the first that needs it: with threads about, registering takes milliseconds.
TEST(run, has_the_process_registered_for_membarrier) {
  if (VOLE_TSAN != 0) GTEST_SKIP() << "TSan cannot see it: it is not used there";
  auto const membarrier = [](int command) { return ::syscall(SYS_membarrier, command, 0, 0); };
  if ((membarrier(MEMBARRIER_CMD_QUERY) & MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0) {
    GTEST_SKIP() << "the kernel does not have it";
  }
  run([] {});
  constexpr int get_registrations = 1 << 9;  // since Linux 6.3
  long const registered = membarrier(get_registrations);
  if (registered < 0) GTEST_SKIP() << "the kernel does not tell";
  EXPECT_NE(registered & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0);
}

TEST(go, runs_every_goroutine_once) {
  constexpr int n = 10'000;
  std::vector<atomic<int>> ran(n);
  latch done(n);
  for (int i = 0; i < n; ++i) {
    go([&, i] {
      ran[static_cast<std::size_t>(i)].fetch_add(1);
      done.count_down();
    });
  }
  done.wait();
  for (auto const& r : ran) EXPECT_EQ(r.load(), 1);
}

TEST(go, works_from_goroutines_and_balances_the_count) {
  while (runtime::goroutines() != 0) std::this_thread::yield();  // of the tests before
  run([] {
    latch done(100);
    for (int i = 0; i < 10; ++i) {
      go([&] {
        for (int k = 0; k < 10; ++k) go([&] { done.count_down(); });
      });
    }
    done.wait();
  });
  while (runtime::goroutines() != 0) std::this_thread::yield();
  SUCCEED();
}

int seven() {
  return runtime::goroutine_id() != 0 ? 7 : 0;
}

TEST(run, takes_a_function_as_well_as_a_closure) {
  EXPECT_EQ(run(seven), 7);
  EXPECT_EQ(run(&seven), 7);
  auto const three = [] { return 3; };
  EXPECT_EQ(run(three), 3);
}

TEST(go, a_closure_lives_on_the_stack_and_is_destroyed) {
  auto token = std::make_shared<int>(1);
  latch done(1);
  struct last {
    latch* done;
    ~last() {
      if (done != nullptr) done->count_down();
    }
    explicit last(latch* d) : done(d) {}
    last(last&& o) noexcept : done(std::exchange(o.done, nullptr)) {}
  };
  go([guard = last(&done), token] { EXPECT_EQ(*token, 1); });
  done.wait();
  EXPECT_EQ(token.use_count(), 1);
}

TEST(try_go, says_why_a_stack_cannot_be_had) {
  spawn_options options;
  options.stack_bytes = 16 << 20;
  EXPECT_EQ(try_go(options, [] {}), std::errc::value_too_large);
}

TEST(yield, lets_the_others_go_first) {
  run([] {
    latch done(2);
    std::vector<int> order;
    raw_mutex mu;
    for (int id = 0; id < 2; ++id) {
      go([&, id] {
        for (int i = 0; i < 100; ++i) {
          {
            raw_lock const lock(mu);
            order.push_back(id);
          }
          runtime::yield();
        }
        done.count_down();
      });
    }
    done.wait();
    EXPECT_EQ(order.size(), 200u);
  });
}

TEST(park, a_deadline_ends_the_wait_and_not_before) {
  run([] {
    gate g;
    time_point const start = now();
    EXPECT_EQ(g.wait({start + milliseconds(5), nullptr}), wake_reason::deadline);
    EXPECT_GE(now(), start + milliseconds(5));
    EXPECT_EQ(g.wait({now() - seconds(1), nullptr}), wake_reason::deadline);
  });
}

TEST(park, a_cancel_source_ends_waits_now_and_later) {
  run([] {
    gate g;
    cancel_source source;
    latch ended(3);
    for (int i = 0; i < 3; ++i) {
      go([&] {
        EXPECT_EQ(g.wait({never, &source}), wake_reason::canceled);
        ended.count_down();
      });
    }
    runtime::yield();
    source.fire();
    ended.wait();
    EXPECT_EQ(g.wait({never, &source}), wake_reason::canceled);
  });
}

TEST(park, plain_threads_wait_and_wake_like_goroutines) {
  gate g;
  std::thread waiter([&] { EXPECT_EQ(g.wait(), wake_reason::ready); });
  while (!g.wake_one()) std::this_thread::yield();
  waiter.join();
  std::thread late(
      [&] { EXPECT_EQ(g.wait({now() + milliseconds(2), nullptr}), wake_reason::deadline); });
  late.join();
}

TEST(park, wakers_deadlines_and_cancels_race_and_one_wins) {
  run([] {
    constexpr int rounds = 3'000;
    gate g;
    int by[4] = {};
    for (int i = 0; i < rounds; ++i) {
      cancel_source source;
      latch done(2);
      go([&] {
        g.wake_one();
        done.count_down();
      });
      go([&] {
        source.fire();
        done.count_down();
      });
      wake_reason const r = g.wait({now() + std::chrono::microseconds(i % 20), &source});
      ++by[static_cast<int>(r)];
      done.wait();
    }
    EXPECT_EQ(by[0], 0);
    EXPECT_EQ(by[1] + by[2] + by[3], rounds);
  });
}

TEST(stress, many_pass_tokens_through_gates) {
  run([] {
    constexpr int pairs = 50;
    constexpr int turns = 400;
    struct pair {
      gate ping, pong;
    };
    std::vector<pair> all(pairs);
    latch done(2 * pairs);
    for (auto& p : all) {
      go([&] {
        for (int i = 0; i < turns; ++i) {
          while (!p.ping.wake_one()) runtime::yield();
          p.pong.wait();
        }
        done.count_down();
      });
      go([&] {
        for (int i = 0; i < turns; ++i) {
          p.ping.wait();
          while (!p.pong.wake_one()) runtime::yield();
        }
        done.count_down();
      });
    }
    done.wait();
  });
}

TEST(blocking, lets_the_others_run_meanwhile) {
  run([] {
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    latch done(16);
    // More blocked threads than processors: the writer below still gets one.
    for (int i = 0; i < 16; ++i) {
      go([&] {
        char c = 0;
        EXPECT_EQ(blocking([&] { return ::read(fds[0], &c, 1); }), 1);
        done.count_down();
      });
    }
    for (int i = 0; i < 16; ++i) {
      runtime::yield();
      ASSERT_EQ(::write(fds[1], "x", 1), 1);
    }
    done.wait();
    ::close(fds[0]);
    ::close(fds[1]);
  });
}

TEST(monitor, an_undeclared_blocking_call_does_not_stall_the_others) {
  run([] {
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    latch done(8);
    latch wrote(1);
    go([&] {  // the oldest: what is spawned after it runs before it, so it needs spare workers
      EXPECT_EQ(::write(fds[1], "12345678", 8), 8);
      wrote.count_down();
    });
    for (int i = 0; i < 8; ++i) {
      go([&] {
        char c = 0;
        EXPECT_EQ(::read(fds[0], &c, 1), 1);
        done.count_down();
      });
      runtime::yield();
    }
    wrote.wait();
    done.wait();
    ::close(fds[0]);
    ::close(fds[1]);
  });
}

TEST(monitor, a_goroutine_that_hogs_does_not_stall_the_others) {
  run([] {
    atomic<bool> stop{false};
    constexpr int n = 4;
    latch hogs(n);
    atomic<int> spinning{0};
    for (int i = 0; i < n; ++i) {
      go([&] {
        spinning.fetch_add(1);
        while (!stop.load(memory_order_relaxed)) spin_pause();
        hogs.count_down();
      });
    }
    while (spinning.load() < n)
      runtime::yield();  // main too needs a processor that a hog would not give
    stop.store(true);
    hogs.wait();
  });
}

TEST(switching, errno_stays_with_the_goroutine) {
  run([] {
    latch done(20);
    for (int i = 1; i <= 20; ++i) {
      go([&, i] {
        errno = i;
        for (int k = 0; k < 50; ++k) {
          runtime::yield();
          int const seen = []() __attribute__((noinline)) { return errno; }();
          EXPECT_EQ(seen, i);
        }
        done.count_down();
      });
    }
    done.wait();
  });
}

TEST(switching, exceptions_in_flight_stay_with_the_goroutine) {
  run([] {
    latch done(20);
    for (int i = 0; i < 20; ++i) {
      go([&, i] {
        for (int k = 0; k < 20; ++k) {
          try {
            throw std::runtime_error(std::to_string(i));
          } catch (std::runtime_error const& e) {
            runtime::yield();
            EXPECT_EQ(e.what(), std::to_string(i));
            try {
              throw;
            } catch (std::runtime_error const& again) {
              EXPECT_EQ(again.what(), std::to_string(i));
            }
          }
        }
        done.count_down();
      });
    }
    done.wait();
  });
}

TEST(switching, goroutines_change_threads_under_the_sanitizers) {
  if (!VOLE_ASAN && !VOLE_TSAN) GTEST_SKIP() << "only there it is forced";
  run([] {
    int const before = runtime::set_max_procs(4);
    auto const thread = []() __attribute__((noinline)) { return std::this_thread::get_id(); };
    std::thread::id const first = thread();
    while (thread() == first) runtime::yield();
    gate g;
    std::thread::id const second = thread();
    while (thread() == second) g.wait({now() + std::chrono::microseconds(20), nullptr});
    runtime::set_max_procs(before);
  });
}

TEST(dump, names_a_parked_goroutine_its_reason_and_its_creator) {
  run([] {
    gate g;
    latch done(1);
    go([&] {
      g.wait();
      done.count_down();
    });
    std::string text;
    do {
      runtime::yield();
      text = runtime::dump_goroutines();
    } while (text.find("[chan receive]") == std::string::npos ||
             text.find("gate::wait") == std::string::npos);
    EXPECT_NE(text.find("[running]"), std::string::npos) << text;
    EXPECT_NE(text.find("created by "), std::string::npos) << text;
    while (!g.wake_one()) runtime::yield();
    done.wait();
  });
}

TEST(dump, names_the_lines_of_a_stack) {
  run([] {
    std::string const text = runtime::dump_goroutines();
    EXPECT_NE(text.find("runtime_test.cc:"), std::string::npos) << text;
  });
}

TEST(stats, add_up) {
  run([] {
    runtime::stats const s = runtime::read_stats();
    EXPECT_GE(s.goroutines_live, 1u);
    EXPECT_GE(s.threads, 1u);
    EXPECT_GT(s.schedules_total, 0u);
    EXPECT_GT(s.stack_bytes_reserved, 0u);
  });
}

TEST(signals, a_program_that_a_goroutine_starts_finds_none_blocked) {
  run([] {
    sigset_t mask;
    ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &mask), 0);
    for (int const signal : {SIGTERM, SIGINT, SIGCHLD, SIGQUIT})
      EXPECT_EQ(sigismember(&mask, signal), 0) << signal;
  });
}

TEST(runtime_death, a_deadlock_is_reported_with_all_goroutines) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(run([] {
                gate g;
                g.wait();
              }),
              testing::ExitedWithCode(2),
              "all goroutines are asleep - deadlock!(.|\n)*goroutine 1 \\[chan receive\\]");
}

[[gnu::noinline]] void reach_beyond(int depth) {
  if (depth == 0) throw std::out_of_range("beyond");
  reach_beyond(depth - 1);
  asm volatile("" ::: "memory");
}

TEST(runtime_death, an_escaped_exception_is_a_panic_with_its_type_and_the_stack_of_the_throw) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(run([] { reach_beyond(2); }),
               "panic: goroutine 1 ended by an exception std::out_of_range: "
               "beyond(.|\n)*reach_beyond(.|\n)*reach_beyond");
  EXPECT_DEATH(run([] { throw 7; }),
               "panic: goroutine 1 ended by an exception that is no std::exception");
}

TEST(runtime_death, terminate_is_a_panic_in_a_goroutine_only) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(run([] { []() noexcept { reach_beyond(0); }(); }),
               "panic: goroutine 1 ended by an exception std::out_of_range: beyond");
  EXPECT_DEATH(run([] { std::terminate(); }), "panic: goroutine 1 called std::terminate");
  EXPECT_DEATH(
      {
        run([] {});
        std::terminate();
      },
      "terminate called without an active exception");
}

[[gnu::noinline]] int recurse(int depth) {
  volatile char frame[512];
  frame[0] = static_cast<char>(depth);
  return depth == -1 ? 0 : recurse(depth + 1) + frame[0];
}

TEST(runtime_death, a_stack_overflow_names_goroutine_size_and_creator) {
  if (VOLE_ASAN || VOLE_TSAN) GTEST_SKIP() << "the sanitizers report faults themselves";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      run([] {
        latch never_done(1);
        go([] { std::exit(recurse(0)); });
        never_done.wait();
      }),
      "stack overflow: goroutine [0-9]+ used up its 256 KiB(.|\n)*recurse(.|\n)*created by");
}

// The low end of a frame that is larger than the smallest stack is touched, and nothing above it.
[[gnu::noinline]] void touch_far_below() {
  char frame[96 << 10];
  frame[0] = 1;
  asm volatile("" ::"r"(frame) : "memory");
}
[[gnu::noinline]] void touch_far_below_in_alloca() {
  volatile std::size_t const bytes = 96 << 10;
  auto* const frame = static_cast<char*>(__builtin_alloca(bytes));
  frame[0] = 1;
  asm volatile("" ::"r"(frame) : "memory");
}

TEST(runtime_death, a_frame_of_many_pages_does_not_step_over_the_guard) {
  if (VOLE_ASAN || VOLE_TSAN) GTEST_SKIP() << "the sanitizers report faults themselves";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (auto* const touch : {&touch_far_below, &touch_far_below_in_alloca}) {
    EXPECT_DEATH(
        run([touch] {
          constexpr spawn_options small{.stack_bytes = 64 << 10};
          gate never_woken;
          go(small, [&] { never_woken.wait(); });  // whose stack lies below the next one's
          latch done(1);
          go(small, [&] {
            touch();
            done.count_down();
          });
          done.wait();
        }),
        "stack overflow: goroutine [0-9]+ used up its 64 KiB(.|\n)*touch_far_below(.|\n)*created "
        "by");
  }
}

[[gnu::noinline]] void panic_below(std::size_t bytes) {
  volatile char frame[1024];
  frame[0] = 1;
  if (bytes > sizeof frame) {
    panic_below(bytes - sizeof frame);
  } else if (frame[0] == 1) {
    panic("deep");
  }
  asm volatile("" ::: "memory");
}

// What reads symbols has a frame of 150 KiB.
TEST(runtime_death, a_panic_with_little_stack_left_is_reported_with_its_stack) {
  if (VOLE_ASAN || VOLE_TSAN) GTEST_SKIP() << "the frames of a sanitizer are larger";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (std::size_t const deep : {std::size_t{99} << 10, std::size_t{220} << 10}) {
    EXPECT_DEATH(run([deep] {
                   latch never_done(1);
                   go([deep] { panic_below(deep); });
                   never_done.wait();
                 }),
                 "^panic: deep\n(.|\n)*panic_below(.|\n)*runtime_test.cc:");
  }
}

}  // namespace
}  // namespace vole::internal
