// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <cstring>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

#include "vole/net.h"

#include "net/endpoint.h"
#include "net/sockaddr.h"

namespace vole::net {
namespace {

TEST(net_ip_address, parses_and_prints_both_families) {
  for (char const* text :
       {"127.0.0.1", "0.0.0.0", "255.255.255.255", "::", "::1", "2001:db8::1", "fe80::1%1"}) {
    auto const ip = ip_address::parse(text);
    ASSERT_TRUE(ip) << text << ": " << ip.error().message();
    EXPECT_EQ(ip_address::parse(ip->text()).value_or(ip_address()), *ip) << text;
  }
  EXPECT_EQ(ip_address::parse("127.0.0.1")->text(), "127.0.0.1");
  EXPECT_EQ(ip_address::parse("2001:DB8:0:0::1")->text(), "2001:db8::1");
}

TEST(net_ip_address, refuses_what_is_none) {
  for (char const* text : {"", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.4%eth0", "::1::", "[::1]",
                           "localhost", " 1.2.3.4", "01.2.3.4"}) {
    EXPECT_FALSE(ip_address::parse(text)) << text;
  }
  EXPECT_EQ(ip_address::parse("1.2.3").error().message(), "\"1.2.3\" is not an IP address");
  EXPECT_EQ(ip_address::parse("fe80::1%nowhere").error().message(),
            "\"fe80::1%nowhere\": no network interface \"nowhere\"");
}

TEST(net_ip_address, refuses_a_text_that_the_system_would_cut_short) {
  EXPECT_FALSE(ip_address::parse(std::string_view("127.0.0.1\0.test", 15)));
  EXPECT_FALSE(ip_address::parse(std::string_view("fe80::1%1\0x", 11)));
}

TEST(net_ip_address, takes_ipv4_in_ipv6_form_for_ipv4) {
  auto const ip = ip_address::parse("::ffff:127.0.0.1");
  ASSERT_TRUE(ip);
  EXPECT_EQ(*ip, ip_address::loopback_v4());
  EXPECT_TRUE(ip->is_loopback());
  EXPECT_EQ(ip->text(), "127.0.0.1");
  EXPECT_TRUE(ip_address::parse("::ffff:0.0.0.0")->is_unspecified());
  EXPECT_FALSE(ip_address::parse("::fffe:127.0.0.1")->is_v4());
}

TEST(net_ip_address, knows_its_kind) {
  EXPECT_TRUE(ip_address::loopback_v4().is_loopback());
  EXPECT_TRUE(ip_address::parse("127.1.2.3")->is_loopback());
  EXPECT_TRUE(ip_address::parse("::1")->is_loopback());
  EXPECT_FALSE(ip_address::parse("::2")->is_loopback());
  EXPECT_TRUE(ip_address().is_unspecified());
  EXPECT_TRUE(ip_address::parse("::")->is_unspecified());
  EXPECT_NE(ip_address(), *ip_address::parse("::"));
}

TEST(net_address, prints_as_it_is_dialed) {
  EXPECT_EQ(address::tcp(ip_address::loopback_v4(), 80).text(), "127.0.0.1:80");
  EXPECT_EQ(address::tcp(*ip_address::parse("::1"), 80).text(), "[::1]:80");
  EXPECT_EQ(address::unix_path("/run/a.sock").text(), "/run/a.sock");
  EXPECT_EQ(address::unix_path("@name").text(), "@name");
  EXPECT_EQ(address().text(), "@");
  EXPECT_EQ(address::in_memory().text(), "pipe");
  EXPECT_EQ(address::in_memory().network(), "pipe");
}

TEST(net_address, survives_the_form_of_the_system) {
  for (address const& at : {address::tcp(ip_address::loopback_v4(), 8080),
                            address::tcp(*ip_address::parse("2001:db8::7"), 1),
                            address::tcp(*ip_address::parse("fe80::1%1"), 65535),
                            address::unix_path("/run/a.sock"), address::unix_path("@abstract")}) {
    auto const raw = internal::to_sockaddr(at);
    ASSERT_TRUE(raw) << at.text();
    EXPECT_EQ(internal::from_sockaddr(*raw), at) << at.text();
  }
  auto const mapped = address::tcp(*ip_address::parse("::ffff:10.0.0.1"), 5);
  EXPECT_EQ(internal::from_sockaddr(*internal::to_sockaddr(mapped)).text(), "10.0.0.1:5");
  // As the kernel gives the peer of a socket of both families.
  internal::sockaddr_buffer raw;
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(5);
  ASSERT_EQ(::inet_pton(AF_INET6, "::ffff:10.0.0.1", &in6.sin6_addr), 1);
  std::memcpy(&raw.storage, &in6, sizeof in6);
  raw.size = sizeof in6;
  EXPECT_EQ(internal::from_sockaddr(raw), mapped);
}

TEST(net_address, knows_a_socket_that_is_connected_to_itself) {
  int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto const any = internal::to_sockaddr(address::tcp(ip_address::loopback_v4(), 0));
  ASSERT_EQ(::bind(fd, any->data(), any->size), 0);
  EXPECT_FALSE(internal::is_connected_to_itself(fd));
  auto const self = internal::to_sockaddr(internal::local_address_of(fd));
  ASSERT_EQ(::connect(fd, self->data(), self->size), 0);
  EXPECT_TRUE(internal::is_connected_to_itself(fd));
  ::close(fd);
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  EXPECT_FALSE(internal::is_connected_to_itself(pair[0]));
  for (int const end : pair) ::close(end);
}

TEST(net_address, a_unix_path_must_fit) {
  auto const failure = [](std::string const& path) {
    return internal::to_sockaddr(address::unix_path(path)).error().message();
  };
  EXPECT_TRUE(internal::to_sockaddr(address::unix_path(std::string(107, 'x'))));
  EXPECT_EQ(failure(std::string(108, 'x')),
            "the path of a unix socket has 108 bytes, at most 107 fit");
  EXPECT_EQ(failure(""), "the path of a unix socket is empty");
  EXPECT_EQ(failure("@"), "the path of a unix socket is empty");
  EXPECT_EQ(failure(std::string("a\0b", 3)), "the path of a unix socket has a zero byte in it");
}

TEST(net_host_port, splits_and_joins) {
  struct row {
    char const* text;
    char const* host;
    char const* port;
  };
  for (row const& r :
       {row{"localhost:http", "localhost", "http"}, row{"127.0.0.1:0", "127.0.0.1", "0"},
        row{":80", "", "80"}, row{"[::1]:80", "::1", "80"},
        row{"[fe80::1%eth0]:80", "fe80::1%eth0", "80"}, row{"a:", "a", ""}}) {
    auto const parts = split_host_port(r.text);
    ASSERT_TRUE(parts) << r.text;
    EXPECT_EQ(parts->host, r.host);
    EXPECT_EQ(parts->port, r.port);
    EXPECT_EQ(join_host_port(r.host, r.port), r.text);
  }
}

TEST(net_host_port, says_what_is_wrong) {
  auto const failure = [](char const* text) { return split_host_port(text).error().message(); };
  EXPECT_EQ(failure("localhost"), "address \"localhost\": missing port");
  EXPECT_EQ(failure(""), "address \"\": missing port");
  EXPECT_EQ(failure("::1:80"),
            "address \"::1:80\": an IPv6 address with a port needs brackets: [::1]:80");
  EXPECT_EQ(failure("[::1]"), "address \"[::1]\": missing port");
  EXPECT_EQ(failure("[::1:80"), "address \"[::1:80\": missing ']'");
  EXPECT_EQ(failure("a]:80"), "address \"a]:80\": unexpected bracket");
  EXPECT_EQ(failure("[a[b]:80"), "address \"[a[b]:80\": unexpected bracket");
}

TEST(net_endpoint, refuses_unknown_networks_and_ports) {
  auto const failure = [](char const* network, std::string_view address) {
    return internal::parse_endpoint(network, address).error().message();
  };
  EXPECT_EQ(failure("udp", "a:1"), "unknown network \"udp\"; there are tcp, tcp4, tcp6 and unix");
  EXPECT_EQ(failure("tcp", "a:http"), "port \"http\" is not a number from 0 to 65535");
  EXPECT_EQ(failure("tcp", "a:65536"), "port \"65536\" is not a number from 0 to 65535");
  EXPECT_EQ(failure("tcp", "a:-1"), "port \"-1\" is not a number from 0 to 65535");
  EXPECT_EQ(failure("tcp", std::string_view("localhost\0.evil.test:1", 22)),
            "the address has a zero byte in it");
  EXPECT_EQ(failure("tcp", "a:"), "port \"\" is not a number from 0 to 65535");
}

TEST(net_op_error, reads_as_a_sentence) {
  error const refused = errors::from_errno(ECONNREFUSED);
  auto const text = [&](op_error::operation op) {
    return errors::make_typed<op_error>(op, "tcp", "10.0.0.1:5432", refused).message();
  };
  using operation = op_error::operation;
  EXPECT_EQ(text(operation::dial), "connect to 10.0.0.1:5432: connection refused");
  EXPECT_EQ(text(operation::listen), "listen tcp 10.0.0.1:5432: connection refused");
  EXPECT_EQ(text(operation::accept), "accept on 10.0.0.1:5432: connection refused");
  EXPECT_EQ(text(operation::read), "read from 10.0.0.1:5432: connection refused");
  EXPECT_EQ(text(operation::write), "write to 10.0.0.1:5432: connection refused");
  EXPECT_EQ(text(operation::wait), "wait for 10.0.0.1:5432: connection refused");
  EXPECT_EQ(text(operation::lookup), "look up 10.0.0.1:5432: connection refused");
}

TEST(net_op_error, knows_timeouts_and_limits) {
  auto const timeout = [](error cause) {
    error const err = errors::make_typed<op_error>(op_error::operation::read, "tcp", "a", cause);
    return errors::as<op_error>(err)->timeout();
  };
  EXPECT_TRUE(timeout(timed_out));
  EXPECT_TRUE(timeout(context::deadline_exceeded));
  EXPECT_TRUE(timeout(errors::from_errno(ETIMEDOUT)));
  EXPECT_TRUE(timeout(errors::wrap(timed_out, "look up")));
  EXPECT_FALSE(timeout(context::canceled));
  EXPECT_FALSE(timeout(closed));
  EXPECT_TRUE(is_resource_limit(errors::from_errno(EMFILE, "accept")));
  EXPECT_FALSE(is_resource_limit(errors::from_errno(ECONNRESET)));
  EXPECT_FALSE(is_resource_limit(nullptr));
}

}  // namespace
}  // namespace vole::net
