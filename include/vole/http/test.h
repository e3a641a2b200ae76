// SPDX-License-Identifier: Apache-2.0
// http::test: run handlers without a network: a recorder, requests by hand, an in-memory server.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "vole/context.h"
#include "vole/http/client.h"
#include "vole/http/message.h"
#include "vole/http/server.h"

namespace vole::http::test {

// recorder is a response_writer that keeps the answer.
//   test::recorder res;
//   auto req = test::make_request("GET", "/hello/ann");
//   handler(res, *req);
//   EXPECT_EQ(res.body(), "hello, ann\n");
class recorder final : public response_writer {
 public:
  headers& header() override { return header_; }
  void write_header(int status) override;
  error write(std::string_view data) override;
  error flush() override;
  int status() const override { return status_; }
  std::uint64_t bytes_written() const override { return body_.size(); }
  using response_writer::flush;
  using response_writer::write;

  std::string const& body() const { return body_; }
  // sent_header is the header as it stood when the status was fixed.
  headers const& sent_header() const { return sent_; }
  int flushes() const { return flushes_; }

 private:
  headers header_;
  headers sent_;
  std::string body_;
  int status_ = 0;
  int flushes_ = 0;
};

// make_request builds a request for a handler; it owns its text. Headers: (*req).header().set(...).
// Panics: a target that a server would refuse.
class owned_request final : public request {
 public:
  ~owned_request();

 private:
  friend std::unique_ptr<owned_request> make_request(std::string_view, std::string_view,
                                                     std::string_view, context const&);
  struct backing;
  explicit owned_request(std::unique_ptr<backing> backing);
  std::unique_ptr<backing> backing_;
};
std::unique_ptr<owned_request> make_request(std::string_view method, std::string_view target,
                                            std::string_view body = {},
                                            context const& ctx = context::background());

// memory_server serves a handler over in-memory pipes; client() talks to it under any host name.
// Everything is real but the network: parser, limits, keep-alive, chunking, shutdown.
class memory_server {
 public:
  explicit memory_server(server_options options);
  explicit memory_server(handler h);
  ~memory_server();  // shuts down: requests in flight end first

  http::client& client();
  http::server& server();
  // connect returns the client's end of a new connection, to speak raw bytes.
  std::unique_ptr<net::conn> connect();

 private:
  struct core;
  std::unique_ptr<core> core_;
};

}  // namespace vole::http::test
