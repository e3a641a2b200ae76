// SPDX-License-Identifier: Apache-2.0
// http middleware: handlers that wrap handlers. No shared state.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "vole/http/message.h"
#include "vole/internal/clock.h"

namespace vole::http {

using middleware = std::function<handler(handler)>;

// chain wraps h: the first middleware sees a request first.
handler chain(handler h, std::initializer_list<middleware> layers);

// recover turns a C++ exception that a handler lets through into a 500 and tells `report` what it
// was. When the answer has begun it lets the exception through, and the server cuts the connection:
// half an answer must not look whole. The server has the same seam at its edge; this one is for a
// layer that must see the 500 (metrics, the access log).
middleware recover(std::function<void(request& req, std::string_view what)> report);

// timeout gives the handler a deadline through req.ctx(); a handler that returns without an answer
// after it has passed is answered for with 503. A handler that ignores its context is not stopped.
middleware timeout(duration limit);

// max_body overrides the server's body limit.
middleware max_body(std::uint64_t bytes);

// request_id takes the client's X-Request-Id when it is 1 to 128 characters of [A-Za-z0-9._-], else
// makes one (128 random bits in hex), sets it on the response and hands it to `attach`, which
// returns the context that carries it: the seam for a logger and a tracer.
middleware request_id(
    std::function<context(context const& ctx, std::string_view id)> attach = nullptr);

}  // namespace vole::http
