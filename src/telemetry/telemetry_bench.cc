// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include "vole/bench.h"
#include "vole/log.h"
#include "vole/metrics.h"
#include "vole/trace.h"

namespace vole {
namespace {

// null_sink takes lines and forgets them: what formatting alone costs.
class null_sink final : public log::sink {
 public:
  void write(std::string_view line) override { bench::keep(line.size()); }
  std::uint64_t lines_lost() const override { return 0; }
};

context request_context() {
  return log::with_request_id(trace::with_span(context::background(), trace::start_span({})),
                              "0af7651916cd43dd");
}

void log_request(log::logger const& logger, context const& ctx) {
  logger.info(ctx, "request",
              {{"method", "GET"},
               {"route", "/v1/prices"},
               {"status", 200},
               {"bytes", 57},
               {"duration_ms", 0.125},
               {"remote", "127.0.0.1:52110"}});
}

VOLE_BENCH(metrics_counter_add) {
  metrics::registry registry;
  auto const counter = registry.counter("c", "C.");
  while (b.loop()) counter.add();
}

VOLE_BENCH(metrics_counter_add_parallel) {
  metrics::registry registry;
  auto const counter = registry.counter("c", "C.");
  b.run_parallel([&](bench::parallel& p) {
    while (p.next()) counter.add();
  });
}

VOLE_BENCH(metrics_family_with) {
  metrics::registry registry;
  auto const family = registry.counter("c", "C.", {"method", "route", "status"});
  while (b.loop()) family.with({"GET", "/v1/orders/{id}", "200"}).add();
}

VOLE_BENCH(metrics_histogram_observe) {
  metrics::registry registry;
  auto const took = registry.histogram("h", "H.", metrics::latency_buckets());
  while (b.loop()) took.observe(0.0021);
}

VOLE_BENCH(log_disabled) {
  log::logger const logger({.minimum = log::level::warn, .to = std::make_shared<null_sink>()});
  auto const ctx = request_context();
  while (b.loop()) log_request(logger, ctx);
}

VOLE_BENCH(log_text) {
  b.report_allocs();
  log::logger const logger({.form = log::format::text, .to = std::make_shared<null_sink>()});
  auto const ctx = request_context();
  while (b.loop()) log_request(logger, ctx);
}

VOLE_BENCH(log_json) {
  b.report_allocs();
  log::logger const logger({.form = log::format::json, .to = std::make_shared<null_sink>()});
  auto const ctx = request_context();
  while (b.loop()) log_request(logger, ctx);
}

VOLE_BENCH(log_json_dev_null) {
  int const fd = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  log::logger const logger({.form = log::format::json, .to = log::to_fd(fd)});
  auto const ctx = request_context();
  while (b.loop()) log_request(logger, ctx);
  ::close(fd);
}

VOLE_BENCH(trace_parse) {
  while (b.loop()) {
    bench::keep(
        trace::parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
  }
}

VOLE_BENCH(trace_start_span) {
  auto const parent = trace::start_span({});
  while (b.loop()) bench::keep(trace::start_span(parent));
}

}  // namespace
}  // namespace vole
