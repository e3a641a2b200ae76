// SPDX-License-Identifier: Apache-2.0
// One connection of the client: sends a request, reads the head of its answer, streams the body.
// No shared state: whoever has taken it from the pool owns it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "vole/http/client.h"
#include "vole/internal/clock.h"
#include "vole/net.h"

#include "http/body_stream.h"
#include "http/buffers.h"
#include "http/parse.h"
#include "http/url.h"

namespace vole::http::internal {

// received_head is the head of an answer; its views live until the connection's next exchange.
struct received_head {
  int status = 0;
  head_info info;
};

class body_writer;

class client_conn final : public body_source {
 public:
  client_conn(std::unique_ptr<net::conn> conn, parse_limits const& limits)
      : conn_(std::move(conn)), parser_(head_kind::response, limits) {}

  // stale tells whether an idle connection has been closed, or has bytes nobody asked for.
  // Cost: one system call, which reads nothing.
  bool stale();

  // exchange sends the request and reads the head of the final answer into header.
  // answered: a byte of the answer has come, so that the request must not be sent again.
  result<received_head> exchange(context const& ctx, client_request const& req,
                                 absolute_url const& url, client_options const& options,
                                 headers& header, bool& answered);

  // unsent: no byte of the last exchange has left, the connection is as it was before.
  bool unsent() const { return unsent_; }

  // start_body sets up the stream of the answer's body.
  void start_body(received_head const& head, body_stream& body, headers& trailer);

  // recycle makes it ready for another exchange; false: it cannot be used again.
  bool recycle(body_stream& body);

  void close();
  time_point idle_since{};

 private:
  result<std::size_t> receive(context const& ctx, io::bytes_span to) override;

  // send_request sends the head in out_ and the body; body_left: it waits for 100 Continue.
  error send_request(context const& ctx, client_request const& req, bool& body_left);
  enum class watched : bool { no, yes };
  error send_body(context const& ctx, client_request const& req, watched answer);
  error send_text(std::string_view body, body_writer& to);
  error send_stream(context const& ctx, client_request const& req, body_writer& to);
  result<received_head> read_final_head(context const& ctx, std::string_view method,
                                        headers& header, bool& answered);
  result<received_head> read_head(context const& ctx, std::string_view method, headers& header,
                                  bool& answered);

  std::unique_ptr<net::conn> conn_;
  head_parser parser_;
  input_buffer in_;
  std::string out_;
  bool keep_alive_ = true;
  bool buffered_only_ = false;  // reads must not wait
  bool source_failed_ = false;  // the request's own body could not be read
  bool unsent_ = true;
};

}  // namespace vole::http::internal
