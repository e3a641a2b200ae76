// SPDX-License-Identifier: Apache-2.0
#include "pprof/goroutine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/pprof.h"
#include "vole/testing.h"

namespace vole::pprof {
namespace {

using internal::goroutine_state;
using internal::wait_reason;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

internal::goroutine_snapshot waiting_for(wait_reason why, duration age) {
  internal::goroutine_snapshot g;
  g.state = goroutine_state::parked;
  g.why = why;
  g.waiting = age;
  return g;
}

TEST(pprof_goroutineleak, suspects_who_waits_long_for_another_goroutine) {
  constexpr duration almost = leak_age - std::chrono::nanoseconds(1);
  for (wait_reason const why :
       {wait_reason::chan_receive, wait_reason::chan_send, wait_reason::select,
        wait_reason::mutex_lock, wait_reason::wait_group_wait, wait_reason::task_wait}) {
    EXPECT_TRUE(is_leak_suspect(waiting_for(why, leak_age)));
    EXPECT_FALSE(is_leak_suspect(waiting_for(why, almost)));
  }
}

TEST(pprof_goroutineleak, suspects_at_once_who_waits_for_nothing) {
  for (wait_reason const why :
       {wait_reason::chan_receive_nil, wait_reason::chan_send_nil, wait_reason::select_no_cases}) {
    EXPECT_TRUE(is_leak_suspect(waiting_for(why, {})));
  }
}

TEST(pprof_goroutineleak, time_and_connections_are_no_leak_nor_is_work) {
  for (wait_reason const why : {wait_reason::sleep, wait_reason::io_wait, wait_reason::main_wait}) {
    EXPECT_FALSE(is_leak_suspect(waiting_for(why, 100 * leak_age)));
  }
  auto running = waiting_for(wait_reason::chan_receive, leak_age);
  running.state = goroutine_state::running;
  EXPECT_FALSE(is_leak_suspect(running));
}

TEST(pprof_goroutineleak, shows_those_and_no_others) {
  chan<int> nothing(0);
  go([nothing] { static_cast<void>(nothing.recv()); });
  testing::wait_until_parked(1);
  profile const* const leaks = lookup("goroutineleak");
  ASSERT_NE(leaks, nullptr);
  EXPECT_EQ(leaks->count(), 0U);
  EXPECT_THAT(leaks->write(1), StartsWith("goroutineleak profile: total 0\n"));
  EXPECT_EQ(leaks->write(2), "");
  EXPECT_THAT(lookup("goroutine")->write(2), ContainsRegex("goroutine [0-9]+ \\[chan receive\\]:"));
  nothing.close();
}

TEST(pprof_goroutine, has_a_place_for_each_even_for_those_that_move_meanwhile) {
  chan<int> to(0), back(0);
  internal::atomic<bool> enough{false};
  chan<unit> ended(0);
  go([&enough, to, back, ended] {
    while (!enough.load()) back.send(*to.recv());
    to.recv();
    back.close();
    ended.close();
  });
  go([to, back] {
    while (back.recv()) to.send(1);
  });
  to.send(1);
  profile const* const all = lookup("goroutine");
  for (int look = 0; look < 500; ++look) {
    EXPECT_THAT(all->write(1), Not(HasSubstr("@\n")));  // which no reader of profiles takes
  }
  enough.store(true);
  ended.recv();
}

}  // namespace
}  // namespace vole::pprof
