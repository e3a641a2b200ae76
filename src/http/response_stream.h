// SPDX-License-Identifier: Apache-2.0
// The server's response_writer: frames responses into an output buffer. It does no I/O itself.
// No shared state.
//
// A response begins staged: head and body stand together in the buffer, so that the length is known
// when the handler returns and one write sends it all, together with the responses to pipelined
// requests before it. Once the body outgrows stage_bytes_max, or flush() is called, it is streamed:
// under the Content-Length the handler declared, else chunked, else (HTTP/1.0) until close.
//
// INVARIANTS
//  - The buffer holds [complete responses][head of this one][tail][staged body], where the tail is
//    what depends on the body (type, connection, framing, the empty line). Only the tail is
//    rewritten.
//  - The head is rendered by write_header: later changes of header() have no effect.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "vole/http/message.h"

#include "http/buffers.h"
#include "http/status.h"

namespace vole::http::internal {

// output_sink is where the bytes go.
class output_sink {
 public:
  virtual ~output_sink() = default;
  // send waits under ctx, and for no longer than the server's write timeout.
  virtual error send(context const& ctx, std::span<io::bytes_view const> parts) = 0;
  virtual result<hijacked> hijack() = 0;
  // closing: the server wants this to be the connection's last response.
  virtual bool closing() const = 0;
};

class response_stream final : public response_writer {
 public:
  static constexpr std::size_t stage_bytes_max = 32 * 1024;

  // begin starts the response to a request. `sink` stays in use until the next begin.
  void begin(output_sink& sink, bool head_method, int version_minor, bool keep_alive);

  headers& header() override { return header_; }
  void write_header(int status) override;
  error write(std::string_view data) override;
  error write(context const& ctx, io::bytes_view from) override;
  error flush() override;
  error flush(context const& ctx) override;
  int status() const override { return status_; }
  std::uint64_t bytes_written() const override { return body_bytes_; }
  result<hijacked> hijack() override;

  // finish completes the response in the buffer; send_pending sends what the buffer holds.
  error finish();
  error send_pending();
  bool has_pending() const { return out_.size() != 0; }
  std::size_t pending_bytes() const { return out_.size(); }

  bool started() const { return status_ != 0; }
  // restart drops a response of which nothing has left yet (but for earlier ones); false: too late.
  bool restart();
  // abort ends a response that cannot be completed: the client must see that it is cut short.
  void abort(error why) { static_cast<void>(fail(std::move(why))); }
  // close_after makes this the last response of its connection.
  void close_after() { keep_alive_ = false; }
  bool keep_alive() const { return keep_alive_; }
  bool was_hijacked() const { return mode_ == mode::hijacked; }
  // err is why the response did not get through as the handler wrote it.
  error const& err() const { return err_; }

  // reset gives up the content and large memory, for the pool.
  void reset();

 private:
  enum class mode : std::uint8_t {
    staged,    // head and body are in the buffer, nothing has left
    bodiless,  // no body by status or method: writes are counted (HEAD) or refused
    length,    // streamed under the declared length
    chunked,   // streamed in chunks; the buffer holds one that has not been sent
    until_close,
    hijacked,
  };

  void render_head();
  void render_field(headers::field const& field);
  // tail renders the tail for a body framed by `framing` into `to` and returns its size.
  enum class framing : std::uint8_t { none, length, chunked, until_close };
  static constexpr std::size_t tail_bytes_max = 192;
  std::size_t tail(char* to, framing how, std::uint64_t length, bool has_body) const;
  void set_tail(framing how, std::uint64_t length, bool has_body);
  std::size_t staged_bytes() const { return out_.size() - body_at_; }

  error write_staged(std::string_view data);
  error write_streamed(std::string_view data);
  error start_stream(std::string_view data);
  error send_chunk(std::string_view data);
  error send_parts(std::string_view data, std::string_view end);
  error fail(error err);

  output_sink* sink_ = nullptr;
  context::stored under_;  // of the write under way
  headers header_;
  output_buffer out_;
  date_field date_;
  mode mode_ = mode::staged;
  int status_ = 0;
  int version_minor_ = 1;
  bool head_method_ = false;
  bool keep_alive_ = true;
  bool asked_keep_alive_ = true;
  bool has_content_type_ = false;
  bool sent_ = false;      // some of this response has left
  std::size_t start_ = 0;  // where this response begins in out_
  std::size_t tail_at_ = 0;
  std::size_t body_at_ = 0;
  std::uint64_t tail_length_ = 0;  // the length the tail says
  bool tail_keep_alive_ = true;    // what the tail says about the connection
  std::optional<std::uint64_t> declared_;
  std::uint64_t body_bytes_ = 0;
  error err_;
};

}  // namespace vole::http::internal
