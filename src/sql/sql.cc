// SPDX-License-Identifier: Apache-2.0
// db, tx and conn over the drivers; the questions about errors. No shared state.
#include "vole/sql.h"

#include "vole/assert.h"
#include "vole/sql/postgres.h"
#include "vole/sql/sqlite.h"

#include "sql/driver.h"

namespace vole::internal {

sql::tx sql_session::borrow() {
  return sql::tx(this);
}

}  // namespace vole::internal

namespace vole::sql {
namespace {

// SQLite's extended codes of a violated constraint: 19 + n * 256.
constexpr int sqlite_check = 275, sqlite_foreign_key = 787, sqlite_not_null = 1299,
              sqlite_primary_key = 1555, sqlite_unique = 2067, sqlite_rowid = 2579;
constexpr int sqlite_busy = 5;

bool matches(error const& err, std::string_view sqlstate, std::initializer_list<int> extended) {
  if (auto const* pg = errors::as<postgres::pg_error>(err)) return pg->code == sqlstate;
  if (auto const* lite = errors::as<sqlite::sqlite_error>(err)) {
    for (int const code : extended) {
      if (lite->extended_code == code) return true;
    }
  }
  return false;
}

}  // namespace

bool unique_violation(error const& err) {
  return matches(err, "23505", {sqlite_unique, sqlite_primary_key, sqlite_rowid});
}
bool foreign_key_violation(error const& err) {
  return matches(err, "23503", {sqlite_foreign_key});
}
bool check_violation(error const& err) {
  return matches(err, "23514", {sqlite_check});
}
bool not_null_violation(error const& err) {
  return matches(err, "23502", {sqlite_not_null});
}

bool retryable(error const& err) {
  if (errors::is(err, outcome_unknown)) return false;
  if (auto const* pg = errors::as<postgres::pg_error>(err)) {
    // The last two: a prepared statement whose tables were altered, or that the server has
    // forgotten; it is prepared anew.
    return pg->code == "40001" || pg->code == "40P01" || pg->code == "26000" ||
           (pg->code == "0A000" && pg->routine == "RevalidateCachedQuery");
  }
  auto const* lite = errors::as<sqlite::sqlite_error>(err);
  return lite != nullptr && lite->code == sqlite_busy;
}

bool unavailable(error const& err) {
  if (errors::is(err, unreachable) || errors::is(err, connection_lost)) return true;
  auto const* pg = errors::as<postgres::pg_error>(err);
  if (pg == nullptr) return false;
  return pg->code == "57P01" || pg->code == "57P02" || pg->code == "57P03" || pg->code == "53300";
}

std::string_view constraint_of(error const& err) {
  if (auto const* pg = errors::as<postgres::pg_error>(err)) return pg->constraint;
  if (auto const* lite = errors::as<sqlite::sqlite_error>(err)) return lite->constraint;
  return {};
}

std::string_view name_of(sql::dialect d) {
  return d == dialect::postgres ? "postgres" : "sqlite";
}

std::string_view name_of(sql::operation op) {
  switch (op) {
    case operation::connect:
      return "connect";
    case operation::acquire:
      return "acquire";
    case operation::query:
      return "query";
    case operation::exec:
      return "exec";
    case operation::script:
      return "script";
    case operation::begin:
      return "begin";
    case operation::commit:
      return "commit";
    case operation::rollback:
      return "rollback";
  }
  return "unknown";
}

tx::tx(std::unique_ptr<internal::sql_session> session)
    : owned_(std::move(session)), session_(owned_.get()) {}
tx::tx(internal::sql_session* borrowed) : session_(borrowed) {}
tx::tx(tx&& other) noexcept
    : owned_(std::move(other.owned_)), session_(std::exchange(other.session_, nullptr)) {}
tx& tx::operator=(tx&& other) noexcept {
  if (this == &other) return *this;
  static_cast<void>(tx(std::move(*this)));  // ends what this one held
  owned_ = std::move(other.owned_);
  session_ = std::exchange(other.session_, nullptr);
  return *this;
}
tx::~tx() {
  // An own session rolls back when it goes; a borrowed one goes on, without the transaction.
  if (owned_ == nullptr && session_ != nullptr) session_->end_borrowed();
}

error tx::commit(context const& ctx) {
  if (session_ == nullptr) return errors::make("commit: the transaction has ended already");
  error err = session_->commit(ctx);
  release();
  return err;
}
error tx::rollback(context const& ctx) {
  if (session_ == nullptr) return {};
  error err = session_->rollback(ctx);
  release();
  return err;
}
// The transaction has ended: the connection goes back at once, not when this object goes.
void tx::release() {
  if (session_->in_transaction()) return;
  session_ = nullptr;
  owned_.reset();
}

namespace {
error ended() {
  return errors::make("the transaction has ended already");
}
}  // namespace

error tx::exec_script(context const& ctx, std::string_view script) {
  return session_ ? session_->script(ctx, script) : ended();
}
result<rows> tx::do_query(context const& ctx, std::string_view text, std::span<param const> args) {
  if (session_ == nullptr) return ended();
  return session_->query(ctx, text, args);
}
result<rows> tx::do_stream(context const& ctx, std::string_view text, std::span<param const> args) {
  if (session_ == nullptr) return ended();
  return session_->stream(ctx, text, args);
}
result<exec_result> tx::do_exec(context const& ctx, std::string_view text,
                                std::span<param const> args) {
  if (session_ == nullptr) return ended();
  return session_->exec(ctx, text, args);
}
error tx::mark(context const& ctx) {
  return session_ ? session_->mark(ctx) : ended();
}
error tx::unmark(context const& ctx, bool keep) {
  return session_ ? session_->unmark(ctx, keep) : ended();
}

conn::conn(std::unique_ptr<internal::sql_session> session) : session_(std::move(session)) {}
conn::conn(conn&&) noexcept = default;
conn& conn::operator=(conn&&) noexcept = default;
conn::~conn() = default;

result<tx> conn::begin(context const& ctx, tx_options const& options) {
  VOLE_REQUIRE(session_ != nullptr, "the connection was moved from");
  VOLE_TRY(session_->begin(ctx, options), "begin");
  return session_->borrow();
}
error conn::exec_script(context const& ctx, std::string_view script) {
  VOLE_REQUIRE(session_ != nullptr, "the connection was moved from");
  return session_->script(ctx, script);
}
result<rows> conn::do_query(context const& ctx, std::string_view text,
                            std::span<param const> args) {
  VOLE_REQUIRE(session_ != nullptr, "the connection was moved from");
  return session_->query(ctx, text, args);
}
result<rows> conn::do_stream(context const& ctx, std::string_view text,
                             std::span<param const> args) {
  VOLE_REQUIRE(session_ != nullptr, "the connection was moved from");
  return session_->stream(ctx, text, args);
}
result<exec_result> conn::do_exec(context const& ctx, std::string_view text,
                                  std::span<param const> args) {
  VOLE_REQUIRE(session_ != nullptr, "the connection was moved from");
  return session_->exec(ctx, text, args);
}

namespace {
internal::sql_database& of(std::shared_ptr<internal::sql_database> const& held) {
  VOLE_REQUIRE(held != nullptr, "the sql::db was never opened");
  return *held;
}
}  // namespace

result<tx> db::begin(context const& ctx, tx_options const& options) {
  auto session = VOLE_TRY(of(held_).begin(ctx, options), "begin");
  return tx(std::move(session));
}
result<sql::conn> db::conn(context const& ctx) {
  auto session = of(held_).connection(ctx);
  if (!session) return std::move(session).error();
  return sql::conn(*std::move(session));
}
error db::run(context const& ctx, tx_options const& options, internal::sql_body body) {
  return of(held_).run(ctx, options, body);
}
error db::ping(context const& ctx) {
  return of(held_).ping(ctx);
}
sql::stats db::stats() const {
  return of(held_).stats();
}
sql::dialect db::dialect() const {
  return of(held_).dialect();
}
error db::close(context const& ctx) {
  return held_ ? held_->close(ctx) : error{};
}
result<rows> db::do_query(context const& ctx, std::string_view text, std::span<param const> args) {
  return of(held_).query(ctx, text, args);
}
result<rows> db::do_stream(context const& ctx, std::string_view text, std::span<param const> args) {
  return of(held_).stream(ctx, text, args);
}
result<exec_result> db::do_exec(context const& ctx, std::string_view text,
                                std::span<param const> args) {
  return of(held_).exec(ctx, text, args);
}

}  // namespace vole::sql
