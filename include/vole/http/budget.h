// SPDX-License-Identifier: Apache-2.0
// Deadline budgets: how long the caller still waits travels with the request, as a duration, so
// that the clocks of the two machines need not agree, and every hop bounds its work by it.
//
//   client   http::client sends what is left of its context's deadline, less a margin
//   server   service::observe, or http::budget here, bounds the request's context by it
//   database a deadline bounds each statement on the server too (vole/sql/postgres.h)
//
// Too little left is refused at once, by either end: work whose answer nobody waits for is not
// begun. No shared state.
// Source: gRPC's grpc-timeout; Envoy's x-envoy-expected-rq-timeout-ms, whose form this is.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "vole/errors.h"
#include "vole/http/message.h"
#include "vole/http/middleware.h"
#include "vole/internal/clock.h"

namespace vole::http {

// The header: whole milliseconds, rounded down.
inline constexpr std::string_view budget_header = "X-Request-Timeout-Ms";

// budget_of is what the header says; nothing when there is none, or it is not a number of up to
// nine digits: such a caller is served as one that says nothing.
std::optional<duration> budget_of(headers const& header);

// budget_text is a duration as the header has it.
std::string budget_text(duration left);

// Less than the margin was left of the deadline: the request was not sent, or not begun.
inline constinit errors::sentinel const budget_exhausted{"http: deadline budget exhausted"};

// budget_error answers to budget_exhausted and to context::deadline_exceeded.
struct budget_error final : errors::typed_base {
  budget_error(duration time_left, duration time_needed) : left(time_left), needed(time_needed) {}
  std::string message() const override;
  error unwrap() const override { return context::deadline_exceeded; }
  bool is(error const& target) const override { return target == error(budget_exhausted); }

  duration left;
  duration needed;
};

struct budget_options {
  duration least = std::chrono::milliseconds(1);  // what a request needs to be begun at all
  // Answers a request that has less; empty: a plain 504.
  std::function<void(response_writer&, request&, budget_error const&)> refuse = {};
};

// budget bounds req.ctx() by the caller's budget. service::observe does so already.
middleware budget(budget_options options = {});

}  // namespace vole::http
