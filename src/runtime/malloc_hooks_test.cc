// SPDX-License-Identifier: Apache-2.0
// What the hooks of malloc and operator new count, and what they refuse.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <gtest/gtest.h>
#include <limits>
#include <new>
#include <thread>

#include "runtime/malloc_count.h"
#include "runtime/sanitizer.h"

namespace vole::internal {
namespace {

class malloc_hooks : public ::testing::Test {
 protected:
  void SetUp() override {
    if (VOLE_ASAN || VOLE_TSAN) GTEST_SKIP() << "the sanitizers have a malloc of their own";
  }
};

// The compiler may leave out what is allocated and freed in its sight.
[[gnu::noinline]] void take_and_give_back(std::size_t bytes) {
  void* block = std::malloc(bytes);
  asm volatile("" : "+r"(block) : : "memory");
  std::free(block);
}

TEST_F(malloc_hooks, a_thread_counts_apart_however_many_there_were_before) {
  constexpr std::size_t threads = malloc_count::slots_max + 100;
  constexpr std::size_t bytes = 1000;
  malloc_count::totals const before = malloc_count::read();
  std::size_t with_a_slot = 0;
  for (std::size_t i = 0; i < threads; ++i) {
    std::thread([&with_a_slot] {
      take_and_give_back(bytes);
      with_a_slot += malloc_count::own_slot != nullptr ? 1 : 0;
    }).join();
  }
  malloc_count::totals const after = malloc_count::read();
  EXPECT_EQ(with_a_slot, threads);
  EXPECT_GE(after.blocks - before.blocks, threads);
  EXPECT_GE(after.bytes - before.bytes, threads * bytes);
}

TEST_F(malloc_hooks, what_an_ended_thread_counted_stays_in_the_sum) {
  constexpr std::uint64_t bytes = 1 << 20;
  malloc_count::totals const before = malloc_count::read();
  malloc_count::slot const* at = nullptr;
  std::uint64_t counted = 0;
  std::thread([&] {
    take_and_give_back(bytes);
    at = malloc_count::own_slot;
    counted = at->bytes.load();
  }).join();
  EXPECT_GE(at->bytes.load(), counted);
  EXPECT_GE(malloc_count::read().bytes - before.bytes, bytes);
}

// Not known to the compiler, which warns of such sizes.
std::size_t volatile largest = std::numeric_limits<std::size_t>::max();

using align = std::align_val_t;

TEST_F(malloc_hooks, an_aligned_size_that_no_memory_holds_is_refused) {
  for (std::size_t const less : {std::size_t{0}, std::size_t{1}, std::size_t{62}}) {
    std::size_t const bytes = largest - less;
    EXPECT_THROW(static_cast<void>(::operator new(bytes, align(64))), std::bad_alloc) << less;
    EXPECT_THROW(static_cast<void>(::operator new[](bytes, align(64))), std::bad_alloc) << less;
    EXPECT_EQ(::operator new(bytes, align(64), std::nothrow), nullptr) << less;
    EXPECT_EQ(::operator new[](bytes, align(64), std::nothrow), nullptr) << less;
  }
  EXPECT_THROW(static_cast<void>(::operator new(largest)), std::bad_alloc);
  EXPECT_EQ(std::calloc(largest / 2, 3), nullptr);
  EXPECT_EQ(std::aligned_alloc(64, largest - 63), nullptr);
}

TEST_F(malloc_hooks, an_aligned_size_is_rounded_up_to_the_alignment) {
  for (std::size_t const bytes : {std::size_t{0}, std::size_t{1}, std::size_t{64}}) {
    void* const block = ::operator new(bytes, align(64));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0U) << bytes;
    ::operator delete(block, align(64));
  }
}

}  // namespace
}  // namespace vole::internal
