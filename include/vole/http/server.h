// SPDX-License-Identifier: Apache-2.0
// http::server: serves HTTP/1.1 on listeners, one goroutine per connection.
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

namespace vole::net {
class conn;
class listener;
}  // namespace vole::net

namespace vole::http {

namespace internal {
struct server_core;
}

// request_record is what on_request_done is told. Its views die with the call.
struct request_record {
  std::string_view method;
  std::string_view target;
  std::string_view host;
  std::string_view pattern;  // "" when no mux pattern matched
  std::string_view remote_addr;
  int status = 0;
  std::uint64_t bytes_received = 0;  // of the body, as far as it was read
  std::uint64_t bytes_sent = 0;      // of the body
  duration elapsed{};                // from the complete head until the answer is complete
  error err;  // why the answer did not get through, or why the message was refused; null: all well
};

// refused_message is why a message is answered before any handler sees it: it is no valid request
// (400, 408, 414, 417, 431, 501, 505), or it comes on a connection too many (503).
struct refused_message final : errors::typed_base {
  refused_message(int code, std::string_view why, std::size_t byte, std::string_view from)
      : status(code), reason(why), at(byte), remote_addr(from) {}
  std::string message() const override;

  int status;
  std::string reason;  // "request line too long"
  std::size_t at;      // byte of the message
  std::string remote_addr;
};

// server_hooks: http sees no logger and no metrics; it tells. Each may be empty; they are called on
// the connection's goroutine and must not block for long.
struct server_hooks {
  std::function<void(request_record const&)> on_request_done = {};
  // A message that was refused before any handler saw it, then err is a refused_message, or a
  // connection that broke. Silent ends (idle timeout, client closed between requests) are no error,
  // and connections too many are counted in server_stats alone.
  std::function<void(std::string_view remote_addr, error const& err)> on_connection_error = {};
  // A C++ exception came out of the handler; the client was answered 500 where that was possible.
  std::function<void(request& req, std::string_view what)> on_exception = {};
  // Accepting failed (descriptors used up, ...); the server tries again after a pause.
  std::function<void(error const& err)> on_accept_error = {};
};

// server_options: everything that can hurt is limited by default.
struct server_options {
  http::handler handler = {};

  duration header_timeout = std::chrono::seconds(5);        // first byte to the end of the head
  duration idle_timeout = std::chrono::seconds(75);         // between requests
  duration write_stall_timeout = std::chrono::seconds(30);  // for the client to take 256 KiB more
  duration body_grace = std::chrono::seconds(10);           // waiting for a body is allowed this
  std::uint64_t body_rate_min = 1024;                       // plus 1 s for so many bytes received
  duration drain_timeout = std::chrono::seconds(20);        // serve(): after ctx has ended

  std::size_t request_line_bytes_max = 8 * 1024;  // else 414
  std::size_t header_bytes_max = 64 * 1024;       // else 431
  std::size_t header_fields_max = 100;            // else 431
  std::uint64_t body_bytes_max = 1024 * 1024;     // else body_too_large; see max_body
  std::size_t connections_max = 65'536;           // past it: 503 and close

  // Of each connection's goroutine, in which handlers run: as spawn_options::stack_bytes. With
  // serve_conn it is the caller's.
  std::size_t stack_bytes = 0;

  // Answers a message that is refused before any handler sees it. One line of plain text when it is
  // empty, says nothing or throws. The connection ends after it.
  std::function<void(response_writer& res, refused_message const& why)> refusal = {};

  // What the contexts of requests derive from; background when there is none.
  std::optional<context::stored> base_context = {};
  server_hooks hooks = {};
};

// server_stats is a snapshot for metrics.
struct server_stats {
  std::size_t connections_live = 0;
  std::size_t requests_active = 0;
  std::uint64_t connections_total = 0;
  std::uint64_t connections_refused_total = 0;
  std::uint64_t requests_total = 0;
};

// server answers requests on the connections of its listeners.
// Safety: any goroutine. It must outlive its serve() calls; they end when it is shut down.
class server {
 public:
  explicit server(server_options options);  // panics: stack_bytes above the most of spawn_options
  ~server();                                // panics while a connection is open: shutdown() first
  server(server const&) = delete;
  server& operator=(server const&) = delete;

  // serve accepts until ctx ends or shutdown() is called, then drains (for drain_timeout when it
  // was ctx) and returns once no connection is left. It closes the listener.
  // Blocks:  parks the goroutine.
  // Errors:  null after a clean end; that requests had to be canceled; that accepting failed.
  error serve(context const& ctx, net::listener& listener);

  // serve_conn serves one connection and returns when it is closed. For pipes and tests.
  void serve_conn(std::unique_ptr<net::conn> conn);

  // shutdown stops accepting, closes idle connections and lets requests in flight end, their
  // answers marked `Connection: close`. When ctx ends first, their contexts are canceled and their
  // connections cut, and it waits for the handlers to return, for 5 s at most. Hijacked
  // connections are not the server's any more. A second call waits with the first.
  // Errors:  how many requests had to be canceled; how many handlers did not return.
  error shutdown(context const& ctx);

  server_stats stats() const;

 private:
  std::shared_ptr<internal::server_core> core_;
};

}  // namespace vole::http
