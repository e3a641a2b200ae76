// SPDX-License-Identifier: Apache-2.0
#include "vole/http/budget.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include "vole/internal/format.h"

namespace vole::http {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t digits_max = 9;  // some eleven days

double as_ms(duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

}  // namespace

std::optional<duration> budget_of(headers const& header) {
  std::string_view const text = header.get(budget_header);
  if (text.empty() || text.size() > digits_max) return std::nullopt;
  std::int64_t ms = 0;
  auto const [end, failure] = std::from_chars(text.data(), text.data() + text.size(), ms);
  if (failure != std::errc{} || end != text.data() + text.size() || ms < 0) return std::nullopt;
  return milliseconds(ms);
}

std::string budget_text(duration left) {
  auto const ms = std::chrono::floor<milliseconds>(left).count();
  return fmt::format("{}", std::clamp<std::int64_t>(ms, 0, 999'999'999));
}

std::string budget_error::message() const {
  return fmt::format("{}: {:.1f} ms are left and {:.1f} ms are needed", budget_exhausted.text(),
                     as_ms(left), as_ms(needed));
}

middleware budget(budget_options options) {
  return [options = std::move(options)](handler next) -> handler {
    return [options, next = std::move(next)](response_writer& res, request& req) {
      auto const left = budget_of(req.header());
      if (!left) return next(res, req);
      if (*left < options.least) {
        budget_error const why(*left, options.least);
        if (options.refuse) return options.refuse(res, req, why);
        return reply_error(res, status::gateway_timeout, "504 deadline budget exhausted");
      }
      context const outer = req.ctx();
      auto const [ctx, cancel] = context::with_timeout(outer, *left);
      req.set_ctx(ctx);
      next(res, req);
      req.set_ctx(outer);
    };
  };
}

}  // namespace vole::http
