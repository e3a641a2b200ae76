// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include "vole/testing.h"

#include "net/conn_pair.h"
#include "net/path_lock.h"

namespace vole::net {
namespace {

using namespace std::chrono_literals;

context const ctx = context::background();

// A directory of its own, gone with the test.
class scratch_directory {
 public:
  scratch_directory() {
    char name[] = "/tmp/vole-net-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~scratch_directory() { std::filesystem::remove_all(path_); }
  std::size_t files() const {
    auto const all = std::filesystem::directory_iterator(path_);
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }
  std::string file(char const* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// A unix socket that does not listen yet.
int bound_socket(std::string const& path) {
  int const fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  path.copy(at.sun_path, sizeof at.sun_path - 1);
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
  return fd;
}

// A socket file that nobody listens to, as a killed process leaves behind.
void leave_stale_socket(std::string const& path) {
  ::close(bound_socket(path));
}

TEST(net_listen, gives_a_free_port_and_says_which) {
  auto const l = listen("tcp", "127.0.0.1:0");
  ASSERT_TRUE(l) << l.error().message();
  EXPECT_EQ((*l)->addr().ip(), ip_address::loopback_v4());
  EXPECT_NE((*l)->addr().port(), 0);
}

TEST(net_listen, a_port_that_is_taken_is_an_error_that_names_it) {
  auto const first = listen("tcp", "127.0.0.1:0");
  ASSERT_TRUE(first);
  std::string const at = (*first)->addr().text();
  auto const second = listen("tcp", at);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message(), fmt::format("listen tcp {}: address already in use", at));
  auto const* op = errors::as<op_error>(second.error());
  ASSERT_NE(op, nullptr);
  EXPECT_EQ(op->op, op_error::operation::listen);
  EXPECT_EQ(op->address, at);
}

// Of this process alone: a port that is given up there is nobody else's meanwhile.
std::string own_address() {
  unsigned const id = static_cast<unsigned>(::getpid());
  return fmt::format("127.{}.{}.{}:0", 1 + (id >> 16) % 254, (id >> 8) & 255, 1 + id % 254);
}

TEST(net_listen, a_port_may_be_listened_to_again_at_once) {
  std::string at;
  for (int i = 0; i < 3; ++i) {
    auto const l = listen("tcp", i == 0 ? own_address() : at);
    ASSERT_TRUE(l) << l.error().message();
    at = (*l)->addr().text();
    auto const c = dial(ctx, "tcp", at);
    ASSERT_TRUE(c);
    auto const far = (*l)->accept(ctx);
    ASSERT_TRUE(far);
    EXPECT_FALSE((*far)->close());  // this side closes first: the port is in TIME_WAIT
    EXPECT_EQ(read_text(**c), "");
  }
}

TEST(net_listen, the_address_is_free_when_close_returns) {
  std::string at = own_address();
  for (int i = 0; i < 100; ++i) {
    auto const l = listen("tcp", at);
    ASSERT_TRUE(l) << l.error().message() << ", after " << i << " rounds";
    at = (*l)->addr().text();
    sync::wait_group wg;
    auto const before = testing::parked();
    for (int n = 0; n < 2; ++n) {
      wg.go([&] { EXPECT_TRUE(errors::is((*l)->accept(ctx).error(), closed)); });
    }
    testing::wait_until_parked(before + 2);
    EXPECT_FALSE((*l)->close());
    auto const next = listen("tcp", at);
    ASSERT_TRUE(next) << next.error().message() << ", after " << i << " rounds";
    wg.wait();
  }
}

TEST(net_listen, close_from_a_plain_thread_waits_too) {
  auto const l = listen("tcp", own_address());
  ASSERT_TRUE(l);
  sync::wait_group wg;
  auto const before = testing::parked();
  wg.go([&] { EXPECT_TRUE(errors::is((*l)->accept(ctx).error(), closed)); });
  testing::wait_until_parked(before + 1);
  blocking([&] { std::thread([&] { EXPECT_FALSE((*l)->close()); }).join(); });
  EXPECT_TRUE(listen("tcp", (*l)->addr().text()));
  wg.wait();
}

TEST(net_listen, without_host_means_all_addresses) {
  auto const l = listen("tcp", ":0");
  ASSERT_TRUE(l) << l.error().message();
  EXPECT_TRUE((*l)->addr().ip().is_unspecified());
  auto const c = dial(ctx, "tcp", fmt::format("127.0.0.1:{}", (*l)->addr().port()));
  ASSERT_TRUE(c) << c.error().message();
  auto const far = (*l)->accept(ctx);
  ASSERT_TRUE(far);
  EXPECT_EQ((*far)->remote_addr(), (*c)->local_addr());
}

TEST(net_listen, the_unspecified_host_of_ipv6_means_both_families) {
  if (!listen("tcp6", "[::1]:0")) GTEST_SKIP() << "this machine has no IPv6";
  auto const l = listen("tcp", "[::]:0");
  ASSERT_TRUE(l) << l.error().message();
  for (char const* host : {"127.0.0.1", "[::1]"}) {
    auto const c = dial(ctx, "tcp", fmt::format("{}:{}", host, (*l)->addr().port()));
    ASSERT_TRUE(c) << c.error().message();
    EXPECT_TRUE((*l)->accept(ctx));
  }
  std::optional<held_port> refusing;
  auto const only = listen_on_v6_alone("[::]:0", refusing);
  ASSERT_TRUE(only) << only.error().message();
  EXPECT_TRUE(dial(ctx, "tcp", fmt::format("[::1]:{}", (*only)->addr().port())));
  EXPECT_FALSE(dial(ctx, "tcp", fmt::format("127.0.0.1:{}", (*only)->addr().port())));
}

TEST(net_listen, tcp4_and_tcp6_keep_to_their_family) {
  auto const l = listen("tcp4", ":0");
  ASSERT_TRUE(l);
  EXPECT_TRUE((*l)->addr().ip().is_v4());
  auto const wrong = listen("tcp6", "127.0.0.1:0");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message(), "listen tcp6 127.0.0.1:0: 127.0.0.1 has no IPv6 address");
}

TEST(net_listen, knows_the_name_of_this_machine) {
  auto const l = listen("tcp", "localhost:0");
  ASSERT_TRUE(l) << l.error().message();
  EXPECT_TRUE((*l)->addr().ip().is_loopback());
}

TEST(net_listen, several_may_share_a_port_when_all_say_so) {
  auto const first = listen("tcp", "127.0.0.1:0", {.reuse_port = true});
  ASSERT_TRUE(first);
  EXPECT_TRUE(listen("tcp", (*first)->addr().text(), {.reuse_port = true}));
  EXPECT_FALSE(listen("tcp", (*first)->addr().text()));
}

TEST(net_listen, bad_addresses_are_refused_with_their_reason) {
  EXPECT_EQ(listen("tcp", "127.0.0.1").error().message(),
            "listen tcp 127.0.0.1: address \"127.0.0.1\": missing port");
  EXPECT_EQ(listen("tcp", "1.2.3:80").error().message(),
            "listen tcp 1.2.3:80: \"1.2.3\" is not an IP address");
  EXPECT_EQ(listen("unix", "").error().message(),
            "listen unix : the path of a unix socket is empty");
}

TEST(net_accept, ends_with_its_context) {
  auto const l = listen("tcp", "127.0.0.1:0");
  ASSERT_TRUE(l);
  auto const [bounded, cancel] = context::with_timeout(ctx, 1ms);
  error const failed = (*l)->accept(bounded).error();
  EXPECT_EQ(failed.message(),
            fmt::format("accept on {}: context deadline exceeded", (*l)->addr().text()));
}

TEST(net_accept, ends_with_closed_for_all_who_wait) {
  auto const l = listen("tcp", "127.0.0.1:0");
  ASSERT_TRUE(l);
  sync::wait_group wg;
  auto const before = testing::parked();
  for (int i = 0; i < 3; ++i) {
    wg.go([&] { EXPECT_TRUE(errors::is((*l)->accept(ctx).error(), closed)); });
  }
  testing::wait_until_parked(before + 3);
  EXPECT_FALSE((*l)->close());
  EXPECT_FALSE((*l)->close());
  wg.wait();
  EXPECT_TRUE(errors::is((*l)->accept(ctx).error(), closed));
}

// Lets a process have no descriptor more than it has, for the time of the test.
class no_more_descriptors {
 public:
  no_more_descriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    int const next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    rlimit now = before_;
    now.rlim_cur = static_cast<rlim_t>(next);
    ::close(next);
    ::setrlimit(RLIMIT_NOFILE, &now);
  }
  ~no_more_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_;
};

TEST(net_accept, without_descriptors_waits_and_says_so_and_then_goes_on) {
  auto const l = listen("tcp", "127.0.0.1:0");
  ASSERT_TRUE(l);
  auto const c = dial(ctx, "tcp", (*l)->addr().text());
  ASSERT_TRUE(c);
  {
    no_more_descriptors const limit;
    for (int i = 0; i < 3; ++i) {
      error const failed = (*l)->accept(ctx).error();
      EXPECT_TRUE(is_resource_limit(failed)) << failed.message();
      EXPECT_EQ(failed.message(),
                fmt::format("accept on {}: too many open files", (*l)->addr().text()));
    }
  }
  EXPECT_TRUE((*l)->accept(ctx));
}

TEST(net_accept, close_ends_the_wait_for_descriptors) {
  auto const l = listen("tcp", "127.0.0.1:0");
  ASSERT_TRUE(l);
  auto const c = dial(ctx, "tcp", (*l)->addr().text());
  ASSERT_TRUE(c);
  sync::wait_group wg;
  no_more_descriptors const limit;
  auto const before = testing::parked();
  wg.go([&] {
    while (!errors::is((*l)->accept(ctx).error(), closed)) continue;
  });
  testing::wait_until_parked(before + 1);
  EXPECT_FALSE((*l)->close());
  wg.wait();
}

TEST(net_listen_unix, makes_and_removes_its_file) {
  scratch_directory const dir;
  std::string const path = dir.file("a");
  auto l = listen("unix", path);
  ASSERT_TRUE(l) << l.error().message();
  EXPECT_EQ((*l)->addr().text(), path);
  EXPECT_EQ(::access(path.c_str(), F_OK), 0);
  auto const c = dial(ctx, "unix", path);
  ASSERT_TRUE(c) << c.error().message();
  EXPECT_EQ((*c)->remote_addr().text(), path);
  EXPECT_FALSE((*l)->close());
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST(net_listen_unix, replaces_a_file_that_nobody_listens_to) {
  scratch_directory const dir;
  std::string const path = dir.file("a");
  leave_stale_socket(path);
  EXPECT_EQ(dial(ctx, "unix", path).error().message(),
            fmt::format("connect to {}: connection refused", path));
  auto const kept = listen("unix", path, {.replace_stale = false});
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().message(), fmt::format("listen unix {}: address already in use", path));
  auto const l = listen("unix", path);
  ASSERT_TRUE(l) << l.error().message();
  EXPECT_TRUE(dial(ctx, "unix", path));
}

TEST(net_listen_unix, leaves_a_living_listener_and_a_plain_file_alone) {
  scratch_directory const dir;
  auto const l = listen("unix", dir.file("a"));
  ASSERT_TRUE(l);
  EXPECT_FALSE(listen("unix", dir.file("a")));
  EXPECT_TRUE(dial(ctx, "unix", dir.file("a")));
  int const fd = ::open(dir.file("b").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  ::close(fd);
  auto const refused = listen("unix", dir.file("b"));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message().ends_with("address already in use"));
  EXPECT_EQ(::access(dir.file("b").c_str(), F_OK), 0);
}

TEST(net_listen_unix, of_several_that_start_at_once_one_listens) {
  scratch_directory const dir;
  std::string const path = dir.file("a");
  for (int round = 0; round < 200; ++round) {
    leave_stale_socket(path);
    std::unique_ptr<listener> made[4];
    sync::wait_group wg;
    for (auto& l : made) {
      wg.go([&] {
        auto started = listen("unix", path);
        if (started) l = *std::move(started);
      });
    }
    wg.wait();
    EXPECT_EQ(std::count(std::begin(made), std::end(made), nullptr), 3) << "round " << round;
    EXPECT_TRUE(dial(ctx, "unix", path)) << "round " << round;
  }
  EXPECT_EQ(dir.files(), 0U) << "no lock is left";
}

TEST(net_listen_unix, waits_for_one_that_is_bound_and_does_not_listen_yet) {
  scratch_directory const dir;
  std::string const path = dir.file("a");
  int const fd = bound_socket(path);
  error failed;
  sync::wait_group wg;
  {
    internal::path_lock starting;
    ASSERT_FALSE(starting.acquire(ctx, path));
    auto const before = testing::parked();
    wg.go([&] { failed = listen("unix", path).error(); });
    testing::wait_until_parked(before + 1);
    EXPECT_EQ(::listen(fd, 1), 0);
  }
  wg.wait();
  EXPECT_TRUE(errors::is(failed, errors::from_errno(EADDRINUSE))) << failed.message();
  EXPECT_TRUE(dial(ctx, "unix", path));
  ::close(fd);
}

TEST(net_listen_unix, a_context_ends_the_wait_for_another_that_starts) {
  scratch_directory const dir;
  internal::path_lock starting;
  ASSERT_FALSE(starting.acquire(ctx, dir.file("a")));
  auto const [bounded, cancel] = context::with_timeout(ctx, 5ms);
  error const failed = listen(bounded, "unix", dir.file("a")).error();
  EXPECT_TRUE(errors::is(failed, context::deadline_exceeded)) << failed.message();
}

TEST(net_listen_unix, says_which_file_it_cannot_make) {
  error const failed = listen("unix", "/nonexistent/a").error();
  EXPECT_EQ(
      failed.message(),
      "listen unix /nonexistent/a: make /nonexistent/a.start-lock: no such file or directory");
  EXPECT_TRUE(errors::is(failed, errors::from_errno(ENOENT)));
}

TEST(net_listen_unix, the_lock_that_a_crash_left_is_nobodys) {
  scratch_directory const dir;
  std::string const lock = dir.file("a") + ".start-lock";
  ::close(::open(lock.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
  EXPECT_TRUE(listen("unix", dir.file("a")));
  EXPECT_EQ(dir.files(), 0U);
}

TEST(net_listen_unix, does_not_remove_the_file_of_a_successor) {
  scratch_directory const dir;
  std::string const path = dir.file("a");
  auto const first = listen("unix", path);
  ASSERT_TRUE(first);
  ASSERT_EQ(::rename(path.c_str(), dir.file("b").c_str()), 0);
  auto const second = listen("unix", path);
  ASSERT_TRUE(second);
  EXPECT_FALSE((*first)->close());
  EXPECT_TRUE(dial(ctx, "unix", path));
}

TEST(net_listen_unix, an_abstract_name_has_no_file) {
  std::string const name = unused_name();
  auto const l = listen("unix", name);
  ASSERT_TRUE(l) << l.error().message();
  EXPECT_EQ((*l)->addr().text(), name);
  auto const c = dial(ctx, "unix", name);
  ASSERT_TRUE(c) << c.error().message();
  EXPECT_NE(::access(name.c_str(), F_OK), 0);
  EXPECT_FALSE(listen("unix", name));
}

}  // namespace
}  // namespace vole::net
