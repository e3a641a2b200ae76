// SPDX-License-Identifier: Apache-2.0
// What memory pressure is read from, and who is asked then.
#include "runtime/pressure.h"

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "vole/go.h"
#include "vole/runtime.h"

#include "runtime/latch_test.h"

namespace vole::internal {
namespace {

TEST(pressure, stall_is_the_total_of_the_first_line) {
  EXPECT_EQ(memory_stall_us("some avg10=1.53 avg60=0.87 avg300=0.00 total=42421\n"
                            "full avg10=0.00 avg60=0.00 avg300=0.00 total=9\n"),
            42421U);
  EXPECT_EQ(memory_stall_us("some avg10=0.00 avg60=0.00 avg300=0.00 total=0"), 0U);
  EXPECT_EQ(memory_stall_us(""), 0U);
  EXPECT_EQ(memory_stall_us("full total=7\n"), 0U);
  EXPECT_EQ(memory_stall_us("some total="), 0U);
}

TEST(pressure, file_of_the_machine_stands_for_a_group_without_one) {
  auto const path = [](std::string const& cgroup) {
    char to[64];
    pressure_path(cgroup, to, sizeof to);
    return std::string(to);
  };
  std::string const machine = "/proc/pressure/memory";
  EXPECT_EQ(path(""), machine);
  EXPECT_EQ(path("0::/\n"), machine);
  EXPECT_EQ(path("4:memory:/jobs\n1:cpu:/\n"), machine);
  EXPECT_EQ(path("1:cpu:/\n0::/there/is/no/such/group\n"), machine);
  EXPECT_EQ(path("0::/" + std::string(500, 'x')), machine);
}

TEST(pressure, all_who_are_registered_are_asked) {
  struct holder {
    std::unique_ptr<std::shared_ptr<int>> kept;
    reclaimer own{this, [](void* self, relief need, std::vector<garbage>& out) {
                    auto& kept = static_cast<holder*>(self)->kept;
                    if (kept == nullptr || need == relief::unused) return;
                    out.push_back({kept.release(), [](void* object) {
                                     delete static_cast<std::shared_ptr<int>*>(object);
                                   }});
                  }};
  };
  auto const held = std::make_shared<int>(1);
  auto a = std::make_unique<holder>();
  auto b = std::make_unique<holder>();
  auto c = std::make_unique<holder>();
  for (auto* h : {&a, &b, &c}) (*h)->kept = std::make_unique<std::shared_ptr<int>>(held);
  b.reset();  // out of the middle of the list
  EXPECT_TRUE(pressure_watched());
  EXPECT_EQ(held.use_count(), 3);
  relieve_memory(relief::unused);
  EXPECT_EQ(held.use_count(), 3);
  relieve_memory(relief::all);
  EXPECT_EQ(held.use_count(), 1);
  relieve_memory(relief::all);
}

TEST(pressure, what_is_kept_is_known_until_it_goes) {
  reclaimer own(nullptr, [](void*, relief, std::vector<garbage>&) {});
  EXPECT_FALSE(something_is_kept());
  own.keeps(true);
  EXPECT_TRUE(something_is_kept());
  own.keeps(false);
  EXPECT_FALSE(something_is_kept());
}

TEST(pressure, owner_ends_after_what_it_has_handed_over) {
  struct held {
    gate begun;
    gate may_end;
    atomic<bool> destroyed{false};
  };
  struct owner {
    held* kept;
    reclaimer own{this, [](void* self, relief, std::vector<garbage>& out) {
                    out.push_back({static_cast<owner*>(self)->kept, [](void* object) {
                                     auto& h = *static_cast<held*>(object);
                                     while (!h.begun.wake_one()) runtime::yield();
                                     h.may_end.wait();
                                     h.destroyed.store(true);
                                   }});
                  }};
  };
  run([] {
    held object;
    auto own = std::make_unique<owner>(&object);
    latch done(2);
    go([&] {
      relieve_memory(relief::all);
      done.count_down();
    });
    object.begun.wait();
    go([&] {
      own.reset();
      EXPECT_TRUE(object.destroyed.load());
      done.count_down();
    });
    for (int i = 0; i < 100; ++i) runtime::yield();  // it ends now, or waits
    while (!object.may_end.wake_one()) runtime::yield();
    done.wait();
  });
}

}  // namespace
}  // namespace vole::internal
