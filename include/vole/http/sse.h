// SPDX-License-Identifier: Apache-2.0
// http::sse: writes a stream of server-sent events. No shared state: the handler's goroutine only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vole/context.h"
#include "vole/errors.h"
#include "vole/http/message.h"
#include "vole/internal/clock.h"

namespace vole::http {

struct sse_event {
  std::string_view data = {};  // any number of lines
  std::string_view name = {};  // "event:"; "" for the default, "message"
  std::string_view id = {};    // "id:"; the browser sends the last one back as Last-Event-ID
  std::optional<duration> retry = {};  // how long the browser waits before it connects again
};

// sse turns a response into an event stream: text/event-stream, no caching, no proxy buffering.
// Each send leaves at once. An error means that the client has gone or takes nothing: return.
//
//   http::sse stream(ctx, res);
//   while (auto price = recv(ctx, prices)) {
//     if (stream.send(ctx, {.data = **price, .name = "price"})) return;
//   }
//
// Without a context a call waits for a client that takes nothing until the server's write timeout;
// with one it ends with that too: give it what ends when the server stops.
class sse {
 public:
  // Sends the head at once.
  explicit sse(response_writer& res) : sse(context{}, res) {}
  sse(context const& ctx, response_writer& res);

  // send writes one event. Errors: a name or id with a line break; whatever write returns.
  error send(sse_event const& event) { return send(context{}, event); }
  error send(context const& ctx, sse_event const& event);
  // comment writes ": text", which clients ignore: the heartbeat that keeps proxies from closing.
  error comment(std::string_view text) { return comment(context{}, text); }
  error comment(context const& ctx, std::string_view text);

  // last_event_id is what a browser that connects again says it saw last, or "".
  static std::string_view last_event_id(request const& req);

 private:
  response_writer& res_;
  std::string buffer_;
};

}  // namespace vole::http
