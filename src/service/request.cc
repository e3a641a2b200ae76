// SPDX-License-Identifier: Apache-2.0
// No shared state of its own: the metrics' cells and the sink of the logger are safe as they are.
#include "vole/service/request.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <tuple>

#include "vole/http/budget.h"
#include "vole/service/problem.h"
#include "vole/trace.h"

#include "service/background_check.h"
#include "service/request_notes.h"
#include "telemetry/scope.h"

namespace vole::service {
namespace {

constexpr std::size_t request_id_bytes_max = 64;

bool is_request_id(std::string_view text) noexcept {
  return !text.empty() && text.size() <= request_id_bytes_max &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

// A method as a label: what clients invent must not make new series.
std::string_view method_label(std::string_view method) noexcept {
  static constexpr std::array<std::string_view, 9> known{
      "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"};
  auto const* at = std::ranges::find(known, method);
  return at == known.end() ? std::string_view("other") : *at;
}

// A pattern as a label: without the method, which is a label of its own.
std::string_view route_label(std::string_view pattern) noexcept {
  if (pattern.empty()) return "unmatched";
  auto const blank = pattern.find(' ');
  return blank == std::string_view::npos ? pattern : pattern.substr(blank + 1);
}

class observer {
 public:
  explicit observer(observe_options how) : how_(std::move(how)) {
    if (how_.report_background) report_backgrounds(how_.logger);
    if (how_.registry == nullptr) return;
    requests_ = how_.registry->counter("http_requests_total", "Requests answered, by outcome.",
                                       {"method", "route", "status"});
    seconds_ = how_.registry->histogram("http_request_duration_seconds",
                                        "From the complete head to the handler's return.",
                                        metrics::latency_buckets(), {"method", "route"});
    bytes_ = how_.registry->counter("http_response_bytes_total", "Bytes of response bodies.",
                                    {"method", "route"});
  }

  void serve(http::handler const& next, http::response_writer& res, http::request& req) const {
    auto const begun = internal::now();
    request_notes notes;
    std::string id = request_id_of(req);
    res.header().set("X-Request-Id", id);
    auto const caller =
        trace::extract(req.header().values("traceparent"), req.header().values("tracestate"));
    auto scoped = internal::with_scope(req.ctx(), {std::move(id), trace::start_span(caller)});
    auto ctx = context::with_value<request_notes_key>(scoped, &notes);
    cancel_handle cancel;
    auto const budget = http::budget_of(req.header());
    if (auto const limit = limit_of(budget); limit != duration::max()) {
      std::tie(ctx, cancel) = context::with_timeout(ctx, limit);
    }
    req.set_ctx(std::move(ctx));
    std::exception_ptr escaped;
    if (budget && *budget < how_.budget_least) {
      error const why = errors::make_typed<http::budget_error>(*budget, how_.budget_least);
      respond(res, req, to_problem(why), why);
    } else {
      serving_request const noted(req, how_.report_background);
      escaped = call(next, res, req);
      notes.cut_short = escaped != nullptr;
    }
    done(scoped, notes, res, req, internal::now() - begun, budget);
    if (escaped) std::rethrow_exception(escaped);
  }

 private:
  duration limit_of(std::optional<duration> budget) const {
    duration const own = how_.timeout > duration::zero() ? how_.timeout : duration::max();
    return std::min(own, budget.value_or(duration::max()));
  }

  std::string request_id_of(http::request const& req) const {
    auto const given = req.header().get("X-Request-Id");
    if (how_.trust_request_id && is_request_id(given)) return std::string(given);
    return trace::new_trace_id().hex();
  }

  // call runs the handler; an exception of foreign code becomes a 500, unless an answer has begun:
  // then it is returned, and goes on to the server, which cuts the connection: half an answer must
  // not look whole.
  std::exception_ptr call(http::handler const& next, http::response_writer& res,
                          http::request& req) const {
    try {
      next(res, req);
    } catch (...) {
      bool const begun = res.status() != 0;
      respond(res, req, problem{},
              errors::wrap(errors::from_exception(), "exception from the handler"));
      if (begun) return std::current_exception();
    }
    return nullptr;
  }

  void done(context const& ctx, request_notes const& notes, http::response_writer const& res,
            http::request const& req, duration took, std::optional<duration> budget) const {
    int const status = res.status() == 0 ? http::status::ok : res.status();
    auto const route = route_label(req.pattern());
    if (how_.registry != nullptr) {
      auto const method = method_label(req.method());
      std::array<char, 12> digits;
      auto const end = fmt::format_to(digits.data(), "{}", status);
      requests_
          .with({method, route, {digits.data(), static_cast<std::size_t>(end - digits.data())}})
          .add();
      seconds_.with({method, route}).observe(std::chrono::duration<double>(took).count());
      bytes_.with({method, route}).add(res.bytes_written());
    }
    bool const failed = status >= 500 || notes.err;
    if (!failed && !how_.log_all) return;
    auto const at = status >= 500 || notes.cut_short ? log::level::error : log::level::info;
    if (!how_.logger.enabled(at)) return;
    std::string const remote(req.remote_addr());
    std::array<log::attr, 9> attrs{{{"method", req.method()},
                                    {"route", route},
                                    {"path", req.url().raw_path()},
                                    {"status", status},
                                    {"bytes", res.bytes_written()},
                                    {"duration_ms", milliseconds(took)},
                                    {"remote", remote}}};
    std::size_t used = 7;
    if (budget) attrs[used++] = {"budget_ms", milliseconds(*budget)};
    if (notes.err) attrs[used++] = {"error", notes.err};
    how_.logger.log(ctx, at, "request", std::span<log::attr const>(attrs).first(used));
  }

  // Milliseconds to the microsecond.
  static double milliseconds(duration d) {
    return static_cast<double>(std::chrono::round<std::chrono::microseconds>(d).count()) / 1000;
  }

  observe_options how_;
  metrics::family<metrics::counter> requests_;
  metrics::family<metrics::histogram> seconds_;
  metrics::family<metrics::counter> bytes_;
};

}  // namespace

http::middleware observe(observe_options how) {
  auto const shared = std::make_shared<observer const>(std::move(how));
  return [shared](http::handler next) -> http::handler {
    return [shared, next = std::move(next)](http::response_writer& res, http::request& req) {
      shared->serve(next, res, req);
    };
  };
}

std::function<void(context const& ctx, http::headers& to)> propagate() {
  return [](context const& ctx, http::headers& to) {
    auto const* scope = internal::scope_of(ctx);
    if (scope == nullptr) return;
    if (!scope->request_id.empty()) to.set("X-Request-Id", scope->request_id);
    if (!scope->span.valid()) return;
    to.set("traceparent", trace::format_traceparent(scope->span));
    if (!scope->span.state.empty()) to.set("tracestate", scope->span.state);
  };
}

void set_error(http::request& req, error err) {
  if (auto* notes = notes_of(req)) notes->err = std::move(err);
}

}  // namespace vole::service
