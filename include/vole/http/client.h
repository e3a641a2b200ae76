// SPDX-License-Identifier: Apache-2.0
// http::client: sends HTTP/1.1 requests over pooled keep-alive connections.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "vole/context.h"
#include "vole/errors.h"
#include "vole/http/message.h"
#include "vole/internal/clock.h"
#include "vole/io.h"
#include "vole/result.h"

namespace vole::net {
class conn;
}

namespace vole::http {

namespace internal {
class client_pool;
struct client_exchange;
}  // namespace internal

// client_request is what to send.
//   client.send(ctx, {.method = "PUT", .url = "http://127.0.0.1:8080/v1/x", .body = text})
struct client_request {
  std::string method = "GET";
  std::string url = {};          // absolute: "http://host[:port]/path?query"
  headers header = {};           // Host, Content-Length and framing are added
  std::string body = {};         // the whole body, or
  io::reader* stream = nullptr;  // a stream, chunked unless stream_bytes says how long it is; it
                                 // must live until send() returns
  std::optional<std::uint64_t> stream_bytes = {};
};

// status_error is an answer that says no: what response::require_success makes of it.
//   if (auto* refused = errors::as<http::status_error>(err); refused && refused->code == 404) ...
struct status_error final : errors::typed_base {
  explicit status_error(int status_code) : code(status_code) {}

  std::string message() const override;  // "503 Service Unavailable"

  int code;
  std::string content_type = {};
  std::string body = {};  // its first 4 KiB. It is another's text: log it, do not show it
  std::optional<duration> retry_after = {};  // where the answer says it in seconds
};

// response is an answer whose body is still on its way. Destroying it gives the connection back to
// the pool when the body was read to its end, else closes the connection.
class response {
 public:
  response(response&&) noexcept;
  response& operator=(response&&) noexcept;
  ~response();

  int status() const;
  headers const& header() const;
  headers const& trailer() const;  // after the end of a chunked body
  std::string const& url() const;  // where the answer came from, after redirects
  std::optional<std::uint64_t> content_length() const;

  // require_success is null for a 2xx answer; for any other one a status_error, with the start of
  // the body, and where the answer came from. It reads that start, and nothing of a 2xx answer.
  error require_success(context const& ctx);

  // body streams the content; the context given to a read ends it, that of send() is history.
  io::reader& body();
  // read_all reads the whole body, at most `limit` bytes; more is an error.
  result<std::string> read_all(context const& ctx, std::size_t limit = 16 * 1024 * 1024);

 private:
  friend class client;
  explicit response(std::unique_ptr<internal::client_exchange> exchange);
  std::unique_ptr<internal::client_exchange> exchange_;
};

struct client_options {
  duration connect_timeout = std::chrono::seconds(10);
  duration response_header_timeout = std::chrono::seconds(30);  // request sent to the answer's head
  duration idle_timeout = std::chrono::seconds(60);             // of a pooled connection
  std::size_t idle_per_host_max = 16;
  std::size_t connections_per_host_max = 256;  // send() waits, first come first served, under ctx
  std::size_t header_bytes_max = 64 * 1024;
  std::size_t header_fields_max = 100;
  int redirects_max = 10;  // 0: redirects are returned like any answer
  // Asked before each redirect; an error stops it and is returned. Empty: all are followed.
  std::function<error(std::string_view from, std::string_view to)> on_redirect = {};
  // How to connect; empty: net::dial. For tests (a pipe) and proxies.
  std::function<result<std::unique_ptr<net::conn>>(context const&, std::string_view address)> dial =
      {};
  // Asked for each request that goes out, a redirect's and a repeated one too: the fields it sets
  // are sent along, but for those that the request has itself. service::propagate() makes one.
  std::function<void(context const& ctx, headers& to)> propagate = {};
  // A request under a deadline tells the server how long its answer is waited for, less this margin
  // for the way back: see vole/http/budget.h. With no more than that left it is not sent.
  bool send_budget = true;
  duration budget_margin = std::chrono::milliseconds(5);
  std::string user_agent = "vole";
};

struct client_stats {
  std::size_t connections_idle = 0;
  std::size_t connections_live = 0;  // idle ones included
  std::uint64_t dials_total = 0;
  std::uint64_t reused_total = 0;
  std::uint64_t retries_total = 0;
};

// client keeps connections per host and sends requests over them.
// Redirects: 301, 302, 303 become GET (HEAD stays); 307, 308 repeat the request when its body is
// not a stream; credentials (Authorization, Cookie) do not go to another host. Retries: once per
// stale pooled connection, only when the request is idempotent (GET, HEAD, OPTIONS, TRACE, PUT,
// DELETE, or one with an Idempotency-Key) and its body can be sent again. Safety: any goroutine. It
// must outlive its responses.
class client {
 public:
  explicit client(client_options options = {});
  ~client();  // closes the idle connections
  client(client const&) = delete;
  client& operator=(client const&) = delete;

  // send sends one request and returns when the head of the answer is there. An HTTP status is
  // never an error; response::require_success makes one of it.
  // Cancels: ctx ends it at once, in whatever it waits: a place, DNS, connect, write, read.
  // Errors:  budget_exhausted; "GET http://127.0.0.1:8080/x: connect to 127.0.0.1:8080: connection
  // refused".
  result<response> send(context const& ctx, client_request const& req);

  result<response> get(context const& ctx, std::string_view url);
  result<response> post(context const& ctx, std::string_view url, std::string_view content_type,
                        std::string_view body);

  void close_idle();
  client_stats stats() const;

 private:
  std::shared_ptr<internal::client_pool> pool_;
};

}  // namespace vole::http
