// SPDX-License-Identifier: Apache-2.0
// Source: WHATWG HTML, "Server-sent events".
#include "vole/http/sse.h"

#include <algorithm>

namespace vole::http {

namespace {

// append_lines writes each line of text behind `field`. CR, LF and CRLF all end a line.
void append_lines(std::string& to, std::string_view field, std::string_view text) {
  for (;;) {
    std::size_t const end = std::min(text.find_first_of("\r\n"), text.size());
    to += field;
    to += text.substr(0, end);
    to += '\n';
    if (end == text.size()) return;
    text.remove_prefix(end + (text.substr(end).starts_with("\r\n") ? 2 : 1));
  }
}

bool one_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

}  // namespace

sse::sse(context const& ctx, response_writer& res) : res_(res) {
  auto& header = res.header();
  header.set("Content-Type", "text/event-stream");
  header.set("Cache-Control", "no-store");
  header.set("X-Accel-Buffering", "no");
  res.write_header(status::ok);
  // Should the client have gone, the first send will say so.
  static_cast<void>(res.flush(ctx));
}

error sse::send(context const& ctx, sse_event const& event) {
  if (!one_line(event.name)) return errors::make("http: sse event name with a line break");
  if (!one_line(event.id)) return errors::make("http: sse event id with a line break");
  buffer_.clear();
  if (!event.name.empty()) append_lines(buffer_, "event: ", event.name);
  if (!event.id.empty()) append_lines(buffer_, "id: ", event.id);
  if (event.retry) {
    auto const ms = std::chrono::duration_cast<std::chrono::milliseconds>(*event.retry).count();
    append_lines(buffer_, "retry: ", std::to_string(ms));
  }
  append_lines(buffer_, "data: ", event.data);
  buffer_ += '\n';
  if (error err = res_.write(ctx, io::bytes(buffer_))) return err;
  return res_.flush(ctx);
}

error sse::comment(context const& ctx, std::string_view text) {
  buffer_.clear();
  append_lines(buffer_, ": ", text);
  buffer_ += '\n';
  if (error err = res_.write(ctx, io::bytes(buffer_))) return err;
  return res_.flush(ctx);
}

std::string_view sse::last_event_id(request const& req) {
  return req.header().get("Last-Event-ID");
}

}  // namespace vole::http
