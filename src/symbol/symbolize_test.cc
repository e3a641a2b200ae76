// SPDX-License-Identifier: Apache-2.0
#include "symbol/symbolize.h"

#include <algorithm>
#include <cstdint>
#include <dlfcn.h>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

#include "symbol/demangle.h"
#include "symbol/modules.h"

namespace vole::symbol {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

// Where the call of here() stands, once it is inlined.
[[gnu::always_inline]] inline std::uintptr_t here() {
  std::uintptr_t pc = 0;
#if defined(__x86_64__)
  asm volatile("lea -7(%%rip), %0" : "=r"(pc));
#else
  asm volatile("adr %0, ." : "=r"(pc));
#endif
  return pc;
}

constexpr int inner_line = __LINE__ + 2;
[[gnu::always_inline]] inline std::uintptr_t inner_probe() {
  return here();
}

template <class T>
struct outer {
  static constexpr int line = __LINE__ + 1;
  [[gnu::noipa]] static std::uintptr_t probe(T) { return inner_probe(); }
};

TEST(symbolize, names_function_file_and_line_with_what_was_inlined) {
  symbolized const found = symbolize(outer<int>::probe(0));
  ASSERT_EQ(found.frames.size(), 3U);
  EXPECT_THAT(found.frames[0].function, HasSubstr("here"));
  EXPECT_TRUE(found.frames[0].inlined);
  EXPECT_THAT(found.frames[1].function, HasSubstr("inner_probe"));
  EXPECT_EQ(found.frames[1].line, inner_line);
  EXPECT_TRUE(found.frames[1].inlined);
  source_frame const& real = found.frames[2];
  EXPECT_EQ(real.function, "vole::symbol::(anonymous namespace)::outer<int>::probe(int)");
  EXPECT_THAT(real.mangled, testing::StartsWith("_ZN4vole6symbol"));
  EXPECT_THAT(real.file, EndsWith("/src/symbol/symbolize_test.cc"));
  EXPECT_EQ(real.line, outer<int>::line);
  EXPECT_FALSE(real.inlined);
}

[[gnu::noipa]] std::uintptr_t calls_a_lambda() {
  auto const probe = [] [[gnu::always_inline]] { return here(); };
  return probe();
}

TEST(symbolize, names_an_inlined_lambda_by_its_function) {
  symbolized const found = symbolize(calls_a_lambda());
  ASSERT_EQ(found.frames.size(), 3U);
  EXPECT_EQ(found.frames[1].function,
            "vole::symbol::(anonymous namespace)::calls_a_lambda::{lambda}::operator()");
}

TEST(symbolize, gives_the_functions_start) {
  symbolized const found = symbolize(outer<int>::probe(0));
  EXPECT_EQ(found.function_start, reinterpret_cast<std::uintptr_t>(&outer<int>::probe));
}

TEST(symbolize, keeps_the_order_of_a_batch) {
  std::uintptr_t const a = outer<int>::probe(0);
  std::uintptr_t const b = outer<long>::probe(0);
  std::vector<std::uintptr_t> const pcs = {b, a, 0, b};
  auto const found = symbolize(pcs);
  ASSERT_EQ(found.size(), 4U);
  EXPECT_THAT(found[0].frames.back().function, HasSubstr("outer<long>"));
  EXPECT_THAT(found[1].frames.back().function, HasSubstr("outer<int>"));
  EXPECT_EQ(found[2].frames.back().function, "0x0");
  EXPECT_EQ(found[3].pc, b);
}

TEST(symbolize, names_functions_of_a_stripped_shared_library) {
  auto const pc = reinterpret_cast<std::uintptr_t>(::dlsym(RTLD_DEFAULT, "getpid"));
  EXPECT_EQ(symbolize(pc).frames.back().function, "getpid");
  EXPECT_EQ(symbol_name(pc), "getpid");
}

TEST(symbolize, names_functions_of_the_vdso) {
  void* const vdso = ::dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);
  if (vdso == nullptr) GTEST_SKIP() << "this kernel maps no vdso";
  auto const pc = reinterpret_cast<std::uintptr_t>(::dlsym(vdso, "__vdso_clock_gettime"));
  if (pc == 0) GTEST_SKIP() << "this vdso has no __vdso_clock_gettime";
  EXPECT_THAT(symbol_name(pc), HasSubstr("clock_gettime"));
}

TEST(symbolize, says_where_a_nameless_pc_lies) {
  auto const all = modules();
  auto const libc = std::ranges::find_if(
      all, [](module const& m) { return m.path.find("/libc.so") != std::string::npos; });
  ASSERT_NE(libc, all.end());
  EXPECT_THAT(symbol_name(libc->start), HasSubstr("libc.so.6+0x"));
  EXPECT_EQ(symbol_name(16), "0x10");
}

TEST(symbolize, reads_afresh_after_release) {
  std::uintptr_t const pc = outer<int>::probe(0);
  auto const before = symbolize(pc);
  release_symbols();
  EXPECT_EQ(symbolize(pc).frames.back().function, before.frames.back().function);
}

// Every 8 bytes of libc's code: more places than are kept.
TEST(symbolize, keeps_no_more_than_its_bound) {
  constexpr std::uintptr_t step = 8;
  constexpr std::size_t in_a_batch = 4096;
  auto const all = modules();
  auto const libc = std::ranges::find_if(
      all, [](module const& m) { return m.path.find("/libc.so") != std::string::npos; });
  ASSERT_NE(libc, all.end());
  release_symbols();
  std::size_t most = 0;
  bool has_forgotten = false;
  std::vector<std::uintptr_t> batch;
  for (std::uintptr_t pc = libc->start; pc + step <= libc->end && !has_forgotten; pc += step) {
    batch.push_back(pc);
    if (batch.size() < in_a_batch) continue;
    symbolize(batch);
    std::size_t const kept = symbol_bytes();
    ASSERT_LE(kept, symbol_bytes_max);
    has_forgotten |= kept < most;
    most = std::max(most, kept);
    batch.clear();
  }
  EXPECT_GT(most, symbol_bytes_max / 4);
  EXPECT_TRUE(has_forgotten) << most;
  auto const pc = reinterpret_cast<std::uintptr_t>(::dlsym(RTLD_DEFAULT, "getpid"));
  EXPECT_EQ(symbolize(pc).frames.back().function, "getpid");
  release_symbols();
  EXPECT_EQ(symbol_bytes(), 0U);
}

// While it lives the process can open nothing.
class no_descriptors {
 public:
  no_descriptors() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit const none{.rlim_cur = 0, .rlim_max = before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~no_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  no_descriptors(no_descriptors const&) = delete;
  no_descriptors& operator=(no_descriptors const&) = delete;

 private:
  rlimit before_{};
};

TEST(symbolize, names_later_what_it_could_not_open_before) {
  release_symbols();
  std::uintptr_t const pc = outer<short>::probe(0);
  {
    no_descriptors const here;
    EXPECT_THAT(symbolize(pc).frames.back().function, HasSubstr("vole_symbol_test+0x"));
  }
  EXPECT_THAT(symbolize(pc).frames.back().function, HasSubstr("outer<short>"));
}

std::size_t mappings_of_this_program() {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) {
    count += line.find("vole_symbol_test") == std::string::npos ? 0 : 1;
  }
  return count;
}

TEST(symbolize, closes_what_it_has_read) {
  release_symbols();
  std::size_t const before = mappings_of_this_program();
  ASSERT_GT(before, 0U);
  symbolized const found = symbolize(outer<int>::probe(0));
  EXPECT_EQ(found.frames.back().line, outer<int>::line);
  EXPECT_EQ(mappings_of_this_program(), before);
  EXPECT_GT(symbol_bytes(), 0U);
}

TEST(modules, list_the_program_first) {
  auto const all = modules();
  ASSERT_FALSE(all.empty());
  EXPECT_TRUE(all.front().is_main);
  char self[4096];
  ssize_t const size = ::readlink("/proc/self/exe", self, sizeof(self));
  ASSERT_GT(size, 0);
  EXPECT_EQ(all.front().path, std::string(self, static_cast<std::size_t>(size)));
  auto const pc = reinterpret_cast<std::uintptr_t>(&outer<int>::probe);
  EXPECT_LE(all.front().start, pc);
  EXPECT_GT(all.front().end, pc);
  EXPECT_EQ(all.front().start % static_cast<std::uintptr_t>(::getpagesize()), 0U);
}

TEST(modules, know_the_build_id_of_libc) {
  for (module const& m : modules()) {
    if (m.path.find("/libc.so") == std::string::npos) continue;
    EXPECT_EQ(m.build_id.size(), 40U);
    EXPECT_FALSE(m.is_main);
    EXPECT_GT(m.file_offset, 0U);
  }
}

TEST(demangle, reads_types_and_functions) {
  EXPECT_EQ(demangle("_ZN4vole2goEv"), "vole::go()");
  EXPECT_EQ(demangle("main"), "main");
  EXPECT_EQ(demangle("i"), "i");
  EXPECT_EQ(demangle_type("i"), "int");
  EXPECT_EQ(demangle("_Znonsense"), "_Znonsense");
}

}  // namespace
}  // namespace vole::symbol
