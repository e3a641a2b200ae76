// SPDX-License-Identifier: Apache-2.0
// trace: W3C trace context. Ids are read from and written to the headers traceparent and
// tracestate, and travel in the context; every log line of a request carries them. No shared state.
// Source: W3C Trace Context, level 1 (Recommendation, 23 November 2021).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "vole/context.h"
#include "vole/errors.h"
#include "vole/result.h"

namespace vole::trace {

// trace_id names one trace over all processes it passes; all zero is invalid.
struct trace_id {
  std::array<std::uint8_t, 16> bytes{};

  bool valid() const noexcept { return bytes != decltype(bytes){}; }
  std::string hex() const;  // 32 lower-case digits
  friend auto operator<=>(trace_id const&, trace_id const&) = default;
};

// span_id names one piece of work inside a trace; all zero is invalid.
struct span_id {
  std::array<std::uint8_t, 8> bytes{};

  bool valid() const noexcept { return bytes != decltype(bytes){}; }
  std::string hex() const;  // 16 lower-case digits
  friend auto operator<=>(span_id const&, span_id const&) = default;
};

// span_context is what a process passes on about the span it is in.
struct span_context {
  static constexpr std::uint8_t sampled_flag = 0x01;

  trace_id trace;
  span_id span;
  std::uint8_t flags = 0;
  std::string state;  // tracestate as it is to be sent on: "" or a valid list

  bool valid() const noexcept { return trace.valid() && span.valid(); }
  bool sampled() const noexcept { return (flags & sampled_flag) != 0; }
};

// parse_traceparent reads the value of a traceparent header: "00-<32 hex>-<16 hex>-<2 hex>". A
// version above 00 is read as 00 with more behind it; of the flags only "sampled" is taken, as the
// standard asks.
// Errors:  text that is not one, with what is wrong and at which byte.
// Cost:    0 allocations when well formed.
result<span_context> parse_traceparent(std::string_view text);

// format_traceparent is the value of the header to send: version 00.
std::string format_traceparent(span_context const& span);

// parse_tracestate checks the value of a tracestate header (several header lines: joined by ",")
// and returns it as it is to be sent on: without optional blanks and empty members. There may be at
// most 32 members, keys and values as the standard spells them. Past 512 characters whole members
// are left out: first those above 128 characters, then from the end.
// Errors:  the first bad member, by number; the standard then drops tracestate and keeps
//          traceparent.
result<std::string> parse_tracestate(std::string_view text);

// with_member returns state with key=value in front, the place of whoever changed it last, and the
// key's old member gone. Over 32 members the last one goes, over 512 characters as above.
// Errors:  a key or value that the standard forbids.
result<std::string> with_member(std::string_view state, std::string_view key,
                                std::string_view value);

// extract reads both headers of a request, all lines of each. No traceparent, more than one or a
// bad one gives a span_context that is not valid: a new trace is to be begun. A bad tracestate is
// dropped.
span_context extract(std::span<std::string_view const> traceparents,
                     std::span<std::string_view const> tracestates);
span_context extract(std::string_view traceparent, std::string_view tracestate);

// new_trace_id and new_span_id are random and valid; unique over processes, not secret.
// Cost:    about 10 ns.
trace_id new_trace_id();
span_id new_span_id();

// start_span continues parent with a span id of our own: same trace, flags and state. From a parent
// that is not valid it begins a new, unsampled trace.
span_context start_span(span_context const& parent);

// with_span returns a context that carries span; from_context finds it, or null. The pointer is
// good while ctx lives.
context with_span(context const& parent, span_context span);
span_context const* from_context(context const& ctx) noexcept;

}  // namespace vole::trace
