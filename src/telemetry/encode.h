// SPDX-License-Identifier: Apache-2.0
// encode: how keys and values of a log line are written, so that nothing a client sends can end a
// line, forge a field or hide itself. No shared state.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "vole/internal/format.h"

namespace vole::internal {

// A line under construction. Short lines, the usual ones, stay on the stack.
using line_buffer = fmt::memory_buffer;

inline void append(line_buffer& to, std::string_view text) {
  to.append(text.data(), text.data() + text.size());
}

// append_json_string writes text as a JSON string with its quotes. Bytes that are not UTF-8 become
// U+FFFD; control characters and those that are invisible or turn the direction of writing are
// escaped.
void append_json_string(line_buffer& to, std::string_view text);

// append_text_value writes text bare if it is one plain word, else in double quotes, escaped as
// above; bytes that are not UTF-8 become \xNN.
void append_text_value(line_buffer& to, std::string_view text);

// append_hex writes two lower-case digits for each byte.
void append_hex(line_buffer& to, std::span<std::uint8_t const> bytes);

// append_time writes RFC 3339 in UTC with milliseconds: "2026-07-14T09:30:00.125Z".
void append_time(line_buffer& to, std::chrono::nanoseconds since_epoch);

// append_duration writes as Go does: "1h2m3.5s", "1.25ms", "0s"; microseconds are "us".
void append_duration(line_buffer& to, std::chrono::nanoseconds d);

}  // namespace vole::internal
