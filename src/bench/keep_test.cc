// SPDX-License-Identifier: Apache-2.0
// keep() and clobber() as machine code, of GCC and of clang: no work is dropped, nothing is copied.

#include "vole/internal/keep.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vole/context.h"
#include "vole/internal/format.h"
#include "vole/os.h"

namespace {

using namespace vole;

struct instruction {
  std::size_t offset;  // in its function
  std::string text;
};
using functions = std::map<std::string, std::vector<instruction>>;

bool on_path(std::string const& program) {
  return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
}

// disassemble compiles the shapes and returns the instructions of each function.
functions disassemble(std::string const& compiler) {
  std::string folder = std::filesystem::temp_directory_path().string() + "/vole-keep-XXXXXX";
  EXPECT_NE(mkdtemp(folder.data()), nullptr);
  std::string const object = folder + "/shapes.o";
  auto const compiled =
      os::run(context::background(),
              {.argv = {compiler, "-std=c++23", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                        "-fomit-frame-pointer", "-fcf-protection=none", "-ffunction-sections", "-I",
                        VOLE_SOURCE_DIR "/include", "-c",
                        VOLE_SOURCE_DIR "/src/bench/keep_shapes.cc", "-o", object}});
  EXPECT_TRUE(compiled && compiled->status.ok()) << compiled->errors;
  auto const listed = os::run(context::background(),
                              {.argv = {"objdump", "-d", "-r", "--no-show-raw-insn", object}});
  EXPECT_TRUE(listed && listed->status.ok()) << listed->errors;
  functions all;
  std::string name;
  std::istringstream in(listed->output);
  for (std::string line; std::getline(in, line);) {
    if (line.ends_with(">:")) {
      std::size_t const at = line.find('<') + 1;
      name = line.substr(at, line.size() - 2 - at);
    } else if (std::size_t const tab = line.find('\t'); tab != std::string::npos && !name.empty()) {
      all[name].push_back({std::stoul(line, nullptr, 16), line.substr(tab + 1)});
    }
  }
  std::filesystem::remove_all(folder);
  return all;
}

bool has(std::vector<instruction> const& code, std::string_view word) {
  return std::ranges::any_of(code, [&](auto const& i) { return i.text.find(word) != i.text.npos; });
}
std::size_t count(std::vector<instruction> const& code, std::string_view word) {
  return static_cast<std::size_t>(
      std::ranges::count_if(code, [&](auto const& i) { return i.text.find(word) != i.text.npos; }));
}
bool copies(std::vector<instruction> const& code) {
  return has(code, "memcpy") || has(code, "memmove") || has(code, "rep ") || has(code, "rep\t");
}
bool touches_memory(std::vector<instruction> const& code) {
  return has(code, "(%rsp") || has(code, "(%rbp");
}
// Without relocations and what only fills the space between functions.
std::size_t length(std::vector<instruction> const& code) {
  return code.size() - count(code, "R_X86_64") - count(code, "nop") - count(code, "%ax,%ax");
}

// Whether a jump goes back over a multiplication. Jumps name where they go: "jne  1f <name+0xf>".
bool multiplies_in_a_loop(std::vector<instruction> const& code) {
  for (auto at = code.begin(); at != code.end(); ++at) {
    if (!at->text.starts_with("imul")) continue;
    bool const jumped_over = std::any_of(at, code.end(), [&](instruction const& later) {
      auto const plus = later.text.rfind("+0x");
      return later.text.starts_with("j") && plus != std::string::npos &&
             std::stoul(later.text.substr(plus + 3), nullptr, 16) <= at->offset;
    });
    if (jumped_over) return true;
  }
  return false;
}

void check_shapes(functions const& f) {
  auto const code = [&](char const* name) { return f.at(name); };
  // Dead without keep, alive with it, and in a register.
  EXPECT_EQ(length(code("dropped_scalar")), 1U);
  for (char const* name : {"kept_scalar", "kept_scalar_temporary", "kept_scalar_const"}) {
    EXPECT_TRUE(has(code(name), "imul")) << name;
    EXPECT_FALSE(touches_memory(code(name))) << name;
    EXPECT_LE(length(code(name)), 3U) << name;
  }
  for (char const* name : {"kept_double", "kept_double_temporary"}) {
    EXPECT_TRUE(has(code(name), "mulsd")) << name;
    EXPECT_FALSE(touches_memory(code(name))) << name;
    EXPECT_EQ(length(code(name)), 2U) << name;
  }
  // Four KiB: not an instruction but the return.
  for (char const* name : {"kept_big", "kept_big_const"}) {
    EXPECT_EQ(length(code(name)), 1U) << name;
  }
  EXPECT_TRUE(has(code("kept_big_temporary"), "make_big"));
  EXPECT_FALSE(copies(code("kept_big_temporary")));
  EXPECT_LE(length(code("kept_big_temporary")), 6U);  // room on the stack, the call
  EXPECT_TRUE(has(code("kept_pair"), "imul"));
  EXPECT_FALSE(copies(code("kept_pair")));
  // Opaque afterwards.
  EXPECT_TRUE(has(code("changed_by_keep"), "imul"));
  EXPECT_EQ(count(code("clobbered"), ",(%rdi)"), 2U);
  EXPECT_EQ(count(code("not_clobbered"), ",(%rdi)"), 1U);
  // A loop: a jump back and the work, against nothing at all.
  EXPECT_EQ(length(code("dropped_loop")), 1U);
  EXPECT_TRUE(has(code("kept_loop"), "imul"));
  EXPECT_TRUE(has(code("kept_loop"), "j"));
  EXPECT_FALSE(touches_memory(code("kept_loop")));
  // In the turn itself, not once before it.
  EXPECT_TRUE(multiplies_in_a_loop(code("kept_by_loop")));
  EXPECT_TRUE(multiplies_in_a_loop(code("kept_loop")));
  EXPECT_FALSE(has(code("dropped_by_while"), "imul"));
}

void check_compiler(std::string const& compiler) {
#if !defined(__x86_64__)
  GTEST_SKIP() << "the instructions looked for are those of x86-64";
#endif
  if (!on_path(compiler) || !on_path("objdump")) {
    GTEST_SKIP() << compiler << " or objdump is not on the PATH";
  }
  functions const f = disassemble(compiler);
  ASSERT_GE(f.size(), 15U);
  check_shapes(f);
}

TEST(bench_keep, drops_no_work_and_copies_nothing_with_gcc) {
  check_compiler("g++");
}
TEST(bench_keep, drops_no_work_and_copies_nothing_with_clang) {
  check_compiler("clang++-19");
}

TEST(bench_keep, takes_all_kinds_of_things_and_changes_none) {
  enum class color : unsigned char { red, green };
  int array[3] = {1, 2, 3};
  bool yes = true;
  color c = color::green;
  float f = 1.5F;
  long double wide = 2.5L;
  std::string text = "text";
  std::nullptr_t nothing = nullptr;
  int std::pair<int, int>::* member = &std::pair<int, int>::first;
  auto const lambda = [&] { return array[0]; };
  bench::keep(array);
  bench::keep(yes);
  bench::keep(c);
  bench::keep(f);
  bench::keep(wide);
  bench::keep(text);
  bench::keep(nothing);
  bench::keep(member);
  bench::keep(lambda);
  bench::keep(on_path);
  bench::keep(std::string("temporary"));
  bench::keep(std::move(text));
  EXPECT_EQ(array[2], 3);
  EXPECT_TRUE(yes);
  EXPECT_EQ(c, color::green);
  EXPECT_EQ(f, 1.5F);
  EXPECT_EQ(wide, 2.5L);
  EXPECT_EQ(text, "text");
}

}  // namespace
