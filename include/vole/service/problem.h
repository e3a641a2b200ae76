// SPDX-License-Identifier: Apache-2.0
// service::problem: how a failed request is answered: application/problem+json with a stable code
// and the ids under which its log line is found. No shared state.
//
//   {"type":"about:blank","title":"Conflict","status":409,"detail":"user usr_abc123 exists",
//    "code":"user_exists","request_id":"5f...","trace_id":"4b..."}
//
// Source: RFC 9457 (Problem Details for HTTP APIs).
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "vole/errors.h"
#include "vole/http.h"
#include "vole/internal/format.h"

namespace vole::service {

struct problem {
  int status = 500;
  std::string code = "internal";  // stable, for programs: "user_exists"
  std::string detail = {};        // for people; "": left out
  std::string field = {};  // which field of the request is wrong: "amount_minor"; "": left out
  std::string type = "about:blank";                      // a URI
  std::string title = {};                                // "": the status' own words
  std::optional<std::chrono::seconds> retry_after = {};  // the header Retry-After
};

// to_json is the body of the answer. Empty ids are left out.
std::string to_json(problem const& p, std::string_view request_id, std::string_view trace_id);
// With the ids of the request that ctx belongs to.
std::string to_json(problem const& p, context const& ctx);

// problem_error carries a problem through the layers as an error; errors::as<problem_error> finds
// it.
struct problem_error final : errors::typed_base {
  explicit problem_error(problem what, error why = nullptr)
      : shown(std::move(what)), cause(std::move(why)) {}

  std::string message() const override;  // "user_exists: user usr_abc123 exists already: <cause>"
  error unwrap() const override { return cause; }

  problem shown;
  error cause;  // for the log, never for the client; may be null
};

// fail is an error that a handler returns to be answered with this status, code and detail.
template <class... A>
error fail(int status, std::string_view code, fmt::format_string<A...> detail, A&&... args) {
  problem what{.status = status,
               .code = std::string(code),
               .detail = fmt::format(detail, std::forward<A>(args)...)};
  return errors::make_typed<problem_error>(std::move(what));
}
// fail_with also keeps the error behind it, for the log.
template <class... A>
error fail_with(error cause, int status, std::string_view code, fmt::format_string<A...> detail,
                A&&... args) {
  problem what{.status = status,
               .code = std::string(code),
               .detail = fmt::format(detail, std::forward<A>(args)...)};
  return errors::make_typed<problem_error>(std::move(what), std::move(cause));
}
// fail_field is a 400 that names the field of the request that is wrong.
template <class... A>
error fail_field(std::string_view field, std::string_view code, fmt::format_string<A...> detail,
                 A&&... args) {
  problem what{.status = 400,
               .code = std::string(code),
               .detail = fmt::format(detail, std::forward<A>(args)...),
               .field = std::string(field)};
  return errors::make_typed<problem_error>(std::move(what));
}

// to_problem is how err is shown: the problem_error in its chain; else 400 "invalid_body" with the
// field that a json_error names; 413, 408, 400 for a body that could not be read; 502
// "upstream_failed" for another service's http::status_error, of which nothing is shown; 504
// "budget_exhausted" for a deadline too near to begin; 504 "timeout" for one that has passed; 499
// "client_closed_request" for a request whose client has gone; and 500 "internal" without any
// detail.
problem to_problem(error const& err);

// respond answers with p and notes err for the request's log line, where it is logged once, by the
// middleware. When another answer has begun already, it only notes err.
void respond(http::response_writer& res, http::request& req, problem const& p,
             error const& err = nullptr);

// The same where there is no request, with the ids that ctx carries: for
// http::server_options::refusal.
void respond(http::response_writer& res, problem const& p, context const& ctx);

// A handler that may fail; what it returns is answered by respond.
using fallible_handler = std::function<error(http::response_writer&, http::request&)>;
using problem_mapper = std::function<problem(error const&)>;

// handler makes an http::handler of one that may fail.
http::handler handler(fallible_handler from, problem_mapper map = to_problem);

}  // namespace vole::service
