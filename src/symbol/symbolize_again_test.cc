// SPDX-License-Identifier: Apache-2.0
// A thread that reads symbols and is made to ask for some, as by a panic in the middle of it.
#include <cstdlib>
#include <gtest/gtest.h>
#include <new>
#include <string>
#include <vector>

#include "symbol/symbolize.h"

namespace {

bool asks_again = false;  // at each allocation
std::vector<std::string> answers;

void ask_again() {
  if (!asks_again) return;
  asks_again = false;
  auto const pc = reinterpret_cast<std::uintptr_t>(&ask_again) + 1;
  answers.push_back(vole::symbol::symbolize(pc).frames.back().function);
  asks_again = true;
}

}  // namespace

// Of the whole program: the compiler must not join them with what they stand for.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ask_again();
  void* const block = std::malloc(bytes);
  if (block == nullptr) std::abort();
  return block;
}
[[gnu::noinline]] void operator delete(void* block) noexcept {
  std::free(block);
}
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}

namespace vole::symbol {
namespace {

TEST(symbolize, gives_addresses_to_who_asks_from_inside_of_it) {
  auto const pc = reinterpret_cast<std::uintptr_t>(&ask_again) + 1;
  answers.reserve(100'000);
  release_symbols();  // it exists from here on
  asks_again = true;
  std::string const name = symbolize(pc).frames.back().function;
  asks_again = false;
  EXPECT_NE(name.find("ask_again"), std::string::npos) << name;
  std::size_t inside = 0;
  for (std::string const& a : answers) inside += a.starts_with("0x") ? 1 : 0;
  EXPECT_GT(inside, 0U);
  EXPECT_LT(inside, answers.size());  // it allocates before it holds the lock, too
  answers = {};
}

}  // namespace
}  // namespace vole::symbol
