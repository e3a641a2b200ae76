// SPDX-License-Identifier: Apache-2.0
#include "http/connection.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <exception>

#include "http/framing.h"
#include "http/refusal.h"
#include "http/server_core.h"
#include "http/url.h"

namespace vole::http::internal {

namespace {

using vole::internal::memory_order_relaxed;
using vole::internal::memory_order_seq_cst;

constexpr std::size_t drain_bytes_max = 256 * 1024;
constexpr std::size_t slice_bytes = 256 * 1024;  // must be taken within the write stall timeout
constexpr std::size_t pending_bytes_max = 32 * 1024;
constexpr duration deadline_slack_max = std::chrono::seconds(1);
constexpr duration linger_timeout = std::chrono::milliseconds(500);

inline constinit const errors::sentinel client_gone{"http: client closed the connection"};
inline constinit const errors::sentinel server_cut{"http: server shut down"};

// coarse_now is the clock of deadlines that need no precision: 4 ms behind, 5 ns to read.
time_point coarse_now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return time_point(std::chrono::seconds(t.tv_sec) + duration(t.tv_nsec));
}

// A deadline that moves with every request is set a little late, and then left alone until that is
// used up: a busy connection moves it once a second.
duration slack_of(duration timeout) {
  return std::min(deadline_slack_max, timeout / 8);
}

time_point after(time_point from, duration d) {
  return d >= never - from ? never : from + d;
}

}  // namespace

void exchange::reset() {
  in.reset();
  res.reset();
  if (body_text.capacity() > input_buffer::kept_bytes_max) {
    body_text = {};
  }
}

connection::connection(server_core& core, std::unique_ptr<net::conn> conn)
    : core_(core), conn_(std::move(conn)) {
  core_.add(*this);
}

connection::~connection() {
  core_.remove(*this);
}

void connection::run() {
  while (wait_for_bytes()) {
    auto const borrowed = core_.exchanges.get();
    x_ = borrowed.get();
    bool const alive = serve_burst();
    x_->reset();
    x_ = nullptr;
    if (!alive) break;
  }
  // Nobody is left to hear that closing failed.
  if (conn_ != nullptr) static_cast<void>(conn_->close());
}

// --- waiting ------------------------------------------------------------------------------------

void connection::arm_read(time_point deadline) {
  if (read_deadline_ != deadline) rearm_read(deadline);
}

// rearm_read sets the deadline even if it is thought to be set: a nudge may have moved it.
void connection::rearm_read(time_point deadline) {
  read_deadline_ = deadline;
  conn_->set_read_deadline(deadline);
}

void connection::arm_idle(time_point now) {
  duration const timeout = core_.options.idle_timeout;
  time_point const deadline = after(now, timeout);
  if (read_deadline_ >= deadline && read_deadline_ - deadline <= slack_of(timeout)) return;
  arm_read(after(deadline, slack_of(timeout)));
}

void connection::arm_write() {
  duration const timeout = core_.options.write_stall_timeout;
  time_point const deadline = after(coarse_now(), timeout);
  if (write_deadline_ >= deadline && write_deadline_ - deadline <= slack_of(timeout)) return;
  write_deadline_ = after(deadline, slack_of(timeout));
  conn_->set_write_deadline(write_deadline_);
}

bool connection::wait_for_bytes() {
  time_point const now = coarse_now();
  if (opened_ == time_point()) opened_ = now;
  time_point deadline = after(now, core_.options.idle_timeout);
  arm_idle(now);
  // Either this sees that shutdown has begun, or shutdown sees that this is idle.
  state_.store(state::idle, memory_order_seq_cst);  // pairs with connection.cc:nudge
  bool there = false;
  for (;;) {
    if (core_.draining()) {
      // A client that has only just connected has its first request on the way, and no reason to
      // expect that it will be turned away.
      if (requests() != 0) break;
      deadline = std::min(deadline, after(opened_, core_.options.header_timeout));
      rearm_read(deadline);
    }
    error const err = conn_->wait_readable(context{});
    there = !err;
    if (there || !errors::is(err, net::timed_out) || vole::internal::now() >= deadline) break;
    rearm_read(deadline);  // a nudge
  }
  state_.store(state::active, memory_order_seq_cst);  // pairs with connection.cc:nudge
  return there;
}

void connection::nudge() {
  // pairs with connection.cc:wait_for_bytes
  if (state_.load(memory_order_seq_cst) == state::idle) conn_->set_read_deadline(time_point::min());
}

bool connection::active() const {
  return state_.load(memory_order_relaxed) == state::active;  // for statistics
}

std::uint64_t connection::requests() const {
  return requests_.load(memory_order_relaxed);  // for statistics
}

bool connection::cut() {
  bool const was_active = active();
  cut_.store(true, memory_order_seq_cst);                   // pairs with connection.cc:make_ctx
  if (conn_ != nullptr) static_cast<void>(conn_->close());  // ends what its goroutine waits for
  sync::lock_guard const lock(ctx_mu_);
  if (cancel_) (*cancel_)(server_cut);
  return was_active;
}

result<std::size_t> connection::read_until(context const& ctx, time_point deadline,
                                           io::bytes_span to) {
  arm_read(deadline);
  for (;;) {
    auto got = conn_->read(ctx, to);
    if (got || !errors::is(got.error(), net::timed_out)) return got;
    if (vole::internal::now() >= deadline) return got;
    rearm_read(deadline);  // a nudge that came too late for its purpose
  }
}

// --- heads --------------------------------------------------------------------------------------

// serve_burst answers what the client has sent until there is nothing more to read at once. False:
// the connection is at its end.
bool connection::serve_burst() {
  for (bool first = true;; first = false) {
    if (!first && x_->in.empty()) return !x_->res.send_pending();
    switch (read_head()) {
      case head_result::ready:
        break;
      case head_result::drained:
        return true;
      case head_result::closed:
        return false;
    }
    if (!serve_request()) return false;
  }
}

// skip_line_end passes over one CRLF before a request; some clients send one behind a body.
// Source: RFC 9112 section 2.2.
bool connection::skip_line_end() {
  if (skipped_line_end_ || !x_->in.view().starts_with("\r\n")) return false;
  x_->in.consume(2);
  skipped_line_end_ = true;
  return true;
}

connection::head_result connection::read_head() {
  exchange& x = *x_;
  x.parser.reset();
  time_point deadline = never;
  for (;;) {
    if (skip_line_end() && x.in.empty()) {
      return x.res.send_pending() ? head_result::closed : head_result::drained;
    }
    if (!x.in.empty()) {
      bool const half_a_line_end = !skipped_line_end_ && x.in.view() == "\r";
      switch (half_a_line_end ? parse_state::more : x.parser.parse(x.in.view())) {
        case parse_state::done:
          skipped_line_end_ = false;
          return head_result::ready;
        case parse_state::failed:
          refuse(x.parser.failure());
          return head_result::closed;
        case parse_state::more:
          break;
      }
      if (x.res.send_pending()) return head_result::closed;
      if (deadline == never) deadline = after(coarse_now(), core_.options.header_timeout);
    }
    time_point const limit = deadline == never ? read_deadline_ : deadline;
    auto const got = read_until(context{}, limit, x.in.room(512));
    if (!got) {
      if (x.in.empty()) return head_result::closed;
      if (errors::is(got.error(), net::timed_out)) {
        refuse({status::request_timeout, "request head came too slowly", x.in.size()});
      } else {
        report_error(errors::wrap(got.error(), "read a request head"));
      }
      return head_result::closed;
    }
    if (*got == 0) {
      if (!x.in.empty()) report_error(errors::wrap(io::unexpected_end, "read a request head"));
      return head_result::closed;
    }
    x.in.commit(*got);
  }
}

// refuse answers a message that no handler will see, and the connection ends.
void connection::refuse(parse_failure const& why) {
  refused_message const refused(why.status, why.what, why.at, remote_addr());
  report_error(errors::make_typed<refused_message>(refused));
  response_stream& res = x_->res;
  res.begin(*this, false, 1, false);
  if (!answer_refused(core_.options, res, refused)) {
    report_error(errors::make("http: server_options::refusal threw"));
  }
  if (res.was_hijacked()) return;
  if (!res.finish() && !res.send_pending()) linger();
}

// linger lets a client that is still sending read the answer: closing with unread bytes would reset
// the connection and take the answer with it.
void connection::linger() {
  if (conn_->close_write()) return;
  std::array<std::byte, 1024> dropped;
  time_point const deadline = coarse_now() + linger_timeout;
  for (std::size_t total = 0; total < drain_bytes_max;) {
    auto const got = read_until(context{}, deadline, dropped);
    if (!got || *got == 0) return;
    total += *got;
  }
}

// --- requests -----------------------------------------------------------------------------------

bool connection::fill_request(head_info const& info, std::string_view head) {
  request& req = x_->req;
  headers& header = req.header();
  if (header.err()) header.clear();
  auto& fields = message_access::fields(header);
  auto& arena = message_access::arena(header);
  fields.clear();
  arena.clear();
  auto const path = decode_path(info.raw_path, arena);
  if (!path) return false;
  for (field_place const& field : x_->parser.fields()) {
    fields.push_back({field.name.in(head), field.value.in(head)});
  }
  message_access::method(req) = x_->parser.method().in(head);
  message_access::target(req) = x_->parser.target().in(head);
  message_access::host(req) = info.host;
  message_access::pattern(req) = {};
  message_access::version_minor(req) = x_->parser.version_minor();
  message_access::set_url(req, *path, info.raw_path, info.raw_query);
  auto& length = message_access::content_length(req);
  length = info.body == body_kind::chunked ? std::nullopt : std::optional(info.length);
  headers& trailer = message_access::trailer(req);
  if (!trailer.empty()) trailer.clear();
  message_access::path_values(req).clear();
  message_access::source(req) = this;
  return true;
}

// serve_request runs the handler for the head that stands at the front of the input. False: the
// connection is at its end.
bool connection::serve_request() {
  exchange& x = *x_;
  std::string_view const head = x.in.view().substr(0, x.parser.size());
  head_info info;
  parse_failure why;
  if (!read_request_head(x.parser, head, info, why)) {
    refuse(why);
    return false;
  }
  if (!fill_request(info, head)) {
    refuse({status::bad_request, "malformed percent-encoding in the path", 0});
    return false;
  }
  x.in.consume_pinned(head.size());
  // Earlier answers go out before this handler may wait for its body, or when they pile up.
  bool const whole = info.body == body_kind::none ||
                     (info.body == body_kind::length && info.length <= x.in.size());
  if ((!whole || x.res.pending_bytes() > pending_bytes_max) && x.res.send_pending()) return false;
  x.res.begin(*this, x.req.method() == "HEAD", x.req.version_minor(), info.keep_alive);
  x.body.begin(info, x.in, *this, message_access::trailer(x.req), core_.options.body_bytes_max);
  x.whole_body.reset();
  body_waited_ = {};
  expects_continue_ = info.expect_continue;
  requests_.store(requests_.load(memory_order_relaxed) + 1, memory_order_relaxed);  // one writer
  bool const timed = static_cast<bool>(core_.options.hooks.on_request_done);
  time_point const started = timed ? vole::internal::now() : time_point();
  run_handler();
  if (!x.res.was_hijacked()) complete_response();
  if (timed) report(started);
  message_access::ctx(x.req).reset();
  bool const alive = !x.res.was_hijacked() && settle();
  x.in.unpin();
  return alive;
}

void connection::run_handler() {
  try {
    core_.options.handler(x_->res, x_->req);
  } catch (std::exception const& caught) {
    exception_caught(caught.what());
  } catch (...) {
    exception_caught("an exception that is not a std::exception");
  }
  end_ctx();
}

void connection::exception_caught(std::string_view what) {
  auto const& hook = core_.options.hooks.on_exception;
  if (hook) hook(x_->req, what);
  response_stream& res = x_->res;
  if (res.restart()) reply_error(res, status::internal_server_error, "500 internal server error");
  res.abort(errors::make("http: the handler threw: {}", what));
}

void connection::complete_response() {
  exchange& x = *x_;
  if (!x.res.started() && x.body.err()) {
    int const status = status_of(x.body.err());
    reply_error(x.res, status, status_text(status));
  }
  // A client that waits for "100 Continue" may or may not send its body after a final answer.
  if (!x.body.done() && (expects_continue_ || x.body.err())) x.res.close_after();
  static_cast<void>(x.res.finish());  // what is wrong with it stays in res.err()
}

// settle gets the rest of the request out of the way. False: the connection is at its end.
bool connection::settle() {
  exchange& x = *x_;
  bool const unread = !x.body.done();
  if (!unread && x.res.keep_alive()) return true;
  if (x.res.send_pending()) return false;
  if (x.res.keep_alive() && x.body.drain(context{}, drain_bytes_max)) return true;
  if (unread || !x.in.empty()) linger();
  return false;
}

void connection::report(time_point started) {
  request const& req = x_->req;
  response_stream const& res = x_->res;
  request_record record;
  record.method = req.method();
  record.target = req.target();
  record.host = req.host();
  record.pattern = req.pattern();
  record.remote_addr = remote_addr();
  record.status = res.status();
  record.bytes_received = x_->body.received();
  record.bytes_sent = res.bytes_written();
  record.elapsed = vole::internal::now() - started;
  record.err = res.err() ? res.err() : x_->body.err();
  core_.options.hooks.on_request_done(record);
}

void connection::report_error(error const& err) {
  auto const& hook = core_.options.hooks.on_connection_error;
  if (hook) hook(remote_addr(), err);
}

// --- what a request asks of its connection ------------------------------------------------------

std::string_view connection::remote_addr() {
  if (remote_.empty() && conn_ != nullptr) remote_ = conn_->remote_addr().text();
  return remote_;
}

context connection::make_ctx() {
  // Whoever wants a context may wait under it: earlier answers must not wait with him.
  if (!x_->res.started()) static_cast<void>(x_->res.send_pending());
  auto const& base = core_.options.base_context;
  auto [ctx, cancel] = context::with_cancel(base ? base->get() : context{});
  sync::lock_guard const lock(ctx_mu_);
  cancel_.emplace(std::move(cancel));
  // pairs with connection.cc:cut, which sets the flag before it looks for the handle
  if (cut_.load(memory_order_seq_cst)) (*cancel_)(server_cut);
  if (conn_ != nullptr) {
    watch_.emplace(*conn_, [this] {
      // pairs with connection.cc:cut, whose close may be what this watch has seen
      bool const by_us = cut_.load(memory_order_seq_cst);
      sync::lock_guard const inner(ctx_mu_);
      if (cancel_) (*cancel_)(by_us ? server_cut : client_gone);
    });
  }
  return ctx;
}

// end_ctx ends the context of a request whose handler has returned.
void connection::end_ctx() {
  if (!message_access::ctx(x_->req)) return;
  watch_.reset();
  sync::lock_guard const lock(ctx_mu_);
  cancel_.reset();
}

result<std::string_view> connection::read_body() {
  if (x_->whole_body) return *x_->whole_body;
  auto body = x_->body.read_all(context{}, x_->body_text);
  if (body) x_->whole_body = *body;
  return body;
}

error connection::continue_body() {
  if (!expects_continue_) return nullptr;
  expects_continue_ = false;
  if (x_->res.started()) return nullptr;  // the client has its final answer
  constexpr std::string_view line = "HTTP/1.1 100 Continue\r\n\r\n";
  io::bytes_view const parts[] = {io::bytes(line)};
  return send(context{}, parts);
}

// receive waits for body bytes. The time a client may keep us waiting over one whole body is the
// grace plus what its bytes have earned; the time the handler takes between reads is not counted.
result<std::size_t> connection::receive(context const& ctx, io::bytes_span to) {
  if (conn_ == nullptr) return hijacked_connection;
  if (error err = continue_body()) return err;
  auto const& options = core_.options;
  auto const rate = std::max<std::uint64_t>(options.body_rate_min, 1);
  duration const earned = std::chrono::seconds(x_->body.received() / rate);
  time_point const began = coarse_now();
  time_point const deadline = after(began, options.body_grace + earned - body_waited_);
  auto got = read_until(ctx, deadline, to);
  body_waited_ += coarse_now() - began;
  if (!got && errors::is(got.error(), net::timed_out)) return body_timeout;
  return got;
}

error connection::send(context const& ctx, std::span<io::bytes_view const> parts) {
  if (conn_ == nullptr) return hijacked_connection;
  std::size_t total = 0;
  for (io::bytes_view const part : parts) total += part.size();
  if (total > slice_bytes) {
    for (io::bytes_view const part : parts) {
      if (error err = send_slices(ctx, part)) return err;
    }
    return nullptr;
  }
  arm_write();
  if (parts.size() == 1) return conn_->write(ctx, parts.front());
  return conn_->writev(ctx, parts);
}

error connection::send_slices(context const& ctx, io::bytes_view part) {
  while (!part.empty()) {
    auto const slice = part.first(std::min(part.size(), slice_bytes));
    arm_write();
    if (error err = conn_->write(ctx, slice)) return err;
    part = part.subspan(slice.size());
  }
  return nullptr;
}

bool connection::closing() const {
  return core_.draining();
}

result<hijacked> connection::hijack() {
  watch_.reset();                    // it watches a connection that is no longer ours
  static_cast<void>(remote_addr());  // kept for the record of this request
  hijacked taken;
  taken.buffered = std::string(x_->in.view());
  x_->in.consume(x_->in.size());
  taken.conn = core_.take(*this);
  taken.conn->set_deadline(never);  // out of the reach of a nudge that came too late
  return taken;
}

}  // namespace vole::http::internal
