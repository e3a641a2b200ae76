// SPDX-License-Identifier: Apache-2.0
#include "http/client_conn.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <linux/sockios.h>
#include <optional>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <utility>

#include "vole/assert.h"
#include "vole/http/budget.h"
#include "vole/internal/atomic.h"
#include "vole/sync/wait_group.h"
#include "vole/time.h"

#include "http/chunked.h"
#include "http/message_access.h"
#include "http/scan.h"

namespace vole::http::internal {

namespace {

constexpr std::size_t stream_bytes = 32 * 1024;
// A body up to this size leaves with the head: sockets take it without waiting.
constexpr std::size_t one_write_bytes_max = 64 * 1024;
constexpr duration continue_timeout = std::chrono::seconds(1);
constexpr int interim_heads_max = 8;
constexpr std::uint64_t leftover_bytes_max = 64 * 1024;

inline constinit const errors::sentinel malformed_response{"malformed response"};
inline constinit const errors::sentinel answered_early{
    "the server has answered and takes no more of the request"};

// What the client writes itself.
bool own_field(std::string_view name) {
  return equal_fold(name, "host") || equal_fold(name, "content-length") ||
         equal_fold(name, "transfer-encoding");
}

bool needs_length(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

// budget_left is what the request is to say of its deadline; nothing when it has none.
result<std::optional<duration>> budget_left(context const& ctx, client_request const& req,
                                            client_options const& options) {
  auto const deadline = ctx.deadline();
  if (!options.send_budget || !deadline || req.header.has(budget_header)) {
    return std::optional<duration>();
  }
  duration const left = vole::internal::left_until(*deadline, vole::internal::now());
  duration const needed = options.budget_margin + std::chrono::milliseconds(1);
  if (left < needed) return errors::make_typed<budget_error>(left, needed);
  return std::optional(left - options.budget_margin);
}

// carried: what the client sends along besides, unless the request has it itself.
std::string render_head(client_request const& req, absolute_url const& url,
                        client_options const& options, headers const& carried,
                        std::optional<duration> budget) {
  std::string out;
  out.reserve(256);
  out.append(req.method).append(" ").append(url.target).append(" HTTP/1.1\r\nHost: ");
  out.append(url.authority).append("\r\n");
  if (!options.user_agent.empty() && !req.header.has("User-Agent")) {
    out.append("User-Agent: ").append(options.user_agent).append("\r\n");
  }
  if (budget) out.append(budget_header).append(": ").append(budget_text(*budget)).append("\r\n");
  for (auto const& field : req.header) {
    if (own_field(field.name)) continue;
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  for (auto const& field : carried) {
    if (own_field(field.name) || req.header.has(field.name)) continue;
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  if (req.stream != nullptr && !req.stream_bytes) {
    out.append("Transfer-Encoding: chunked\r\n");
  } else {
    std::uint64_t const length = req.stream != nullptr ? *req.stream_bytes : req.body.size();
    if (length != 0 || needs_length(req.method)) {
      out.append("Content-Length: ").append(std::to_string(length)).append("\r\n");
    }
  }
  out.append("\r\n");
  return out;
}

}  // namespace

// body_writer writes a body until the server has answered and takes no more of it: it may be
// waiting for its answer to be read. Reads of the connection must wait until it is destroyed.
// Errors: as the connection's, and answered_early.
class body_writer {
 public:
  body_writer(context const& ctx, net::conn& conn, bool is_watched)
      : conn_(conn), sending_(context::with_cancel(ctx)), watching_(context::with_cancel(ctx)) {
    if (is_watched) watch_.go([this] { watch(watching_.first); });
  }
  ~body_writer() {
    watching_.second();
    watch_.wait();
  }
  body_writer(body_writer const&) = delete;
  body_writer& operator=(body_writer const&) = delete;

  error write(std::span<io::bytes_view const> parts) {
    writes_.fetch_add(1, vole::internal::memory_order_relaxed);
    error err = conn_.writev(sending_.first, parts);
    writes_.fetch_add(1, vole::internal::memory_order_relaxed);
    bool const given_up = err && sending_.first.err() && !watching_.first.err();
    return given_up ? answered_early : err;
  }

 private:
  struct progress {
    std::uint64_t writes;
    int unacknowledged;  // bytes

    bool operator==(progress const&) const = default;
  };
  progress progress_now() const {
    int queued = 0;
    if (int const fd = conn_.native_handle(); fd >= 0) ::ioctl(fd, SIOCOUTQ, &queued);
    return {writes_.load(vole::internal::memory_order_relaxed), queued};
  }
  void watch(context const& ctx) {
    if (conn_.wait_readable(ctx)) return;
    for (;;) {
      progress const before = progress_now();
      if (time::sleep(ctx, answered_patience)) return;
      bool const under_way = before.writes % 2 != 0;
      if (under_way && progress_now() == before) break;
    }
    sending_.second();
  }

  static constexpr duration answered_patience = std::chrono::seconds(5);
  net::conn& conn_;
  std::pair<context, cancel_handle> sending_;
  std::pair<context, cancel_handle> watching_;
  vole::internal::atomic<std::uint64_t> writes_{0};  // begun and ended: odd during one
  sync::wait_group watch_;
};

bool client_conn::stale() {
  int const fd = conn_->native_handle();
  if (fd < 0) return false;
  // An idle connection has nothing to read: what is there is its end, or an answer too many.
  char byte = 0;
  return ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || (errno != EAGAIN && errno != EINTR);
}

void client_conn::close() {
  static_cast<void>(conn_->close());  // nobody is left to hear that closing failed
}

result<received_head> client_conn::exchange(context const& ctx, client_request const& req,
                                            absolute_url const& url, client_options const& options,
                                            headers& header, bool& answered) {
  in_.unpin();
  keep_alive_ = !has_list_token(req.header.get("Connection"), "close");
  source_failed_ = false;
  unsent_ = true;
  auto const budget = budget_left(ctx, req, options);
  if (!budget) return source_failed_ = true, budget.error();
  headers carried;
  if (options.propagate) options.propagate(ctx, carried);
  if (carried.err()) return errors::wrap(carried.err(), "send along");
  out_ = render_head(req, url, options, carried, *budget);
  bool body_left = false;
  unsent_ = false;
  error sent = send_request(ctx, req, body_left);
  if (!sent && body_left) {
    // Expect: 100-continue: the server may refuse before it has seen the body.
    conn_->set_read_deadline(vole::internal::now() + continue_timeout);
    auto early = read_head(ctx, req.method, header, answered);
    if (!early && answered && errors::is(early.error(), net::timed_out)) {
      conn_->set_read_deadline(vole::internal::deadline_after(options.response_header_timeout));
      early = read_head(ctx, req.method, header, answered);  // the rest of it
    }
    conn_->set_read_deadline(never);
    if (early && early->status >= 200) {
      keep_alive_ = false;
      return early;
    }
    bool const go_on = early || (!answered && errors::is(early.error(), net::timed_out));
    if (!go_on) return early;
    if (error ended = ctx.err()) return ended;  // not the 100: the body is still to come
    // Where no 100 came it may come yet, which is no answer.
    sent = send_body(ctx, req, early ? watched::yes : watched::no);
  }
  if (sent && (source_failed_ || ctx.err())) return sent;
  duration const patience = sent ? std::chrono::seconds(1) : options.response_header_timeout;
  conn_->set_read_deadline(vole::internal::deadline_after(patience));
  auto head = read_final_head(ctx, req.method, header, answered);
  conn_->set_read_deadline(never);
  if (sent) {
    // The server may have answered and closed without taking the whole request.
    keep_alive_ = false;
    if (!head) return sent;
  }
  if (!head && errors::is(head.error(), net::timed_out)) {
    return errors::wrap(head.error(), "wait for the response");
  }
  return head;
}

error client_conn::send_request(context const& ctx, client_request const& req, bool& body_left) {
  bool const has_body = req.stream != nullptr || !req.body.empty();
  body_left = has_body && equal_fold(req.header.get("Expect"), "100-continue");
  if (body_left || req.stream != nullptr || req.body.size() > one_write_bytes_max) {
    error err = conn_->write(ctx, io::bytes(out_));
    if (err || body_left) return err;
    return send_body(ctx, req, watched::yes);
  }
  io::bytes_view const parts[] = {io::bytes(out_), io::bytes(req.body)};
  return conn_->writev(ctx, std::span(parts, has_body ? 2 : 1));
}

error client_conn::send_body(context const& ctx, client_request const& req, watched answer) {
  body_writer to(ctx, *conn_, answer == watched::yes);
  return req.stream != nullptr ? send_stream(ctx, req, to) : send_text(req.body, to);
}

error client_conn::send_text(std::string_view body, body_writer& to) {
  io::bytes_view left = io::bytes(body);
  while (!left.empty()) {
    io::bytes_view const slice = left.first(std::min(left.size(), one_write_bytes_max));
    if (error err = to.write({&slice, 1})) return err;
    left = left.subspan(slice.size());
  }
  return nullptr;
}

error client_conn::send_stream(context const& ctx, client_request const& req, body_writer& to) {
  auto const buffer = std::make_unique_for_overwrite<std::byte[]>(stream_bytes);
  io::bytes_span const room(buffer.get(), stream_bytes);
  bool const chunked = !req.stream_bytes;
  std::uint64_t left = req.stream_bytes.value_or(std::numeric_limits<std::uint64_t>::max());
  while (left != 0) {
    auto got = req.stream->read(ctx, room.first(std::min<std::uint64_t>(left, stream_bytes)));
    source_failed_ = !got || (*got == 0 && !chunked);
    if (!got) return errors::wrap(got.error(), "read the request's body");
    if (*got == 0) {
      if (!chunked) return errors::make("request's body ended {} bytes early", left);
      io::bytes_view const last = io::bytes("0\r\n\r\n");
      return to.write({&last, 1});
    }
    left -= *got;
    std::array<char, chunk_head_bytes_max> head;
    char* const end = head.data() + head.size();
    char const* const begin = chunk_head(end, *got);
    io::bytes_view const parts[] = {io::bytes({begin, static_cast<std::size_t>(end - begin)}),
                                    room.first(*got), io::bytes("\r\n")};
    std::span<io::bytes_view const> const all = parts;
    if (error err = to.write(chunked ? all : all.subspan(1, 1))) return err;
  }
  return nullptr;
}

result<received_head> client_conn::read_final_head(context const& ctx, std::string_view method,
                                                   headers& header, bool& answered) {
  for (int i = 0; i < interim_heads_max; ++i) {
    auto head = read_head(ctx, method, header, answered);
    if (!head || head->status >= 200) return head;
    if (head->status == status::switching_protocols) {
      return errors::wrap(malformed_response, "protocol switch nobody asked for");
    }
  }
  return errors::wrap(malformed_response, "too many interim responses");
}

// read_head reads one head, interim or final, and leaves the input behind it.
result<received_head> client_conn::read_head(context const& ctx, std::string_view method,
                                             headers& header, bool& answered) {
  parser_.reset();
  in_.unpin();
  for (parse_state state = parse_state::more; state != parse_state::done;) {
    if (!in_.empty()) {
      answered = true;
      state = parser_.parse(in_.view());
      if (state == parse_state::done) break;
      if (state == parse_state::failed) {
        return errors::wrap(malformed_response, "{}", parser_.failure().what);
      }
    }
    auto got = conn_->read(ctx, in_.room(1024));
    if (!got) return std::move(got).error();
    if (*got == 0) return io::unexpected_end;
    in_.commit(*got);
  }
  std::string_view const bytes = in_.view().substr(0, parser_.size());
  received_head head;
  parse_failure why;
  if (!read_response_head(parser_, bytes, method, head.info, why)) {
    return errors::wrap(malformed_response, "{}", why.what);
  }
  head.status = parser_.status();
  header.clear();
  auto& fields = message_access::fields(header);
  for (field_place const& field : parser_.fields()) {
    fields.push_back({field.name.in(bytes), field.value.in(bytes)});
  }
  in_.consume_pinned(bytes.size());
  return head;
}

void client_conn::start_body(received_head const& head, body_stream& body, headers& trailer) {
  keep_alive_ = keep_alive_ && head.info.keep_alive;
  body.begin(head.info, in_, *this, trailer, std::numeric_limits<std::uint64_t>::max());
}

result<std::size_t> client_conn::receive(context const& ctx, io::bytes_span to) {
  if (buffered_only_) return errors::make("not all of the body is here");
  return conn_->read(ctx, to);
}

bool client_conn::recycle(body_stream& body) {
  if (!keep_alive_ || body.err()) return false;
  // What is here already may be dropped; for more than that a new connection is cheaper.
  buffered_only_ = true;
  bool const over = body.done() || body.drain(context{}, leftover_bytes_max);
  buffered_only_ = false;
  if (!over || !in_.empty()) return false;
  in_.reset();
  return true;
}

}  // namespace vole::http::internal
