// SPDX-License-Identifier: Apache-2.0
// A cancel against what each call of os waits for: pipes, processes, files.
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vole/os.h"
#include "vole/runtime.h"
#include "vole/testing.h"

#include "testing/cancel_race.h"

namespace vole {
namespace {

using namespace std::chrono_literals;
using testing::race_cancel;

context const bg = context::background();

error error_of(result<void> const& outcome) {
  return outcome.error();
}

TEST(os_cancel, a_read_from_a_child_eats_no_byte) {
  auto child =
      os::process::start({.argv = {"cat"}, .input = os::stream::pipe, .output = os::stream::pipe});
  ASSERT_TRUE(child) << child.error().message();
  std::string sent;
  std::string got;
  std::byte room[8];
  race_cancel(
      401, 60,
      [&](context const& ctx) {
        auto const n = child->output().read(ctx, room);
        if (n) got.append(reinterpret_cast<char const*>(room), *n);
        return n.error();
      },
      [&](context const&) {
        std::string const part(1, static_cast<char>('a' + sent.size() % 26));
        EXPECT_FALSE(child->input().write(bg, part));
        sent += part;
      },
      [](error const&) {});
  child->input().close();
  auto const rest = child->output().read_all(bg);
  ASSERT_TRUE(rest);
  EXPECT_EQ(got + *rest, sent);
  EXPECT_TRUE(child->wait(bg)->ok());
}

TEST(os_cancel, a_write_to_a_child_that_reads_nothing) {
  auto child = os::process::start({.argv = {"sleep", "1000"}, .input = os::stream::pipe});
  ASSERT_TRUE(child) << child.error().message();
  auto [ctx, cancel] = context::with_cancel(bg);
  auto const before = testing::parked();
  task<void> writing =
      spawn([&, ctx = ctx] { return child->input().write(ctx, std::string(1 << 20, 'x')); });
  testing::wait_until_parked(before + 1);
  cancel();
  EXPECT_TRUE(errors::is(error_of(writing.get(bg)), context::canceled));
}

// `yes` always has something to read, `cat` to /dev/null always room: nothing here has to wait.
TEST(os_cancel, a_pipe_that_never_waits_is_left_too) {
  auto talker = os::process::start({.argv = {"yes"}, .output = os::stream::pipe});
  ASSERT_TRUE(talker) << talker.error().message();
  auto listener =
      os::process::start({.argv = {"cat"}, .input = os::stream::pipe, .output = os::stream::null});
  ASSERT_TRUE(listener) << listener.error().message();
  std::byte room[8];
  ASSERT_TRUE(talker->output().read(bg, room));
  auto [ctx, cancel] = context::with_cancel(bg);
  cancel();
  error const read = talker->output().read(ctx, room).error();
  EXPECT_TRUE(errors::is(read, context::canceled)) << read.message();
  error const written = listener->input().write(ctx, "x");
  EXPECT_TRUE(errors::is(written, context::canceled)) << written.message();
}

TEST(os_cancel, wait_for_a_process_reaps_it_once) {
  auto const start = [] {
    return os::process::start({.argv = {"sh", "-c", "read x"}, .input = os::stream::pipe});
  };
  auto child = start();
  ASSERT_TRUE(child) << child.error().message();
  race_cancel(
      402, 20, [&](context const& ctx) { return child->wait(ctx).error(); },
      [&](context const&) { child->input().close(); },
      [&](error const&) {
        int const pid = child->pid();
        EXPECT_TRUE(child->wait(bg));
        EXPECT_EQ(::kill(pid, 0), -1) << "it was not reaped";
        child = start();
        ASSERT_TRUE(child);
      });
}

TEST(os_cancel, run_leaves_no_child) {
  std::string pid;
  for (int round = 0; round < 5; ++round) {
    auto [ctx, cancel] = context::with_cancel(bg);
    auto const before = testing::parked();
    task<os::run_result> running =
        spawn([ctx = ctx] { return os::run(ctx, {.argv = {"sleep", "1000"}}); });
    testing::wait_until_parked(before + 2);
    cancel();
    EXPECT_TRUE(errors::is(running.get(bg).error(), context::canceled));
  }
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

// A FIFO that nobody writes to is a disk that does not answer.
TEST(os_cancel, a_file_that_does_not_answer_lets_its_caller_go) {
  std::string folder = (std::filesystem::temp_directory_path() / "vole-os-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  std::string const fifo = folder + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  auto const abandoned_before = os::read_file_stats().abandoned_total;
  auto [ctx, cancel] = context::with_cancel(bg);
  task<std::string> reading = spawn([&, ctx = ctx] { return os::read_file(ctx, fifo); });
  while (os::read_file_stats().running == 0) runtime::yield();
  cancel();
  error const err = reading.get(bg).error();
  EXPECT_TRUE(errors::is(err, context::canceled));
  EXPECT_EQ(err.message(), "read " + fifo + ": context canceled");
  EXPECT_EQ(os::read_file_stats().running, 1) << "it still stands in open(2)";
  EXPECT_EQ(os::read_file_stats().abandoned_total, abandoned_before + 1);
  int const writer = ::open(fifo.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(writer, 0);
  ::close(writer);
  while (os::read_file_stats().running > 0) runtime::yield();

  std::string const path = folder + "/a";
  EXPECT_TRUE(errors::is(os::write_file_atomic(ctx, path, "x"), context::canceled));
  EXPECT_FALSE(std::filesystem::exists(path)) << "an ended context begins nothing";
  auto [live, cancel_live] = context::with_timeout(bg, 1h);
  EXPECT_FALSE(os::write_file_atomic(live, path, "new"));
  EXPECT_EQ(*os::read_file(live, path), "new");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace vole
