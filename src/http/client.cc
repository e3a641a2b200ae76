// SPDX-License-Identifier: Apache-2.0
#include "vole/http/client.h"

#include <charconv>
#include <utility>

#include "vole/assert.h"
#include "vole/internal/format.h"

#include "http/client_pool.h"
#include "http/framing.h"
#include "http/message_access.h"
#include "http/scan.h"
#include "http/url.h"

namespace vole::http {

namespace internal {

// client_exchange is an answer under way: the connection it comes over, and what has been read.
struct client_exchange {
  std::shared_ptr<client_pool> pool;
  std::string address;
  std::string url;
  std::unique_ptr<client_conn> conn;
  received_head head;
  headers header;
  headers trailer;
  body_stream body;

  client_exchange(std::shared_ptr<client_pool> from, absolute_url const& to)
      : pool(std::move(from)), address(to.address), url(to.text()) {}
  ~client_exchange() {
    if (conn == nullptr) return;
    bool const keep = conn->recycle(body);
    pool->give_back(address, std::move(conn), keep);
  }
};

}  // namespace internal

namespace {

using internal::absolute_url;
using internal::client_exchange;
using internal::client_pool;
using exchange_ptr = std::unique_ptr<client_exchange>;

bool is_redirect(int code) {
  return code == status::moved_permanently || code == status::found || code == status::see_other ||
         code == status::temporary_redirect || code == status::permanent_redirect;
}

// Source: RFC 9110 section 9.2.2; the Idempotency-Key of a POST makes it so.
bool may_repeat(client_request const& req) {
  constexpr std::string_view idempotent[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
  if (req.stream != nullptr) return false;
  for (std::string_view const method : idempotent) {
    if (req.method == method) return true;
  }
  return req.header.has("Idempotency-Key");
}

error check(client_request const& req) {
  if (!internal::is_token(req.method)) {
    return errors::make("\"{}\" is not a method", internal::escape_location(req.method));
  }
  if (req.header.err()) return req.header.err();
  if (req.stream != nullptr && !req.body.empty()) {
    return errors::make("both a body and a stream were given");
  }
  return nullptr;
}

// send_once sends the request to one URL, over a pooled connection where there is one. When that
// turns out to have been closed meanwhile, the request goes out again, over a new one.
result<exchange_ptr> send_once(context const& ctx, std::shared_ptr<client_pool> const& pool,
                               client_request const& req, absolute_url const& url) {
  for (bool fresh = false;; fresh = true) {
    auto lease = pool->take(ctx, url.address, fresh);
    if (!lease) return std::move(lease).error();
    auto exchange = std::make_unique<client_exchange>(pool, url);
    bool answered = false;
    auto head = lease->conn->exchange(ctx, req, url, pool->options, exchange->header, answered);
    if (head) {
      exchange->head = *head;
      exchange->conn = std::move(lease->conn);
      exchange->conn->start_body(*head, exchange->body, exchange->trailer);
      return exchange;
    }
    bool const timed_out = errors::is(head.error(), net::timed_out);
    bool const unsent = lease->conn->unsent();  // refused here: the connection is as it was
    pool->give_back(url.address, std::move(lease->conn), unsent);
    bool const repeat =
        lease->reused && !unsent && !answered && !timed_out && !ctx.err() && may_repeat(req);
    if (!repeat) return std::move(head).error();
    pool->count_retry();
  }
}

// redirect_request turns req into what a redirect asks for; false: it cannot be followed.
bool redirect_request(client_request& req, int code, bool same_host) {
  bool const keeps_method =
      code == status::temporary_redirect || code == status::permanent_redirect;
  if (keeps_method && req.stream != nullptr) return false;
  if (!keeps_method && req.method != "HEAD" && req.method != "GET") {
    req.method = "GET";
    req.body.clear();
    req.stream = nullptr;
    req.header.del("Content-Type");
    req.header.del("Content-Encoding");
    req.header.del("Expect");
  }
  if (!same_host) {
    req.header.del("Authorization");
    req.header.del("Cookie");
    req.header.del("Proxy-Authorization");
  }
  return true;
}

result<exchange_ptr> send_following(context const& ctx, std::shared_ptr<client_pool> const& pool,
                                    client_request const& first) {
  if (error err = check(first)) return err;
  auto parsed = internal::parse_url(first.url);
  if (!parsed) return std::move(parsed).error();
  absolute_url url = *std::move(parsed);
  auto answer = send_once(ctx, pool, first, url);
  client_request next;
  client_options const& options = pool->options;
  for (int followed = 0; answer && is_redirect((*answer)->head.status); ++followed) {
    std::string_view const location = (*answer)->header.get("Location");
    if (location.empty() || options.redirects_max == 0) break;
    if (followed == 0) {
      next.method = first.method;
      next.header = first.header;
      next.body = first.body;
      next.stream = first.stream;
    }
    auto target = internal::resolve_url(url, location);
    if (!target) return errors::wrap(target.error(), "follow a redirect from {}", url.text());
    if (followed == options.redirects_max) {
      return errors::make("stopped after {} redirects, at {}", followed, url.text());
    }
    bool const same_host = target->address == url.address;
    if (!redirect_request(next, (*answer)->head.status, same_host)) break;
    if (options.on_redirect) {
      if (error err = options.on_redirect(url.text(), target->text())) return err;
    }
    url = *std::move(target);
    answer->reset();  // gives the connection back before the next one is asked for
    answer = send_once(ctx, pool, next, url);
    if (!answer) return errors::wrap(answer.error(), "redirected to {}", url.text());
  }
  return answer;
}

constexpr std::size_t refusal_bytes_max = 4096;

// Retry-After in seconds; its other form, a date, is passed over.
std::optional<duration> seconds_of(std::string_view text) {
  std::uint32_t seconds = 0;
  auto const [end, failure] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return std::chrono::seconds(seconds);
}

}  // namespace

std::string status_error::message() const {
  std::string_view const words = status_text(code);
  return words.empty() ? fmt::format("status {}", code) : fmt::format("{} {}", code, words);
}

response::response(std::unique_ptr<internal::client_exchange> exchange)
    : exchange_(std::move(exchange)) {}
response::response(response&&) noexcept = default;
response& response::operator=(response&&) noexcept = default;
response::~response() = default;

int response::status() const {
  return exchange_->head.status;
}
headers const& response::header() const {
  return exchange_->header;
}
headers const& response::trailer() const {
  return exchange_->trailer;
}
std::string const& response::url() const {
  return exchange_->url;
}
io::reader& response::body() {
  return exchange_->body;
}

std::optional<std::uint64_t> response::content_length() const {
  auto const& info = exchange_->head.info;
  if (info.has_length) return info.length;
  if (info.body == internal::body_kind::none) return 0;
  return std::nullopt;
}

error response::require_success(context const& ctx) {
  if (status() >= 200 && status() <= 299) return nullptr;
  status_error refused(status());
  refused.content_type = header().get("Content-Type");
  refused.retry_after = seconds_of(header().get("Retry-After"));
  refused.body.resize(refusal_bytes_max);
  std::size_t have = 0;
  while (have < refusal_bytes_max) {
    auto* const room = reinterpret_cast<std::byte*>(refused.body.data() + have);
    auto const got = exchange_->body.read(ctx, {room, refusal_bytes_max - have});
    if (!got || *got == 0) break;  // half a refusal says no as well as a whole one
    have += *got;
  }
  refused.body.resize(have);
  return errors::wrap(errors::make_typed<status_error>(std::move(refused)), "answer from {}",
                      exchange_->url);
}

result<std::string> response::read_all(context const& ctx, std::size_t limit) {
  exchange_->body.set_limit(limit);
  std::string text;
  auto whole = exchange_->body.read_all(ctx, text);
  if (!whole) {
    if (errors::is(whole.error(), body_too_large)) {
      return errors::wrap(errors::make_typed<io::limit_error>(limit), "read the response of {}",
                          exchange_->url);
    }
    return errors::wrap(whole.error(), "read the response of {}", exchange_->url);
  }
  if (whole->data() == text.data()) return text;
  return std::string(*whole);
}

client::client(client_options options)
    : pool_(std::make_shared<internal::client_pool>(std::move(options))) {}

client::~client() {
  pool_->close_idle();
}

result<response> client::send(context const& ctx, client_request const& req) {
  auto answer = send_following(ctx, pool_, req);
  if (!answer) {
    return errors::wrap(std::move(answer).error(), "{} {}", req.method,
                        internal::escape_location(req.url));
  }
  return response(*std::move(answer));
}

result<response> client::get(context const& ctx, std::string_view url) {
  client_request req;
  req.url = url;
  return send(ctx, req);
}

result<response> client::post(context const& ctx, std::string_view url,
                              std::string_view content_type, std::string_view body) {
  client_request req;
  req.method = "POST";
  req.url = url;
  req.header.set("Content-Type", content_type);
  req.body = body;
  return send(ctx, req);
}

void client::close_idle() {
  pool_->close_idle();
}
client_stats client::stats() const {
  return pool_->stats();
}

}  // namespace vole::http
