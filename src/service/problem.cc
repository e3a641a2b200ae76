// SPDX-License-Identifier: Apache-2.0
#include "vole/service/problem.h"

#include "vole/http/budget.h"
#include "vole/http/client.h"
#include "vole/json.h"
#include "vole/log.h"
#include "vole/service/request.h"
#include "vole/trace.h"

#include "service/request_notes.h"

namespace vole::service {
namespace {

std::string title_of(int status) {
  auto const words = http::status_text(status);
  return words.empty() ? fmt::format("Status {}", status) : std::string(words);
}

// What an error of reading the body deserves, by http's own judgement; no code: something else.
problem body_problem(error const& err) {
  struct {
    errors::sentinel const& is;
    std::string_view code;
    std::string_view detail;
  } const known[] = {
      {http::body_too_large, "body_too_large", "the request body is larger than this call allows"},
      {http::body_timeout, "body_timeout", "the request body came too slowly"},
      {http::body_malformed, "body_malformed", "the request body is not framed as HTTP asks"},
  };
  for (auto const& k : known) {
    if (!errors::is(err, k.is)) continue;
    return {.status = http::status_of(err),
            .code = std::string(k.code),
            .detail = std::string(k.detail)};
  }
  return {.code = {}};
}

}  // namespace

std::string to_json(problem const& p, std::string_view request_id, std::string_view trace_id) {
  std::string out;
  json::writer w(out);
  w.begin_object().field("type", p.type);
  w.field("title", p.title.empty() ? title_of(p.status) : p.title).field("status", p.status);
  if (!p.detail.empty()) w.field("detail", p.detail);
  w.field("code", p.code);
  if (!p.field.empty()) w.field("field", p.field);
  if (!request_id.empty()) w.field("request_id", request_id);
  if (!trace_id.empty()) w.field("trace_id", trace_id);
  w.end_object();
  return out;
}

std::string to_json(problem const& p, context const& ctx) {
  auto const* span = trace::from_context(ctx);
  return to_json(p, log::request_id(ctx), span == nullptr ? "" : span->trace.hex());
}

std::string problem_error::message() const {
  std::string out = shown.code;
  if (!shown.field.empty()) out += fmt::format(" ({})", shown.field);
  if (!shown.detail.empty()) out += ": " + shown.detail;
  if (cause) out += ": " + cause.message();
  return out;
}

problem to_problem(error const& err) {
  if (auto const* known = errors::as<problem_error>(err)) return known->shown;
  if (auto const* bad = errors::as<json::json_error>(err)) {
    return {.status = http::status::bad_request,
            .code = "invalid_body",
            .detail = bad->message(),
            .field = bad->path};
  }
  if (auto of_body = body_problem(err); !of_body.code.empty()) return of_body;
  if (errors::as<http::status_error>(err) != nullptr) {
    return {.status = http::status::bad_gateway,
            .code = "upstream_failed",
            .detail = "a service that this one depends on refused"};
  }
  if (errors::is(err, http::budget_exhausted)) {
    return {.status = http::status::gateway_timeout,
            .code = "budget_exhausted",
            .detail = "too little of the caller's deadline was left to begin"};
  }
  if (errors::is(err, context::deadline_exceeded)) {
    return {.status = http::status::gateway_timeout,
            .code = "timeout",
            .detail = "the request could not be answered in time"};
  }
  if (errors::is(err, context::canceled)) {
    return {.status = http::status::client_closed_request, .code = "client_closed_request"};
  }
  return {.status = http::status::internal_server_error, .code = "internal"};
}

void respond(http::response_writer& res, http::request& req, problem const& p, error const& err) {
  if (err) set_error(req, err);
  respond(res, p, req.ctx());
}

void respond(http::response_writer& res, problem const& p, context const& ctx) {
  if (res.status() != 0) return;
  res.header().del("Content-Length");
  res.header().set("Cache-Control", "no-store");
  if (p.retry_after) res.header().set("Retry-After", fmt::format("{}", p.retry_after->count()));
  http::reply(res, p.status, to_json(p, ctx), "application/problem+json");
}

http::handler handler(fallible_handler from, problem_mapper map) {
  return [from = std::move(from), map = std::move(map)](http::response_writer& res,
                                                        http::request& req) {
    if (error err = from(res, req)) respond(res, req, map(err), err);
  };
}

}  // namespace vole::service
