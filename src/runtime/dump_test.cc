// SPDX-License-Identifier: Apache-2.0
// What a look at goroutines does to those that are looked at.
#include "runtime/dump.h"

#include <cerrno>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <utility>

#include "vole/assert.h"
#include "vole/go.h"
#include "vole/internal/park.h"
#include "vole/runtime.h"

#include "runtime/fork_locks.h"
#include "runtime/labels.h"
#include "runtime/latch_test.h"
#include "runtime/sanitizer.h"
#include "runtime/scheduler.h"
#include "runtime/signal.h"
#include "runtime/stall.h"

namespace vole::internal {
namespace {

[[gnu::noinline]] int poll_for_ever(int fd) {
  pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
  int const result = blocking([&p] { return ::poll(&p, 1, -1) < 0 ? -errno : 1; });
  asm volatile("");
  return result;
}

TEST(dump, leaves_a_blocking_call_alone_and_knows_where_it_began) {
  int fds[2];
  ASSERT_EQ(::pipe(fds), 0);
  int result = 0;
  run([&] {
    latch ended(1);
    go([&] {
      result = poll_for_ever(fds[0]);
      ended.count_down();
    });
    while (runtime::read_stats().blocking_calls == 0) runtime::yield();
    std::string const text = runtime::dump_goroutines();
    EXPECT_NE(text.find("[blocking call]:\n"), std::string::npos) << text;
    EXPECT_NE(text.find("poll_for_ever"), std::string::npos) << text;
    EXPECT_EQ(::write(fds[1], "x", 1), 1);
    ended.wait();
  });
  EXPECT_EQ(result, 1) << "ended by a signal: -EINTR is " << -EINTR;
  for (int const fd : fds) ::close(fd);
}

TEST(dump, looks_only_at_those_that_are_wanted) {
  run([] {
    gate g;
    latch done(1);
    go([&] {
      g.wait();
      done.count_down();
    });
    std::size_t parked = 0;
    while (parked == 0) {
      runtime::yield();
      for_each_goroutine(
          [](void* arg, goroutine_snapshot const& s) {
            EXPECT_EQ(s.state, goroutine_state::parked);
            ++*static_cast<std::size_t*>(arg);
          },
          &parked,
          [](goroutine_snapshot const& s) noexcept {
            EXPECT_EQ(s.depth, 0U);
            return s.state == goroutine_state::parked;
          });
    }
    EXPECT_EQ(parked, 1U);
    while (!g.wake_one()) runtime::yield();
    done.wait();
  });
}

void label_caller(std::string_view key, std::string_view value) {
  std::pair<std::string_view, std::string_view> const label{key, value};
  goroutine& self = *current_goroutine();
  labels::put(self, labels::make(nullptr, {&label, 1}));  // its end releases them
}

// Starts one that has a label and waits at g; returns when a dump shows it so.
void park_with_label(gate& g, latch& done) {
  go([&] {
    label_caller("tenant", "acme");
    g.wait();
    done.count_down();
  });
  while (runtime::dump_goroutines().find("[chan receive labels:{\"tenant\": \"acme\"}]:\n") ==
         std::string::npos) {
    runtime::yield();
  }
}

TEST(dump, says_the_labels_of_a_goroutine_in_gos_form) {
  run([] {
    gate g;
    latch done(1);
    park_with_label(g, done);
    while (!g.wake_one()) runtime::yield();
    done.wait();
  });
  EXPECT_EQ(labels_text({}), "");
  EXPECT_EQ(labels_text({{"a", "b"}, {"c", "d e"}}), " labels:{\"a\": \"b\", \"c\": \"d e\"}");
  EXPECT_EQ(labels_text({{"k", "\"\\]\n\xc3\xa9"}}),
            " labels:{\"k\": \"\\\"\\\\\\x5d\\x0a\xc3\xa9\"}");
}

TEST(dump_death, at_a_sigquit_says_the_labels) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto const raise_in_a_goroutine = [] {
    ::signal(SIGQUIT, SIG_DFL);  // who starts the tests may have had it ignored
    run([] {
      gate g;
      latch done(1);
      park_with_label(g, done);
      ::raise(SIGQUIT);  // ThreadSanitizer keeps back what another thread gets
      while (true) runtime::yield();
    });
  };
  EXPECT_EXIT(raise_in_a_goroutine(), testing::ExitedWithCode(2),
              "SIGQUIT: quit(.|\n)*goroutine [0-9]+ "
              "\\[chan receive labels:\\{\"tenant\": \"acme\"\\}\\]:");
}

TEST(dump_death, at_a_panic_says_the_labels) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(run([] {
                 label_caller("job", "7");
                 panic("on purpose");
               }),
               "panic: on purpose(.|\n)*goroutine 1 \\[running labels:\\{\"job\": \"7\"\\}\\]:");
}

TEST(dump_death, at_a_panic_does_not_wait_for_the_labels_lock_that_the_thread_itself_holds) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(run([] {
                 label_caller("job", "7");
                 labels::before_fork();
                 panic("with the lock held");
               }),
               "panic: with the lock held(.|\n)*goroutine 1 \\[running\\]:");
}

void block_questions(bool block) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, capture_signal());
  ::pthread_sigmask(block ? SIG_BLOCK : SIG_UNBLOCK, &set, nullptr);
}

bool is_asked() {
  sigset_t pending;
  ::sigpending(&pending);
  return ::sigismember(&pending, capture_signal()) == 1;
}

// Whoever spins for a core here is taken for a hog, and gets it late.
template <class Happened>
void wait_for(Happened happened) {
  while (!happened()) std::this_thread::sleep_for(std::chrono::microseconds(100));
}

// A goroutine on a thread of its own that hears the questions when it is told to.
struct listener {
  atomic<worker*> on{nullptr};
  atomic<std::uint64_t> id{0};
  atomic<bool> asked{false};
  atomic<bool> may_hear{false};
  atomic<bool> heard{false};

  void listen() {
    runtime::lock_thread();
    block_questions(true);
    id.store(runtime::goroutine_id());
    on.store(current_worker());
    wait_for([] { return is_asked(); });
    asked.store(true);
    wait_for([&] { return may_hear.load(); });
    block_questions(false);  // what waited is delivered before this returns
    heard.store(true);
    runtime::unlock_thread();
  }
};

// captured_past_a_late_answer asks one that does not answer, then another; the first hears its old
// question while the second one's is open.
std::size_t captured_past_a_late_answer() {
  listener late;
  listener wanted;
  latch ended(2);
  for (listener* const l : {&late, &wanted}) {
    go([l, &ended] {
      l->listen();
      ended.count_down();
    });
  }
  wait_for([&] { return late.on.load() != nullptr && wanted.on.load() != nullptr; });
  std::uintptr_t pcs[dump_depth_max];
  EXPECT_EQ(capture_running(*late.on.load(), late.id.load(), pcs, dump_depth_max), 0U);
  std::thread order([&] {
    wait_for([&] { return wanted.asked.load(); });
    late.may_hear.store(true);
    wait_for([&] { return late.heard.load(); });
    wanted.may_hear.store(true);
  });
  std::size_t const depth =
      capture_running(*wanted.on.load(), wanted.id.load(), pcs, dump_depth_max);
  order.join();
  ended.wait();
  return depth;
}

TEST(capture, is_not_answered_by_a_thread_that_was_asked_before) {
  if (VOLE_TSAN) GTEST_SKIP() << "it keeps signals back";
  std::size_t depth = 0;
  // A machine that is busy answers too late now and then.
  time_point const give_up = monotonic_now() + std::chrono::minutes(2);
  while (depth == 0 && monotonic_now() < give_up) depth = captured_past_a_late_answer();
  EXPECT_GT(depth, 0U);
}

TEST(dump, takes_no_old_stack_for_that_of_a_goroutine_on_its_way) {
  run([] {
    runtime::yield();  // leaves a stack pointer behind
    goroutine& self = *current_goroutine();
    self.state.store(goroutine_state::parked);  // as it is before its thread has left
    goroutine_snapshot seen;
    bool waits = false;
    std::thread([&] { waits = look_at_waiting(self, seen); }).join();
    EXPECT_FALSE(stands_still(self));
    self.state.store(goroutine_state::running);
    EXPECT_TRUE(waits);
    EXPECT_EQ(seen.depth, 0U);
  });
}

TEST(stall, is_not_reported_of_the_next_goroutine) {
  run([] {
    worker& w = *current_worker();
    processor stands_still;
    processor has_gone_on;
    has_gone_on.tick.store(1);
    EXPECT_FALSE(report_stall(w, has_gone_on, std::chrono::seconds(1), false));
    EXPECT_TRUE(report_stall(w, stands_still, std::chrono::seconds(1), false));
  });
}

}  // namespace
}  // namespace vole::internal
