// SPDX-License-Identifier: Apache-2.0
#include "vole/os.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vole/go.h"
#include "vole/testing.h"
#include "vole/time.h"

#include "runtime/sanitizer.h"

namespace vole {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

context const& live() {
  static context const ctx = context::background();
  return ctx;
}

// A folder of its own for each test, gone after it.
class os_file : public ::testing::Test {
 protected:
  os_file() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vole-os-XXXXXX").string();
    if (char const* const made = ::mkdtemp(pattern.data())) folder_ = made;
  }
  ~os_file() override { std::filesystem::remove_all(folder_); }

  std::string path(std::string const& name) const { return (folder_ / name).string(); }
  std::size_t files() const {
    auto const all = std::filesystem::directory_iterator(folder_);
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }

  std::filesystem::path folder_;
};

TEST_F(os_file, gives_back_what_was_written) {
  std::string const data = std::string(100'000, 'x') + std::string("\0\n", 2);
  ASSERT_FALSE(os::write_file_atomic(path("a"), data));
  EXPECT_EQ(*os::read_file(path("a")), data);
  ASSERT_FALSE(os::write_file_atomic(path("a"), "short", 0600));
  EXPECT_EQ(*os::read_file(path("a")), "short");
  struct stat about{};
  ASSERT_EQ(::stat(path("a").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
  EXPECT_EQ(files(), 1U) << "nothing is left beside it";
}

// umask_of sets the process's umask for a scope.
class umask_of {
 public:
  explicit umask_of(mode_t mask) : before_(::umask(mask)) {}
  ~umask_of() { ::umask(before_); }

 private:
  mode_t before_;
};

unsigned mode_at(std::string const& path) {
  struct stat about{};
  EXPECT_EQ(::stat(path.c_str(), &about), 0) << path;
  return about.st_mode & 0777U;
}

TEST_F(os_file, keeps_the_mode_of_the_file_whose_place_it_takes) {
  ASSERT_FALSE(os::write_file_atomic(path("secret"), "1", 0600));
  ASSERT_FALSE(os::write_file_atomic(path("secret"), "2"));
  EXPECT_EQ(mode_at(path("secret")), 0600U);
  umask_of const strict(077);
  ASSERT_FALSE(os::write_file_atomic(path("shared"), "1", 0664));
  ASSERT_FALSE(os::write_file_atomic(path("shared"), "2"));
  EXPECT_EQ(mode_at(path("shared")), 0664U);
  EXPECT_EQ(*os::read_file(path("shared")), "2");
}

TEST_F(os_file, gives_a_new_file_what_the_umask_leaves) {
  {
    umask_of const strict(077);
    ASSERT_FALSE(os::write_file_atomic(path("a"), "x"));
    ASSERT_FALSE(os::write_file_atomic(live(), path("b"), "x"));
  }
  umask_of const usual(022);
  ASSERT_FALSE(os::write_file_atomic(path("c"), "x"));
  EXPECT_EQ(mode_at(path("a")), 0600U);
  EXPECT_EQ(mode_at(path("b")), 0600U);
  EXPECT_EQ(mode_at(path("c")), 0644U);
}

TEST_F(os_file, refuses_a_path_that_the_system_would_cut_short) {
  ASSERT_FALSE(os::write_file_atomic(path("a"), "whole"));
  std::string const cut = path("a") + std::string("\0.txt", 5);
  error const read = os::read_file(cut).error();
  EXPECT_TRUE(errors::is(read, errors::from_errno(EINVAL))) << read.message();
  EXPECT_THAT(read.message(), HasSubstr("the path has a zero byte in it"));
  error const written = os::write_file_atomic(cut, "other");
  EXPECT_TRUE(errors::is(written, errors::from_errno(EINVAL))) << written.message();
  EXPECT_EQ(*os::read_file(path("a")), "whole");
}

TEST_F(os_file, reads_files_whose_size_is_not_known) {
  result<std::string> const status = os::read_file("/proc/self/status");
  ASSERT_TRUE(status);
  EXPECT_THAT(*status, HasSubstr("VmRSS"));
}

TEST_F(os_file, refuses_more_than_the_limit) {
  ASSERT_FALSE(os::write_file_atomic(path("a"), std::string(11, 'x')));
  EXPECT_TRUE(os::read_file(path("a"), 11));
  result<std::string> const r = os::read_file(path("a"), 10);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().message(), "read " + path("a") + ": more than 10 bytes");
}

TEST_F(os_file, says_which_file_and_why) {
  error const err = os::read_file(path("none")).error();
  EXPECT_EQ(err.message(), "open " + path("none") + ": no such file or directory");
  EXPECT_TRUE(errors::is(err, errors::from_errno(ENOENT)));
  error const bad = os::write_file_atomic(path("no/such/folder"), "x");
  EXPECT_EQ(bad.message(), "write " + path("no/such/folder") + ": no such file or directory");
  error const folder = os::read_file(folder_.string()).error();
  EXPECT_EQ(folder.message(), "read " + folder_.string() + ": is a directory");
}

TEST_F(os_file, leaves_the_old_content_when_it_cannot_replace_it) {
  std::filesystem::create_directory(path("d"));
  EXPECT_TRUE(os::write_file_atomic(path("d"), "x"));
  EXPECT_TRUE(std::filesystem::is_directory(path("d")));
  EXPECT_EQ(files(), 1U);
}

TEST(os_env, tells_set_from_unset) {
  EXPECT_TRUE(os::env("PATH"));
  EXPECT_EQ(os::env("VOLE_SURELY_NOT_SET"), std::nullopt);
  EXPECT_EQ(os::env(std::string("PATH\0x", 6)), std::nullopt);
  EXPECT_EQ(os::env_or("VOLE_SURELY_NOT_SET", "x"), "x");
}

// --- signals

// TSan runs a handler not before its thread next does something that TSan watches, and the one
// thread that takes signals here sleeps in a system call.
class os_signals : public ::testing::Test {
  void SetUp() override {
    if (VOLE_TSAN) GTEST_SKIP() << "TSan holds signals back";
  }
};
using os_signal_context = os_signals;

TEST_F(os_signals, come_as_values) {
  os::signals const some({SIGUSR1, SIGUSR2});
  ::kill(::getpid(), SIGUSR1);
  EXPECT_EQ(some.c().recv(), SIGUSR1);
  ::kill(::getpid(), SIGUSR2);
  EXPECT_EQ(some.c().recv(), SIGUSR2);
}

TEST_F(os_signals, reach_all_who_listen_and_nobody_else) {
  os::signals const one({SIGUSR1});
  os::signals const two({SIGUSR1, SIGUSR2});
  ::kill(::getpid(), SIGUSR1);
  EXPECT_EQ(one.c().recv(), SIGUSR1);
  EXPECT_EQ(two.c().recv(), SIGUSR1);
  ::kill(::getpid(), SIGUSR2);
  EXPECT_EQ(two.c().recv(), SIGUSR2);
  EXPECT_EQ(one.c().try_recv(), std::nullopt);
}

TEST_F(os_signals, do_what_they_did_before_once_nobody_listens) {
  struct sigaction before{};
  struct sigaction after{};
  ::sigaction(SIGUSR1, nullptr, &before);
  for (int i = 0; i < 20; ++i) {
    os::signals const outer({SIGUSR1});
    os::signals const inner({SIGUSR1});
    ::kill(::getpid(), SIGUSR1);
    EXPECT_EQ(outer.c().recv(), SIGUSR1);
  }
  ::sigaction(SIGUSR1, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

TEST_F(os_signals, drop_what_nobody_takes) {
  os::signals const unread({SIGUSR1});
  os::signals const read({SIGUSR1});
  for (int i = 0; i < 100; ++i) {
    ::kill(::getpid(), SIGUSR1);
    EXPECT_EQ(read.c().recv(), SIGUSR1);
  }
  int got = 0;
  while (unread.c().try_recv()) ++got;
  EXPECT_EQ(got, 16);
}

TEST_F(os_signals, have_names) {
  EXPECT_EQ(os::signal_name(SIGTERM), "SIGTERM");
  EXPECT_EQ(os::signal_name(1000), "signal 1000");
}

TEST(os_signals_death, cannot_be_what_does_not_exist) {
  EXPECT_DEATH(os::signals({0}), "there is no signal 0");
  EXPECT_DEATH(os::signals({SIGKILL}), "SIGKILL cannot be caught");
}

TEST_F(os_signal_context, ends_with_the_signal_as_its_cause) {
  auto [ctx, stop] = os::signal_context(live(), {SIGUSR1});
  testing::wait_until_parked(1);
  ::kill(::getpid(), SIGUSR1);
  EXPECT_TRUE(errors::is(time::sleep(ctx, 1h), context::canceled));
  error const cause = ctx.cause();
  auto const* const received = errors::as<os::signal_error>(cause);
  ASSERT_NE(received, nullptr);
  EXPECT_EQ(received->signal, SIGUSR1);
  EXPECT_EQ(cause.message(), "received SIGUSR1");
}

TEST_F(os_signal_context, ends_with_its_handle_and_its_parent) {
  auto [parent, cancel] = context::with_cancel(live());
  {
    auto [ctx, stop] = os::signal_context(parent);
    stop();
    EXPECT_TRUE(ctx.err());
  }
  auto [ctx, stop] = os::signal_context(parent);
  cancel();
  EXPECT_TRUE(errors::is(ctx.err(), context::canceled));
}

// --- processes

TEST(os_run, collects_output_errors_and_status) {
  auto const done =
      os::run(live(), {.argv = {"sh", "-c", "cat; echo oops >&2; exit 3"}}, {.input = "hello"});
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(done->output, "hello");
  EXPECT_EQ(done->errors, "oops\n");
  EXPECT_EQ(done->status.code, 3);
  EXPECT_FALSE(done->status.ok());
  EXPECT_EQ(done->status.text(), "exit status 3");
}

TEST(os_run, moves_more_than_a_pipe_holds_both_ways) {
  std::string const large(1 << 20, 'x');
  auto const done = os::run(live(), {.argv = {"cat"}}, {.input = large});
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(done->output.size(), large.size());
  EXPECT_TRUE(done->status.ok());
}

TEST(os_run, does_not_mind_a_child_that_reads_nothing) {
  auto const done = os::run(live(), {.argv = {"true"}}, {.input = std::string(1 << 20, 'x')});
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_TRUE(done->status.ok());
}

TEST(os_run, says_why_a_program_cannot_be_started) {
  EXPECT_EQ(os::run(live(), {.argv = {"/no/such/program"}}).error().message(),
            "run: start /no/such/program: no such file or directory");
  EXPECT_EQ(os::run(live(), {.argv = {"true"}, .dir = "/no/such/dir"}).error().message(),
            "run: start true in /no/such/dir: no such file or directory");
}

TEST(os_run, refuses_a_command_that_the_system_would_cut_short) {
  std::string const cut("/\0x", 3);
  for (os::command const& what :
       {os::command{.argv = {"true", cut}}, os::command{.argv = {"true"}, .dir = cut},
        os::command{.argv = {"true"}, .env = {{cut}}}}) {
    error const err = os::run(live(), what).error();
    EXPECT_TRUE(errors::is(err, errors::from_errno(EINVAL))) << err.message();
  }
}

TEST(os_run, gives_the_child_its_folder_and_environment) {
  auto const done = os::run(
      live(),
      {.argv = {"/bin/sh", "-c", "pwd; echo $GREETING"}, .dir = "/", .env = {{"GREETING=hi"}}});
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(done->output, "/\nhi\n");
}

TEST(os_run, kills_the_child_when_the_context_ends) {
  auto [ctx, cancel] = context::with_timeout(live(), 20ms);
  auto const done = os::run(ctx, {.argv = {"sleep", "1000"}});
  ASSERT_FALSE(done);
  EXPECT_TRUE(errors::is(done.error(), context::deadline_exceeded)) << done.error().message();
}

TEST(os_run, lets_the_child_end_by_itself_if_it_has_time) {
  auto [ctx, cancel] = context::with_timeout(live(), 50ms);
  auto const done =
      os::run(ctx, {.argv = {"sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.01; done"}},
              {.kill_after = 60s});
  ASSERT_FALSE(done);
  EXPECT_TRUE(errors::is(done.error(), context::deadline_exceeded)) << done.error().message();
}

TEST(os_run, stops_a_child_that_writes_too_much) {
  auto const done = os::run(live(), {.argv = {"yes"}}, {.bytes_max = 100'000});
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message(), HasSubstr("more than 100000 bytes"));
}

TEST(os_process, tells_which_signal_ended_it) {
  auto child = os::process::start({.argv = {"sleep", "1000"}});
  ASSERT_TRUE(child) << child.error().message();
  EXPECT_GT(child->pid(), 1);
  auto [soon, cancel] = context::with_timeout(live(), 1ms);
  EXPECT_TRUE(errors::is(child->wait(soon).error(), context::deadline_exceeded));
  EXPECT_FALSE(child->signal(SIGTERM));
  auto const status = child->wait(live());
  ASSERT_TRUE(status);
  EXPECT_EQ(status->text(), "killed by SIGTERM");
  EXPECT_EQ(child->wait(live())->signal, SIGTERM);
  EXPECT_FALSE(child->signal(SIGTERM)) << "nobody is there, which is as good";
}

TEST(os_process, talks_through_its_pipes) {
  auto child =
      os::process::start({.argv = {"cat"}, .input = os::stream::pipe, .output = os::stream::pipe});
  ASSERT_TRUE(child) << child.error().message();
  std::byte buffer[16];
  auto [soon, cancel] = context::with_timeout(live(), 1ms);
  EXPECT_TRUE(errors::is(child->output().read(soon, buffer).error(), context::deadline_exceeded));
  EXPECT_FALSE(child->input().write(live(), "ping"));
  EXPECT_EQ(*child->output().read(live(), buffer), 4U);
  child->input().close();
  EXPECT_EQ(*child->output().read(live(), buffer), 0U);
  EXPECT_TRUE(child->wait(live())->ok());
  EXPECT_EQ(child->errors().read(live(), buffer).error().message(),
            "read from a child: the pipe is closed");
}

TEST(os_process, is_killed_and_reaped_when_its_handle_goes) {
  int pid = 0;
  {
    auto child = os::process::start({.argv = {"sleep", "1000"}});
    ASSERT_TRUE(child);
    pid = child->pid();
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(os_process, many_at_once_stop_no_worker) {
  std::vector<os::process> children;
  for (int i = 0; i < 20; ++i) {
    auto child = os::process::start({.argv = {"sh", "-c", "read x"}, .input = os::stream::pipe});
    ASSERT_TRUE(child) << child.error().message();
    children.push_back(*std::move(child));
  }
  chan<bool> ended(0);
  for (os::process& child : children) {
    go([&child, ended] { ended.send(child.wait(live()).has_value()); });
  }
  testing::wait_until_parked(children.size());
  for (os::process& child : children) child.input().close();
  for (std::size_t i = 0; i < children.size(); ++i) EXPECT_EQ(ended.recv(), true);
}

}  // namespace
}  // namespace vole
