// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the headers traceparent and tracestate. The input is lines: those that begin with
// 'p' are values of traceparent, the others of tracestate.
//
// Properties: what is accepted is written as version 00 and read back the same; what is refused has
// a message of one line; extract follows the two parsers; a state that is sent on is read back the
// same, keeps the standard's limits, and still takes a member in front.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vole/assert.h"
#include "vole/trace.h"

namespace {

using namespace vole;

void check_message(error const& err) {
  std::string const text = err.message();
  VOLE_REQUIRE(!text.empty() && text.find('\n') == std::string::npos, "{:?}", text);
}

void check_parent(std::string_view text) {
  auto const read = trace::parse_traceparent(text);
  if (!read) return check_message(read.error());
  VOLE_REQUIRE(read->valid() && (read->flags & ~trace::span_context::sampled_flag) == 0, "{:?}",
               text);
  std::string const written = trace::format_traceparent(*read);
  VOLE_REQUIRE(written.size() == 55 && written.substr(2, 51) == text.substr(2, 51), "{:?}", text);
  auto const again = trace::parse_traceparent(written);
  VOLE_REQUIRE(again && trace::format_traceparent(*again) == written, "{:?}", text);
}

void check_sendable(std::string_view state) {
  auto const again = trace::parse_tracestate(state);
  VOLE_REQUIRE(again && *again == state, "{:?}", state);
  VOLE_REQUIRE(state.size() <= 512 && std::ranges::count(state, ',') < 32, "{:?}", state);
}

void check_state(std::string_view text) {
  auto const read = trace::parse_tracestate(text);
  if (!read) return check_message(read.error());
  check_sendable(*read);
  auto const changed = trace::with_member(*read, "vole", "1");
  VOLE_REQUIRE(changed && changed->starts_with("vole=1"), "{:?}", text);
  check_sendable(*changed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<char const*>(data), size);
  std::vector<std::string_view> parents;
  std::vector<std::string_view> states;
  std::string all;
  while (!rest.empty()) {
    std::size_t const end = rest.find('\n');
    std::string_view const line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.starts_with('p')) {
      parents.push_back(line.substr(1));
      check_parent(parents.back());
    } else {
      if (!states.empty()) all += ',';
      states.push_back(line);
      all += line;
      check_state(line);
    }
  }
  trace::span_context const found = trace::extract(parents, states);
  bool const good = parents.size() == 1 && trace::parse_traceparent(parents[0]).has_value();
  VOLE_REQUIRE(found.valid() == good, "{} traceparents", parents.size());
  if (!good) return 0;
  VOLE_REQUIRE(found.state == trace::parse_tracestate(all).value_or(std::string()), "{:?}", all);
  trace::span_context const ours = trace::start_span(found);
  VOLE_REQUIRE(ours.trace == found.trace && ours.span != found.span && ours.state == found.state,
               "{:?}", all);
  return 0;
}
