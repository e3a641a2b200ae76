// SPDX-License-Identifier: Apache-2.0
// service::observe: what every request of a service gets: an id, a trace, a deadline, one log line,
// metrics by route, and a 500 in the place of a crash when somebody else's code throws.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "vole/errors.h"
#include "vole/http.h"
#include "vole/log.h"
#include "vole/metrics.h"

namespace vole::service {

#ifdef NDEBUG
inline constexpr bool debug_build = false;
#else
inline constexpr bool debug_build = true;
#endif

struct observe_options {
  log::logger logger = {};
  metrics::registry* registry = nullptr;  // null: no metrics
  // Takes X-Request-Id from the client if it is 1 to 64 of A-Z a-z 0-9 . _ -; otherwise, and when
  // false, one is made.
  bool trust_request_id = true;
  // Longest time a request may take, as the deadline of its context; 0: none but the client's going
  // away.
  duration timeout = {};
  // What the caller says it still waits (vole/http/budget.h) bounds the request too. A request that
  // has less than this left is answered with 504 "budget_exhausted" and not begun.
  duration budget_least = std::chrono::milliseconds(1);
  // Reports context::background() and todo() below a handler: once per place in the code, as a
  // warning with the route. For debug builds and tests: every background() then asks.
  bool report_background = debug_build;
  // Lines for answered requests; failed ones (5xx, or with an error) are always logged.
  bool log_all = true;
};

// observe is the outermost middleware of a server:
//   - request id: accepted or made, put in the context and in the answer's X-Request-Id;
//   - deadline: the earlier of the option's and the caller's;
//   - trace: continued from traceparent and tracestate, or begun anew where there is no good one;
//     put in the context;
//   - one line when the request is over: "request" with method, route (the pattern, not the path),
//     path, status, bytes, duration_ms, remote, budget_ms if the caller
//     sent one, and error if it failed; ERROR for 5xx, else INFO;
//   - metrics: http_requests_total{method,route,status},
//     http_request_duration_seconds{method,route}, http_response_bytes_total{method,route};
//   - an exception that leaves the handler becomes 500 problem+json, or ends the connection when
//     the head of the answer has gone out.
http::middleware observe(observe_options how);

// propagate sends the trace (traceparent, tracestate) and the request id (X-Request-Id) of a
// context on to the next service:
//   http::client client({.propagate = service::propagate()});
// A request whose context carries neither goes out without.
std::function<void(context const& ctx, http::headers& to)> propagate();

// set_error notes why this request failed, for its log line. No effect outside observe.
void set_error(http::request& req, error err);

}  // namespace vole::service
