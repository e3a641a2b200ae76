// SPDX-License-Identifier: Apache-2.0
// The SQLite driver: which connection a statement goes to. Reads go to the readers; what writes, or
// may, goes to the writer. Shared state: the pool's and the writer's.
#include "vole/sql/sqlite.h"

#include "vole/assert.h"

#include "sql/driver.h"
#include "sql/pool.h"
#include "sql/sqlite_session.h"
#include "sql/sqlite_writer.h"

namespace vole::internal {
namespace {

class sqlite_database final : public sql_database {
 public:
  sqlite_database(std::shared_ptr<sqlite_shared> shared, std::shared_ptr<pool> readers,
                  std::shared_ptr<sqlite_writer> writer)
      : shared_(std::move(shared)), readers_(std::move(readers)), writer_(std::move(writer)) {}
  ~sqlite_database() override { readers_->shut(); }

  result<sql::rows> query(context const& ctx, std::string_view text, sql_params args) override;
  result<sql::rows> stream(context const& ctx, std::string_view text, sql_params args) override;
  result<sql::exec_result> exec(context const& ctx, std::string_view text,
                                sql_params args) override;
  result<std::unique_ptr<sql_session>> begin(context const& ctx,
                                             sql::tx_options const& options) override;
  result<std::unique_ptr<sql_session>> connection(context const& ctx) override;
  error run(context const& ctx, sql::tx_options const& options, sql_body body) override;
  error ping(context const& ctx) override;
  sql::stats stats() const override;
  sql::dialect dialect() const override { return sql::dialect::sqlite; }
  error close(context const& ctx) override;

 private:
  result<std::unique_ptr<reader_session>> reader(context const& ctx);
  result<std::unique_ptr<reader_session>> reader_for(context const& ctx, std::string_view text);
  error run_read(context const& ctx, sql_body body);
  // Runs fn(session) as a transaction of one statement.
  template <class Fn>
  error single(context const& ctx, Fn fn) {
    return writer_->run(ctx, attempts_of_single,
                        {&fn, [](void* f, sql::tx& tx) { return (*static_cast<Fn*>(f))(tx); }});
  }

  static constexpr int attempts_of_single = 3;

  std::shared_ptr<sqlite_shared> const shared_;
  std::shared_ptr<pool> const readers_;
  std::shared_ptr<sqlite_writer> const writer_;
};

result<std::unique_ptr<reader_session>> sqlite_database::reader(context const& ctx) {
  hook_timer const timer(*shared_->hooks, sql::operation::acquire);
  auto connection = readers_->acquire(ctx);
  timer.done(ctx, connection.error());
  if (!connection) return std::move(connection).error();
  return std::make_unique<reader_session>(shared_, readers_, *std::move(connection));
}

// A reader, or null when the statement belongs to the writer.
result<std::unique_ptr<reader_session>> sqlite_database::reader_for(context const& ctx,
                                                                    std::string_view text) {
  statement_kind const kind = kind_of(text);
  if (kind != statement_kind::read && kind != statement_kind::with) {
    return std::unique_ptr<reader_session>();
  }
  auto session = reader(ctx);
  if (!session || kind == statement_kind::read) return session;
  auto const only = (*session)->reads_only(ctx, text);
  if (!only) return only.error();
  if (!*only) return std::unique_ptr<reader_session>();
  return session;
}

result<sql::rows> sqlite_database::query(context const& ctx, std::string_view text,
                                         sql_params args) {
  auto session = reader_for(ctx, text);
  if (!session) return std::move(session).error();
  if (*session) return (*session)->query(ctx, text, args);
  std::optional<sql::rows> rows;
  error err = single(ctx, [&](sql::tx& tx) -> error {
    auto got = sql_session::of(tx).query(ctx, text, args);
    if (got) rows = *std::move(got);
    return std::move(got).error();
  });
  if (err) return err;
  return *std::move(rows);
}

result<sql::exec_result> sqlite_database::exec(context const& ctx, std::string_view text,
                                               sql_params args) {
  auto session = reader_for(ctx, text);
  if (!session) return std::move(session).error();
  if (*session) return (*session)->exec(ctx, text, args);
  sql::exec_result done;
  error err = single(ctx, [&](sql::tx& tx) -> error {
    auto got = sql_session::of(tx).exec(ctx, text, args);
    if (got) done = *got;
    return std::move(got).error();
  });
  if (err) return err;
  return done;
}

result<sql::rows> sqlite_database::stream(context const& ctx, std::string_view text,
                                          sql_params args) {
  auto session = reader_for(ctx, text);
  if (!session) return std::move(session).error();
  if (*session) {
    sql_session& on = **session;
    return on.stream(ctx, text, args, *std::move(session));
  }
  return query(ctx, text, args);  // rows that a statement changed: read in full, before the commit
}

result<std::unique_ptr<sql_session>> sqlite_database::connection(context const& ctx) {
  hook_timer const timer(*shared_->hooks, sql::operation::acquire);
  error err = writer_->enter(ctx);
  timer.done(ctx, err);
  if (err) return err;
  return std::unique_ptr<sql_session>(std::make_unique<writer_session>(shared_, writer_));
}

result<std::unique_ptr<sql_session>> sqlite_database::begin(context const& ctx,
                                                            sql::tx_options const& options) {
  std::unique_ptr<sql_session> session;
  if (options.read_only) {
    session = VOLE_TRY(reader(ctx), "take a reader");
  } else {
    session = VOLE_TRY(connection(ctx), "take the writer");
  }
  if (error err = session->begin(ctx, options)) return err;
  return session;
}

error sqlite_database::run(context const& ctx, sql::tx_options const& options, sql_body body) {
  if (options.read_only) return run_read(ctx, body);
  return writer_->run(ctx, options.attempts_max, body);
}

error sqlite_database::run_read(context const& ctx, sql_body body) {
  auto session = reader(ctx);
  if (!session) return std::move(session).error();
  if (error err = (*session)->begin(ctx, {})) return err;
  (*session)->set_in_closure();
  sql::tx tx = (*session)->borrow();
  error err = body.call(body.fn, tx);
  return err ? err : (*session)->swallowed();
}

error sqlite_database::ping(context const& ctx) {
  auto rows = query(ctx, "select 1", {});
  return std::move(rows).error();
}

sql::stats sqlite_database::stats() const {
  sql::stats all;
  readers_->fill(all);
  writer_->fill(all);
  all.cancels_total = shared_->cancels_total.load(memory_order_relaxed);
  return all;
}

error sqlite_database::close(context const& ctx) {
  VOLE_TRY(readers_->close(ctx), "close the readers");
  return errors::wrap(writer_->close(ctx), "close the writer");
}

}  // namespace
}  // namespace vole::internal

namespace vole::sqlite {
namespace {

using internal::sqlite_conn;

error check_path(std::string_view path) {
  if (path.empty() || path == ":memory:" || path.starts_with("file:")) {
    return errors::make(
        "open \"{}\": not the name of a file: a database in memory cannot be shared by "
        "connections; use a file in a temporary folder",
        path);
  }
  if (path.find('\0') != path.npos) return errors::make("open: the path has a NUL byte");
  return {};
}

// Opens a connection, waiting while another process recovers or sets up the file.
result<std::unique_ptr<sqlite_conn>> open_conn(context const& ctx, std::string const& path,
                                               sqlite_conn::role role, options const& options) {
  internal::busy_pauses pauses(options.busy_timeout);
  for (;;) {
    auto made = blocking([&] { return sqlite_conn::open(path, role, options); });
    if (made) return made;
    error err = made.error();
    if (internal::sqlite_code(err) != 5 || !pauses.again(ctx, err)) return err;
  }
}

}  // namespace

result<sql::db> open(context const& ctx, std::string_view path, options options) {
  if (error err = check_path(path)) return err;
  VOLE_REQUIRE(options.readers_max > 0 && options.group_max > 0,
               "sqlite::options: readers_max and group_max are at least 1");
  if (error ended = ctx.err()) return errors::wrap(std::move(ended), "open {}", path);
  std::string const file(path);
  auto shared = std::make_shared<internal::sqlite_shared>();
  shared->hooks = std::make_shared<sql::hooks const>(std::move(options.hooks));
  shared->options = options;
  auto conn = open_conn(ctx, file, sqlite_conn::role::writer, options);
  if (!conn) return std::move(conn).error();
  auto writer = std::make_shared<internal::sqlite_writer>(shared, *std::move(conn));
  auto readers = std::make_shared<internal::pool>(internal::pool_settings{
      .open_max = options.readers_max,
      .connect_timeout = options.busy_timeout + std::chrono::seconds(5),
      .dial = [file, shared](context const& dial_ctx) -> result<std::unique_ptr<internal::pooled>> {
        auto made = open_conn(dial_ctx, file, sqlite_conn::role::reader, shared->options);
        if (!made) return std::move(made).error();
        return std::unique_ptr<internal::pooled>(
            std::make_unique<internal::sqlite_reader>(*std::move(made)));
      },
      .hooks = shared->hooks});
  return sql::db(std::make_shared<internal::sqlite_database>(std::move(shared), std::move(readers),
                                                             std::move(writer)));
}

}  // namespace vole::sqlite
