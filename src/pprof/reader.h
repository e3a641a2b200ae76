// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reads profile.proto, of this project or of any other, for the flame graph and the terminal. No
// shared state.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vole/result.h"

namespace vole::pprof {

struct parsed_type {
  std::string type;  // "cpu"
  std::string unit;  // "nanoseconds"
};

struct parsed_function {
  std::string name;         // as it is shown
  std::string system_name;  // the linker's
  std::string file;
};

struct parsed_line {
  std::size_t function = 0;  // index in parsed_profile::functions
  std::int64_t line = 0;
};

struct parsed_mapping {
  std::string file;
  std::string shown;  // "[libc.so.6]": what stands for code of it without a name; or empty
  std::string build_id;
};

inline constexpr std::size_t no_mapping = static_cast<std::size_t>(-1);

struct parsed_location {
  std::uint64_t address = 0;
  std::size_t mapping = no_mapping;
  std::vector<parsed_line> lines;  // the innermost inlined call first; empty: not symbolized
};

struct parsed_sample {
  std::vector<std::size_t> locations;  // indices, leaf first
  std::vector<std::int64_t> values;    // one for each type
};

// parsed_profile is a profile whose references have been resolved and checked.
struct parsed_profile {
  std::vector<parsed_type> types;
  std::size_t default_type = 0;  // the one shown unless another is asked for
  std::vector<parsed_sample> samples;
  std::vector<parsed_location> locations;
  std::vector<parsed_function> functions;
  std::vector<parsed_mapping> mappings;  // the program first
  std::vector<std::string> comments;
  // Regular expressions, of RE2: functions that are to be left out, and which of them are not.
  std::string drop_frames;
  std::string keep_frames;
  std::int64_t time_ns = 0;      // since 1970; 0: unknown
  std::int64_t duration_ns = 0;  // 0: a moment, or unknown
};

// frames_max is how deep a stack may be, inlined calls counted.
inline constexpr std::size_t frames_max = 4096;

// parse_profile reads profile.proto, gzipped or not. bytes_max bounds what it may unpack to, and
// what that takes when it is read, which can be many times as much.
// Errors:  "not a profile: ..." naming what is wrong: broken gzip, no protobuf, a reference to
//          nothing, a sample with too few values, a stack deeper than frames_max.
result<parsed_profile> parse_profile(std::string_view bytes, std::size_t bytes_max = 1U << 30);

// check_same_types: a difference of two profiles needs the same types, in one order.
// Errors:  names what there is and what there should be.
error check_same_types(parsed_profile const& profile, parsed_profile const& base);

// type_index finds a type by its name; "" is the default one.
// Errors:  names the types that there are.
result<std::size_t> type_index(parsed_profile const& profile, std::string_view name);

}  // namespace vole::pprof
