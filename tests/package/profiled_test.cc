// SPDX-License-Identifier: Apache-2.0
// What a program shows in its profiles that was built without frame pointers, with link-time
// optimisation, and stripped; and on which allocators it can be profiled. The programs are in
// VOLE_PROFILED.

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pprof/profile.h"
#include "pprof/read_profile_test.h"

namespace vole::pprof {
namespace {

namespace fs = std::filesystem;

fs::path programs() {
  char const* const folder = std::getenv("VOLE_PROFILED");
  return folder == nullptr ? fs::path() : fs::path(folder);
}

// output_of runs a command line and returns what it prints; a failure fails the test.
std::string output_of(std::string const& command) {
  std::FILE* const pipe = ::popen(command.c_str(), "re");
  if (pipe == nullptr) return {};
  std::string text;
  std::array<char, 4096> piece;
  while (std::size_t const got = std::fread(piece.data(), 1, piece.size(), pipe))
    text.append(piece.data(), got);
  EXPECT_EQ(::pclose(pipe), 0) << command << "\n" << text;
  return text;
}

read_profile profile_in(fs::path const& file) {
  std::ifstream in(file, std::ios::binary);
  std::string const packed(std::istreambuf_iterator<char>(in), {});
  EXPECT_FALSE(packed.empty()) << file;
  read_profile p(gunzip(packed));
  p.check();
  return p;
}

struct taken_profile {
  std::string output;
  read_profile profile;
};
taken_profile take(std::string const& program, std::string const& what,
                   std::string const& preload = "") {
  fs::path const file = programs() / fmt::format("{}.{}.pb.gz", program, what);
  std::string const command = fmt::format(
      "{}{} {} {}", preload.empty() ? "" : "LD_PRELOAD=", preload.empty() ? "" : preload + " ",
      (programs() / program).string() + " " + what, file.string());
  std::string output = output_of(command);
  return {std::move(output), profile_in(file)};
}

std::string name_of(read_profile const& p, std::uint64_t location) {
  auto const& lines = p.locations.at(location).lines;
  return p.text(p.functions.at(lines.back().first).name);
}

// Where a whole stack begins: with a goroutine, with a thread, with the program.
bool is_bottom(std::string_view name) {
  constexpr std::string_view bottoms[] = {"vole_fiber_entry", "start_thread", "clone", "_start",
                                          "__libc_start"};
  return std::ranges::any_of(bottoms, [name](auto b) { return name.find(b) != name.npos; });
}

TEST(profiled, stacks_of_libraries_and_of_code_without_frame_pointers_are_whole) {
  read_profile const p = take("profiled", "cpu").profile;
  std::int64_t all = 0;
  std::int64_t truncated = 0;
  std::int64_t unknown = 0;
  std::map<std::string, std::int64_t> odd_ends;
  for (read_sample const& s : p.samples) {
    std::int64_t const weight = s.values.at(0);
    all += weight;
    // Below the goroutine's first frame stands who created it.
    bool const creator = name_of(p, s.locations.back()).starts_with("created by ");
    auto const frames = std::span(s.locations).first(s.locations.size() - (creator ? 1 : 0));
    std::string const bottom = frames.empty() ? "" : name_of(p, frames.back());
    bool const nameless = std::ranges::any_of(frames, [&](std::uint64_t id) {
      return p.locations.at(id).mapping == 0 || name_of(p, id).starts_with("0x");
    });
    if (!is_bottom(bottom)) {
      truncated += weight;
      odd_ends[fmt::format("{} frames, {} ... {}", s.locations.size(),
                           name_of(p, s.locations.front()), bottom)] += weight;
    }
    if (nameless) unknown += weight;
  }
  ASSERT_GT(all, 0);
  double const share = 100.0 * static_cast<double>(truncated + unknown) / static_cast<double>(all);
  fmt::print("{} samples, {} truncated, {} with an unknown frame: {:.2f} %\n", all, truncated,
             unknown, share);
  for (auto const& [end, weight] : odd_ends) fmt::print("  {} times {}\n", weight, end);
  EXPECT_LE(share, 1.0);
  for (char const* function :
       {"own_code", "qsort", "deflate", "EVP_DigestSign", "sqlite3_exec", "PQunescapeBytea"}) {
    EXPECT_GT(p.value_of(function, 0), 0) << function;
  }
}

// The stacks through `function`, each frame as the file it lies in and where there.
std::set<std::vector<std::string>> places(read_profile const& p, std::string const& function) {
  std::set<std::vector<std::string>> all;
  for (read_sample const& s : p.samples) {
    std::vector<std::string> stack;
    bool through = false;
    for (std::uint64_t const id : s.locations) {
      read_location const& at = p.locations.at(id);
      read_mapping const& m = p.mappings.at(at.mapping);
      stack.push_back(fmt::format("{}+{:#x}", p.text(m.build_id), at.address - m.start));
      through |= name_of(p, id).find(function) != std::string::npos;
    }
    if (through) all.insert(std::move(stack));
  }
  return all;
}

// What pprof's -base and -diff_base match by.
TEST(profiled, places_are_the_same_in_each_run_of_the_program) {
  read_profile const first = take("profiled", "heap").profile;
  read_profile const second = take("profiled", "heap").profile;
  for (char const* function : {"deflateInit2_", "PQconninfoParse", "with_allocations"}) {
    EXPECT_FALSE(places(first, function).empty()) << function;
    EXPECT_EQ(places(first, function), places(second, function)) << function;
  }
}

// kept takes a profile into a file that the next one does not overwrite.
fs::path kept(std::string const& what, std::string const& name) {
  take("profiled", what);
  fs::path const to = programs() / fmt::format("{}.{}.pb.gz", name, what);
  fs::rename(programs() / fmt::format("profiled.{}.pb.gz", what), to);
  return to;
}

std::uintptr_t start_of_program(read_profile const& p) {
  return p.mappings.at(1).start;
}

std::string go_pprof(std::string const& words, fs::path const& base, fs::path const& profile) {
  return output_of(
      fmt::format("PPROF_TMPDIR={0} PPROF_BINARY_PATH={0} go tool pprof {1} -diff_base {2} "
                  "{3} 2>&1",
                  programs().string(), words, base.string(), profile.string()));
}

// Two runs allocate the same, at other addresses: nothing is left of their difference, not even by
// address, where each place counts by itself.
TEST(profiled, go_tool_pprof_takes_a_run_off_another_one) {
  if (output_of("command -v go || true").empty()) GTEST_SKIP() << "go is not on the PATH";
  fs::path const before = kept("heap", "before");
  fs::path const after = kept("heap", "after");
  ASSERT_NE(start_of_program(profile_in(before)), start_of_program(profile_in(after)))
      << "the loader put both at the same address: nothing is shown";
  for (char const* granularity : {"functions", "lines", "addresses"}) {
    std::string const text =
        go_pprof(fmt::format("-top -nodefraction=0 -focus=with_allocations -{}", granularity),
                 before, after);
    EXPECT_NE(text.find("Showing nodes accounting for 0, 0% of "), text.npos) << text;
  }
  // It does not come to nothing for want of samples.
  std::string const whole = output_of(fmt::format(
      "go tool pprof -top -cum -addresses -focus=with_allocations {} 2>&1", after.string()));
  EXPECT_NE(whole.find("deflateInit2_"), whole.npos) << whole;
  EXPECT_NE(whole.find("with_allocations"), whole.npos) << whole;
  std::string const cpu = go_pprof("-top -cum", kept("cpu", "before"), kept("cpu", "after"));
  EXPECT_NE(cpu.find("Type: cpu"), cpu.npos) << cpu;
  // One of them may have had the same number of samples twice; not all six.
  auto const shown = [&](char const* part) { return cpu.find(part) != cpu.npos; };
  constexpr std::array parts{"own_code",   "in_libc",   "in_zlib",
                             "in_openssl", "in_sqlite", "in_libpq"};
  EXPECT_TRUE(std::ranges::any_of(parts, shown)) << cpu;
}

constexpr std::size_t inuse_bytes = 3;

void expect_allocations_of_all(read_profile const& p) {
  EXPECT_GT(p.value_of("PQconninfoParse", inuse_bytes), 1'000);
  EXPECT_GT(p.value_of("sqlite3_exec", inuse_bytes), 100'000);
  EXPECT_GT(p.value_of("EVP_PKEY_Q_keygen", inuse_bytes), 500);
  EXPECT_GT(p.value_of("deflateInit2_", inuse_bytes), 200'000);
  EXPECT_GE(p.value_of("by_new", inuse_bytes), 300'000);
}

// A way to bring an allocator, and what the heap profile sees of it.
struct linking {
  char const* name;
  char const* program;
  char const* preload;
  char const* allocator;
  bool sampled;
};
constexpr linking linkings[] = {
    {"glibc", "profiled", "", "glibc", true},
    {"jemalloc_preloaded", "profiled", "libjemalloc.so.2", "jemalloc", true},
    {"jemalloc_linked", "profiled_jemalloc", "", "jemalloc", true},
    {"jemalloc_static", "profiled_jemalloc_static", "", "jemalloc", false},
    {"mimalloc_preloaded", "profiled", "libmimalloc.so.2", "mimalloc", true},
    {"mimalloc_linked", "profiled_mimalloc", "", "mimalloc", true},
};

class allocators : public ::testing::TestWithParam<linking> {};

TEST_P(allocators, serve_the_program_and_are_sampled) {
  linking const& how = GetParam();
  if (!fs::exists(programs() / how.program)) {
    GTEST_SKIP() << how.allocator << " is not installed: no " << how.program;
  }
  std::string const preload = how.preload;
  if (!preload.empty()) {
    std::string const known = output_of("/sbin/ldconfig -p");
    if (known.find(preload) == known.npos) GTEST_SKIP() << preload << " is not installed";
  }
  auto const [output, profile] = take(how.program, "heap", preload);
  EXPECT_EQ(output, fmt::format("allocator {}\n", how.allocator));
  if (how.sampled) {
    expect_allocations_of_all(profile);
  } else {
    EXPECT_EQ(profile.value_of("deflateInit2_", inuse_bytes), 0);
  }
  EXPECT_EQ(profile.has_comment("nothing is sampled here"), !how.sampled);
}

INSTANTIATE_TEST_SUITE_P(profiled, allocators, ::testing::ValuesIn(linkings),
                         [](auto const& info) { return info.param.name; });

}  // namespace
}  // namespace vole::pprof
