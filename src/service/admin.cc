// SPDX-License-Identifier: Apache-2.0
// No shared state but last_seen, which is atomic.
#include "service/admin.h"

#include <memory>
#include <optional>

#include "vole/http/pprof.h"
#include "vole/internal/atomic.h"
#include "vole/json.h"
#include "vole/service/problem.h"

#include "http/html.h"
#include "http/scan.h"
#include "service/endpoint.h"

namespace vole::service {
namespace {

constexpr std::size_t level_bytes_max = 64;

void reply_text(http::response_writer& res, int status, std::string_view text,
                std::string_view type = "text/plain; charset=utf-8") {
  res.header().set("Cache-Control", "no-store");
  res.header().set("X-Content-Type-Options", "nosniff");
  http::reply(res, status, text, type);
}

std::string readiness_text(health::report const& seen, bool with_details) {
  std::string out = seen.ready ? "ready\n" : "not ready\n";
  if (!seen.reason.empty()) out = fmt::format("not ready: {}\n", seen.reason);
  for (auto const& check : seen.checks) {
    auto const took = format_duration(std::chrono::round<std::chrono::microseconds>(check.took));
    if (!check.err) {
      out += fmt::format("{}: ok ({})\n", check.name, took);
    } else if (with_details) {
      out += fmt::format("{}: failed ({}): {}\n", check.name, took, check.err);
    } else {
      out += fmt::format("{}: failed ({})\n", check.name, took);
    }
  }
  return out;
}

// readiness_page logs when a check begins to fail and when all pass again, not at every probe.
class readiness_page {
 public:
  readiness_page(service::health health, log::logger logger, bool with_details)
      : health_(std::move(health)), logger_(std::move(logger)), with_details_(with_details) {}

  void operator()(http::response_writer& res, http::request& req) const {
    auto const seen = health_.readiness(req.ctx());
    if (!req.ctx().err()) note(req.ctx(), seen);  // else the prober hung up: no check failed
    int const status = seen.ready ? http::status::ok : http::status::service_unavailable;
    reply_text(res, status, readiness_text(seen, with_details_));
  }

 private:
  void note(context const& ctx, health::report const& seen) const {
    health::check_result const* failed = nullptr;
    for (auto const& check : seen.checks) {
      if (check.err && failed == nullptr) failed = &check;
    }
    bool const failing = failed != nullptr;
    if (was_failing_->exchange(failing, internal::memory_order_relaxed) == failing) return;
    if (failing) {
      logger_.warn(ctx, "readiness check fails", {{"check", failed->name}, {"error", failed->err}});
    } else {
      logger_.info(ctx, "readiness checks pass again");
    }
  }

  service::health health_;
  log::logger logger_;
  bool with_details_;
  std::shared_ptr<internal::atomic<bool>> was_failing_ =
      std::make_shared<internal::atomic<bool>>(false);
};

std::string config_json(admin_pages const& pages) {
  std::string out;
  json::writer w(out);
  w.begin_object().field("name", pages.name).field("version", pages.version).key("config");
  w.begin_array();
  for (auto const& entry : pages.config) {
    w.begin_object().field("name", entry.name).field("value", entry.value);
    w.field("source", entry.source).field("environment", entry.environment);
    w.field("help", entry.help).end_object();
  }
  w.end_array().end_object();
  return out + "\n";
}

std::string index_html(admin_pages const& pages) {
  struct page {
    std::string_view path;
    std::string_view what;
  };
  static constexpr page all[] = {
      {"/livez", "whether the process lives"},
      {"/readyz", "whether it should be sent requests, and each check"},
      {"/metrics", "metrics in the Prometheus text format"},
      {"/debug/pprof/", "profiles, for go tool pprof and for the browser"},
      {"/debug/config", "every setting, where it came from, secrets hidden"},
      {"/debug/log-level", "GET shows the level, PUT sets it: curl -X PUT -d debug"},
  };
  std::string const name = http::escape_html(pages.name);
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title></head>\n"
      "<body><h1>{0}</h1><p>version {1}</p>\n<ul>\n",
      name, http::escape_html(pages.version));
  for (auto const& p : all) {
    out += fmt::format("<li><a href=\"{0}\">{0}</a> {1}</li>\n", p.path, p.what);
  }
  return out + "</ul></body></html>\n";
}

void put_level(log::logger const& logger, http::response_writer& res, http::request& req) {
  req.set_body_limit(level_bytes_max);
  auto const body = req.read_body();
  if (!body) return respond(res, req, to_problem(body.error()), body.error());
  auto text = *body;
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  auto const level = log::parse_level(text);
  if (!level) {
    return respond(res, req,
                   {.status = http::status::bad_request,
                    .code = "invalid_log_level",
                    .detail = level.error().message()});
  }
  auto const before = logger.minimum();
  logger.set_minimum(*level);
  logger.log(req.ctx(), log::level::warn, "log level changed",
             std::initializer_list<log::attr>{{"from", log::level_text(before)},
                                              {"to", log::level_text(*level)}});
  reply_text(res, http::status::ok, log::level_text(*level) + "\n");
}

// equal_secret compares in a time that does not tell where two texts of one length differ.
bool equal_secret(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  unsigned differ = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    differ |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  return differ == 0;
}

// from_base64 is what text (RFC 4648, section 4) stands for; nothing: it is not base64.
std::optional<std::string> from_base64(std::string_view text) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  unsigned bits = 0;
  unsigned held = 0;
  for (char const c : text) {
    auto const digit = digits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<unsigned>(digit);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out.push_back(static_cast<char>(bits >> held & 0xff));
  }
  return out;
}

// has_token: as a bearer's, or as the password of whoever; browsers and go tool pprof send that.
bool has_token(http::request const& req, std::string const& token) {
  auto const given = req.header().get("Authorization");
  auto const space = given.find(' ');
  if (space == std::string_view::npos) return false;
  auto const scheme = given.substr(0, space);
  auto const words = given.substr(space + 1);
  if (http::internal::equal_fold(scheme, "bearer")) return equal_secret(words, token);
  if (!http::internal::equal_fold(scheme, "basic")) return false;
  auto const user_and_password = from_base64(words);
  if (!user_and_password) return false;
  auto const colon = user_and_password->find(':');
  return colon != std::string::npos &&
         equal_secret(std::string_view(*user_and_password).substr(colon + 1), token);
}

// A Host that a page of another site cannot have: DNS rebinding makes the browser send the
// attacker's name.
bool is_local_host(std::string_view host) {
  auto const closing = host.rfind(']');
  auto const colon = host.rfind(':');
  bool const has_port =
      colon != std::string_view::npos &&
      (closing == std::string_view::npos ? host.find(':') == colon : colon > closing);
  return is_loopback(has_port ? std::string(host) : fmt::format("{}:0", host));
}

bool is_cross_site(http::request const& req) {
  auto const site = req.header().get("Sec-Fetch-Site");
  if (!site.empty()) return site != "same-origin" && site != "none";
  auto const origin = req.header().get("Origin");
  if (origin.empty()) return false;
  auto const scheme = origin.find("://");
  return scheme == std::string_view::npos || origin.substr(scheme + 3) != req.host();
}

}  // namespace

void hide_secrets(std::vector<config_entry> const& config, std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (auto const& entry : config) {
      if (entry.value != redacted_text) continue;
      std::string const flag = "--" + entry.name;
      if (words[i].starts_with(flag + "=")) words[i] = flag + "=" + std::string(redacted_text);
      if (words[i] == flag && i + 1 < words.size()) words[i + 1] = redacted_text;
    }
    words[i] = redact_url(words[i]);
  }
}

void add_ops_pages(http::mux& to, admin_pages const& pages, bool with_details) {
  to.handle("GET /livez", [](http::response_writer& res, http::request&) {
    reply_text(res, http::status::ok, "alive\n");
  });
  to.handle("GET /readyz", readiness_page(pages.health, pages.logger, with_details));
  to.handle("GET /metrics",
            [registry = pages.registry](http::response_writer& res, http::request&) {
              reply_text(res, http::status::ok, registry.text(), metrics::registry::content_type);
            });
}

void add_admin_pages(http::mux& to, admin_pages const& pages) {
  add_ops_pages(to, pages, true);
  http::handle_pprof(to, {.show_arguments = [config = pages.config](auto& words) {
                       hide_secrets(config, words);
                     }});
  to.handle("GET /{$}", [page = index_html(pages)](http::response_writer& res, http::request&) {
    reply_text(res, http::status::ok, page, "text/html; charset=utf-8");
  });
  to.handle("GET /debug/config",
            [page = config_json(pages)](http::response_writer& res, http::request&) {
              reply_text(res, http::status::ok, page, "application/json");
            });
  to.handle("GET /debug/log-level",
            [logger = pages.logger](http::response_writer& res, http::request&) {
              reply_text(res, http::status::ok, log::level_text(logger.minimum()) + "\n");
            });
  to.handle("PUT /debug/log-level",
            [logger = pages.logger](http::response_writer& res, http::request& req) {
              put_level(logger, res, req);
            });
}

http::middleware admin_guard(secret<std::string> token) {
  return [token = std::move(token)](http::handler next) -> http::handler {
    return [token, next = std::move(next)](http::response_writer& res, http::request& req) {
      if (!token.reveal().empty()) {
        if (!has_token(req, token.reveal())) {
          res.header().set("WWW-Authenticate", "Basic realm=\"admin\", charset=\"UTF-8\"");
          res.header().add("WWW-Authenticate", "Bearer");
          return http::reply_error(res, http::status::unauthorized,
                                   "the admin server asks for its token: Authorization: Bearer, "
                                   "or as the password of any user");
        }
      } else if (!is_local_host(req.host())) {
        return http::reply_error(res, http::status::forbidden,
                                 "the admin server answers to localhost and loopback addresses");
      }
      if (is_cross_site(req)) {
        return http::reply_error(res, http::status::forbidden,
                                 "the admin server does not answer to pages of other sites");
      }
      next(res, req);
    };
  };
}

}  // namespace vole::service
