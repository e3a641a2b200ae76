// SPDX-License-Identifier: Apache-2.0
// What errors must not cost: this program counts its allocations.
#include <cerrno>
#include <cstdlib>
#include <gtest/gtest.h>
#include <new>
#include <utility>

#include "vole/attr.h"
#include "vole/internal/atomic.h"
#include "vole/result.h"

namespace {
constinit vole::internal::atomic<std::size_t> allocations{0};
}  // namespace

// Not inlined: where only one of a pair is, GCC 12 sees malloc without free.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  allocations.fetch_add(1, vole::internal::memory_order_relaxed);
  if (void* const memory = std::malloc(bytes)) return memory;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace vole {
namespace {

inline constinit errors::sentinel no_rows{"sql: no rows"};

struct code_error : errors::typed_base {
  std::string message() const override { return "code"; }
};

template <class Fn>
std::size_t allocations_in(Fn fn) {
  std::size_t const before = allocations.load(internal::memory_order_relaxed);
  fn();
  return allocations.load(internal::memory_order_relaxed) - before;
}

[[gnu::noinline]] error succeed() {
  return nullptr;
}
[[gnu::noinline]] result<int> answer(bool good) {
  if (!good) return no_rows;
  return 42;
}
result<int> ask(bool good) {
  VOLE_TRY(succeed(), "prepare {}", "well");
  int const told = VOLE_TRY(answer(good), "ask {}", "kindly");
  return told;
}

TEST(error_cost, success_allocates_nothing) {
  EXPECT_EQ(allocations_in([] {
              error const none = errors::wrap(succeed(), "do {}", "nothing");
              EXPECT_FALSE(errors::with_stack(errors::with_attrs(none, {{"a", 1}})));
              EXPECT_FALSE(errors::join(none, nullptr));
              EXPECT_EQ(*ask(true), 42);
            }),
            0U);
}

TEST(error_cost, sentinels_and_errnos_allocate_nothing) {
  EXPECT_EQ(allocations_in([] {
              error const err = no_rows;
              error const copy = err;
              EXPECT_TRUE(errors::is(copy, no_rows));
              EXPECT_TRUE(errors::is(errors::from_errno(EIO), errors::from_errno(EIO)));
              EXPECT_EQ(errors::as<code_error>(copy), nullptr);
            }),
            0U);
}

TEST(error_cost, a_new_error_or_a_wrap_is_one_allocation) {
  error err;
  EXPECT_EQ(
      allocations_in([&] { err = errors::make("a text that is longer than any string keeps"); }),
      1U);
  EXPECT_EQ(allocations_in([&] { err = errors::wrap(std::move(err), "load user {}", "usr_1"); }),
            1U);
  EXPECT_EQ(allocations_in([&] { err = errors::make_typed<code_error>(); }), 1U);
  EXPECT_EQ(allocations_in([&] { err = errors::join(err, no_rows); }), 1U);
  EXPECT_EQ(allocations_in([&] { EXPECT_TRUE(errors::is(errors::wrap(no_rows, "w"), no_rows)); }),
            1U);
  EXPECT_EQ(allocations_in([] { EXPECT_FALSE(ask(false)); }), 1U);
}

}  // namespace
}  // namespace vole
