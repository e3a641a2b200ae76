// SPDX-License-Identifier: Apache-2.0
// What a service answers where there is no request: a message that is none, a connection too many.
// No shared state.
#pragma once

#include <functional>

#include "vole/context.h"
#include "vole/http/server.h"
#include "vole/log.h"

namespace vole::service {

// refuse_messages is for http::server_options::refusal: a problem under ids of its own, and one log
// line with them. ctx: whose values the lines take.
std::function<void(http::response_writer&, http::refused_message const&)> refuse_messages(
    context const& ctx, log::logger logger);

}  // namespace vole::service
