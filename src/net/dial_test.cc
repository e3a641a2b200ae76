// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "vole/runtime.h"
#include "vole/testing.h"

#include "net/conn_pair.h"
#include "net/sockaddr.h"

namespace vole::net {
namespace {

using namespace std::chrono_literals;

context const ctx = context::background();

// A resolver that knows one name.
class fixed_resolver final : public resolver {
 public:
  explicit fixed_resolver(std::vector<char const*> const& texts) {
    for (char const* text : texts) ips_.push_back(*ip_address::parse(text));
  }
  result<std::vector<ip_address>> lookup(context const&, std::string_view host) override {
    ++lookups;
    if (host != "db.test") return no_such_host;
    return ips_;
  }

  int lookups = 0;

 private:
  std::vector<ip_address> ips_;
};

// A TCP address that lets connects hang: its queue is full and nobody accepts.
class silent_address {
 public:
  silent_address(char const* ip, std::uint16_t port) {
    auto at = internal::to_sockaddr(address::tcp(*ip_address::parse(ip), port));
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::bind(listener_, at->data(), at->size), 0);
    EXPECT_EQ(::listen(listener_, 0), 0);
    at_ = internal::local_address_of(listener_);
    auto const real = internal::to_sockaddr(at_);
    for (int& fd : waiting_) {
      fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      ::connect(fd, real->data(), real->size);
    }
    tcp_info queue{};  // of a listener, `unacked` is what waits to be accepted
    for (socklen_t size = sizeof queue; queue.tcpi_unacked == 0; size = sizeof queue) {
      runtime::yield();
      EXPECT_EQ(::getsockopt(listener_, IPPROTO_TCP, TCP_INFO, &queue, &size), 0);
    }
  }
  ~silent_address() {
    for (int const fd : waiting_) ::close(fd);
    ::close(listener_);
  }
  address const& at() const { return at_; }

 private:
  int listener_;
  int waiting_[4];
  address at_;
};

TEST(net_dial, says_who_refused) {
  held_port const refusing;
  std::string const at = refusing.text();
  auto const c = dial(ctx, "tcp", at);
  ASSERT_FALSE(c);
  EXPECT_EQ(c.error().message(), fmt::format("connect to {}: connection refused", at));
  EXPECT_TRUE(errors::is(c.error(), errors::from_errno(ECONNREFUSED)));
  auto const* op = errors::as<op_error>(c.error());
  ASSERT_NE(op, nullptr);
  EXPECT_EQ(op->op, op_error::operation::dial);
  EXPECT_EQ(op->network, "tcp");
  EXPECT_EQ(op->address, at);
  EXPECT_FALSE(op->timeout());
}

TEST(net_dial, refuses_bad_addresses_with_their_reason) {
  EXPECT_EQ(dial(ctx, "tcp", "localhost").error().message(),
            "connect to localhost: address \"localhost\": missing port");
  EXPECT_EQ(dial(ctx, "tcp6", "127.0.0.1:80").error().message(),
            "connect to 127.0.0.1:80: 127.0.0.1 has no IPv6 address");
  EXPECT_EQ(dial(ctx, "unix", "/nonexistent/a.sock").error().message(),
            "connect to /nonexistent/a.sock: no such file or directory");
}

TEST(net_dial, asks_no_resolver_for_an_ip_address) {
  fixed_resolver names({});
  auto const l = listen("tcp", "127.0.0.1:0");
  ASSERT_TRUE(l);
  EXPECT_TRUE(dial(ctx, "tcp", (*l)->addr().text(), {.names = &names}));
  EXPECT_EQ(names.lookups, 0);
}

TEST(net_dial, without_host_means_this_machine) {
  auto const l = listen("tcp", "127.0.0.1:0");
  ASSERT_TRUE(l);
  EXPECT_TRUE(dial(ctx, "tcp", fmt::format(":{}", (*l)->addr().port())));
}

TEST(net_dial, without_host_keeps_to_the_family_of_the_network) {
  std::optional<held_port> refusing;
  auto const six = listen_on_v6_alone("[::1]:0", refusing);
  if (!six) GTEST_SKIP() << "this machine has no IPv6";
  std::string const no_host = fmt::format(":{}", (*six)->addr().port());
  auto const c = dial(ctx, "tcp6", no_host);
  ASSERT_TRUE(c) << c.error().message();
  EXPECT_EQ((*c)->remote_addr(), (*six)->addr());
  auto const either = dial(ctx, "tcp", no_host);
  ASSERT_TRUE(either) << either.error().message();
  EXPECT_EQ((*either)->remote_addr(), (*six)->addr());
  auto const wrong = dial(ctx, "tcp4", no_host);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message(),
            fmt::format("connect to {0}: 127.0.0.1{0}: connection refused", no_host));
}

TEST(net_dial, an_unknown_name_is_an_error_that_names_it) {
  fixed_resolver names({});
  auto const c = dial(ctx, "tcp", "other.test:80", {.names = &names});
  ASSERT_FALSE(c);
  EXPECT_TRUE(errors::is(c.error(), no_such_host));
  EXPECT_EQ(c.error().message(), "connect to other.test:80: no such host");
}

TEST(net_dial, tries_the_next_address_when_one_refuses) {
  auto const l = listen("tcp", "127.0.0.1:0");
  ASSERT_TRUE(l);
  fixed_resolver names({"127.0.0.2", "127.0.0.3", "127.0.0.1"});
  auto const c = dial(ctx, "tcp", fmt::format("db.test:{}", (*l)->addr().port()),
                      {.fallback_delay = 1h, .names = &names});
  ASSERT_TRUE(c) << c.error().message();
  EXPECT_EQ((*c)->remote_addr(), (*l)->addr());
}

TEST(net_dial, reports_the_first_address_when_all_refuse) {
  held_port const refusing;
  std::string const port = split_host_port(refusing.text())->port;
  fixed_resolver names({"127.0.0.2", "127.0.0.3"});
  auto const c = dial(ctx, "tcp", "db.test:" + port, {.names = &names});
  ASSERT_FALSE(c);
  EXPECT_EQ(c.error().message(),
            fmt::format("connect to db.test:{0}: 127.0.0.2:{0}: connection refused", port));
}

TEST(net_dial, starts_the_next_address_beside_one_that_is_silent) {
  auto const l = listen("tcp", "127.0.0.1:0");
  ASSERT_TRUE(l);
  silent_address const silent("127.0.0.2", (*l)->addr().port());
  fixed_resolver names({"127.0.0.2", "127.0.0.1"});
  auto const c = dial(ctx, "tcp", fmt::format("db.test:{}", (*l)->addr().port()),
                      {.fallback_delay = 1ms, .names = &names});
  ASSERT_TRUE(c) << c.error().message();
  EXPECT_EQ((*c)->remote_addr(), (*l)->addr());
}

TEST(net_dial, its_timeout_is_a_timeout) {
  silent_address const silent("127.0.0.1", 0);
  auto const c = dial(ctx, "tcp", silent.at().text(), {.timeout = 5ms});
  ASSERT_FALSE(c);
  EXPECT_EQ(c.error().message(), fmt::format("connect to {}: i/o timeout", silent.at().text()));
  EXPECT_TRUE(errors::as<op_error>(c.error())->timeout());
}

TEST(net_dial, a_cancel_ends_it) {
  silent_address const silent("127.0.0.1", 0);
  auto const [bounded, cancel] = context::with_cancel(ctx);
  sync::wait_group wg;
  error failed;
  auto const before = testing::parked();
  wg.go([&failed, &silent, &bounded = bounded] {
    failed = dial(bounded, "tcp", silent.at().text()).error();
  });
  testing::wait_until_parked(before + 1);
  cancel();
  wg.wait();
  EXPECT_EQ(failed.message(), fmt::format("connect to {}: context canceled", silent.at().text()));
}

TEST(net_dial, a_context_that_has_ended_connects_to_nothing) {
  auto const l = listen("tcp", "127.0.0.1:0");
  ASSERT_TRUE(l);
  auto const [ended, cancel] = context::with_cancel(ctx);
  cancel();
  EXPECT_TRUE(errors::is(dial(ended, "tcp", (*l)->addr().text()).error(), context::canceled));
}

TEST(net_dial, a_unix_socket_whose_queue_is_full_is_waited_for) {
  std::string const name = unused_name();
  auto const l = listen("unix", name, {.backlog = 1});
  ASSERT_TRUE(l);
  std::vector<std::unique_ptr<conn>> dialed(8);
  sync::wait_group wg;
  for (auto& c : dialed) {
    wg.go([&] {
      auto made = dial(ctx, "unix", name);
      if (made) c = *std::move(made);
    });
  }
  for (std::size_t i = 0; i < dialed.size(); ++i) EXPECT_TRUE((*l)->accept(ctx));
  wg.wait();
  for (auto const& c : dialed) EXPECT_NE(c, nullptr);
}

}  // namespace
}  // namespace vole::net
