// SPDX-License-Identifier: Apache-2.0
// Benchmark programs from outside: flags, processes, signals, files, and what Go's tools make of
// them.

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <optional>
#include <poll.h>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>
#include <vector>

#include "vole/context.h"
#include "vole/internal/format.h"
#include "vole/os.h"

#include "bench/result.h"
#include "bench/sink.h"
#include "pprof/reader.h"

namespace vole::bench {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string own_folder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().string();
}

std::string const subject = own_folder() + "/vole_bench_subject";

os::run_result run(std::vector<std::string> argv) {
  auto got = os::run(context::background(), {.argv = std::move(argv)});
  EXPECT_TRUE(got) << fmt::format("{}", got.error());
  return got ? *got : os::run_result{};
}

os::run_result run_subject(std::vector<std::string> args) {
  args.insert(args.begin(), subject);
  return run(std::move(args));
}

std::string capture(std::string const& text, char const* expression) {
  std::smatch found;
  return std::regex_search(text, found, std::regex(expression)) ? found[1].str() : std::string();
}

struct temp_folder {
  temp_folder() {
    path = std::filesystem::temp_directory_path().string() + "/vole-bench-XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
  }
  ~temp_folder() { std::filesystem::remove_all(path); }
  std::string path;
};

TEST(bench_program, bad_flags_are_one_line_and_status_2) {
  for (std::string flag : {"-nonsense", "-benchtime=3", "-bench=(", "-cpu=0", "-skip=("}) {
    os::run_result const seen = run_subject({flag});
    EXPECT_EQ(seen.status.code, 2) << flag;
    EXPECT_EQ(seen.output, "") << flag;
    EXPECT_THAT(seen.errors, StartsWith("vole_bench_subject: ")) << flag;
    EXPECT_EQ(std::count(seen.errors.begin(), seen.errors.end(), '\n'), 1) << seen.errors;
  }
}

TEST(bench_program, results_that_cannot_be_written_end_the_run_and_are_no_success) {
  for (std::string flags : {"-bench=Sum -count=1000000", "-bench=Sum -count=1000000 -cpu=1,2",
                            "-list=Sum", "-help", "-bench=Sum -count=1000000 -json"}) {
    std::string const command = fmt::format("'{}' -benchtime=1x {} >/dev/full", subject, flags);
    os::run_result const seen = run({"/bin/sh", "-c", command});
    EXPECT_EQ(seen.status.code, 1) << flags;
    EXPECT_THAT(seen.errors,
                HasSubstr("vole_bench_subject: write the results to standard output: no space"))
        << flags;
  }
}

TEST(bench_program, ends_when_nobody_reads_its_results) {
  for (std::string flags : {"", "-cpu=1,2"}) {
    std::string const command =
        fmt::format("{{ '{}' -bench=Sum -benchtime=1x -count=1000000 {}; echo $? >&2; }} | head -1",
                    subject, flags);
    os::run_result const seen = run({"/bin/sh", "-c", command});
    EXPECT_EQ(seen.output, "goos: linux\n");
    EXPECT_EQ(seen.errors, fmt::format("{}\n", 128 + SIGPIPE));
  }
}

TEST(bench_program, two_benchmarks_of_one_name_are_refused_with_their_places) {
  setenv("VOLE_SUBJECT_TWICE", "1", 1);
  os::run_result const seen = run_subject({"-bench=EveryFourth", "-benchtime=1x"});
  unsetenv("VOLE_SUBJECT_TWICE");
  EXPECT_EQ(seen.status.code, 2);
  EXPECT_EQ(seen.output, "");
  EXPECT_THAT(seen.errors,
              ContainsRegex("two benchmarks are called BenchmarkSum: [^ ]*subject_bench.cc:[0-9]+ "
                            "and elsewhere.cc:7\n$"));
}

TEST(bench_program, nothing_is_measured_with_a_count_of_0) {
  EXPECT_THAT(run_subject({"-count=0"}).output,
              ContainsRegex("^PASS\nok  \tvole_bench_subject\t[0-9.]+s\n$"));
}

TEST(bench_program, marks_its_lines_for_test2json_as_go_does) {
  EXPECT_THAT(run_subject({"-bench=Sum", "-benchtime=1x", "-v=test2json", "-cpu=1"}).output,
              ContainsRegex("\n\x16=== RUN   BenchmarkSum\nBenchmarkSum\nBenchmarkSum +\t +1\t"
                            " +[0-9.]+ ns/op\n\x16=== NAME  \n\x16PASS\n"));
}

TEST(bench_program, lists_names_and_skips) {
  EXPECT_EQ(run_subject({"-list=S", "-skip=^Sum$"}).output,
            "BenchmarkSevenBlocks\nBenchmarkSizes\n");
  EXPECT_EQ(run_subject({"-list=^BenchmarkS", "-skip=^BenchmarkSum$"}).output,
            "BenchmarkSevenBlocks\nBenchmarkSizes\n");
}

TEST(bench_program, ends_as_go_test_does) {
  os::run_result const good = run_subject({"-bench=Sum", "-benchtime=1x"});
  EXPECT_EQ(good.status.code, 0);
  EXPECT_THAT(good.output, ContainsRegex("\nPASS\nok  \tvole_bench_subject\t[0-9.]+s\n$"));
  EXPECT_EQ(good.errors, "");
  os::run_result const bad = run_subject({"-bench=Fails", "-benchtime=1x"});
  EXPECT_EQ(bad.status.code, 1);
  EXPECT_THAT(bad.output,
              ContainsRegex("^--- FAIL: BenchmarkFails\nFAIL\nFAIL\tvole_bench_subject"));
  EXPECT_EQ(bad.errors, "    BenchmarkFails: as it should\n");
}

TEST(bench_program, an_empty_pattern_runs_none) {
  EXPECT_THAT(run_subject({"-bench="}).output,
              ContainsRegex("^PASS\nok  \tvole_bench_subject\t[0-9.]+s\n$"));
}

TEST(bench_program, counts_every_block_of_new_and_malloc) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's allocator is not counted";
#endif
  // So many turns that a thread which the runtime starts meanwhile does not show.
  EXPECT_THAT(run_subject({"-bench=SevenBlocks", "-benchtime=100000x"}).output,
              HasSubstr("\t    1104 B/op\t       7 allocs/op\n"));
  EXPECT_THAT(run_subject({"-bench=EveryFourth", "-benchtime=100000x"}).output,
              HasSubstr("\t      16 B/op\t    0.25 allocs/op\n"));
}

TEST(bench_program, a_seed_repeats_an_order) {
  auto const order = [](std::string const& seed) {
    std::string const text =
        run_subject({"-benchtime=1x", "-shuffle=" + seed, "-skip=Hangs|Waits|Fails|Dies"}).output;
    EXPECT_THAT(text, StartsWith("-test.shuffle " + seed + "\n"));
    std::string names;
    std::istringstream in(text);
    for (std::string word; in >> word;) {
      if (word.starts_with("Benchmark")) names += word + ' ';
    }
    return names;
  };
  EXPECT_EQ(order("5"), order("5"));
  EXPECT_NE(order("5"), order("6"));
}

TEST(bench_program, each_number_of_processors_has_its_process_and_scaling_is_shown) {
  os::run_result const seen =
      run_subject({"-bench=Sum|Sizes/n=10$", "-benchtime=100x", "-cpu=1,2,3"});
  EXPECT_EQ(seen.status.code, 0);
  for (char const* name : {"\nBenchmarkSum *\t", "\nBenchmarkSum-2 *\t", "\nBenchmarkSum-3 *\t",
                           "\nBenchmarkSizes/n=10-3 *\t"}) {
    EXPECT_THAT(seen.output, ContainsRegex(name));
  }
  EXPECT_EQ(seen.output.find("goos:"), seen.output.rfind("goos:"));
  EXPECT_THAT(
      seen.errors,
      ContainsRegex("BenchmarkSum: throughput grows as procs\\^-?[0-9.]+ \\(1: [0-9.]+ ns/op"));
  EXPECT_THAT(seen.output, Not(HasSubstr("throughput")));
}

TEST(bench_program, json_events_are_those_of_go_test) {
  os::run_result const seen = run_subject({"-bench=Sum", "-benchtime=1x", "-json"});
  std::string events;
  std::istringstream in(seen.output);
  for (std::string line; std::getline(in, line);) {
    events += capture(line, "\"Action\":\"([a-z]+)\"") + ' ';
    EXPECT_THAT(line, StartsWith("{\"Time\":\"2"));
    EXPECT_THAT(line, HasSubstr(",\"Package\":\"vole_bench_subject\""));
    EXPECT_TRUE(line.ends_with("}"));
  }
  EXPECT_THAT(events, StartsWith("start output output output "));
  EXPECT_THAT(events, testing::EndsWith("run output output output output output pass "));
  EXPECT_THAT(seen.output,
              HasSubstr("\"Test\":\"BenchmarkSum\",\"Output\":\"=== RUN   BenchmarkSum\\n\""));
}

TEST(bench_program, json_strings_are_quoted) {
  EXPECT_EQ(json_quote("a\"b\\\t\n\x01 \xc3\xa9 \xff"),
            "\"a\\\"b\\\\\\t\\n\\u0001 \xc3\xa9 \\ufffd\"");
}

TEST(bench_program, a_profile_for_each_benchmark) {
  temp_folder const to;
  os::run_result const seen = run_subject(
      {"-bench=Sizes/n=10$", "-benchtime=20x", "-cpu=2", "-profile-each=" + to.path + "/new"});
  EXPECT_EQ(seen.status.code, 0) << seen.errors;
  std::ifstream file(to.path + "/new/BenchmarkSizes_n=10-2.cpu.pb.gz");
  EXPECT_EQ(file.get(), 0x1f);
  EXPECT_EQ(file.get(), 0x8b);
}

TEST(bench_program, a_cpu_profile_of_the_run_goes_into_the_output_folder) {
  temp_folder const to;
  os::run_result const seen = run_subject(
      {"-bench=Sum", "-benchtime=20x", "-test.cpuprofile=cpu.out", "-test.outputdir=" + to.path});
  EXPECT_EQ(seen.status.code, 0) << seen.errors;
  EXPECT_TRUE(std::filesystem::exists(to.path + "/cpu.out"));
  os::run_result const bad =
      run_subject({"-bench=Sum", "-benchtime=1x", "-cpuprofile=/nonexistent/cpu.out"});
  EXPECT_EQ(bad.status.code, 2);  // and nothing was measured
  EXPECT_EQ(bad.output, "");
  EXPECT_THAT(bad.errors, HasSubstr("/nonexistent/cpu.out"));
}

pprof::parsed_profile read_profile(std::string const& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream all;
  all << in.rdbuf();
  auto made = pprof::parse_profile(all.str());
  EXPECT_TRUE(made) << path << ": " << fmt::format("{}", made.error());
  return made ? *std::move(made) : pprof::parsed_profile{};
}

// Whether a stack of the profile has a function whose name contains this.
bool shows(pprof::parsed_profile const& in, std::string_view function) {
  return std::ranges::any_of(in.functions, [&](pprof::parsed_function const& f) {
    return f.name.find(function) != std::string::npos;
  });
}

std::vector<std::string> names_in(std::string const& folder) {
  std::vector<std::string> names;
  for (auto const& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename());
  }
  return names;
}

// b.loop() does all of its work in the first call of the body.
TEST(bench_program, the_profiles_of_a_benchmark_show_its_loop) {
  temp_folder const to;
  std::string const each = "-profile-each=" + to.path;
  ASSERT_EQ(run_subject({"-bench=^Sum$", "-benchtime=10000000x", "-cpu=1", each}).status.code, 0);
  EXPECT_TRUE(shows(read_profile(to.path + "/BenchmarkSum.cpu.pb.gz"), "body_sum"));
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's allocator is not sampled";
#endif
  ASSERT_EQ(run_subject({"-bench=Quarrel", "-benchtime=300x", "-cpu=1", each}).status.code, 0);
  EXPECT_TRUE(shows(read_profile(to.path + "/BenchmarkQuarrel.allocs.pb.gz"), "quarrel"));
}

TEST(bench_program, only_what_was_measured_has_profiles_and_they_go_into_the_output_folder) {
  temp_folder const to;
  os::run_result const seen = run_subject({"-bench=Sizes|Fails", "-benchtime=2x", "-cpu=1",
                                           "-profile-each=each", "-outputdir=" + to.path});
  EXPECT_EQ(seen.status.code, 1);
  EXPECT_THAT(names_in(to.path), testing::ElementsAre("each"));
  std::vector<std::string> wanted;
  for (std::string size : {"1", "10", "100"}) {
    wanted.push_back("BenchmarkSizes_n=" + size + ".allocs.pb.gz");
    wanted.push_back("BenchmarkSizes_n=" + size + ".cpu.pb.gz");
  }
  EXPECT_THAT(names_in(to.path + "/each"), testing::UnorderedElementsAreArray(wanted));
}

TEST(bench_program, memory_block_and_mutex_profiles_of_the_run_show_who_it_was) {
  temp_folder const to;
  os::run_result const seen =
      run_subject({"-bench=Quarrel", "-benchtime=300x", "-memprofile=mem", "-blockprofile=block",
                   "-mutexprofile=mutex", "-outputdir=" + to.path});
  ASSERT_EQ(seen.status.code, 0) << seen.errors;
  auto const memory = read_profile(to.path + "/mem");
  ASSERT_EQ(memory.types.size(), 4U);
  EXPECT_EQ(memory.types[0].type, "alloc_objects");
  EXPECT_TRUE(shows(memory, "quarrel"));
  for (char const* name : {"/block", "/mutex"}) {
    auto const waits = read_profile(to.path + name);
    ASSERT_EQ(waits.types.size(), 2U) << name;
    EXPECT_EQ(waits.types[0].type, "contentions") << name;
    EXPECT_EQ(waits.types[1].type, "delay") << name;
    EXPECT_TRUE(shows(waits, "quarrel")) << name;
  }
}

// At the usual rate a thread samples a thousand waits a second, and the one at the end is not among
// them.
TEST(bench_program, block_profiles_have_every_wait) {
  temp_folder const to;
  os::run_result const seen = run_subject({"-bench=WaitsRarely", "-benchtime=1x", "-cpu=1",
                                           "-blockprofile=block", "-outputdir=" + to.path});
  ASSERT_EQ(seen.status.code, 0) << seen.errors;
  EXPECT_TRUE(shows(read_profile(to.path + "/block"), "rare_wait"));
}

TEST(bench_program, folders_that_profiles_cannot_go_to_are_found_at_the_start) {
  temp_folder const to;
  for (std::string const& flag :
       {std::string("-memprofile=/nonexistent/mem"), "-mutexprofile=" + to.path,
        std::string("-profile-each=/proc/none")}) {
    os::run_result const seen = run_subject({"-bench=Sum", "-benchtime=1x", flag});
    EXPECT_EQ(seen.status.code, 2) << flag;
    EXPECT_EQ(seen.output, "") << flag;
    EXPECT_THAT(seen.errors, HasSubstr(flag.substr(flag.find('=') + 1))) << flag;
  }
}

// --- what ends a run from outside ---

TEST(bench_program, the_timeout_names_the_benchmark_dumps_the_goroutines_and_is_status_2) {
  os::run_result const seen = run_subject({"-bench=Sum|Hangs", "-benchtime=1x", "-timeout=1s"});
  EXPECT_EQ(seen.status.code, 2);
  EXPECT_THAT(seen.errors,
              HasSubstr("panic: the time of -timeout is out, in BenchmarkHangs: 1 of 2 "
                        "benchmarks are complete\n"));
  EXPECT_THAT(seen.errors, HasSubstr("goroutine 1"));
}

// end_hanging starts the subject, waits until it hangs and sends SIGINT.
os::run_result end_hanging(std::vector<std::string> args) {
  args.insert(args.begin(), subject);
  auto child = os::process::start(
      {.argv = std::move(args), .output = os::stream::pipe, .errors = os::stream::pipe});
  EXPECT_TRUE(child);
  os::run_result seen;
  std::byte byte{};
  while (!seen.errors.ends_with("hanging\n")) {
    auto const got = child->errors().read(context::background(), {&byte, 1});
    if (!got || *got == 0) break;
    seen.errors += static_cast<char>(byte);
  }
  EXPECT_FALSE(child->signal(SIGINT));
  seen.output = *child->output().read_all(context::background());
  seen.errors += *child->errors().read_all(context::background());
  seen.status = *child->wait(context::background());
  return seen;
}

TEST(bench_program, an_interruption_leaves_what_is_complete_and_is_status_130) {
  os::run_result const seen = end_hanging({"-bench=Sum|Hangs", "-benchtime=2x"});
  EXPECT_EQ(seen.status.code, 130);
  EXPECT_THAT(seen.output,
              ContainsRegex("\nBenchmarkSum(-[0-9]+)? +\t       2\t +[0-9.]+ ns/op\n"));
  EXPECT_TRUE(seen.output.ends_with("\n"));
  EXPECT_THAT(seen.errors,
              HasSubstr("interrupted in BenchmarkHangs: 1 of 2 benchmarks are complete\n"));
}

TEST(bench_program, an_interruption_of_the_parent_reaches_its_child) {
  os::run_result const seen = end_hanging({"-bench=Sum|Hangs", "-benchtime=2x", "-cpu=1,2"});
  EXPECT_EQ(seen.status.code, 130);
  EXPECT_THAT(seen.output, ContainsRegex("\nBenchmarkSum-2 +\t"));
  EXPECT_THAT(seen.errors,
              HasSubstr("interrupted in BenchmarkHangs\n2 of 4 benchmarks are complete"));
}

TEST(bench_program, an_interruption_shows_the_growth_of_what_is_complete) {
  for (std::string cpus : {"1", "2,1"}) {
    os::run_result const seen =
        end_hanging({"-bench=GrowsThenWaits", "-benchtime=2x", "-cpu=" + cpus});
    EXPECT_EQ(seen.status.code, 130);
    EXPECT_THAT(seen.errors, HasSubstr(": grows as O(n): 100 ns * n, rms 0 %\n"));
  }
}

TEST(bench_program, events_end_with_a_failure_where_the_run_does_not_come_to_its_end) {
  auto const last_line = [](std::string text) {
    text.pop_back();
    return text.substr(text.rfind('\n') + 1);
  };
  char const* const failed =
      "^\\{\"Time\":\"2[0-9-]+T[0-9:]+\\.[0-9]{9}Z\",\"Action\":\"fail\","
      "\"Package\":\"vole_bench_subject\",\"Elapsed\":[0-9]+\\.[0-9]{3}\\}$";
  os::run_result const late =
      run_subject({"-bench=^Hangs$", "-benchtime=1x", "-timeout=1s", "-json"});
  EXPECT_EQ(late.status.code, 2);
  EXPECT_THAT(last_line(late.output), ContainsRegex(failed));
  os::run_result const ended = end_hanging({"-bench=^Hangs$", "-benchtime=1x", "-json"});
  EXPECT_EQ(ended.status.code, 130);
  EXPECT_THAT(last_line(ended.output), ContainsRegex(failed));
  for (std::string bench : {"^Hangs$", "^Dies$"}) {
    os::run_result const child =
        run_subject({"-bench=" + bench, "-benchtime=2x", "-cpu=2,1", "-timeout=1s", "-json"});
    EXPECT_GE(child.status.code, 2);
    EXPECT_THAT(last_line(child.output), ContainsRegex(failed));
  }
}

TEST(bench_program, a_process_that_dies_is_named_and_its_line_ended) {
  for (char const* form : {"-json=false", "-json"}) {
    os::run_result const seen = run_subject({"-bench=Dies", "-benchtime=2x", "-cpu=2,1", form});
    EXPECT_EQ(seen.status.code, 128 + SIGKILL);
    EXPECT_EQ(seen.errors,
              "BenchmarkDies-2: its process ended with signal 9 (Killed)\n"
              "0 of 2 benchmarks are complete, each value of -cpu counted by itself\n");
    EXPECT_THAT(seen.output, HasSubstr("BenchmarkDies"));
    EXPECT_TRUE(seen.output.ends_with("\n")) << seen.output;
  }
}

TEST(bench_program, a_terminal_sees_progress_and_an_estimate) {
  int const outer = posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_GE(outer, 0);
  ASSERT_EQ(grantpt(outer), 0);
  ASSERT_EQ(unlockpt(outer), 0);
  std::string const shell =
      fmt::format("'{}' '-bench=Sum|Sizes' -benchtime=1x 2>{}", subject, ptsname(outer));
  int const inner = open(ptsname(outer), O_RDWR | O_NOCTTY);  // held, so that nothing is lost
  os::run_result const seen = run({"/bin/sh", "-c", shell});
  EXPECT_EQ(seen.status.code, 0);
  // What the inner side wrote arrives in pieces.
  std::string shown;
  pollfd wanted{outer, POLLIN, 0};
  while (shown.find("] BenchmarkSizes/n=100 ") == shown.npos && poll(&wanted, 1, 10'000) > 0) {
    std::array<char, 4096> part{};
    ssize_t const got = read(outer, part.data(), part.size());
    if (got <= 0) break;
    shown.append(part.data(), static_cast<std::size_t>(got));
  }
  close(inner);
  close(outer);
  EXPECT_THAT(shown, HasSubstr("[1/2] BenchmarkSum"));
  EXPECT_THAT(shown,
              ContainsRegex("\\[2/2\\] BenchmarkSizes/n=10  [0-9]+s gone, about [0-9]+s to go"));
  EXPECT_THAT(seen.output, Not(HasSubstr("[1/2]")));
}

TEST(bench_program, the_line_of_progress_moves_while_one_measures_and_fits_the_terminal) {
  int const outer = posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_GE(outer, 0);
  ASSERT_EQ(grantpt(outer), 0);
  ASSERT_EQ(unlockpt(outer), 0);
  int const inner = open(ptsname(outer), O_RDWR | O_NOCTTY);
  winsize const narrow{.ws_row = 10, .ws_col = 40, .ws_xpixel = 0, .ws_ypixel = 0};
  ASSERT_EQ(ioctl(inner, TIOCSWINSZ, &narrow), 0);
  std::string const shell =
      fmt::format("exec '{}' -bench=Hangs -benchtime=1x -timeout=3s 2>{}", subject, ptsname(outer));
  os::run_result const ended = run({"/bin/sh", "-c", shell});
  EXPECT_EQ(ended.status.code, 2);
  std::array<char, 1 << 14> part{};
  ssize_t const got = read(outer, part.data(), part.size());
  close(inner);
  close(outer);
  std::string const shown(part.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  EXPECT_THAT(shown, ContainsRegex("\\[1/1\\] BenchmarkHangs  [1-9]s gone"));
}

// --- valgrind and Go ---

bool on_path(std::string const& program) {
  return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
}

TEST(bench_program, callgrind_counts_the_same_instructions_to_a_thousandth) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "valgrind does not run sanitized programs";
#endif
  if (!on_path("valgrind")) GTEST_SKIP() << "valgrind is not on the PATH";
  auto const count = [] {
    os::run_result const seen = run_subject({"-bench=^Sum$", "-callgrind"});
    EXPECT_EQ(seen.status.code, 0) << seen.errors;
    EXPECT_THAT(seen.output, HasSubstr("Unit instructions/op assume=exact\n"));
    EXPECT_THAT(seen.output, Not(HasSubstr(" ns/op")));
    return capture(seen.output, "\nBenchmarkSum +\t     100\t +([0-9.]+) instructions/op\n");
  };
  std::string const first = count();
  ASSERT_NE(first, "");
  // The timer of the runtime may go off within the loop: that is a few instructions in 100 turns.
  EXPECT_NEAR(std::stod(first), std::stod(count()), 0.001 * std::stod(first));
}

// under_valgrind says whether this can be tested here.
bool under_valgrind() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;  // it does not run sanitized programs
#else
  return on_path("valgrind");
#endif
}

TEST(bench_program, callgrind_shows_how_instructions_grow) {
  if (!under_valgrind()) GTEST_SKIP() << "valgrind is missing, or a sanitizer is there";
  EXPECT_THAT(run_subject({"-bench=Sizes", "-callgrind"}).errors,
              ContainsRegex("BenchmarkSizes/n=\\*: grows as O\\([^)]+\\): [0-9.]+ instructions"));
}

// The cost of a turn where the machine does not show: a comparison, a jump, an addition and a jump.
TEST(bench_program, a_turn_of_the_loop_is_four_instructions) {
  if (!under_valgrind()) GTEST_SKIP() << "valgrind is missing, or a sanitizer is there";
#if !defined(__OPTIMIZE__)
  GTEST_SKIP() << "the loop is optimized in release builds only";
#endif
  os::run_result const seen =
      run_subject({"-bench=^TurnsOnly$", "-callgrind", "-benchtime=100000x"});
  std::string const per_turn = capture(seen.output, "([0-9.]+) instructions/op\n");
  ASSERT_NE(per_turn, "") << seen.output << seen.errors;
  EXPECT_LE(std::stod(per_turn), 4.1);
}

TEST(bench_program, callgrind_keeps_the_order_and_the_time_limit) {
  if (!under_valgrind()) GTEST_SKIP() << "valgrind is missing, or a sanitizer is there";
  EXPECT_THAT(run_subject({"-bench=^Sum$", "-benchtime=1x", "-callgrind", "-shuffle=5"}).output,
              StartsWith("-test.shuffle 5\n"));
  os::run_result const seen = run_subject({"-bench=Hangs", "-callgrind", "-timeout=1s"});
  EXPECT_EQ(seen.status.code, 2);
  EXPECT_THAT(seen.errors, HasSubstr("panic: the time of -timeout is out, in "));
}

TEST(bench_program, callgrind_that_is_interrupted_leaves_no_folder) {
  if (!under_valgrind()) GTEST_SKIP() << "valgrind is missing, or a sanitizer is there";
  temp_folder const to;
  setenv("TMPDIR", to.path.c_str(), 1);
  os::run_result const seen = end_hanging({"-bench=Hangs", "-callgrind"});
  unsetenv("TMPDIR");
  EXPECT_EQ(seen.status.code, 130);
  EXPECT_THAT(seen.errors, HasSubstr("interrupted in BenchmarkHangs"));
  EXPECT_THAT(names_in(to.path), testing::IsEmpty());
}

// The values of Go's prettyPrint, at and around each change of format.
std::vector<double> format_values() {
  double const infinite = std::numeric_limits<double>::infinity();
  std::vector<double> values{0,        1e15,      123456789.5,
                             infinite, -infinite, std::numeric_limits<double>::quiet_NaN()};
  for (double edge : {999.95, 99.995, 9.9995, 0.99995, 0.099995, 0.0099995, 0.00099995}) {
    for (double step : {-1e-3, -1e-5, -1e-7, 0.0, 1e-7, 1e-5, 1e-3}) {
      values.push_back(edge * (1 + step));
      values.push_back(-edge * (1 + step));
    }
  }
  for (double x = 1.2345678e-9; x < 1e14; x *= 3.7) values.push_back(x);
  return values;
}

// run_go runs main.go in the folder.
std::string run_go(std::string const& folder, std::string const& input) {
  std::string const go = fmt::format(
      "[ -n \"$GOCACHE$XDG_CACHE_HOME$HOME\" ] || export GOCACHE='{0}/cache'; exec go run "
      "'{0}/main.go'",
      folder);
  auto const got =
      os::run(context::background(), {.argv = {"/bin/sh", "-c", go}}, {.input = input});
  EXPECT_TRUE(got && got->status.ok()) << got->errors;
  return got ? got->output : std::string();
}

std::string hex(std::string_view bytes) {
  std::string digits;
  for (char const c : bytes) digits += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return digits;
}

std::string utf8(char32_t c) {
  auto const byte = [](char32_t bits) { return static_cast<char>(bits); };
  if (c < 0x800) return {byte(0xc0 | c >> 6), byte(0x80 | (c & 0x3f))};
  if (c < 0x10000) {
    return {byte(0xe0 | c >> 12), byte(0x80 | (c >> 6 & 0x3f)), byte(0x80 | (c & 0x3f))};
  }
  return {byte(0xf0 | c >> 18), byte(0x80 | (c >> 12 & 0x3f)), byte(0x80 | (c >> 6 & 0x3f)),
          byte(0x80 | (c & 0x3f))};
}

TEST(bench_program, numbers_are_printed_as_by_go) {
  if (!on_path("go")) GTEST_SKIP() << "go is not on the PATH";
  temp_folder const to;
  std::ofstream(to.path + "/main.go") << R"(package main

import (
  "bufio"
  "fmt"
  "math"
  "os"
  "strconv"
  "testing"
  "time"
)

func main() {
  for in := bufio.NewScanner(os.Stdin); in.Scan(); {
    x, _ := strconv.ParseFloat(in.Text(), 64)
    r := testing.BenchmarkResult{N: 7, T: 12345 * time.Microsecond, MemAllocs: 21, MemBytes: 700,
      Extra: map[string]float64{"x/op": x, "a-unit": -x}}
    if math.Abs(x) < 1e15 {
      r.Bytes = int64(x) % 100000
    } else {
      r.Extra["MB/s"] = x
    }
    fmt.Println(r.String() + "\t" + r.MemString())
  }
}
)";
  std::string input;
  std::string want;
  for (double const x : format_values()) {
    input += fmt::format("{:.17g}\n", x);
    measurement m{
        .n = 7, .time = std::chrono::microseconds(12345), .blocks = 21, .block_bytes = 700};
    m.extra = {{"x/op", x}, {"a-unit", -x}};
    if (std::abs(x) < 1e15) {
      m.bytes_per_op = static_cast<std::int64_t>(x) % 100000;
    } else {
      m.extra["MB/s"] = x;
    }
    want += to_line(m) + '\t' + to_memory_columns(m) + '\n';
  }
  EXPECT_EQ(want, run_go(to.path, input));
}

TEST(bench_program, names_of_sub_benchmarks_are_printed_as_by_go) {
  if (!on_path("go")) GTEST_SKIP() << "go is not on the PATH";
  temp_folder const to;
  std::ofstream(to.path + "/main.go") << R"(package main

import (
  "bufio"
  "encoding/hex"
  "flag"
  "fmt"
  "os"
  "testing"
)

func main() {
  testing.Init()
  flag.Parse()
  flag.Set("test.bench", ".")
  for in := bufio.NewScanner(os.Stdin); in.Scan(); {
    name, _ := hex.DecodeString(in.Text())
    outer := func(b *testing.B) {
      b.Run(string(name), func(b *testing.B) {
        fmt.Printf("%x\n", b.Name())
        b.SkipNow()
      })
    }
    all := func(pat, str string) (bool, error) { return true, nil }
    testing.RunBenchmarks(all, []testing.InternalBenchmark{{Name: "outer", F: outer}})
  }
}
)";
  std::vector<std::string> names = {"a b",      "a\tb\vc",         "\x07\x08\x01\x7f",
                                    "q'\"\\",   "\xff\xc3",        "\xed\xa0\x80",
                                    "\xc0\x80", "\xf4\x90\x80\x80"};
  // Characters whose kind no version of Unicode changes any more.
  for (char32_t c = 0x80; c < 0x250; ++c) names.push_back(utf8(c));
  for (char32_t c = 0x2000; c < 0x2065; ++c) names.push_back(utf8(c));
  for (char32_t const c : {0x1680, 0x180e,  0x202f,  0x205f,  0x2066,  0x206f,  0x3000,
                           0x4e00, 0xe000,  0xfdd0,  0xfeff,  0xfff9,  0xfffc,  0xfffd,
                           0xfffe, 0x1f600, 0xe0001, 0xe0020, 0xe0100, 0xf0000, 0x10ffff}) {
    names.push_back(utf8(c));
  }
  std::string input;
  std::string want;
  for (std::string const& name : names) {
    input += hex(name) + '\n';
    want += hex("outer/" + printable(name)) + '\n';
  }
  std::string const got = run_go(to.path, input);
  auto const apart = std::ranges::mismatch(want, got);
  EXPECT_EQ(got.size(), want.size());
  EXPECT_TRUE(apart.in1 == want.end() && apart.in2 == got.end())
      << "here: " << std::string_view(apart.in1, want.end()).substr(0, 40)
      << "; Go: " << std::string_view(apart.in2, got.end()).substr(0, 40);
}

// real_benchstat builds golang.org/x/perf/cmd/benchstat beside this program; nothing without Go or
// a way to fetch it.
std::optional<std::string> real_benchstat() {
  std::string const folder = own_folder() + "/real_benchstat";
  std::string const program = folder + "/benchstat";
  if (std::filesystem::exists(program)) return program;
  if (!on_path("go")) return std::nullopt;
  auto const got =
      os::run(context::background(),
              {.argv = {"/bin/sh", "-c",
                        "GOBIN='" + folder +
                            "' timeout 100 go install "
                            "golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da"}});
  if (!got || !got->status.ok()) return std::nullopt;
  return program;
}

TEST(bench_program, benchstat_reads_it_without_a_warning) {
  auto const benchstat = real_benchstat();
  if (!benchstat) GTEST_SKIP() << "go is not on the PATH, or cannot fetch benchstat";
  temp_folder const to;
  for (std::string name : {"old", "new"}) {
    std::ofstream(to.path + '/' + name)
        << run_subject({"-benchtime=200x", "-count=6", "-skip=Hangs|Waits|Fails|Dies", "-benchmem",
                        "-counters"})
               .output
        << run_subject({"-benchtime=20x", "-bench=Sum", "-cpu=1,2", "-shuffle=3"}).output;
  }
  os::run_result const seen = run({*benchstat, to.path + "/old", to.path + "/new"});
  EXPECT_EQ(seen.status.code, 0);
  EXPECT_EQ(seen.errors, "");
  for (char const* word : {"SevenBlocks-", "Sizes/n=100-", "BothAtOnce-", "max-sec/op", "sec/op",
                           "allocs/op", "goos: linux"}) {
    EXPECT_THAT(seen.output, HasSubstr(word));
  }
  EXPECT_THAT(seen.output, Not(HasSubstr("-ns/op")));  // as it leaves a unit that is always 0
  std::string units;
  std::istringstream lines(seen.output);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("/op") != line.npos) units = line;
    bool const no_mean = line.find("summaries must be >0") != line.npos;
    EXPECT_FALSE(no_mean && units.find("sec/op") != units.npos) << units;
  }
}

}  // namespace
}  // namespace vole::bench
