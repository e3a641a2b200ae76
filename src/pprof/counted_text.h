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

// leading_frames says what becomes of the innermost frames that belong to the allocator and to the
// containers of the standard library: which of them asked for memory says little.
enum class leading_frames { show, hide_allocators };

// append_stack writes a line for each frame: "#\t0x1234\tfunction+0x10\tfile:line".
// Blocks: as to_text.
void append_stack(std::string& to, std::vector<std::uintptr_t> const& pcs, leading_frames leading);

// json_object is the labels' form, sorted: {"tenant":"a", "wait_reason":"chan receive"}; empty for
// none.
std::string json_object(std::vector<text_label> const& labels);

}  // namespace vole::pprof
