// SPDX-License-Identifier: Apache-2.0
// database_watch: what the pool and the statements do, as metrics, and when the database last
// answered. Copies share their state, which is atomic.
#pragma once

#include <memory>

#include "vole/context.h"
#include "vole/metrics.h"
#include "vole/sql.h"

namespace folio {

class database_watch {
 public:
  explicit database_watch(vole::metrics::registry registry);

  // hooks are for opening the database: sql_operation_duration_seconds and sql_errors_total, by
  // operation.
  vole::sql::hooks hooks() const;

  // add_pool shows the connections and the waits for them: sql_connections, sql_waits_total, ...
  void add_pool(vole::sql::db const& db);

  // readiness is null when a statement was answered within the last second, whoever sent it, or
  // else a ping is. So under load, when every connection has callers waiting, a check need not wait
  // behind them to learn that the database works.
  vole::error readiness(vole::context const& ctx, vole::sql::db& db) const;

 private:
  struct state;
  std::shared_ptr<state> state_;
  vole::metrics::registry registry_;
};

}  // namespace folio
