// SPDX-License-Identifier: Apache-2.0
// A logger with a clock that stands still, so that its lines can be compared.
#include <chrono>
#include <string>
#include <unistd.h>

#include "vole/errors.h"
#include "vole/log.h"

using namespace vole;

int main() {
  using clock = std::chrono::system_clock;
  log::logger logger({.form = log::format::text, .to = log::to_fd(STDOUT_FILENO), .clock = [] {
                        return clock::time_point(std::chrono::seconds(1'784'021'400));
                      }});
  auto ctx = log::with_request_id(context::background(), "r17");

  // [log]
  logger.info(ctx, "order filled", {{"id", "o-1"}, {"qty", 250}});

  auto feed = logger.with({{"in", "feed"}});
  auto err = errors::wrap(errors::make("refused"), "dial");
  feed.error(ctx, "ended", {{"error", err}});

  secret<std::string> token("hunter2");
  logger.info(ctx, "login", {{"user", "eve\nadmin"}, {"t", token}});

  logger.debug(ctx, "not shown");
  logger.set_minimum(log::level::debug);
  logger.debug(ctx, "shown", {log::group("http", {{"status", 200}})});
  // [log]
}

// Output:
// time=2026-07-14T09:30:00.000Z level=INFO msg="order filled" request_id=r17 id=o-1 qty=250
// time=2026-07-14T09:30:00.000Z level=ERROR msg=ended request_id=r17 in=feed error="dial: refused"
// time=2026-07-14T09:30:00.000Z level=INFO msg=login request_id=r17 user="eve\nadmin" t=[redacted]
// time=2026-07-14T09:30:00.000Z level=DEBUG msg=shown request_id=r17 http.status=200
