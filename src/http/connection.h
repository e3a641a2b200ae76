// SPDX-License-Identifier: Apache-2.0
// One connection of the server, and the goroutine that serves it: wait, read heads, run handlers,
// send. While it waits for the next request it holds no buffer: everything a request needs is an
// exchange, borrowed from a pool when the first byte is there.
//
// INVARIANTS
//  - Only its own goroutine reads, writes and closes, but for cut(), which closes to end a wait.
//  - state_ is idle exactly while the goroutine waits for a request's first byte; only then does
//    nudge() move the read deadline into the past, and whoever is woken so compares with the
//    deadline he meant. A nudge may come late, but not after server_core::take().
//  - One system call reads a request and one writes its response, however many were pipelined.
// LOCKS
//  - ctx_mu_ guards the handle of the request's context, which cut() calls from outside; it is
//    taken inside server_core::mu_. link belongs to server_core::mu_.
// ORDERING  state_ and server_core::draining_: see server_core.h.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "vole/http/server.h"
#include "vole/internal/annotations.h"
#include "vole/internal/atomic.h"
#include "vole/net.h"
#include "vole/sync/mutex.h"
#include "vole/sync/pool.h"

#include "base/intrusive_list.h"
#include "http/body_stream.h"
#include "http/buffers.h"
#include "http/message_access.h"
#include "http/parse.h"
#include "http/response_stream.h"

namespace vole::http::internal {

struct server_core;

// exchange is what one request and its response need; it is used by one connection at a time.
struct exchange {
  explicit exchange(parse_limits const& limits) : parser(head_kind::request, limits) {}
  void reset();

  head_parser parser;
  input_buffer in;
  request req;
  body_stream body;
  std::string body_text;                       // a body that did not come with its head
  std::optional<std::string_view> whole_body;  // what read_body has returned
  response_stream res;
};

struct make_exchange {
  parse_limits limits;
  std::unique_ptr<exchange> operator()() const { return std::make_unique<exchange>(limits); }
};
using exchange_pool = sync::pool<exchange, make_exchange>;

class connection final : public request_source, public output_sink, public body_source {
 public:
  connection(server_core& core, std::unique_ptr<net::conn> conn);
  ~connection() override;
  connection(connection const&) = delete;
  connection& operator=(connection const&) = delete;

  // run serves until the connection is closed or hijacked.
  void run();

  // Under server_core::mu_, from any goroutine:
  void nudge();  // shutdown has begun: leave if you are idle
  bool cut();    // time is up: false when no request was under way
  std::unique_ptr<net::conn> take() { return std::move(conn_); }
  std::uint64_t requests() const;
  bool active() const;
  vole::internal::list_link link;

 private:
  enum class state : std::uint8_t { idle, active };
  enum class head_result : std::uint8_t { ready, drained, closed };

  // request_source
  std::string_view remote_addr() override;
  context make_ctx() override;
  io::reader& body() override { return x_->body; }
  result<std::string_view> read_body() override;
  void set_body_limit(std::uint64_t bytes) override { x_->body.set_limit(bytes); }
  // output_sink
  error send(context const& ctx, std::span<io::bytes_view const> parts) override;
  result<hijacked> hijack() override;
  bool closing() const override;
  // body_source
  result<std::size_t> receive(context const& ctx, io::bytes_span to) override;

  bool wait_for_bytes();
  bool serve_burst();
  bool skip_line_end();
  head_result read_head();
  bool serve_request();
  bool fill_request(head_info const& info, std::string_view head);
  void run_handler();
  void exception_caught(std::string_view what);
  void complete_response();
  bool settle();
  void end_ctx();
  void refuse(parse_failure const& why);
  [[gnu::noinline]] void linger();  // its buffer must not lie on the stack of idle connections
  error continue_body();
  void report(time_point started);
  void report_error(error const& err);

  result<std::size_t> read_until(context const& ctx, time_point deadline, io::bytes_span to);
  void arm_read(time_point deadline);
  void rearm_read(time_point deadline);
  void arm_idle(time_point now);
  void arm_write();
  error send_slices(context const& ctx, io::bytes_view part);

  server_core& core_;
  std::unique_ptr<net::conn> conn_;
  exchange* x_ = nullptr;
  std::string remote_;
  time_point opened_{};
  time_point read_deadline_ = never;  // as far as this goroutine has set it
  time_point write_deadline_ = never;
  duration body_waited_{};
  bool expects_continue_ = false;
  bool skipped_line_end_ = false;  // since the last request
  vole::internal::atomic<state> state_{state::active};
  vole::internal::atomic<bool> cut_{false};
  vole::internal::atomic<std::uint64_t> requests_{0};
  std::optional<net::peer_watch> watch_;
  sync::mutex ctx_mu_;
  std::optional<cancel_handle> cancel_ VOLE_GUARDED_BY(ctx_mu_);
};

}  // namespace vole::http::internal
