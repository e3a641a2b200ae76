// SPDX-License-Identifier: Apache-2.0
#include "service/refusal.h"

#include <cctype>

#include "vole/service/problem.h"
#include "vole/trace.h"

#include "telemetry/scope.h"

namespace vole::service {
namespace {

// Its code is the status in words: "uri_too_long".
std::string code_of(int status) {
  std::string code(http::status_text(status));
  for (char& c : code) c = c == ' ' ? '_' : static_cast<char>(std::tolower(c));
  return code;
}

}  // namespace

std::function<void(http::response_writer&, http::refused_message const&)> refuse_messages(
    context const& ctx, log::logger logger) {
  return [base = context::stored(ctx), lines = std::move(logger)](
             http::response_writer& res, http::refused_message const& why) {
    std::string id = trace::new_trace_id().hex();
    res.header().set("X-Request-Id", id);
    auto const scoped = vole::internal::with_scope(base, {std::move(id), trace::start_span({})});
    respond(res, {.status = why.status, .code = code_of(why.status), .detail = why.reason}, scoped);
    lines.info(scoped, "message refused",
               {{"status", why.status}, {"remote", why.remote_addr}, {"error", why.message()}});
  };
}

}  // namespace vole::service
