// SPDX-License-Identifier: Apache-2.0
#include "vole/http/message.h"

#include <algorithm>

#include "vole/assert.h"
#include "vole/internal/format.h"
#include "vole/net.h"

#include "http/message_access.h"
#include "http/response_stream.h"
#include "http/scan.h"
#include "http/url.h"

namespace vole::http {

int status_of(error const& err) {
  if (!err) return status::ok;
  if (errors::is(err, body_too_large)) return status::content_too_large;
  if (errors::is(err, body_timeout)) return status::request_timeout;
  if (errors::is(err, body_malformed)) return status::bad_request;
  if (errors::is(err, context::deadline_exceeded)) return status::gateway_timeout;
  if (errors::is(err, context::canceled)) return status::client_closed_request;
  return status::internal_server_error;
}

headers::headers(headers const& other) : err_(other.err_) {
  fields_.reserve(other.fields_.size());
  for (field const& f : other.fields_) fields_.push_back({text_.copy(f.name), text_.copy(f.value)});
}

headers& headers::operator=(headers const& other) {
  if (this != &other) *this = headers(other);
  return *this;
}

headers::headers(std::initializer_list<field> fields) {
  for (field const& f : fields) add(f.name, f.value);
}

headers::field const* headers::find(std::string_view name) const {
  for (field const& f : fields_) {
    if (internal::equal_fold(f.name, name)) return &f;
  }
  return nullptr;
}

std::string_view headers::get(std::string_view name) const {
  field const* const found = find(name);
  return found == nullptr ? std::string_view() : found->value;
}

std::vector<std::string_view> headers::values(std::string_view name) const {
  std::vector<std::string_view> all;
  for (field const& f : fields_) {
    if (internal::equal_fold(f.name, name)) all.push_back(f.value);
  }
  return all;
}

bool headers::accept(std::string_view name, std::string_view value) {
  if (internal::is_token(name) && internal::scan_value(value, 0) == value.size()) return true;
  if (!err_) {
    err_ = internal::is_token(name)
               ? errors::make("http: field {}: control character in its value", name)
               : errors::make("http: field name {:?} is not a token",
                              std::string_view(internal::escape_location(name)));
  }
  return false;
}

void headers::add(std::string_view name, std::string_view value) {
  if (!accept(name, value)) return;
  fields_.push_back({text_.copy(name), text_.copy(internal::trim(value))});
}

void headers::set(std::string_view name, std::string_view value) {
  if (!accept(name, value)) return;
  auto const same = [name](field const& f) { return internal::equal_fold(f.name, name); };
  auto const first = std::ranges::find_if(fields_, same);
  if (first == fields_.end()) {
    fields_.push_back({text_.copy(name), text_.copy(internal::trim(value))});
    return;
  }
  first->value = text_.copy(internal::trim(value));
  fields_.erase(std::remove_if(first + 1, fields_.end(), same), fields_.end());
}

void headers::del(std::string_view name) {
  std::erase_if(fields_, [name](field const& f) { return internal::equal_fold(f.name, name); });
}

void headers::clear() {
  fields_.clear();
  text_.clear();
  err_ = nullptr;
}

request::request() = default;
request::~request() = default;

std::string_view request::remote_addr() const {
  return source_ == nullptr ? std::string_view() : source_->remote_addr();
}

context const& request::ctx() {
  if (!ctx_) ctx_.emplace(source_ == nullptr ? context{} : source_->make_ctx());
  return *ctx_;
}

io::reader& request::body() {
  VOLE_REQUIRE(source_ != nullptr, "this request was not made by a server or by http::test");
  return source_->body();
}

result<std::string_view> request::read_body() {
  VOLE_REQUIRE(source_ != nullptr, "this request was not made by a server or by http::test");
  return source_->read_body();
}

void request::set_body_limit(std::uint64_t bytes) {
  if (source_ != nullptr) source_->set_body_limit(bytes);
}

std::string_view request::path_value(std::string_view name) const {
  for (auto const& [key, value] : path_values_) {
    if (key == name) return value;
  }
  return {};
}

error response_writer::write(context const& ctx, std::span<const std::byte> from) {
  if (error err = ctx.err()) return err;
  return write(io::text(from));
}

error response_writer::flush(context const& ctx) {
  if (error err = ctx.err()) return err;
  return flush();
}

result<hijacked> response_writer::hijack() {
  return errors::make("http: this response has no connection to hijack");
}

void reply(response_writer& res, int status, std::string_view body, std::string_view content_type) {
  auto& header = res.header();
  if (!body.empty()) header.set("Content-Type", content_type);
  if (body.size() > internal::response_stream::stage_bytes_max) {  // else the writer counts itself
    fmt::format_int const length(body.size());
    header.set("Content-Length", {length.data(), length.size()});
  }
  res.write_header(status);
  if (body.empty()) return;
  // The client has gone: the server's records say so, and there is nobody to tell.
  static_cast<void>(res.write(body));
}

void reply_error(response_writer& res, int status, std::string_view message) {
  res.header().set("X-Content-Type-Options", "nosniff");
  std::string text(message);
  text += '\n';
  reply(res, status, text);
}

void redirect(response_writer& res, request& req, std::string_view location, int status) {
  std::string const escaped = internal::escape_location(location);
  res.header().set("Location", escaped);
  bool const body = req.method() == "GET" || req.method() == "HEAD";
  if (!body) {
    reply(res, status, "");
    return;
  }
  reply(res, status, fmt::format("{}: {}\n", status_text(status), escaped));
}

void not_found(response_writer& res, request&) {
  reply_error(res, status::not_found, "404 page not found");
}

}  // namespace vole::http
