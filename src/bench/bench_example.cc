// SPDX-License-Identifier: Apache-2.0
// Benchmarks of all kinds. Their figures differ from run to run, so this program shows the names of
// what was measured; a real one links vole_bench_main instead of having a main() of its own.

#include <cstdint>
#include <cstdio>
#include <fmt/core.h>
#include <string>
#include <string_view>
#include <unistd.h>

#include "vole/bench.h"
#include "vole/internal/atomic.h"

using namespace vole;

namespace {

// [loop]
VOLE_BENCH(format_int) {
  int value = 0;
  while (b.loop()) {
    std::string text = std::to_string(++value);
    bench::keep(text);
  }
}
// [loop]

// [setup]
VOLE_BENCH(append) {
  std::string text;
  while (b.loop()) {
    if (text.size() > 1'000'000) {
      b.stop_timer();
      text.clear();
      b.start_timer();
    }
    text += 'x';
  }
  b.report_allocs();
  b.set_bytes(1);
  b.report_metric(static_cast<double>(text.capacity()), "capacity-B");
}
// [setup]

// [sub]
VOLE_BENCH(fill) {
  for (int const size : {10, 1000}) {
    b.run(fmt::format("size={}", size), [size](bench::benchmark& sub) {
      while (sub.loop()) bench::keep(std::string(static_cast<std::size_t>(size), 'x'));
    });
  }
}
// [sub]

// [parallel]
VOLE_BENCH(count_together) {
  internal::atomic<std::int64_t> count{0};
  b.run_parallel([&](bench::parallel& turns) {
    while (turns.next()) count.fetch_add(1);
  });
}
// [parallel]

// names_of_results runs the benchmarks and returns the first words of their results.
std::string names_of_results() {
  std::FILE* const results = std::tmpfile();
  if (results == nullptr) return "no temporary file\n";
  int const outer = dup(STDOUT_FILENO);
  std::fflush(stdout);
  dup2(fileno(results), STDOUT_FILENO);
  char program[] = "guide";
  char time[] = "-benchtime=10x";
  char cpu[] = "-cpu=1";
  char* args[] = {program, time, cpu};
  int const status = bench::main(3, args);
  std::fflush(stdout);
  dup2(outer, STDOUT_FILENO);
  close(outer);
  std::rewind(results);
  std::string names;
  char line[256];
  while (std::fgets(line, sizeof line, results) != nullptr) {
    std::string_view const text = line;
    if (text.starts_with("Benchmark"))
      names += fmt::format("{}\n", text.substr(0, text.find_first_of(" \t")));
  }
  std::fclose(results);
  return names + (status == 0 ? "all well\n" : "something failed\n");
}

}  // namespace

int main() {
  fmt::print("{}", names_of_results());
}

// Output:
// BenchmarkFormatInt
// BenchmarkAppend
// BenchmarkFill/size=10
// BenchmarkFill/size=1000
// BenchmarkCountTogether
// all well
