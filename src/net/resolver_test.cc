// SPDX-License-Identifier: Apache-2.0
#include "net/resolver.h"

#include <chrono>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>

#include "vole/go.h"
#include "vole/runtime.h"
#include "vole/sync.h"
#include "vole/testing.h"

namespace vole::net {
namespace {

using namespace std::chrono_literals;
using internal::blocking_resolver;

context const ctx = context::background();

// What a name service is when it does not answer: it stops its thread until the test lets it go.
class stuck_service {
 public:
  stuck_service() { EXPECT_EQ(::pipe2(fds_, O_CLOEXEC), 0); }
  ~stuck_service() {
    for (int const fd : fds_) ::close(fd);
  }
  blocking_resolver::answer ask(std::string const&) {
    int const now = ++asking;
    int most = most_at_once;
    while (now > most && !most_at_once.compare_exchange_weak(most, now)) {
    }
    char one;
    EXPECT_EQ(::read(fds_[0], &one, 1), 1);
    --asking;
    return std::vector{ip_address::loopback_v4()};
  }
  void answer_one() { EXPECT_EQ(::write(fds_[1], "x", 1), 1); }

  internal::atomic<int> asking{0};
  internal::atomic<int> most_at_once{0};

 private:
  int fds_[2];
};

// Look-ups may outlive their callers: each keeps the service.
blocking_resolver resolver_of(std::shared_ptr<stuck_service> const& service, std::int64_t at_once) {
  return {[service](std::string const& host) { return service->ask(host); }, at_once};
}

TEST(net_resolver, finds_this_machine) {
  auto const ips = system_resolver().lookup(ctx, "localhost");
  ASSERT_TRUE(ips) << ips.error().message();
  for (ip_address const& ip : *ips) EXPECT_TRUE(ip.is_loopback()) << ip.text();
}

TEST(net_resolver, says_which_name_does_not_exist) {
  blocking_resolver names(
      [](std::string const&) -> blocking_resolver::answer { return no_such_host; }, 1);
  auto const ips = names.lookup(ctx, "nowhere.test");
  ASSERT_FALSE(ips);
  EXPECT_EQ(ips.error().message(), "look up nowhere.test: no such host");
  EXPECT_TRUE(errors::is(ips.error(), no_such_host));
}

TEST(net_resolver, asks_for_no_name_that_the_system_would_cut_short) {
  int asked = 0;
  blocking_resolver names(
      [&asked](std::string const&) -> blocking_resolver::answer {
        ++asked;
        return std::vector{ip_address::loopback_v4()};
      },
      1);
  auto const ips = names.lookup(ctx, std::string_view("localhost\0.test", 15));
  ASSERT_FALSE(ips);
  EXPECT_TRUE(errors::is(ips.error(), no_such_host)) << ips.error().message();
  EXPECT_EQ(asked, 0);
}

TEST(net_resolver, lets_its_caller_go_when_the_context_ends) {
  auto const service = std::make_shared<stuck_service>();
  blocking_resolver names = resolver_of(service, 4);
  auto const [bounded, cancel] = context::with_timeout(ctx, 5ms);
  auto const ips = names.lookup(bounded, "slow.test");
  ASSERT_FALSE(ips);
  EXPECT_EQ(ips.error().message(), "look up slow.test: context deadline exceeded");
  EXPECT_TRUE(errors::as<op_error>(ips.error())->timeout());
  service->answer_one();
}

TEST(net_resolver, runs_no_more_at_once_than_it_may) {
  auto const service = std::make_shared<stuck_service>();
  blocking_resolver names = resolver_of(service, 2);
  sync::wait_group wg;
  for (int i = 0; i < 6; ++i) {
    wg.go([&] { EXPECT_TRUE(names.lookup(ctx, "slow.test")); });
  }
  testing::wait_until_parked(6);  // the callers; their look-ups are on their way
  while (service->asking.load() < 2) runtime::yield();
  auto const [bounded, cancel] = context::with_timeout(ctx, 1ms);
  EXPECT_FALSE(names.lookup(bounded, "one.too.many.test"));
  for (int i = 0; i < 6; ++i) service->answer_one();
  wg.wait();
  EXPECT_EQ(service->most_at_once.load(), 2);
}

}  // namespace
}  // namespace vole::net
