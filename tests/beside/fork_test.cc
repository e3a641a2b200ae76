// SPDX-License-Identifier: Apache-2.0
// What a child of fork may do whose parent runs goroutines, and what its parent notices of it.
#include <csignal>
#include <fcntl.h>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "vole/chan.h"
#include "vole/context.h"
#include "vole/go.h"
#include "vole/net.h"
#include "vole/os.h"
#include "vole/runtime.h"
#include "vole/select.h"
#include "vole/sync.h"
#include "vole/testing.h"
#include "vole/time.h"

#include "runtime/netpoller.h"

namespace vole {
namespace {

// Who starts the tests may have had them ignored: vole takes them from their default only.
[[maybe_unused]] bool const as_by_default = [] {
  ::signal(SIGQUIT, SIG_DFL);
  ::signal(SIGPIPE, SIG_DFL);
  return true;
}();

using std::chrono::hours;
using std::chrono::seconds;

struct ended_child {
  int status = 0;
  std::string said;  // on standard error

  bool exited_well() const { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }
  bool was_ended_by(int signal) const { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }
};

// child_that forks; a child that hangs is ended by SIGALRM.
ended_child child_that(std::function<void()> const& does) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  pid_t const child = ::fork();
  if (child == 0) {
    ::alarm(20);
    rlimit const no_core{};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::dup2(ends[1], STDERR_FILENO);
    does();
    ::_exit(0);
  }
  ::close(ends[1]);
  ended_child ended;
  blocking([&] {
    char piece[4096];
    ssize_t got = 0;
    while ((got = ::read(ends[0], piece, sizeof piece)) > 0) {
      ended.said.append(piece, static_cast<std::size_t>(got));
    }
    EXPECT_EQ(::waitpid(child, &ended.status, 0), child);
  });
  ::close(ends[0]);
  return ended;
}

// Forked by a goroutine, whose worker is then the child's thread, and by a plain thread.
enum class forker { goroutine, thread };

class forked_child : public ::testing::TestWithParam<forker> {
 protected:
  static ended_child that(std::function<void()> const& does) {
    if (GetParam() == forker::goroutine) return child_that(does);
    ended_child ended;
    blocking([&] { std::thread([&] { ended = child_that(does); }).join(); });
    return ended;
  }
  static void expect_refused(char const* what, std::function<void()> const& does) {
    ended_child const ended = that(does);
    EXPECT_TRUE(ended.was_ended_by(SIGABRT)) << what << ": " << ended.status << ended.said;
    EXPECT_NE(ended.said.find("panic: this process was forked from one that runs goroutines"),
              ended.said.npos)
        << what << ": " << ended.said;
    EXPECT_EQ(ended.said.find("goroutine 1 "), ended.said.npos) << "a dump: " << ended.said;
  }
};
INSTANTIATE_TEST_SUITE_P(, forked_child, ::testing::Values(forker::goroutine, forker::thread),
                         [](auto const& info) {
                           return info.param == forker::goroutine ? "of_a_goroutine"
                                                                  : "of_a_thread";
                         });

TEST_P(forked_child, does_what_need_not_wait) {
  chan<int> full(1);
  full.send(1);
  ended_child const ended = that([&] {
    sync::mutex mu;
    {
      sync::lock_guard const lock(mu);
    }
    if (full.try_send(2) || *full.recv() != 1) ::_exit(1);
    int x = 0;
    if (select(recv(full, &x), otherwise()) != 1) ::_exit(2);
    auto const [ctx, cancel] = context::with_cancel(context::background());
    cancel();
    if (!errors::is(errors::wrap(ctx.err(), "in {}", "the child"), context::canceled)) ::_exit(3);
  });
  EXPECT_TRUE(ended.exited_well()) << ended.status << ended.said;
  EXPECT_EQ(*full.recv(), 1);
}

void lock_what_is_held() VOLE_NO_THREAD_SAFETY_ANALYSIS {
  sync::mutex mu;
  mu.lock();
  mu.lock();
}

TEST_P(forked_child, says_why_it_can_neither_wait_nor_start_goroutines) {
  expect_refused("go", [] { go([] {}); });
  expect_refused("receive", [] { chan<int>(0).recv(); });
  expect_refused("select", [] { select(recv(chan<int>(0)), recv(chan<int>(0))); });
  expect_refused("sleep", [] { time::sleep(hours(1)); });
  expect_refused("timeout", [] {
    auto const made = context::with_timeout(context::background(), hours(1));
    std::get<0>(made).done().recv();
  });
  expect_refused("lock", &lock_what_is_held);
  expect_refused("wait", [] {
    sync::wait_group wg;
    wg.add(1);
    wg.wait();
  });
  expect_refused("listen", [] { static_cast<void>(net::listen("tcp", "127.0.0.1:0")); });
  if (GetParam() == forker::goroutine) {
    expect_refused("yield", [] { runtime::yield(); });
    expect_refused("blocking", [] { blocking([] {}); });
    blocking([] { expect_refused("the end of blocking", [] { internal::blocking_end(); }); });
  }
}

TEST_P(forked_child, wakes_no_goroutine_and_does_not_hang) {
  chan<int> numbers(0);
  int received = 0;
  std::size_t const before = testing::parked();
  sync::wait_group ended;
  ended.go([&] { received = *numbers.recv(); });
  testing::wait_until_parked(before + 1);
  ended_child const child = that([&] { numbers.try_send(1); });
  EXPECT_TRUE(child.exited_well() || child.was_ended_by(SIGABRT)) << child.status << child.said;
  numbers.send(2);
  ended.wait();
  EXPECT_EQ(received, 2);
}

TEST_P(forked_child, ends_while_its_parent_goes_on) {
  sync::wait_group ended;
  chan<int> numbers(0);
  ended.go([numbers]() mutable {
    for (int i = 0; i < 1000; ++i) numbers.send(i);
    numbers.close();
  });
  for (int i = 0; i < 500; ++i) EXPECT_EQ(*numbers.recv(), i);
  EXPECT_TRUE(that([] { std::exit(0); }).exited_well());
  for (int i = 500; i < 1000; ++i) EXPECT_EQ(*numbers.recv(), i);
  ended.wait();
}

TEST_P(forked_child, takes_no_descriptor_from_its_parents_poller) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  internal::poll_handle* polled = nullptr;
  ASSERT_EQ(internal::poll_handle::open(ends[0], &polled), 0);
  EXPECT_TRUE(that([&] { polled->close(); }).exited_well());
  EXPECT_EQ(::write(ends[1], "x", 1), 1);
  internal::park_limit const limit{.deadline = internal::monotonic_now() + seconds(60)};
  EXPECT_EQ(polled->wait(internal::poll_mode::read, limit), internal::poll_result::ready);
  polled->close();
  polled->release();
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_P(forked_child, keeps_its_signals_from_its_parent) {
  os::signals const parent({SIGTERM, SIGUSR1});
  EXPECT_TRUE(that([] { ::raise(SIGTERM); }).was_ended_by(SIGTERM));
  ::kill(::getpid(), SIGUSR1);
  EXPECT_EQ(*parent.c().recv(), SIGUSR1);
}

TEST_P(forked_child, is_ended_by_sigquit) {
  EXPECT_TRUE(that([] { ::raise(SIGQUIT); }).was_ended_by(SIGQUIT));
}

TEST_P(forked_child, hands_on_no_signal_and_no_descriptor_to_what_it_executes) {
  os::signals const listening({SIGUSR1});
  auto const run_shell = [](char const* script) {
    return that([script] { ::execl("/bin/sh", "sh", "-c", script, nullptr); });
  };
  for (int const signal : {SIGPIPE, SIGQUIT, SIGUSR1}) {
    std::string const script = fmt::format("kill -{} $$; echo survived >&2", signal);
    ended_child const ended = run_shell(script.c_str());
    EXPECT_TRUE(ended.was_ended_by(signal)) << signal << ": " << ended.said;
  }
  ended_child const ended = run_shell("ls -l /proc/self/fd >&2");
  EXPECT_NE(ended.said.find(" 2 -> pipe:"), ended.said.npos) << ended.said;
  EXPECT_EQ(ended.said.find("anon_inode"), ended.said.npos) << ended.said;
}

}  // namespace
}  // namespace vole
