// SPDX-License-Identifier: Apache-2.0
// The mistakes of docs/guide/benchmarks.md, each beside the right way. With arguments it is a
// benchmark program like any other: mistakes_example -bench=Sort.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <fmt/core.h>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <unistd.h>
#include <unordered_map>
#include <vector>

#include "vole/bench.h"
#include "vole/internal/atomic.h"
#include "vole/runtime.h"

using namespace vole;

namespace {

std::vector<int> shuffled(int n) {
  std::vector<int> numbers(static_cast<std::size_t>(n));
  std::iota(numbers.begin(), numbers.end(), 0);
  std::shuffle(numbers.begin(), numbers.end(), std::mt19937(1));
  return numbers;
}

std::uint64_t checksum(std::string_view text) {
  std::uint64_t sum = 0;
  for (char const c : text) sum = sum * 31 + static_cast<unsigned char>(c);
  return sum;
}

// [same code]
[[gnu::noinline]] std::uint64_t old_checksum(std::string_view text) {
  bench::keep(text);
  return checksum(text);
}
constexpr auto new_checksum = old_checksum;

template <class Fn>
double ns_of(Fn fn) {
  time_point const begun = internal::now();
  bench::keep(fn());
  return static_cast<double>((internal::now() - begun).count());
}
// [same code]

// [slowing machine]
// Each slice has a hundredth more to do: as if somebody took the processor away, ever more of it.
class slowing_machine {
 public:
  double ns_of_slice(std::uint64_t (*fn)(std::string_view)) {
    text_.append(100, 'x');
    return ns_of([&] { return fn(text_); });
  }

 private:
  std::string text_ = std::string(10'000, 'x');
};
// [slowing machine]

constexpr int digits(std::uint64_t x) {
  int n = 1;
  for (; x >= 10; x /= 10) ++n;
  return n;
}

// [setup wrong]
VOLE_BENCH(sort_wrong) {
  while (b.loop()) {
    std::vector<int> numbers = shuffled(1000);
    std::sort(numbers.begin(), numbers.end());
    bench::keep(numbers);
  }
}
// [setup wrong]

// [setup right]
VOLE_BENCH(sort_right) {
  std::vector<int> const numbers = shuffled(1000);
  std::vector<int> copy = numbers;
  while (b.loop()) {
    std::copy(numbers.begin(), numbers.end(), copy.begin());
    std::sort(copy.begin(), copy.end());
    bench::keep(copy);
  }
}
// [setup right]

// [dead wrong]
VOLE_BENCH(checksum_wrong) {
  std::string const text(1000, 'x');
  for (std::int64_t i = 0, n = b.n; i < n; ++i) {
    [[maybe_unused]] std::uint64_t const sum = checksum(text);
  }
}
// [dead wrong]

// [dead right]
VOLE_BENCH(checksum_right) {
  std::string const text(1000, 'x');
  b.loop([&] { return checksum(text); });
}
// [dead right]

// [constant wrong]
VOLE_BENCH(digits_wrong) {
  while (b.loop()) bench::keep(digits(1'234'567'890));
}
// [constant wrong]

// [constant right]
VOLE_BENCH(digits_right) {
  std::uint64_t x = 1'234'567'890;
  while (b.loop()) {
    bench::keep(x);
    bench::keep(digits(x));
  }
}
// [constant right]

using table = std::unordered_map<int, int>;

table make_table() {
  table t;
  for (int const key : shuffled(1'000'000)) t[key] = key;
  return t;
}

// [cache wrong]
VOLE_BENCH(lookup_wrong) {
  table const& prices = b.once(make_table);
  b.loop([&] { return prices.find(4711)->second; });
}
// [cache wrong]

// [cache right]
VOLE_BENCH(lookup_right) {
  table const& prices = b.once(make_table);
  std::vector<int> const& keys = b.once([] { return shuffled(1'000'000); });
  std::size_t next = 0;
  b.loop([&] {
    if (++next == keys.size()) next = 0;
    return prices.find(keys[next])->second;
  });
}
// [cache right]

// [mean wrong]
VOLE_BENCH(append_wrong) {
  std::vector<std::array<char, 64>> log;
  while (b.loop()) log.emplace_back();
}
// [mean wrong]

// [mean right]
VOLE_BENCH(append_right) {
  b.run_parallel([](bench::parallel& turns) {
    std::vector<std::array<char, 64>> log;
    while (turns.next()) log.emplace_back();
  });
}
// [mean right]

// [parallel wrong]
VOLE_BENCH(count_wrong) {
  internal::atomic<std::int64_t> count{0};
  b.run_parallel([&](bench::parallel& turns) {
    while (turns.next()) count.fetch_add(1);
  });
}
// [parallel wrong]

// [parallel right]
VOLE_BENCH(count_right) {
  internal::atomic<std::int64_t> count{0};
  b.run_parallel([&](bench::parallel& turns) {
    while (turns.next()) count.fetch_add(1);
  });
  double const wall_ns = static_cast<double>(b.elapsed().count()) / static_cast<double>(b.n);
  b.report_metric(wall_ns * runtime::max_procs(), "busy-ns/op");
  b.report_metric(1e3 / wall_ns, "Mops/s");
}
// [parallel right]

// [one run wrong]
VOLE_BENCH(compare_wrong) {
  std::string const text(10'000, 'x');
  double old_ns = 0;
  double new_ns = 0;
  while (b.loop()) {
    old_ns = ns_of([&] { return old_checksum(text); });
    new_ns = ns_of([&] { return new_checksum(text); });
  }
  b.report_metric(new_ns / old_ns, "new/old");
}
// [one run wrong]

// [one run right]
VOLE_BENCH(compare_right) {
  std::string const text(10'000, 'x');
  b.run("impl=old", [&](bench::benchmark& sub) { sub.loop([&] { return old_checksum(text); }); });
  b.run("impl=new", [&](bench::benchmark& sub) { sub.loop([&] { return new_checksum(text); }); });
}
// [one run right]

// [noisy wrong]
VOLE_BENCH(noisy_wrong) {
  double old_ns = 0;
  double new_ns = 0;
  while (b.loop()) {
    slowing_machine machine;
    for (int i = 0; i < 10; ++i) old_ns += machine.ns_of_slice(old_checksum);
    for (int i = 0; i < 10; ++i) new_ns += machine.ns_of_slice(new_checksum);
  }
  b.report_metric(new_ns / old_ns, "new/old");
}
// [noisy wrong]

// [noisy right]
VOLE_BENCH(noisy_right) {
  double old_ns = 0;
  double new_ns = 0;
  while (b.loop()) {
    slowing_machine machine;
    for (int i = 0; i < 5; ++i) {
      old_ns += machine.ns_of_slice(old_checksum);
      new_ns += machine.ns_of_slice(new_checksum);
      new_ns += machine.ns_of_slice(new_checksum);
      old_ns += machine.ns_of_slice(old_checksum);
    }
  }
  b.report_metric(new_ns / old_ns, "new/old");
}
// [noisy right]

// [short wrong]
VOLE_BENCH(pop_wrong) {
  std::vector<int> stack;
  while (b.loop()) {
    b.stop_timer();
    stack.push_back(1);
    b.start_timer();
    stack.pop_back();
    bench::keep(stack);
  }
}
// [short wrong]

// [short right]
VOLE_BENCH(pop_right) {
  constexpr int batch = 10'000;
  std::vector<int> stack;
  while (b.loop()) {
    b.stop_timer();
    stack.assign(batch, 1);
    b.start_timer();
    for (int i = 0; i < batch; ++i) {
      stack.pop_back();
      bench::keep(stack);
    }
  }
  b.report_metric(static_cast<double>(b.elapsed().count()) / static_cast<double>(b.n * batch),
                  "ns/pop");
}
// [short right]

// [growth]
VOLE_BENCH(sort_sizes) {
  for (int const n : {10'000, 30'000, 100'000, 300'000, 1'000'000}) {
    b.run(fmt::format("n={}", n), [n](bench::benchmark& sub) {
      std::vector<int> const numbers = shuffled(n);
      std::vector<int> copy = numbers;
      sub.loop([&] {
        std::copy(numbers.begin(), numbers.end(), copy.begin());
        std::sort(copy.begin(), copy.end());
      });
    });
  }
}
// [growth]

// names_of_results runs all briefly and returns the first words of their results.
std::string names_of_results() {
  std::FILE* const results = std::tmpfile();
  if (results == nullptr) return "no temporary file\n";
  int const outer = dup(STDOUT_FILENO);
  std::fflush(stdout);
  dup2(fileno(results), STDOUT_FILENO);
  char program[] = "mistakes";
  char time[] = "-benchtime=1x";
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

int main(int argc, char** argv) {
  if (argc > 1) return bench::main(argc, argv);
  fmt::print("{}", names_of_results());
}

// Output:
// BenchmarkSortWrong
// BenchmarkSortRight
// BenchmarkChecksumWrong
// BenchmarkChecksumRight
// BenchmarkDigitsWrong
// BenchmarkDigitsRight
// BenchmarkLookupWrong
// BenchmarkLookupRight
// BenchmarkAppendWrong
// BenchmarkAppendRight
// BenchmarkCountWrong
// BenchmarkCountRight
// BenchmarkCompareWrong
// BenchmarkCompareRight/impl=old
// BenchmarkCompareRight/impl=new
// BenchmarkNoisyWrong
// BenchmarkNoisyRight
// BenchmarkPopWrong
// BenchmarkPopRight
// BenchmarkSortSizes/n=10000
// BenchmarkSortSizes/n=30000
// BenchmarkSortSizes/n=100000
// BenchmarkSortSizes/n=300000
// BenchmarkSortSizes/n=1000000
// all well
