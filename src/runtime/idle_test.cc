// SPDX-License-Identifier: Apache-2.0
// What is due is come to, whoever sleeps or is busy: timers of idle processors, descriptors opened
// without a processor, timers that arm themselves again; and a deadlock is reported though a worker
// is in epoll.
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

#include "vole/go.h"
#include "vole/internal/park.h"
#include "vole/runtime.h"

#include "runtime/latch_test.h"
#include "runtime/netpoll.h"
#include "runtime/netpoller.h"
#include "runtime/sanitizer.h"
#include "runtime/scheduler.h"
#include "runtime/timer.h"

namespace vole::internal {
namespace {

using std::chrono::milliseconds;

// A pipe whose reading end the netpoller knows.
struct polled_pipe {
  int fds[2] = {-1, -1};
  poll_handle* handle = nullptr;

  polled_pipe() {
    EXPECT_EQ(::pipe2(fds, O_NONBLOCK), 0);
    EXPECT_EQ(poll_handle::open(fds[0], &handle), 0);
  }
  ~polled_pipe() {
    handle->close();
    handle->release();
    ::close(fds[0]);
    ::close(fds[1]);
  }
  polled_pipe(polled_pipe const&) = delete;
  polled_pipe& operator=(polled_pipe const&) = delete;
};

TEST(idle, timer_of_an_idle_processor_fires_while_another_is_busy) {
  struct tick : timer_node {
    atomic<bool> fired{false};
  } due;
  due.fire = [](timer_node* node, time_point) {
    static_cast<tick*>(node)->fired.store(true);
    return never;
  };
  run([&] {
    int const before = runtime::set_max_procs(2);
    while (runtime::read_stats().processors != 2) runtime::yield();
    atomic<bool> elsewhere{false};
    latch done(1);
    go([&] {
      elsewhere.store(true);
      timer_add(due, now() + milliseconds(1));
      blocking([&] {
        while (!due.fired.load()) std::this_thread::yield();
      });
      done.count_down();
    });
    go([] {});  // the first is now where another processor may take it from
    while (!elsewhere.load()) std::this_thread::yield();  // the timer must not be this processor's
    while (!due.fired.load()) runtime::yield();
    done.wait();
    timer_delete(due);  // waits until its worker has let it go
    runtime::set_max_procs(before);
  });
}

TEST(idle, two_that_only_yield_come_apart) {
  run([&] {
    int const before = runtime::set_max_procs(2);
    while (runtime::read_stats().processors != 2) runtime::yield();
    atomic<processor*> mine{current_worker()->held};
    latch apart(1);
    go([&] {
      while (current_worker()->held == mine.load()) runtime::yield();
      mine.store(nullptr);
      apart.count_down();
    });
    while (mine.load() != nullptr) {
      processor* seen = mine.load();
      if (seen != nullptr) mine.compare_exchange_strong(seen, current_worker()->held);
      runtime::yield();
    }
    apart.wait();
    runtime::set_max_procs(before);
  });
}

TEST(idle, descriptor_opened_in_a_blocking_section_is_waited_for) {
  run([] {
    blocking([] {
      polled_pipe pipe;
      std::thread writer([&] { EXPECT_EQ(::write(pipe.fds[1], "x", 1), 1); });
      char c = 0;
      while (::read(pipe.fds[0], &c, 1) != 1) {
        EXPECT_EQ(pipe.handle->wait(poll_mode::read), poll_result::ready);
      }
      writer.join();
    });
  });
}

TEST(idle, timer_that_arms_itself_again_is_never_missing) {
  struct again : timer_node {
    timer_heap heap;
    time_point seen{};
  } node;
  node.fire = [](timer_node* at, time_point when) {
    auto& self = *static_cast<again*>(at);
    self.seen = self.heap.next_when();  // what a worker that is about to sleep would go by
    return when + milliseconds(5);
  };
  run([&] {
    // Armed in the heap of this processor, then moved to one that nobody else runs.
    time_point const first = now() + std::chrono::hours(1);
    timer_add(node, first);
    current_worker()->held->timers.move_to(node.heap);
    EXPECT_EQ(node.heap.run(first), 1u);
    EXPECT_LE(node.seen, first);
    EXPECT_EQ(node.heap.next_when(), first + milliseconds(5));
    EXPECT_TRUE(timer_delete(node));
  });
}

// sleeps_for_good tells from a /proc/PID/task/TID/syscall whether that thread sleeps and has set
// itself no time to wake up.
bool sleeps_for_good(std::string const& syscall) {
  long number = -1;
  unsigned long long argument[4] = {};
  if (std::sscanf(syscall.c_str(), "%ld %llx %llx %llx %llx", &number, &argument[0], &argument[1],
                  &argument[2], &argument[3]) != 5) {
    return false;
  }
  // The fourth argument is a pointer to the time, or milliseconds.
  if (number == SYS_futex || number == SYS_epoll_pwait2) return argument[3] == 0;
  bool is_epoll = number == SYS_epoll_pwait;
#ifdef SYS_epoll_wait
  is_epoll = is_epoll || number == SYS_epoll_wait;
#endif
  return is_epoll && static_cast<int>(argument[3]) == -1;
}

// Without a time set, a thread wakes up for a cause only.
TEST(idle, with_nothing_to_do_each_thread_sleeps_until_it_is_woken) {
  if (VOLE_TSAN) GTEST_SKIP() << "sleeps are cut into pieces there";
  if (!std::ifstream("/proc/thread-self/syscall")) GTEST_SKIP() << "the kernel does not tell";
  polled_pipe const pipe;
  latch done(100);
  for (int i = 0; i < 100; ++i) {
    go([&] {
      for (int turn = 0; turn < 10; ++turn) runtime::yield();
      park_ticket slept;
      slept.park(wait_reason::sleep, {.deadline = now() + milliseconds(1)});
      done.count_down();
    });
  }
  done.wait();
  std::string const self = std::to_string(::gettid());
  time_point const give_up = now() + std::chrono::seconds(60);
  std::string awake;
  do {
    awake.clear();
    std::this_thread::yield();
    for (auto const& task : std::filesystem::directory_iterator("/proc/self/task")) {
      if (task.path().filename() == self) continue;
      std::string line;
      std::getline(std::ifstream(task.path() / "syscall"), line);
      if (!sleeps_for_good(line)) awake += task.path().string() + ": " + line + '\n';
    }
  } while (!awake.empty() && now() < give_up);
  EXPECT_EQ(awake, "");
}

TEST(idle_death, wired_goroutine_goes_on_at_the_bound_of_threads) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        ::setenv("VOLE_MAXTHREADS", "1", 1);
        run([] {
          runtime::lock_thread();
          runtime::yield();
          runtime::unlock_thread();
          runtime::yield();
        });
        std::_Exit(0);
      },
      testing::ExitedWithCode(0), "");
}

TEST(netpoller, an_edge_that_a_poll_has_fetched_may_be_old) {
  struct watch : hangup_hook {
    polled_pipe* pipe = nullptr;
    atomic<bool> fired{false};
    bool new_during_the_poll = true;
  };
  run([] {
    polled_pipe pipe;
    watch w;
    w.pipe = &pipe;
    w.fire = [](hangup_hook* self) {
      auto& told = *static_cast<watch*>(self);
      told.pipe->handle->next_edge_is_new(poll_mode::read);  // the edge itself is used up
      told.new_during_the_poll = told.pipe->handle->next_edge_is_new(poll_mode::read);
      told.fired.store(true);
    };
    pipe.handle->hangup().arm(&w);
    ::close(std::exchange(pipe.fds[1], -1));
    while (!w.fired.load()) runtime::yield();
    EXPECT_FALSE(w.new_during_the_poll);
  });
}

TEST(idle_death, deadlock_is_reported_though_a_worker_waited_for_a_descriptor) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(run([] {
                runtime::set_max_procs(2);
                {
                  polled_pipe const pipe;
                  latch started(2);  // wakes the other worker, which has nothing to do then
                  for (int i = 0; i < 2; ++i) go([&] { started.count_down(); });
                  started.wait();
                  runtime::stats s = runtime::read_stats();
                  while (s.threads < 2 || s.processors_idle != 1 || s.threads_spinning != 0) {
                    runtime::yield();
                    s = runtime::read_stats();
                  }
                  // It goes to wait for the descriptor now, and mostly is there in time.
                  for (int i = 0; i < 100'000; ++i) runtime::yield();
                }
                gate g;
                g.wait();
              }),
              testing::ExitedWithCode(2), "all goroutines are asleep - deadlock!");
}

}  // namespace
}  // namespace vole::internal
