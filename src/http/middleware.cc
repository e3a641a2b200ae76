// SPDX-License-Identifier: Apache-2.0
#include "vole/http/middleware.h"

#include <exception>
#include <iterator>
#include <string>
#include <utility>

#include "vole/internal/format.h"

#include "base/rand.h"
#include "http/scan.h"

namespace vole::http {

namespace {

bool valid_request_id(std::string_view id) {
  if (id.empty() || id.size() > 128) return false;
  for (char c : id) {
    bool const mark = c == '.' || c == '_' || c == '-';
    if (!internal::is_alpha(c) && !internal::is_digit(c) && !mark) return false;
  }
  return true;
}

std::string make_request_id() {
  return fmt::format("{:016x}{:016x}", vole::internal::fast_rand(), vole::internal::fast_rand());
}

}  // namespace

handler chain(handler h, std::initializer_list<middleware> layers) {
  for (auto layer = std::rbegin(layers); layer != std::rend(layers); ++layer) {
    h = (*layer)(std::move(h));
  }
  return h;
}

middleware recover(std::function<void(request& req, std::string_view what)> report) {
  return [report = std::move(report)](handler next) -> handler {
    return [report, next = std::move(next)](response_writer& res, request& req) {
      try {
        next(res, req);
        return;
      } catch (std::exception const& caught) {
        if (report) report(req, caught.what());
        if (res.status() != 0) throw;  // the server cuts off what has begun
      } catch (...) {
        if (report) report(req, "an exception that is not a std::exception");
        if (res.status() != 0) throw;
      }
      reply_error(res, status::internal_server_error, "500 internal server error");
    };
  };
}

middleware timeout(duration limit) {
  return [limit](handler next) -> handler {
    return [limit, next = std::move(next)](response_writer& res, request& req) {
      context const outer = req.ctx();
      auto const [ctx, cancel] = context::with_timeout(outer, limit);
      req.set_ctx(ctx);
      next(res, req);
      req.set_ctx(outer);
      if (res.status() == 0 && errors::is(ctx.err(), context::deadline_exceeded)) {
        reply_error(res, status::service_unavailable, "503 request timed out");
      }
    };
  };
}

middleware max_body(std::uint64_t bytes) {
  return [bytes](handler next) -> handler {
    return [bytes, next = std::move(next)](response_writer& res, request& req) {
      req.set_body_limit(bytes);
      next(res, req);
    };
  };
}

middleware request_id(std::function<context(context const& ctx, std::string_view id)> attach) {
  return [attach = std::move(attach)](handler next) -> handler {
    return [attach, next = std::move(next)](response_writer& res, request& req) {
      std::string_view const given = req.header().get("X-Request-Id");
      std::string const id = valid_request_id(given) ? std::string(given) : make_request_id();
      res.header().set("X-Request-Id", id);
      if (attach) req.set_ctx(attach(req.ctx(), id));
      next(res, req);
    };
  };
}

}  // namespace vole::http
