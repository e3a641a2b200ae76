// SPDX-License-Identifier: Apache-2.0
// http::mux: the router. Patterns and precedence are those of Go 1.22's ServeMux.
// No shared state after registration: handle() before serving, then any number of goroutines match.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "vole/errors.h"
#include "vole/http/message.h"

namespace vole::http {

// mux picks the handler of the most specific pattern that matches a request.
//
//   [METHOD ][HOST]/[PATH]      "GET /v1/orders/{id}", "/static/", "example.com/", "POST /v1/{$}"
//
//   METHOD    that method only; GET matches HEAD as well; none: every method.
//   HOST      that host only (port ignored); a pattern with a host wins over one without.
//   {name}    one segment, decoded; request.path_value("name") returns it.
//   {name...} the rest of the path, last in the pattern; may be empty.
//   /         at the end: everything below, as an unnamed {...}.
//   {$}       at the end: exactly the path that ends with this slash.
//
// The more specific of two patterns wins: it matches a strict subset of the other's requests. Two
// that overlap without that (or are equal) are a conflict, refused when the second is registered.
// Path known, method not: 405 with Allow. "/tree" with only "/tree/" registered: redirect. A path
// with "//", "." or ".." segments: redirect to the clean one. Nothing: 404.
// Source: Go 1.22 net/http ServeMux and pattern documentation. Differs: registration is not
// allowed while requests are served.
class mux {
 public:
  mux();
  ~mux();
  mux(mux&&) noexcept;
  mux& operator=(mux&&) noexcept;

  // handle registers h for pattern.
  // Panics: a malformed pattern, or a conflict with an earlier one; the message names both.
  void handle(std::string_view pattern, handler h);

  // try_handle is handle for patterns that are not fixed in the program: it returns what handle
  // panics with.
  error try_handle(std::string_view pattern, handler h);

  // on_unmatched gives the answers to requests that no pattern matches: status is 404, or 405 with
  // Allow already set. Default: a line of text.
  void on_unmatched(std::function<void(response_writer&, request&, int status)> answer);

  // serve matches and runs; it sets req.pattern() and the path values.
  void serve(response_writer& res, request& req) const;

  // A mux converts to a handler that shares its table: `server_options{.handler = mux}`.
  operator handler() const;  // NOLINT(google-explicit-constructor)

 private:
  struct table;
  std::shared_ptr<table> table_;
};

}  // namespace vole::http
