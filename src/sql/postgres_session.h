// SPDX-License-Identifier: Apache-2.0
#pragma once
// A session on a PostgreSQL connection, and what becomes of a connection that cannot go back to its
// pool at once.
//
// INVARIANTS
//   conn_ is null once the connection was lost or quarantined: every further call says so.
//   A connection reaches the pool only with no answer in flight, outside of a transaction, and
//   listening for no notification.
// QUARANTINE
//   When a context ends, its caller returns at once. The connection goes to a goroutine of its own:
//   that asks the server to cancel, waits until the server has taken note (libpq's PQcancel returns
//   then) and until the statement's answer is in, rolls back, and makes one more round trip, which
//   a cancel that came too late may hit. Only then does the connection serve again; when any of it
//   fails, or takes longer than the cancel timeout, it is closed.

#include <memory>
#include <string>

#include "vole/internal/atomic.h"

#include "sql/driver.h"
#include "sql/pool.h"
#include "sql/postgres_conn.h"

namespace vole::internal {

// What the sessions of one database share. The counters are relaxed: they order nothing.
struct pg_shared {
  std::shared_ptr<sql::hooks const> hooks;
  std::shared_ptr<pool> home;
  duration cancel_timeout{};
  std::string target;
  atomic<std::int64_t> cancels_total{0};
  atomic<std::int64_t> transactions_total{0};
};

class pg_session final : public sql_session {
 public:
  enum class use : std::uint8_t {
    brief,      // a statement or a transaction: leaves nothing behind
    dedicated,  // conn(): settings, locks and temporary tables must be cleared
  };

  pg_session(std::shared_ptr<pg_shared> shared, std::unique_ptr<pooled> connection, use as)
      : sql_session(shared->hooks),
        shared_(std::move(shared)),
        conn_(static_cast<pg_conn*>(connection.release())),
        use_(as) {}
  ~pg_session() override;

 private:
  result<std::unique_ptr<sql_batch>> do_query(context const&, std::string_view,
                                              sql_params) override;
  result<sql::exec_result> do_exec(context const&, std::string_view, sql_params) override;
  error do_script(context const&, std::string_view) override;
  error do_begin(context const&, sql::tx_options const&) override;
  error do_commit(context const&) override;
  error do_rollback(context const&) override;
  void do_abandon() noexcept override;
  error do_control(context const&, std::string_view statement) override;
  error do_start_stream(context const&, std::string_view, sql_params) override;
  result<std::unique_ptr<sql_batch>> do_fetch(context const&) override;
  void do_end_stream() noexcept override {}  // what is left is read before the next statement

  result<pg_result> run(context const& ctx, std::string_view text, sql_params args);
  error begin_now(context const& ctx);
  error gone() const;
  error failed(error err, statement_kind kind);
  void quarantine(bool cancel);

  std::shared_ptr<pg_shared> const shared_;
  std::unique_ptr<pg_conn> conn_;
  use const use_;
  std::string begin_due_;  // BEGIN goes out with the first statement
};

}  // namespace vole::internal
