// SPDX-License-Identifier: Apache-2.0
#include "vole/http/test.h"

#include <utility>

#include "vole/assert.h"
#include "vole/net.h"
#include "vole/sync/wait_group.h"

#include "http/framing.h"
#include "http/message_access.h"
#include "http/parse.h"
#include "http/url.h"

namespace vole::http::test {

using internal::message_access;

void recorder::write_header(int status) {
  if (status_ != 0) return;
  status_ = header_.err() ? status::internal_server_error : status;
  if (!header_.err()) sent_ = header_;
}

error recorder::write(std::string_view data) {
  if (status_ == 0) write_header(status::ok);
  if (header_.err()) return header_.err();
  if (!internal::status_has_body(status_)) return body_not_allowed;
  body_ += data;
  return nullptr;
}

error recorder::flush() {
  if (status_ == 0) write_header(status::ok);
  ++flushes_;
  return nullptr;
}

// backing is the text behind a request, and its source.
struct owned_request::backing final : internal::request_source {
  backing(std::string head_text, std::string_view body_text, context const& given)
      : head(std::move(head_text)), body_bytes(body_text), stream(body_bytes), ctx(given) {}

  std::string_view remote_addr() override { return "192.0.2.1:1234"; }
  context make_ctx() override { return ctx; }
  io::reader& body() override {
    if (body_bytes.size() > limit) return refused;
    return stream;
  }
  result<std::string_view> read_body() override {
    if (body_bytes.size() > limit) return body_too_large;
    return std::string_view(body_bytes);
  }
  void set_body_limit(std::uint64_t bytes) override { limit = bytes; }

  struct too_large final : io::reader {
    result<std::size_t> read(context const&, io::bytes_span) override { return body_too_large; }
  };

  std::string head;
  std::string body_bytes;
  io::bytes_reader stream;
  too_large refused;
  context::stored ctx;
  std::uint64_t limit = server_options{}.body_bytes_max;
};

owned_request::owned_request(std::unique_ptr<backing> given) : backing_(std::move(given)) {}
owned_request::~owned_request() = default;

std::unique_ptr<owned_request> make_request(std::string_view method, std::string_view target,
                                            std::string_view body, context const& ctx) {
  std::string head(method);
  head.append(" ").append(target).append(" HTTP/1.1\r\nHost: example.com\r\n");
  if (!body.empty()) {
    head.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  }
  head.append("\r\n");
  auto backing = std::make_unique<owned_request::backing>(std::move(head), body, ctx);
  std::string_view const text = backing->head;
  std::unique_ptr<owned_request> req(new owned_request(std::move(backing)));

  internal::head_parser parser(internal::head_kind::request);
  internal::head_info info;
  internal::parse_failure why;
  bool const parsed = parser.parse(text) == internal::parse_state::done &&
                      internal::read_request_head(parser, text, info, why);
  auto& arena = message_access::arena(req->header());
  auto const path = internal::decode_path(info.raw_path, arena);
  VOLE_REQUIRE(parsed && path, "\"{} {}\" is not a request: {}", method, target,
               *why.what != '\0' ? why.what : parser.failure().what);
  for (auto const& field : parser.fields()) {
    message_access::fields(req->header()).push_back({field.name.in(text), field.value.in(text)});
  }
  message_access::method(*req) = parser.method().in(text);
  message_access::target(*req) = parser.target().in(text);
  message_access::host(*req) = info.host;
  message_access::content_length(*req) = info.length;
  message_access::set_url(*req, *path, info.raw_path, info.raw_query);
  message_access::source(*req) = req->backing_.get();
  return req;
}

// core: one listener, the goroutine that serves it, a client that dials it.
struct memory_server::core {
  explicit core(server_options options)
      : server(std::move(options)),
        client(client_options{
            .dial = [this](context const& ctx, std::string_view) { return listener.dial(ctx); }}) {
    served.go([this] { err = server.serve(context::background(), listener); });
  }
  ~core() {
    client.close_idle();
    auto const shut = server.shutdown(context::background());
    served.wait();
    VOLE_ASSERT(!shut && !err, "{}; {}", shut, err);
  }

  net::pipe_listener listener;
  http::server server;
  http::client client;
  error err;
  sync::wait_group served;
};

memory_server::memory_server(server_options options)
    : core_(std::make_unique<core>(std::move(options))) {}
memory_server::memory_server(handler h) : memory_server(server_options{.handler = std::move(h)}) {}
memory_server::~memory_server() = default;

http::client& memory_server::client() {
  return core_->client;
}
http::server& memory_server::server() {
  return core_->server;
}

std::unique_ptr<net::conn> memory_server::connect() {
  auto conn = core_->listener.dial(context::background());
  VOLE_REQUIRE(conn.has_value(), "{}", conn.error());
  return *std::move(conn);
}

}  // namespace vole::http::test
