// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <thread>
#include <vector>

#include "vole/errors.h"

namespace vole::stack_test {

inline constinit errors::sentinel no_rows{"sql: no rows"};

struct code_error : errors::typed_base {
  std::string message() const override { return "code"; }
};

// Calls whose names the stacks show. None is inlined; the empty statement keeps each from leaving
// by a tail call.
[[gnu::noinline]] error innermost(error (*make)()) {
  error made = make();
  asm volatile("" ::: "memory");
  return made;
}
[[gnu::noinline]] error outer(error (*make)()) {
  error made = innermost(make);
  asm volatile("" ::: "memory");
  return made;
}

// capturing switches for a test, and off again.
struct capturing {
  explicit capturing(errors::stacks when, std::uint32_t one_in = 100) {
    errors::capture_stacks(when, one_in);
  }
  ~capturing() { errors::capture_stacks(errors::stacks::off); }
};

bool shows_the_calls(error const& err) {
  auto const frames = errors::stack_of(err);
  std::size_t inner_at = frames.size();
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (frames[i].find("stack_test::innermost") != std::string::npos) inner_at = i;
    if (frames[i].find("stack_test::outer") != std::string::npos) return inner_at < i;
  }
  return false;
}

TEST(error_stack, is_taken_on_demand_and_names_the_calls) {
  error const err = outer([] { return errors::with_stack(errors::wrap(no_rows, "load")); });
  EXPECT_TRUE(shows_the_calls(err)) << err.tree();
  EXPECT_EQ(err.message(), "load: sql: no rows");
  EXPECT_TRUE(errors::is(err, no_rows));
  EXPECT_EQ(errors::unwrap(err), no_rows);
}

TEST(error_stack, does_not_show_how_it_was_taken) {
  error const err = outer([] { return errors::with_stack(errors::make("x")); });
  auto const frames = errors::stack_of(err);
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(frames[0].find("vole::errors::"), std::string::npos) << frames[0];
  EXPECT_EQ(frames[0].find("vole::internal::"), std::string::npos) << frames[0];
}

TEST(error_stack, is_taken_once_for_a_chain) {
  error const err = outer([] { return errors::with_stack(errors::make("x")); });
  EXPECT_EQ(errors::with_stack(err), err);
  error const wrapped = errors::wrap(err, "y");
  EXPECT_EQ(errors::with_stack(wrapped), wrapped);
  EXPECT_EQ(errors::with_stack(nullptr), nullptr);
}

TEST(error_stack, is_not_taken_while_the_switch_is_off) {
  EXPECT_EQ(errors::capturing_stacks(), errors::stacks::off);
  EXPECT_TRUE(errors::stack_of(outer([] { return errors::make("x"); })).empty());
}

TEST(error_stack, of_every_error_shows_where_it_began) {
  capturing const on(errors::stacks::always);
  EXPECT_EQ(errors::capturing_stacks(), errors::stacks::always);
  EXPECT_TRUE(shows_the_calls(outer([] { return errors::make("plain"); })));
  EXPECT_TRUE(shows_the_calls(outer([] { return errors::make("formatted {}", 1); })));
  EXPECT_TRUE(shows_the_calls(outer([] { return errors::make_typed<code_error>(); })));
  EXPECT_TRUE(shows_the_calls(outer([] { return errors::wrap(no_rows, "a sentinel, wrapped"); })));
  EXPECT_TRUE(shows_the_calls(outer([] { return errors::from_errno(EIO, "read"); })));
}

TEST(error_stack, switched_on_changes_no_error) {
  capturing const on(errors::stacks::always);
  error const made = errors::make("made");
  EXPECT_EQ(errors::unwrap(made), nullptr);
  EXPECT_TRUE(errors::is(errors::wrap(made, "w"), made));
  error const typed = errors::wrap(errors::make_typed<code_error>(), "w");
  EXPECT_NE(errors::as<code_error>(typed), nullptr);
  error const system = errors::make_typed<errors::system_error>(EIO);
  EXPECT_TRUE(errors::is(system, errors::from_errno(EIO)));
  EXPECT_TRUE(errors::is(errors::from_errno(EIO), system));
}

TEST(error_stack, of_a_sample_is_taken_about_once_in_n) {
  capturing const on(errors::stacks::sampled, 4);
  int taken = 0;
  for (int i = 0; i < 4000; ++i) {
    error const err = errors::make("x");
    if (errors::with_stack(err) == err) ++taken;  // it brings one along
  }
  // 1000 expected; 6.5 standard deviations of 27 to either side.
  EXPECT_GT(taken, 820);
  EXPECT_LT(taken, 1180);
}

TEST(error_stack, stands_below_its_error_in_the_tree) {
  error const err =
      errors::wrap(outer([] { return errors::with_stack(errors::make("refused")); }), "load");
  EXPECT_THAT(err.tree(), ::testing::StartsWith("load\n  refused\n      at "));
  EXPECT_THAT(err.tree(), ::testing::HasSubstr("\n      at vole::stack_test::outer("));
}

TEST(error_stack, of_a_plain_thread_is_walked_too) {
  error err;
  std::thread([&err] { err = outer([] { return errors::with_stack(errors::make("x")); }); }).join();
  EXPECT_TRUE(shows_the_calls(err)) << err.tree();
}

TEST(error_stack, may_be_switched_while_errors_are_made) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 300; ++i) {
        errors::capture_stacks(i % 2 == t % 2 ? errors::stacks::always : errors::stacks::off);
        error const err = errors::wrap(errors::make("x"), "y");
        ASSERT_EQ(err.message(), "y: x");
      }
    });
  }
  for (auto& thread : threads) thread.join();
  errors::capture_stacks(errors::stacks::off);
}

}  // namespace vole::stack_test
