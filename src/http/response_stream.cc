// SPDX-License-Identifier: Apache-2.0
#include "http/response_stream.h"

#include <array>
#include <charconv>
#include <cstring>

#include "vole/defer.h"
#include "vole/internal/format.h"
#include "vole/net.h"

#include "http/chunked.h"
#include "http/framing.h"
#include "http/scan.h"

namespace vole::http::internal {

namespace {

// Room in front of a buffered chunk for its size line.
constexpr std::size_t chunk_gap = chunk_head_bytes_max;
constexpr std::size_t chunk_bytes_max = 16 * 1024;
constexpr std::string_view line_end = "\r\n";
constexpr std::string_view last_chunk = "0\r\n\r\n";

char* put(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

}  // namespace

void response_stream::begin(output_sink& sink, bool head_method, int version_minor,
                            bool keep_alive) {
  sink_ = &sink;
  if (!header_.empty() || header_.err()) header_.clear();
  mode_ = mode::staged;
  status_ = 0;
  version_minor_ = version_minor;
  head_method_ = head_method;
  keep_alive_ = asked_keep_alive_ = keep_alive;
  has_content_type_ = false;
  sent_ = false;
  start_ = tail_at_ = body_at_ = out_.size();
  declared_.reset();
  body_bytes_ = 0;
  err_ = nullptr;
}

void response_stream::reset() {
  header_.clear();
  out_.reset();
  err_ = nullptr;
  sink_ = nullptr;
}

error response_stream::fail(error err) {
  keep_alive_ = false;
  if (!err_) err_ = err;
  return err;
}

bool response_stream::restart() {
  if (sent_ || mode_ == mode::hijacked) return false;
  out_.resize(start_);
  bool const keep_alive = keep_alive_;
  error const err = err_;
  begin(*sink_, head_method_, version_minor_, asked_keep_alive_);
  keep_alive_ = keep_alive;
  err_ = err;
  return true;
}

// --- the head -----------------------------------------------------------------------------------

void response_stream::write_header(int status) {
  if (status_ != 0 || mode_ == mode::hijacked) return;
  bool const valid = (status >= 200 && status <= 599) || status == status::switching_protocols;
  if (!valid) {
    static_cast<void>(fail(errors::make("http: {} is not a status to answer with", status)));
  } else if (header_.err()) {
    static_cast<void>(fail(header_.err()));
  }
  status_ = err_ ? status::internal_server_error : status;
  if (err_) header_.clear();
  if (sink_->closing()) keep_alive_ = false;
  render_head();
  bool const bodiless = head_method_ || !status_has_body(status_);
  if (bodiless || err_) mode_ = mode::bodiless;
}

void response_stream::render_head() {
  std::size_t bytes = 64 + date_field::size + tail_bytes_max;
  for (auto const& field : header_) bytes += field.name.size() + field.value.size() + 4;
  out_.reserve(bytes);
  std::string_view const line = status_line(status_);
  if (!line.empty()) {
    out_.append(line);
  } else {
    std::array<char, 32> text;
    auto const end = fmt::format_to_n(text.data(), text.size(), "HTTP/1.1 {} \r\n", status_).out;
    out_.append({text.data(), static_cast<std::size_t>(end - text.data())});
  }
  out_.append(date_.now());
  for (auto const& field : header_) render_field(field);
  tail_at_ = body_at_ = out_.size();
}

// render_field writes one of the handler's fields, unless it is the server's to say.
void response_stream::render_field(headers::field const& field) {
  switch (field.name.size()) {
    case 4:
      if (equal_fold(field.name, "date")) return;
      break;
    case 10:
      if (equal_fold(field.name, "connection")) {
        if (has_list_token(field.value, "close")) keep_alive_ = false;
        if (status_ != status::switching_protocols) return;
      }
      break;
    case 12:
      if (equal_fold(field.name, "content-type")) has_content_type_ = true;
      break;
    case 14:
      if (equal_fold(field.name, "content-length")) {
        std::uint64_t length = 0;
        char const* const end = field.value.data() + field.value.size();
        auto const [stop, bad] = std::from_chars(field.value.data(), end, length);
        if (bad == std::errc{} && stop == end) declared_ = length;
        return;
      }
      break;
    case 17:
      if (equal_fold(field.name, "transfer-encoding")) return;
      break;
    default:
      break;
  }
  out_.append(field.name);
  out_.append(": ");
  out_.append(field.value);
  out_.append(line_end);
}

std::size_t response_stream::tail(char* to, framing how, std::uint64_t length,
                                  bool has_body) const {
  char* at = to;
  if (has_body && !has_content_type_) {
    at = put(at, "Content-Type: text/plain; charset=utf-8\r\n");
  }
  if (!keep_alive_) {
    at = put(at, "Connection: close\r\n");
  } else if (version_minor_ == 0) {
    at = put(at, "Connection: keep-alive\r\n");
  }
  if (how == framing::length) {
    at = put(at, "Content-Length: ");
    at = std::to_chars(at, at + 20, length).ptr;
    at = put(at, line_end);
  } else if (how == framing::chunked) {
    at = put(at, "Transfer-Encoding: chunked\r\n");
  }
  at = put(at, line_end);
  return static_cast<std::size_t>(at - to);
}

// set_tail puts the tail between the head and the staged body.
void response_stream::set_tail(framing how, std::uint64_t length, bool has_body) {
  std::array<char, tail_bytes_max> text;
  std::size_t const size = tail(text.data(), how, length, has_body);
  std::size_t const staged = staged_bytes();
  if (tail_at_ + size != body_at_) {
    if (tail_at_ + size > body_at_) out_.reserve(size);
    std::memmove(out_.data() + tail_at_ + size, out_.data() + body_at_, staged);
    body_at_ = tail_at_ + size;
    out_.resize(body_at_ + staged);
  }
  std::memcpy(out_.data() + tail_at_, text.data(), size);
  tail_length_ = length;
  tail_keep_alive_ = keep_alive_;
}

// --- the body -----------------------------------------------------------------------------------

error response_stream::write(std::string_view data) {
  if (mode_ == mode::hijacked) return hijacked_connection;
  if (status_ == 0) write_header(status::ok);
  if (err_) return err_;
  if (data.empty()) return nullptr;
  if (declared_ && status_has_body(status_) && data.size() > *declared_ - body_bytes_) {
    return fail(content_length_exceeded);
  }
  switch (mode_) {
    case mode::bodiless:
      if (!head_method_) return body_not_allowed;
      body_bytes_ += data.size();
      return nullptr;
    case mode::staged:
      return write_staged(data);
    default:
      return write_streamed(data);
  }
}

error response_stream::write(context const& ctx, io::bytes_view from) {
  if (error err = ctx.err()) return err;
  under_ = ctx;
  defer ended = [this] { under_ = context{}; };
  return write(io::text(from));
}

error response_stream::write_staged(std::string_view data) {
  if (staged_bytes() + data.size() > stage_bytes_max) return start_stream(data);
  out_.reserve(data.size() + tail_bytes_max);
  // As a rule there is one write: then the tail is right, and finish() need not move the body.
  if (body_bytes_ == 0) set_tail(framing::length, declared_.value_or(data.size()), true);
  out_.append(data);
  body_bytes_ += data.size();
  return nullptr;
}

// start_stream ends the staging: what is staged and `data` leave now.
error response_stream::start_stream(std::string_view data) {
  std::size_t const staged = staged_bytes();
  body_bytes_ += data.size();
  out_.reserve(tail_bytes_max + chunk_gap);
  if (declared_) {
    set_tail(framing::length, *declared_, true);
    mode_ = mode::length;
    return send_parts(data, {});
  }
  if (version_minor_ == 0) {
    keep_alive_ = false;
    set_tail(framing::until_close, 0, true);
    mode_ = mode::until_close;
    return send_parts(data, {});
  }
  set_tail(framing::chunked, 0, true);
  mode_ = mode::chunked;
  if (staged + data.size() == 0) return send_parts({}, {});
  std::array<char, chunk_gap> text;
  char* const end = text.data() + text.size();
  char* const begin = chunk_head(end, staged + data.size());
  auto const gap = static_cast<std::size_t>(end - begin);
  std::memmove(out_.data() + body_at_ + gap, out_.data() + body_at_, staged);
  std::memcpy(out_.data() + body_at_, begin, gap);
  out_.resize(out_.size() + gap);
  return send_parts(data, line_end);
}

error response_stream::write_streamed(std::string_view data) {
  body_bytes_ += data.size();
  bool const chunked = mode_ == mode::chunked;
  std::size_t const gap = chunked && out_.size() == 0 ? chunk_gap : 0;
  if (out_.size() + gap + data.size() > chunk_bytes_max) {
    return chunked ? send_chunk(data) : send_parts(data, {});
  }
  out_.reserve(gap + data.size() + line_end.size() + last_chunk.size());
  out_.resize(out_.size() + gap);
  out_.append(data);
  return nullptr;
}

// send_chunk sends what is buffered and `data` as one chunk.
error response_stream::send_chunk(std::string_view data) {
  std::size_t const buffered = out_.size() == 0 ? 0 : out_.size() - chunk_gap;
  if (buffered + data.size() == 0) return nullptr;
  if (out_.size() == 0) {
    out_.reserve(chunk_gap);
    out_.resize(chunk_gap);
  }
  char* const head = chunk_head(out_.data() + chunk_gap, buffered + data.size());
  std::string_view const front(head, static_cast<std::size_t>(out_.data() + out_.size() - head));
  io::bytes_view const parts[] = {io::bytes(front), io::bytes(data), io::bytes(line_end)};
  error err = sink_->send(under_, parts);
  out_.clear();
  sent_ = true;
  return err ? fail(std::move(err)) : nullptr;
}

// send_parts sends the whole buffer, then data, then end.
error response_stream::send_parts(std::string_view data, std::string_view end) {
  io::bytes_view const parts[] = {io::bytes(out_.view()), io::bytes(data), io::bytes(end)};
  std::size_t const count = data.empty() && end.empty() ? 1 : 3;
  error err = sink_->send(under_, std::span(parts, count));
  out_.clear();
  start_ = 0;
  sent_ = true;
  return err ? fail(std::move(err)) : nullptr;
}

error response_stream::flush(context const& ctx) {
  if (error err = ctx.err()) return err;
  under_ = ctx;
  defer ended = [this] { under_ = context{}; };
  return flush();
}

error response_stream::flush() {
  if (mode_ == mode::hijacked) return hijacked_connection;
  if (status_ == 0) write_header(status::ok);
  if (err_) return err_;
  switch (mode_) {
    case mode::staged:
      return start_stream({});
    case mode::chunked:
      return send_chunk({});
    case mode::bodiless:
      // The head leaves when the handler returns. To HEAD one that streams would not, by itself.
      return head_method_ ? error(body_not_allowed) : nullptr;
    default:
      return out_.size() == 0 ? error() : send_parts({}, {});
  }
}

error response_stream::finish() {
  if (mode_ == mode::hijacked) return nullptr;
  if (status_ == 0) write_header(status::ok);
  if (sink_->closing()) keep_alive_ = false;
  bool const short_body =
      declared_ && !head_method_ && status_has_body(status_) && body_bytes_ < *declared_ && !err_;
  if (short_body) {
    static_cast<void>(fail(errors::make("http: handler wrote {} of the {} bytes it had declared",
                                        body_bytes_, *declared_)));
  }
  switch (mode_) {
    case mode::bodiless: {
      bool const silent = !status_has_body(status_) || (head_method_ && body_bytes_ == 0);
      bool const sized = !err_ && declared_ && status_ != status::no_content;
      std::uint64_t const length = declared_ && !err_ ? *declared_ : err_ ? 0 : body_bytes_;
      set_tail(silent && !sized ? framing::none : framing::length, length,
               length != 0 && status_has_body(status_));
      break;
    }
    case mode::staged: {
      std::uint64_t const length = declared_.value_or(body_bytes_);
      bool const right =
          body_bytes_ != 0 && tail_length_ == length && tail_keep_alive_ == keep_alive_;
      if (!right) set_tail(framing::length, length, body_bytes_ != 0);
      break;
    }
    case mode::chunked: {
      if (err_) {
        out_.clear();  // the body ends without its last chunk
        break;
      }
      if (out_.size() == 0) {
        out_.reserve(last_chunk.size());
      } else {
        // The buffered chunk is put at the very front: only a connection's last bytes wait here.
        std::size_t const size = out_.size() - chunk_gap;
        char* const head = chunk_head(out_.data() + chunk_gap, size);
        auto const bytes = static_cast<std::size_t>(out_.data() + out_.size() - head);
        std::memmove(out_.data(), head, bytes);
        out_.resize(bytes);
        out_.append(line_end);
      }
      out_.append(last_chunk);
      break;
    }
    default:
      break;
  }
  return err_;
}

error response_stream::send_pending() {
  if (out_.size() == 0) return nullptr;
  error err = send_parts({}, {});
  sent_ = false;  // those were answers to earlier requests
  return err;
}

result<hijacked> response_stream::hijack() {
  if (mode_ == mode::hijacked) return hijacked_connection;
  if (status_ != 0) return errors::make("http: hijack after the response has begun");
  if (error err = send_pending()) return err;
  auto taken = sink_->hijack();
  if (taken) mode_ = mode::hijacked;
  return taken;
}

}  // namespace vole::http::internal
