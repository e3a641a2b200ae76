// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <map>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

#include "vole/go.h"
#include "vole/log.h"
#include "vole/sync.h"

namespace vole {
namespace {

struct pipe_pair {
  int read_end = -1;
  int write_end = -1;

  explicit pipe_pair(int flags = 0) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC | flags), 0);
    read_end = ends[0];
    write_end = ends[1];
  }
  ~pipe_pair() {
    ::close(read_end);
    if (write_end >= 0) ::close(write_end);
  }
  void close_write() { ::close(std::exchange(write_end, -1)); }
};

std::string read_to_end(int fd) {
  std::string all;
  char part[65536];
  for (;;) {
    ssize_t const n = blocking([&] { return ::read(fd, part, sizeof part); });
    if (n <= 0) return all;
    all.append(part, static_cast<std::size_t>(n));
  }
}

TEST(log_sink, makes_one_write_of_each_line) {
  pipe_pair pipe(O_DIRECT);  // a pipe in packet mode: one read returns one write
  log::logger const logger({.to = log::to_fd(pipe.write_end)});
  logger.info(context::background(), "first", {{"a", 1}, {"b", "two"}});
  logger.info(context::background(), "second");
  char part[4096];
  ssize_t n = ::read(pipe.read_end, part, sizeof part);
  ASSERT_GT(n, 0);
  std::string_view const first(part, static_cast<std::size_t>(n));
  EXPECT_TRUE(first.ends_with("msg=first a=1 b=two\n")) << first;
  EXPECT_EQ(std::ranges::count(first, '\n'), 1);
}

TEST(log_sink, lines_longer_than_a_pipe_write_do_not_mix) {
  constexpr int writers = 4;
  constexpr int lines = 100;
  pipe_pair pipe;
  log::logger const logger({.to = log::to_fd(pipe.write_end)});
  std::string read;
  sync::wait_group reader;
  reader.go([&] { read = read_to_end(pipe.read_end); });
  sync::wait_group wg;
  for (int w = 0; w < writers; ++w) {
    wg.go([&logger, w] {
      std::string const filling(6000, static_cast<char>('a' + w));
      for (int i = 0; i < lines; ++i) logger.info(context::background(), filling);
    });
  }
  wg.wait();
  pipe.close_write();
  reader.wait();
  std::map<char, int> seen;
  for (std::size_t at = 0; at < read.size();) {
    std::size_t const end = read.find('\n', at);
    ASSERT_NE(end, std::string::npos);
    std::string_view const line = std::string_view(read).substr(at, end - at);
    char const of = line.back();
    ASSERT_TRUE(line.ends_with("msg=" + std::string(6000, of))) << line.substr(0, 80);
    ++seen[of];
    at = end + 1;
  }
  for (int w = 0; w < writers; ++w) EXPECT_EQ(seen[static_cast<char>('a' + w)], lines);
}

TEST(log_sink, waits_for_a_full_non_blocking_pipe) {
  pipe_pair pipe(O_NONBLOCK);
  ASSERT_GE(::fcntl(pipe.write_end, F_SETPIPE_SZ, 4096), 4096);
  log::logger const logger({.to = log::to_fd(pipe.write_end)});
  sync::wait_group wg;
  wg.go([&] {
    for (int i = 0; i < 20; ++i) logger.info(context::background(), std::string(3000, 'x'));
    pipe.close_write();
  });
  ASSERT_EQ(::fcntl(pipe.read_end, F_SETFL, 0), 0);  // the reader blocks, the writer must not fail
  std::string const read = read_to_end(pipe.read_end);
  wg.wait();
  EXPECT_EQ(std::ranges::count(read, '\n'), 20);
  EXPECT_EQ(logger.lines_lost(), 0U);
}

// A disk for files of so many bytes, for the time of the scope.
class full_disk {
 public:
  explicit full_disk(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit now = before_;
    now.rlim_cur = bytes;
    was_ = ::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~full_disk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, was_);
  }

 private:
  rlimit before_;
  sighandler_t was_;
};

TEST(log_sink, begins_a_line_of_its_own_after_one_that_was_cut_off) {
  int const fd = ::memfd_create("log", MFD_CLOEXEC);
  ASSERT_GE(fd, 0);
  auto const sink = log::to_fd(fd);
  sink->write("whole\n");
  {
    full_disk const disk(10);
    sink->write("cut off\n");
    sink->write("not written\n");
  }
  sink->write("after\n");
  sink->write("more\n");
  EXPECT_EQ(sink->lines_lost(), 2U);
  std::string all(100, '\0');
  ssize_t const n = ::pread(fd, all.data(), all.size(), 0);
  ASSERT_GE(n, 0);
  all.resize(static_cast<std::size_t>(n));
  EXPECT_EQ(all, "whole\ncut \nafter\nmore\n");
  ::close(fd);
}

TEST(log_sink, counts_the_lines_it_cannot_write) {
  pipe_pair pipe;
  log::logger const logger({.to = log::to_fd(pipe.read_end)});  // not open for writing
  logger.info(context::background(), "lost");
  logger.info(context::background(), "lost");
  EXPECT_EQ(logger.lines_lost(), 2U);
}

}  // namespace
}  // namespace vole
