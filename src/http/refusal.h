// SPDX-License-Identifier: Apache-2.0
// The answers that come before any handler: to messages that are no valid request, and on
// connections too many. No shared state.
#pragma once

#include "vole/http/server.h"
#include "vole/net.h"

#include "http/response_stream.h"

namespace vole::http::internal {

// answer_refused writes the answer to `why` into res. False: options.refusal threw.
bool answer_refused(server_options const& options, response_stream& res,
                    refused_message const& why);

// turn_away answers 503 on a connection that nobody will serve. It waits a moment at most for a
// slow client; lingering, also until the client has read the answer: closing with unread bytes
// would reset the connection and take the answer with it. Closes.
void turn_away(server_options const& options, net::conn& conn, bool linger);

}  // namespace vole::http::internal
