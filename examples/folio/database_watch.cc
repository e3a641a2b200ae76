// SPDX-License-Identifier: Apache-2.0
#include "database_watch.h"

#include <array>
#include <chrono>

#include "vole/internal/atomic.h"
#include "vole/time.h"

namespace folio {
namespace {

constexpr vole::duration fresh = std::chrono::seconds(1);
constexpr std::size_t operations = static_cast<std::size_t>(vole::sql::operation::rollback) + 1;

bool is_answer(vole::sql::operation op) {
  return op == vole::sql::operation::query || op == vole::sql::operation::exec ||
         op == vole::sql::operation::commit;
}

}  // namespace

// The handles are made once, so that an operation looks none up. The families keep them good: the
// hooks may outlive the registry.
struct database_watch::state {
  vole::metrics::family<vole::metrics::histogram> all_seconds;
  vole::metrics::family<vole::metrics::counter> all_errors;
  std::array<vole::metrics::histogram, operations> seconds;
  std::array<vole::metrics::counter, operations> errors;
  vole::internal::atomic<std::int64_t> answered_ns{0};  // when; 0: never. Orders nothing
};

database_watch::database_watch(vole::metrics::registry registry)
    : state_(std::make_shared<state>()), registry_(std::move(registry)) {
  state_->all_seconds = registry_.histogram(
      "sql_operation_duration_seconds",
      "From an operation's begin to its end; acquire: the wait for a connection.",
      vole::metrics::latency_buckets(), {"operation"});
  state_->all_errors =
      registry_.counter("sql_errors_total", "Operations that failed.", {"operation"});
  for (std::size_t i = 0; i < operations; ++i) {
    auto const name = vole::sql::name_of(static_cast<vole::sql::operation>(i));
    state_->seconds[i] = state_->all_seconds.with({name});
    state_->errors[i] = state_->all_errors.with({name});
  }
}

vole::sql::hooks database_watch::hooks() const {
  return {.done = [seen = state_](vole::context const&, vole::sql::event const& e) {
    auto const i = static_cast<std::size_t>(e.operation);
    seen->seconds[i].observe(std::chrono::duration<double>(e.took).count());
    if (e.err) return seen->errors[i].add();
    if (is_answer(e.operation)) {
      seen->answered_ns.store((e.started + e.took).time_since_epoch().count(),
                              vole::internal::memory_order_relaxed);
    }
  }};
}

void database_watch::add_pool(vole::sql::db const& db) {
  auto const now = std::make_shared<vole::sql::stats>();
  registry_.on_scrape([now, db] { *now = db.stats(); });
  using vole::metrics::callback_type;
  constexpr auto connections = "sql_connections";
  constexpr auto connections_help = "Connections of the pool, by state (SQLite: readers).";
  registry_.callback(callback_type::gauge, connections, connections_help, {{"state", "idle"}},
                     [now] { return static_cast<double>(now->idle); });
  registry_.callback(callback_type::gauge, connections, connections_help, {{"state", "in_use"}},
                     [now] { return static_cast<double>(now->open - now->idle); });
  registry_.callback(callback_type::gauge, connections, connections_help, {{"state", "connecting"}},
                     [now] { return static_cast<double>(now->connecting); });
  registry_.gauge_func("sql_connections_max", "Bound of the pool.",
                       [now] { return static_cast<double>(now->open_max); });
  registry_.gauge_func("sql_waiting", "Callers that wait for a connection (SQLite: or the writer).",
                       [now] { return static_cast<double>(now->waiting); });
  registry_.counter_func("sql_waits_total", "Times that a caller had to wait for a connection.",
                         [now] { return static_cast<double>(now->waits_total); });
  registry_.counter_func("sql_wait_seconds_total",
                         "How long callers waited for a connection, in all.",
                         [now] { return std::chrono::duration<double>(now->wait_total).count(); });
  registry_.counter_func("sql_discards_total",
                         "Connections closed: broken, too old, idle too long.",
                         [now] { return static_cast<double>(now->discards_total); });
  registry_.counter_func("sql_cancels_total", "Statements interrupted: their context ended.",
                         [now] { return static_cast<double>(now->cancels_total); });
}

vole::error database_watch::readiness(vole::context const& ctx, vole::sql::db& db) const {
  auto const last = state_->answered_ns.load(vole::internal::memory_order_relaxed);
  auto const age = vole::time::now().time_since_epoch() - vole::duration(last);
  if (last != 0 && age < fresh) return {};
  return db.ping(ctx);
}

}  // namespace folio
