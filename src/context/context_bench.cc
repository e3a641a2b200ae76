// SPDX-License-Identifier: Apache-2.0
// Contexts and what is built on them; bench/ holds the ones that are compared with Go.
#include <cstdint>
#include <string>
#include <vector>

#include "vole/bench.h"
#include "vole/chan.h"
#include "vole/context.h"
#include "vole/errgroup.h"
#include "vole/singleflight.h"
#include "vole/sync/mutex.h"
#include "vole/task.h"

using namespace vole;

namespace {

using namespace std::chrono_literals;

struct request_id {
  using value_type = std::int64_t;
};
struct user_id {
  using value_type = std::int64_t;
};

void report_sum(bench::benchmark& b, std::int64_t sum) {
  b.report_metric(b.n == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(b.n), "check/op");
}

VOLE_BENCH(copy) {
  auto const [ctx, cancel] = context::with_cancel(context::background());
  while (b.loop()) {
    context const copy = ctx;
    bench::keep(copy);
  }
}

VOLE_BENCH(err_live) {
  auto const [ctx, cancel] = context::with_cancel(context::background());
  std::int64_t ended = 0;
  while (b.loop()) ended += ctx.err() ? 1 : 0;
  report_sum(b, ended);
}

VOLE_BENCH(err_live_with_deadline) {
  auto const [ctx, cancel] = context::with_timeout(context::background(), 1h);
  std::int64_t ended = 0;
  while (b.loop()) ended += ctx.err() ? 1 : 0;
  report_sum(b, ended);
}

VOLE_BENCH(with_timeout) {
  auto const [parent, cancel_parent] = context::with_cancel(context::background());
  while (b.loop()) {
    auto const [ctx, cancel] = context::with_timeout(parent, 1h);
    bench::keep(ctx);
  }
}

VOLE_BENCH(with_timeout_and_done) {
  auto const [parent, cancel_parent] = context::with_cancel(context::background());
  while (b.loop()) {
    auto const [ctx, cancel] = context::with_timeout(parent, 1h);
    auto const done = ctx.done();
    bench::keep(done);
  }
}

VOLE_BENCH(value_4_up) {
  context ctx = context::with_value<request_id>(context::background(), 7);
  for (int i = 0; i < 4; ++i) ctx = context::with_value<user_id>(ctx, i);
  std::int64_t sum = 0;
  while (b.loop()) sum += *ctx.value<request_id>();
  report_sum(b, sum);
}

VOLE_BENCH(cancel_1000_children) {
  std::vector<std::pair<context, cancel_handle>> children;
  while (b.loop()) {
    auto const [parent, cancel] = context::with_cancel(context::background());
    for (int i = 0; i < 1000; ++i) children.push_back(context::with_cancel(parent));
    cancel();
    children.clear();
  }
}

VOLE_BENCH(after_func_and_stop) {
  auto const [ctx, cancel] = context::with_cancel(context::background());
  std::int64_t stopped = 0;
  while (b.loop()) {
    auto stop = context::after_func(ctx, [] {});
    stopped += stop() ? 1 : 0;
  }
  report_sum(b, stopped);
}

// What a context in front costs where nothing has to wait.
VOLE_BENCH(recv_ready_under_a_context) {
  auto const [ctx, cancel] = context::with_timeout(context::background(), 1h);
  chan<int> const c(1);
  std::int64_t sum = 0;
  while (b.loop()) {
    c.send(1);
    sum += **recv(ctx, c);
  }
  report_sum(b, sum);
}

VOLE_BENCH(hold_free_under_a_context) {
  auto const [ctx, cancel] = context::with_timeout(context::background(), 1h);
  sync::mutex mu;
  std::int64_t held = 0;
  while (b.loop()) held += hold(ctx, mu) ? 1 : 0;
  report_sum(b, held);
}

VOLE_BENCH(errgroup_10) {
  internal::atomic<std::int64_t> sum{0};
  while (b.loop()) {
    errgroup::group g(context::background());
    for (int i = 0; i < 10; ++i) {
      g.go([&sum]() -> error {
        // relaxed, no partner: a sum that is read when all have ended.
        sum.fetch_add(1, internal::memory_order_relaxed);
        return nullptr;
      });
    }
    if (error const err = g.wait()) panic(err.message());
  }
  report_sum(b, sum.load());
}

VOLE_BENCH(task_spawn_get) {
  context const ctx = context::background();
  std::int64_t sum = 0;
  while (b.loop()) sum += *spawn([] { return 1; }).get(ctx);
  report_sum(b, sum);
}

VOLE_BENCH(singleflight_alone) {
  singleflight::group<std::string, std::int64_t> group;
  std::string const key = "key";
  context const ctx = context::background();
  std::int64_t sum = 0;
  while (b.loop()) {
    sum += *group.run(ctx, key, [](context const&) { return std::int64_t{1}; });
  }
  report_sum(b, sum);
}

}  // namespace
