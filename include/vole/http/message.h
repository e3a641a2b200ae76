// SPDX-License-Identifier: Apache-2.0
// http messages: headers, url, request, response_writer.
// No shared state: a request and its response_writer belong to the goroutine that runs the handler.
//
// LIFETIME: every view that a request gives (method, header values, path values, read_body) lives
// until the handler returns. Copy what must live longer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vole/context.h"
#include "vole/errors.h"
#include "vole/internal/text_arena.h"
#include "vole/io.h"
#include "vole/result.h"

namespace vole::net {
class conn;
}

namespace vole::http {

namespace internal {
struct message_access;  // the door of the server, the client and the test kit into these classes
class request_source;   // what stands behind a request: a connection, or a test
}  // namespace internal

// status: the codes by name, those that services use. Source: RFC 9110 section 15.
namespace status {
inline constexpr int switching_protocols = 101, ok = 200, created = 201, accepted = 202,
                     no_content = 204, partial_content = 206, moved_permanently = 301, found = 302,
                     see_other = 303, not_modified = 304, temporary_redirect = 307,
                     permanent_redirect = 308, bad_request = 400, unauthorized = 401,
                     forbidden = 403, not_found = 404, method_not_allowed = 405,
                     request_timeout = 408, conflict = 409, gone = 410, precondition_failed = 412,
                     content_too_large = 413, uri_too_long = 414, unsupported_media_type = 415,
                     expectation_failed = 417, unprocessable_content = 422, too_many_requests = 429,
                     header_fields_too_large = 431, client_closed_request = 499,
                     internal_server_error = 500, not_implemented = 501, bad_gateway = 502,
                     service_unavailable = 503, gateway_timeout = 504, version_not_supported = 505;
}  // namespace status

// status_text is the reason phrase of a code ("Not Found"), or "" for an unknown one.
std::string_view status_text(int code);

inline constinit const errors::sentinel body_too_large{"http: body too large"};
inline constinit const errors::sentinel body_timeout{"http: body came too slowly"};
inline constinit const errors::sentinel body_malformed{"http: malformed body"};
inline constinit const errors::sentinel body_not_allowed{"http: this status or method has no body"};
inline constinit const errors::sentinel content_length_exceeded{
    "http: wrote more than the declared content-length"};
inline constinit const errors::sentinel hijacked_connection{"http: connection has been hijacked"};

// status_of says which status an error of reading a request's body deserves: 413, 408 or 400;
// 504 for a passed deadline, 499 for a canceled context, 500 for anything else.
int status_of(error const& err);

// headers: the fields of a message in order; names compare case-insensitively, few and linear.
// A name that is no token and a value with CR, LF, NUL or another control character are refused
// when they are set: the field is left out and err() says which; a server then answers 500 instead
// of the message, a client refuses to send it. So nothing a user types can split a response.
// Safety: one goroutine. Cost: no allocation once its arena is warm.
class headers {
 public:
  struct field {
    std::string_view name;
    std::string_view value;
  };

  headers() = default;
  headers(headers&& other) noexcept = default;
  headers& operator=(headers&& other) noexcept = default;
  headers(headers const& other);  // owns its text, whatever the other's views point at
  headers& operator=(headers const& other);
  headers(std::initializer_list<field> fields);

  // get returns the first value of name, or "" where there is none.
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  // values returns every value of name, in order.
  std::vector<std::string_view> values(std::string_view name) const;

  // set makes value the only one of name; add appends one more; del removes all of name.
  void set(std::string_view name, std::string_view value);
  void add(std::string_view name, std::string_view value);
  void del(std::string_view name);
  void clear();

  // err is the first refused field, null when every set and add was taken.
  error const& err() const { return err_; }

  field const* begin() const { return fields_.data(); }
  field const* end() const { return fields_.data() + fields_.size(); }
  std::size_t size() const { return fields_.size(); }
  bool empty() const { return fields_.empty(); }

 private:
  friend struct internal::message_access;
  field const* find(std::string_view name) const;
  bool accept(std::string_view name, std::string_view value);

  std::vector<field> fields_;
  vole::internal::text_arena text_;
  error err_;
};

// url: the target of a request. path() is percent-decoded once; raw_path() is as it was sent.
class url {
 public:
  std::string_view path() const { return path_; }
  std::string_view raw_path() const { return raw_path_; }
  std::string_view raw_query() const { return raw_query_; }  // without the '?'

  // query returns the first value of a parameter, decoded ('+' is a space); none: nullopt.
  // A parameter with a malformed escape or a ';' is passed over.
  std::optional<std::string> query(std::string_view name) const;
  // query_all returns every value of a parameter, decoded, in order.
  // Errors: a malformed escape, or a ';', anywhere in the query: then nobody knows what was meant.
  result<std::vector<std::string>> query_all(std::string_view name) const;
  // queries returns all parameters in order, decoded. Malformed ones are passed over.
  std::vector<std::pair<std::string, std::string>> queries() const;

 private:
  friend struct internal::message_access;
  std::string_view path_;
  std::string_view raw_path_;
  std::string_view raw_query_;
};

// request: what a client asked. Made by the server (or http::test); handlers get a reference.
class request {
 public:
  request();
  ~request();
  request(request const&) = delete;
  request& operator=(request const&) = delete;

  std::string_view method() const { return method_; }
  std::string_view target() const { return target_; }  // as sent: "/v1/prices?symbols=AAPL"
  http::url const& url() const { return url_; }
  std::string_view path() const { return url_.path(); }
  std::string_view host() const { return host_; }
  int version_minor() const { return version_minor_; }  // HTTP/1.<n>
  headers const& header() const { return header_; }
  headers& header() { return header_; }
  std::string_view remote_addr() const;  // "127.0.0.1:52110"

  // ctx ends when the client goes away, when the handler has returned, or when a shutdown has run
  // out of time. Made at the first call, so a handler that never asks pays nothing.
  context const& ctx();
  // set_ctx gives the handlers behind this one another context; derive it from ctx().
  void set_ctx(context ctx) { ctx_.emplace(std::move(ctx)); }

  // body streams the content. Reading more than the limit gives body_too_large, a client that
  // sends too slowly body_timeout, broken framing body_malformed.
  io::reader& body();
  // read_body reads all of it and returns a view that lives as long as the request; a second call
  // returns the same.
  // Cost: no copy when the whole body came with the head.
  result<std::string_view> read_body();
  // content_length is the announced length; nullopt when the body is chunked.
  std::optional<std::uint64_t> content_length() const { return content_length_; }
  // set_body_limit overrides the server's limit for this request, before the body is read.
  void set_body_limit(std::uint64_t bytes);
  // trailer holds the fields after a chunked body, once it has been read to its end.
  headers const& trailer() const { return trailer_; }

  // path_value is what the wildcard `name` of the matched pattern stands for, or "".
  std::string_view path_value(std::string_view name) const;
  // pattern is the pattern that matched, as registered, or "": the label for metrics.
  std::string_view pattern() const { return pattern_; }

 private:
  friend struct internal::message_access;

  std::string_view method_;
  std::string_view target_;
  std::string_view host_;
  std::string_view pattern_;
  http::url url_;
  int version_minor_ = 1;
  std::optional<std::uint64_t> content_length_;
  headers header_;
  headers trailer_;
  std::vector<std::pair<std::string_view, std::string_view>> path_values_;
  std::optional<context::stored> ctx_;
  internal::request_source* source_ = nullptr;
};

// hijacked is a connection taken out of the server's hands, and what had been read from it.
struct hijacked {
  std::unique_ptr<net::conn> conn;
  std::string buffered;
};

// response_writer: where a handler puts its answer. The head goes out with the first bytes that
// leave; a small answer leaves in one piece, with its content-length, when the handler returns; a
// larger one without a content-length of its own is chunked.
// Safety: the handler's goroutine only.
class response_writer : public io::writer {
 public:
  ~response_writer() override = default;

  // header: the fields to send. Changes after write_header or the first write come too late.
  // Content-Length and Transfer-Encoding are the server's business; a Content-Length that is set
  // here must be kept. Without a Content-Type a body is sent as "text/plain; charset=utf-8".
  virtual headers& header() = 0;

  // write_header fixes the status; the first write does it with 200. A second call is ignored.
  virtual void write_header(int status) = 0;

  // write appends to the body. It blocks when the client does not keep up and fails once the client
  // has gone or has taken nothing for the server's write timeout: then stop, nobody listens.
  virtual error write(std::string_view data) = 0;
  // The same as an io::writer; ctx ends a wait for a slow client too.
  error write(context const& ctx, std::span<const std::byte> from) override;

  // flush sends everything written so far. For streams; an ordinary handler never needs it.
  virtual error flush() = 0;
  // The same, where ctx ends the wait for a slow client too. What has not gone out by then is lost,
  // and the answer with it.
  virtual error flush(context const& ctx);

  // status is what write_header fixed, 0 before; bytes_written counts the body.
  virtual int status() const = 0;
  virtual std::uint64_t bytes_written() const = 0;

  // hijack hands the connection over, for protocols that start as HTTP (WebSocket). The server's
  // timeouts end with it. A shutdown waits for the handler as for any other, and cancels the
  // request's context when its time is up; the connection is the handler's to close.
  // Errors: something was written already, or this writer has no connection.
  virtual result<hijacked> hijack();
};

using handler = std::function<void(response_writer&, request&)>;

// reply sends a whole answer. A failure to write means that the client has gone: the server counts
// it, and the handler has nothing left to do, so reply does not return it.
void reply(response_writer& res, int status, std::string_view body,
           std::string_view content_type = "text/plain; charset=utf-8");

// reply_error is reply for humans: one line of text, marked against content sniffing.
void reply_error(response_writer& res, int status, std::string_view message);

// redirect answers with `status` (3xx) and a Location. The location is sent as given, apart from
// bytes that no URL may hold: those are percent-encoded.
void redirect(response_writer& res, request& req, std::string_view location, int status);

// not_found answers 404.
void not_found(response_writer& res, request& req);

}  // namespace vole::http
