// SPDX-License-Identifier: Apache-2.0
#pragma once
// One measurement and its line in Go's benchmark format. No shared state.

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace vole::bench {

struct measurement {
  std::int64_t n = 0;
  std::chrono::nanoseconds time{0};
  std::int64_t bytes_per_op = 0;
  std::uint64_t blocks = 0;  // taken from malloc while the timer was on
  std::uint64_t block_bytes = 0;
  std::map<std::string, double> extra = {};  // unit -> value; overrides the built-in units
};

// full_name is name, with "-<procs>" unless procs is 1.
std::string full_name(std::string_view name, int procs);

// ns_per_op is the time of an iteration, or what the benchmark reported instead.
double ns_per_op(measurement const& m);

// to_line is what follows the name: iterations, ns/op, MB/s, metrics sorted by unit.
std::string to_line(measurement const& m);

// to_memory_columns is "      16 B/op\t       1 allocs/op"; between 0 and 1 "    0.25 allocs/op".
std::string to_memory_columns(measurement const& m);

// printable makes a sub-benchmark's name one word that benchstat can read.
std::string printable(std::string_view name);

// camel_case turns chan_send into ChanSend.
std::string camel_case(std::string_view snake_case);

}  // namespace vole::bench
