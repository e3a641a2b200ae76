// SPDX-License-Identifier: Apache-2.0
// Databases: one small interface over PostgreSQL (vole/sql/postgres.h) and SQLite
// (vole/sql/sqlite.h).
//
//   sql::db db = VOLE_TRY(sqlite::open(ctx, "data/folio.db"), "open the store");
//   auto [id, email] = VOLE_TRY(db.query_one<std::int64_t, std::string>(
//       ctx, "select id, email from users where id = $1", 7), "load user {}", 7);
//   error err = db.write(ctx, [&](sql::tx& tx) -> error {
//     VOLE_TRY(tx.exec(ctx, "insert into users (id, email) values ($1, $2)", 8, "b@c.d"), "insert
//     user"); return {};
//   });
//
// Arguments are $1, $2, ... in both databases; a statement is prepared once per connection and
// kept. Every call takes a context: when it ends, the call returns at once and the statement is
// interrupted. write() is the way to change data: it retries what the database asks to be retried,
// and on SQLite it puts the transactions of concurrent callers into one commit. A closure given to
// it may therefore run more than once, and must do nothing but its statements until write() has
// returned. Errors: pg_error and sqlite_error carry the database's codes; the questions below ask
// for both.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "vole/context.h"
#include "vole/errors.h"
#include "vole/result.h"
#include "vole/sql/rows.h"
#include "vole/time.h"

namespace vole::sql {
class tx;
}
namespace vole::internal {

class sql_database;
class sql_session;

// A view of the closure of a transaction, which its caller keeps alive.
struct sql_body {
  void* fn;
  error (*call)(void* fn, sql::tx& tx);
};

}  // namespace vole::internal

namespace vole::sql {

// query_one found nothing.
inline constinit errors::sentinel no_rows{"sql: no rows"};
// The database or the pool was closed.
inline constinit errors::sentinel closed{"sql: database is closed"};
// No connection could be made. The message is that of its cause.
inline constinit errors::sentinel unreachable{"sql: the database cannot be reached"};
// The connection to the server broke while it was in use.
inline constinit errors::sentinel connection_lost{"sql: connection lost"};
// The statement that makes changes durable was sent and no answer came (connection lost, context
// ended, or the disk failed while syncing): the changes are there, or they are not. Look them up
// before you repeat them.
inline constinit errors::sentinel outcome_unknown{"sql: outcome of the commit is unknown"};

// What err, or an error it wraps, says about a constraint; the same for both databases.
bool unique_violation(error const& err);  // a primary key too
bool foreign_key_violation(error const& err);
bool check_violation(error const& err);
bool not_null_violation(error const& err);
// True when the same transaction, run again, may succeed: serialization failure, deadlock, busy.
bool retryable(error const& err);
// True when the database cannot be reached or takes no work for now, so that the same call may
// succeed later: unreachable, connection_lost, a server that starts or stops (57P01, 57P02, 57P03)
// or has no connection left (53300).
bool unavailable(error const& err);
// The violated constraint: its name ("users_email_key"), or on SQLite the columns of a unique or
// not-null constraint ("users.email") or the name of a check. Empty when err is nothing of that
// kind.
std::string_view constraint_of(error const& err);

enum class dialect : std::uint8_t { postgres, sqlite };
std::string_view name_of(dialect d);

struct exec_result {
  std::int64_t rows_affected = 0;
};

enum class isolation : std::uint8_t { standard, read_committed, repeatable_read, serializable };

// SQLite is always serializable: there the isolation is not looked at.
struct tx_options {
  isolation level =
      isolation::standard;  // PostgreSQL: read committed, unless the server says otherwise
  bool read_only = false;   // SQLite: runs beside the writer, on a snapshot
  int attempts_max = 5;     // write() and read(): runs of the closure, the first included
};

class tx;
class conn;

// executor is what db, conn and tx have in common: something that runs statements. A function that
// takes an executor& works inside and outside of a transaction. Blocks:  parks the goroutine; never
// the worker thread.   Cancels: yes, with ctx, on every call. Errors:  pg_error or sqlite_error
// from the database; context errors; connection_lost. A statement that
//          changes data outside of a transaction fails as a commit does: outcome_unknown.
// Safety:  db: any goroutine. conn, tx: one goroutine at a time.
class executor {
 public:
  virtual ~executor() = default;

  // query runs a statement and reads all of its rows into memory.
  template <class... A>
  result<rows> query(context const& ctx, std::string_view statement, A const&... args) {
    return do_query(ctx, statement, std::array<param, sizeof...(A)>{param(args)...});
  }
  // stream runs a statement and fetches its rows batch by batch, for results that do not fit into
  // memory. The connection is in use until the rows are read or destroyed. Not inside write() and
  // read().
  template <class... A>
  result<rows> stream(context const& ctx, std::string_view statement, A const&... args) {
    return do_stream(ctx, statement, std::array<param, sizeof...(A)>{param(args)...});
  }
  // exec runs a statement for its effect.
  template <class... A>
  result<exec_result> exec(context const& ctx, std::string_view statement, A const&... args) {
    return do_exec(ctx, statement, std::array<param, sizeof...(A)>{param(args)...});
  }
  // query_one<T...> reads the first row: T for one column, else a tuple. no_rows when there is
  // none.
  template <class... T, class... A>
  result<row_of<T...>> query_one(context const& ctx, std::string_view statement, A const&... args) {
    auto got = query(ctx, statement, args...);
    if (!got) return got.error();
    if (got->empty()) return error(no_rows);
    return read_row<T...>((*got)[0]);
  }
  // query_all<T...> reads every row.
  template <class... T, class... A>
  result<std::vector<row_of<T...>>> query_all(context const& ctx, std::string_view statement,
                                              A const&... args) {
    auto got = query(ctx, statement, args...);
    if (!got) return got.error();
    std::vector<row_of<T...>> all;
    all.reserve(got->size());
    for (sql::row row : *got) {
      auto one = read_row<T...>(row);
      if (!one) return one.error();
      all.push_back(*std::move(one));
    }
    return all;
  }

 protected:
  executor() = default;
  executor(executor const&) = default;
  executor(executor&&) = default;
  executor& operator=(executor const&) = default;
  executor& operator=(executor&&) = default;

 private:
  virtual result<rows> do_query(context const&, std::string_view, std::span<param const>) = 0;
  virtual result<rows> do_stream(context const&, std::string_view, std::span<param const>) = 0;
  virtual result<exec_result> do_exec(context const&, std::string_view, std::span<param const>) = 0;

  template <class... T>
  static result<row_of<T...>> read_row(sql::row const& row) {
    std::tuple<T...> columns;
    error err = std::apply([&](auto&... column) { return row.scan(column...); }, columns);
    if (err) return err;
    if constexpr (sizeof...(T) == 1) {
      return std::get<0>(std::move(columns));
    } else {
      return columns;
    }
  }
};

// tx is a transaction. After a statement of it failed it can only be rolled back (or go back to a
// savepoint), on SQLite too. Destroying an unfinished one rolls it back.
class [[nodiscard]] tx final : public executor {
 public:
  tx(tx&&) noexcept;
  tx& operator=(tx&&) noexcept;
  ~tx() override;

  // commit makes the changes durable. Errors: outcome_unknown when no answer came; else nothing was
  // changed.
  error commit(context const& ctx);
  // rollback undoes everything; after commit or rollback it does nothing and is no error.
  error rollback(context const& ctx);
  // savepoint runs fn(tx) -> error; when it fails, what it changed is undone and the transaction
  // goes on.
  template <class Fn>
  error savepoint(context const& ctx, Fn&& fn) {
    if (error err = mark(ctx)) return err;
    error err = fn(*this);
    error ended = unmark(ctx, !err);
    return err ? err : ended;
  }
  // exec_script runs any number of statements, which take no arguments and whose rows are dropped.
  error exec_script(context const& ctx, std::string_view script);

 private:
  friend class db;
  friend class conn;
  friend class vole::internal::sql_session;
  explicit tx(std::unique_ptr<vole::internal::sql_session> session);
  explicit tx(
      vole::internal::sql_session* borrowed);  // conn's and write()'s: the session stays theirs
  result<rows> do_query(context const&, std::string_view, std::span<param const>) override;
  result<rows> do_stream(context const&, std::string_view, std::span<param const>) override;
  result<exec_result> do_exec(context const&, std::string_view, std::span<param const>) override;
  error mark(context const& ctx);
  error unmark(context const& ctx, bool keep);
  void release();

  std::unique_ptr<vole::internal::sql_session> owned_;
  vole::internal::sql_session* session_;  // null when finished
};

// conn is one connection, for what must run on the same one (session settings, advisory locks,
// VACUUM). On SQLite it is the writer: other writers wait until it is given back. Destroying it
// gives it back.
class [[nodiscard]] conn final : public executor {
 public:
  conn(conn&&) noexcept;
  conn& operator=(conn&&) noexcept;
  ~conn() override;

  result<tx> begin(context const& ctx, tx_options const& options = {});
  error exec_script(context const& ctx, std::string_view script);

 private:
  friend class db;
  explicit conn(std::unique_ptr<vole::internal::sql_session> session);
  result<rows> do_query(context const&, std::string_view, std::span<param const>) override;
  result<rows> do_stream(context const&, std::string_view, std::span<param const>) override;
  result<exec_result> do_exec(context const&, std::string_view, std::span<param const>) override;

  std::unique_ptr<vole::internal::sql_session> session_;
};

// stats is a snapshot of a database's counters.
struct stats {
  int open = 0;        // connections, in use or idle
  int idle = 0;        // (SQLite: readers)
  int connecting = 0;  // being dialled
  int waiting = 0;     // callers waiting for a connection (SQLite: or for the writer)
  int open_max = 0;
  std::int64_t waits_total = 0;  // acquires that had to wait
  duration wait_total{};         // and how long
  std::int64_t connects_total = 0;
  std::int64_t connect_errors_total = 0;
  std::int64_t discards_total = 0;  // connections closed: broken, too old, idle too long
  std::int64_t cancels_total = 0;   // statements interrupted because their context ended
  std::int64_t transactions_total =
      0;  // committed write transactions, single statements included (SQLite),
  std::int64_t commits_total = 0;  // and the commits that made them durable: SQLite groups them
};

// hooks see every operation, for metrics and traces. A hook runs on the caller's goroutine, after
// the operation, and must not block.
enum class operation : std::uint8_t {
  connect,
  acquire,
  query,
  exec,
  script,
  begin,
  commit,
  rollback
};
std::string_view name_of(operation op);

struct event {
  sql::operation operation;
  std::string_view
      statement;  // without its arguments; empty for connect, acquire, begin, commit, rollback
  time_point started;
  duration took{};
  std::int64_t rows = 0;  // read or affected
  error const& err;
};

struct hooks {
  std::function<void(context const& ctx, event const& e)> done{};
};

// db is a database: a handle to a pool of connections, cheap to copy. Close it: the last handle
// that goes away without close() closes the idle connections, and those in use when they come back.
class db final : public executor {
 public:
  db() = default;
  explicit db(std::shared_ptr<vole::internal::sql_database> held) : held_(std::move(held)) {}
  explicit operator bool() const { return held_ != nullptr; }

  // write runs fn(tx) in a transaction that may change data, and commits when fn returns without an
  // error. fn returns error or result<T>, and so does write(). An error of fn rolls back and is
  // returned as it is. Retries: fn again, when the database asks for it (retryable) or the
  // connection broke before the commit. Errors:  fn's; outcome_unknown; those of acquiring a
  // connection. Cost:    PostgreSQL: BEGIN travels with the first statement, so n statements are n
  // + 1 round trips.
  //          SQLite: concurrent writers share one commit; nobody is answered before it is durable.
  template <class Fn>
  auto write(context const& ctx, Fn&& fn) {
    return transact(ctx, tx_options{}, fn);
  }
  template <class Fn>
  auto write(context const& ctx, tx_options const& options, Fn&& fn) {
    return transact(ctx, options, fn);
  }
  // read runs fn(tx) on one snapshot that cannot change data (PostgreSQL: repeatable read, read
  // only).
  template <class Fn>
  auto read(context const& ctx, Fn&& fn) {
    return transact(ctx, tx_options{.level = isolation::repeatable_read, .read_only = true}, fn);
  }

  // begin starts a transaction that the caller commits. Prefer write(): on SQLite this one holds
  // the only writer until it ends, and commits alone.
  result<tx> begin(context const& ctx, tx_options const& options = {});
  // conn takes a connection out of the pool.
  result<sql::conn> conn(context const& ctx);
  // ping asks the database for a sign of life.
  error ping(context const& ctx);
  sql::stats stats() const;
  sql::dialect dialect() const;
  // close refuses new work, waits until the connections in use have come back, and closes them all.
  // Errors: the context's, when they do not come back in time; they are closed as they come.
  error close(context const& ctx);

 private:
  result<rows> do_query(context const&, std::string_view, std::span<param const>) override;
  result<rows> do_stream(context const&, std::string_view, std::span<param const>) override;
  result<exec_result> do_exec(context const&, std::string_view, std::span<param const>) override;

  error run(context const& ctx, tx_options const& options, vole::internal::sql_body body);

  template <class Fn>
  auto transact(context const& ctx, tx_options const& options, Fn& fn)
      -> std::invoke_result_t<Fn&, tx&> {
    using outcome = std::invoke_result_t<Fn&, tx&>;
    if constexpr (std::is_same_v<outcome, error>) {
      return run(ctx, options, {&fn, [](void* f, tx& t) { return (*static_cast<Fn*>(f))(t); }});
    } else {
      std::optional<outcome> got;
      auto keep = [&](tx& t) -> error { return got.emplace(fn(t)).error(); };
      using keeper = decltype(keep);
      error err =
          run(ctx, options, {&keep, [](void* f, tx& t) { return (*static_cast<keeper*>(f))(t); }});
      if (err) return err;
      return *std::move(got);
    }
  }

  std::shared_ptr<vole::internal::sql_database> held_;
};

}  // namespace vole::sql
