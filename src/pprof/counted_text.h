// SPDX-License-Identifier: Apache-2.0
#pragma once
// The text of a profile with counts per stack: "goroutine profile: total 3", then each stack. No
// shared state.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pprof/profile.h"

namespace vole::pprof {

class profile;

struct counted_stack {
  std::vector<std::uintptr_t> pcs;  // return addresses, leaf first
  std::int64_t count = 0;
  std::string labels;  // {"key":"value"}, or empty
};

// to_text writes the stacks, most frequent first, in the form of Go's debug=1, which pprof reads
// too.
// Blocks: the thread, while symbols are read: call it inside blocking().
std::string to_text(std::string_view name, std::vector<counted_stack> stacks);

// json_object is the labels' form: {"wait_reason":"chan receive"}; empty without labels.
std::string json_object(std::vector<text_label> const& labels);

// as_text is the profile as it stands, in the form that debug asks for.
// Blocks: the goroutine, while symbols are read.
std::string as_text(profile const& p, int debug);

}  // namespace vole::pprof
