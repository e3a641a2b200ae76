// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which functions a program spends its time in, from a CPU profile, and which of them grew from one
// program to the other. No shared state.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "vole/result.h"

namespace vole::ab {

// self_seconds is the processor time in each function itself; an inlined one's is that of "what in
// whom", for each function that it was inlined into.
using self_seconds = std::map<std::string, double>;

// read_profile reads a gzipped profile.proto.
// Errors: it is none, or holds no processor time; the text says which.
result<self_seconds> read_profile(std::string const& path);

struct growth {
  std::string function;
  double older;
  double newer;  // seconds per operation
};
// grown are the functions that take more of an operation's time than before, most grown first.
std::vector<growth> grown(self_seconds const& older, double older_operations,
                          self_seconds const& newer, double newer_operations);

}  // namespace vole::ab
