// SPDX-License-Identifier: Apache-2.0
// The PostgreSQL driver: a session from the pool for each call. Shared state: the pool's, and
// counters.
#include "vole/sql/postgres.h"

#include <algorithm>

#include "vole/assert.h"
#include "vole/runtime.h"

#include "sql/driver.h"
#include "sql/pool.h"
#include "sql/postgres_connect.h"
#include "sql/postgres_session.h"

namespace vole::internal {
namespace {

class pg_database final : public sql_database {
 public:
  explicit pg_database(std::shared_ptr<pg_shared> shared) : shared_(std::move(shared)) {}
  ~pg_database() override { shared_->home->shut(); }

  result<sql::rows> query(context const& ctx, std::string_view text, sql_params args) override {
    return twice(ctx, [&](auto& session) { return session->query(ctx, text, args); });
  }
  result<sql::exec_result> exec(context const& ctx, std::string_view text,
                                sql_params args) override {
    return twice(ctx, [&](auto& session) { return session->exec(ctx, text, args); });
  }
  result<sql::rows> stream(context const& ctx, std::string_view text, sql_params args) override {
    return twice(ctx, [&](auto& session) {
      sql_session& on = *session;
      return on.stream(ctx, text, args, std::move(session));
    });
  }
  result<std::unique_ptr<sql_session>> begin(context const& ctx,
                                             sql::tx_options const& options) override {
    auto session = acquire(ctx, pg_session::use::brief);
    if (!session) return std::move(session).error();
    if (error err = (*session)->begin(ctx, options)) return err;
    return std::unique_ptr<sql_session>(*std::move(session));
  }
  result<std::unique_ptr<sql_session>> connection(context const& ctx) override {
    auto session = acquire(ctx, pg_session::use::dedicated);
    if (!session) return std::move(session).error();
    return std::unique_ptr<sql_session>(*std::move(session));
  }
  error run(context const& ctx, sql::tx_options const& options, sql_body body) override;
  error ping(context const& ctx) override {
    auto rows = query(ctx, "select 1", {});
    return std::move(rows).error();
  }
  sql::stats stats() const override;
  sql::dialect dialect() const override { return sql::dialect::postgres; }
  error close(context const& ctx) override { return shared_->home->close(ctx); }

 private:
  result<std::unique_ptr<pg_session>> acquire(context const& ctx, pg_session::use as,
                                              time_point idle_after = time_point::min());
  // twice calls fn with a session, and once more when its connection was broken and nothing of it
  // can stand: it was not sent, or reads only. The second session is none that was idle meanwhile.
  template <class Fn>
  auto twice(context const& ctx, Fn fn)
      -> decltype(fn(std::declval<std::unique_ptr<pg_session>&>())) {
    time_point const begun = now();
    for (bool again = false;; again = true) {
      auto session = acquire(ctx, pg_session::use::brief, again ? begun : time_point::min());
      if (!session) return std::move(session).error();
      auto got = fn(*session);
      if (got || again || !undone(got.error())) return got;
    }
  }
  static bool undone(error const& err) {
    return errors::is(err, sql::connection_lost) && !errors::is(err, sql::outcome_unknown);
  }
  error run_once(context const& ctx, sql::tx_options const& options, sql_body body,
                 time_point idle_after, bool* again);

  std::shared_ptr<pg_shared> const shared_;
};

result<std::unique_ptr<pg_session>> pg_database::acquire(context const& ctx, pg_session::use as,
                                                         time_point idle_after) {
  hook_timer const timer(*shared_->hooks, sql::operation::acquire);
  auto connection = shared_->home->acquire(ctx, idle_after);
  timer.done(ctx, connection.error());
  if (!connection) return std::move(connection).error();
  return std::make_unique<pg_session>(shared_, *std::move(connection), as);
}

error pg_database::run(context const& ctx, sql::tx_options const& options, sql_body body) {
  time_point idle_after = time_point::min();
  for (int attempt = 1;; ++attempt) {
    bool again = false;
    time_point const begun = now();
    error err = run_once(ctx, options, body, idle_after, &again);
    if (!err || !again || attempt >= options.attempts_max) return err;
    if (undone(err)) idle_after = begun;
    if (retry_pause(ctx, attempt)) return err;  // the context ended: the last failure says more
  }
}

error pg_database::run_once(context const& ctx, sql::tx_options const& options, sql_body body,
                            time_point idle_after, bool* again) {
  auto session = acquire(ctx, pg_session::use::brief, idle_after);
  if (!session) return std::move(session).error();
  if (error err = (*session)->begin(ctx, options)) return err;
  (*session)->set_in_closure();
  error err;
  {
    sql::tx tx = (*session)->borrow();
    err = body.call(body.fn, tx);
  }
  err = (*session)->end_closure(ctx, std::move(err));
  *again = undone(err) || sql::retryable(err);
  return err;
}

sql::stats pg_database::stats() const {
  sql::stats all;
  shared_->home->fill(all);
  all.cancels_total = shared_->cancels_total.load(memory_order_relaxed);
  all.transactions_total = shared_->transactions_total.load(memory_order_relaxed);
  all.commits_total = all.transactions_total;
  return all;
}

}  // namespace
}  // namespace vole::internal

namespace vole::postgres {

result<sql::db> open(context const& ctx, std::string_view url, pool_options options) {
  VOLE_REQUIRE(options.open_max >= 0, "pool_options: open_max is {}", options.open_max);
  auto target = internal::pg_target::parse(url, options.application_name);
  if (!target) return std::move(target).error();
  auto shared = std::make_shared<internal::pg_shared>();
  shared->hooks = std::make_shared<sql::hooks const>(std::move(options.hooks));
  shared->cancel_timeout = options.cancel_timeout;
  shared->target = target->name();
  int const procs = runtime::max_procs();
  shared->home = std::make_shared<internal::pool>(internal::pool_settings{
      .open_max = options.open_max > 0 ? options.open_max : std::max(4, 4 * procs),
      .connect_timeout = options.connect_timeout,
      .lifetime_max = options.lifetime_max,
      .idle_max = options.idle_max,
      .dial = [target = *std::move(target), statements_max = options.statements_max,
               timeout_max = options.statement_timeout_max](
                  context const& dial_ctx) -> result<std::unique_ptr<internal::pooled>> {
        auto established = target.connect(dial_ctx);
        if (!established) return std::move(established).error();
        auto conn = internal::pg_conn::adopt(*std::move(established), statements_max, timeout_max);
        if (!conn) return std::move(conn).error();
        return std::unique_ptr<internal::pooled>(*std::move(conn));
      },
      .hooks = shared->hooks});
  sql::db db(std::make_shared<internal::pg_database>(shared));
  auto first = shared->home->acquire(ctx);
  if (!first) return std::move(first).error();
  shared->home->put(*std::move(first), true);
  return db;
}

}  // namespace vole::postgres
