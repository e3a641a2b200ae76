// SPDX-License-Identifier: Apache-2.0
// body_stream: the body of one message, taken off a connection's input buffer and, past it, off the
// connection. Used by both sides. No shared state.
//
// INVARIANTS
//  - It never consumes a byte behind the body: what follows it in the buffer is the next message.
//  - Once it has failed it stays failed, and the connection cannot be used again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "vole/http/message.h"
#include "vole/io.h"

#include "http/buffers.h"
#include "http/chunked.h"
#include "http/framing.h"

namespace vole::http::internal {

// body_source brings more bytes of the connection.
class body_source {
 public:
  virtual ~body_source() = default;
  // receive reads some bytes; 0: the other side has closed.
  virtual result<std::size_t> receive(context const& ctx, io::bytes_span to) = 0;
};

class body_stream final : public io::reader {
 public:
  // begin starts the body that `info` describes; `in` stands behind the head. Trailers go to
  // `trailer`. limit: how many bytes of content may be read.
  void begin(head_info const& info, input_buffer& in, body_source& source, headers& trailer,
             std::uint64_t limit);

  // Errors: body_too_large, body_malformed, io::unexpected_end, and what the source returns.
  result<std::size_t> read(context const& ctx, io::bytes_span to) override;

  // read_all reads the rest into `to`, or shows it inside the buffer when it is all there.
  result<std::string_view> read_all(context const& ctx, std::string& to);

  // drain reads and drops the rest, at most `bytes_max`; true: the body is at its end.
  bool drain(context const& ctx, std::uint64_t bytes_max);

  void set_limit(std::uint64_t limit) { limit_ = limit; }
  bool done() const { return done_; }
  bool touched() const { return touched_; }  // somebody has tried to read it
  error const& err() const { return err_; }
  std::uint64_t received() const { return received_; }  // bytes of content

 private:
  result<std::size_t> read_some(context const& ctx, io::bytes_span to);
  result<std::size_t> read_plain(context const& ctx, io::bytes_span to);
  result<std::size_t> read_chunked(context const& ctx, io::bytes_span to);
  result<std::size_t> receive_more(context const& ctx);
  void take_trailers(std::string_view section);
  error fail(error err);

  head_info info_;
  input_buffer* in_ = nullptr;
  body_source* source_ = nullptr;
  headers* trailer_ = nullptr;
  chunk_decoder chunks_;
  std::uint64_t limit_ = 0;
  std::uint64_t received_ = 0;
  bool done_ = true;
  bool touched_ = false;
  error err_;
};

}  // namespace vole::http::internal
