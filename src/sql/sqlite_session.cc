// SPDX-License-Identifier: Apache-2.0
#include "sql/sqlite_session.h"

#include <algorithm>
#include <chrono>

namespace vole::internal {

bool busy_pauses::again(context const& ctx, error& failed) {
  using namespace std::chrono_literals;
  if (now() >= until_) return false;
  duration const pause = std::min<duration>(1ms * (1 << std::min(round_++, 5)), 25ms);
  error ended = time::sleep(ctx, std::min<duration>(pause, until_ - now()));
  if (!ended) return true;
  failed = errors::wrap(std::move(ended), "wait for another process's lock on the database");
  return false;
}

result<std::unique_ptr<sql_batch>> sqlite_session::do_query(context const& ctx,
                                                            std::string_view text,
                                                            sql_params args) {
  std::unique_ptr<sqlite_rows> rows;
  error err = on_disk(ctx, *shared_, conn(), [&]() -> error {
    if (error late = before_statement()) return late;
    auto statement = conn().prepare(text);
    if (!statement) return std::move(statement).error();
    rows = std::make_unique<sqlite_rows>();
    return conn().run(**statement, args, rows.get(), nullptr);
  });
  if (err) return err;
  return std::unique_ptr<sql_batch>(std::move(rows));
}

result<sql::exec_result> sqlite_session::do_exec(context const& ctx, std::string_view text,
                                                 sql_params args) {
  sql::exec_result done;
  error err = on_disk(ctx, *shared_, conn(), [&]() -> error {
    if (error late = before_statement()) return late;
    auto statement = conn().prepare(text);
    if (!statement) return std::move(statement).error();
    return conn().run(**statement, args, nullptr, &done.rows_affected);
  });
  if (err) return err;
  return done;
}

error sqlite_session::do_script(context const& ctx, std::string_view text) {
  std::string_view rest = text;  // what ran before the database was busy does not run again
  return on_disk(ctx, *shared_, conn(), [&]() -> error {
    if (error late = before_statement()) return late;
    return conn().script_from(rest);
  });
}

error sqlite_session::do_commit(context const& ctx) {
  // Once asked to commit, SQLite is not interrupted: it would roll back.
  if (error ended = ctx.err()) {
    do_abandon();
    return ended;
  }
  error err = on_disk(context{}, *shared_, conn(), [&] { return conn().control("COMMIT"); });
  if (err) do_abandon();
  return err;
}

error sqlite_session::do_rollback(context const&) {
  do_abandon();
  return {};
}

void sqlite_session::do_abandon() noexcept {
  blocking([this] {
    if (!conn().autocommit()) static_cast<void>(conn().control("ROLLBACK"));
  });
}

error sqlite_session::do_control(context const& ctx, std::string_view statement) {
  return on_disk(ctx, *shared_, conn(), [&]() -> error {
    if (error late = before_statement()) return late;
    return conn().control(statement);
  });
}

error sqlite_session::do_start_stream(context const& ctx, std::string_view text, sql_params args) {
  return on_disk(ctx, *shared_, conn(), [&]() -> error {
    if (error late = before_statement()) return late;
    auto statement = conn().prepare(text);
    if (!statement) return std::move(statement).error();
    if (error err = conn().start(**statement, args)) return err;
    streaming_ = *statement;
    stream_done_ = false;
    stream_begun_ = false;
    return {};
  });
}

result<std::unique_ptr<sql_batch>> sqlite_session::do_fetch(context const& ctx) {
  if (stream_done_) return std::unique_ptr<sql_batch>();
  std::unique_ptr<sqlite_rows> rows;
  error failed;
  error err = on_disk(ctx, *shared_, conn(), [&] {
    if (stream_done_) return failed;  // it cannot begin anew after its first rows
    rows = std::make_unique<sqlite_rows>();
    failed = conn().step(*streaming_, !stream_begun_, *rows, stream_done_);
    return failed;
  });
  stream_begun_ = true;
  if (err) {
    stream_done_ = true;
    return err;
  }
  return std::unique_ptr<sql_batch>(std::move(rows));
}

void sqlite_session::do_end_stream() noexcept {
  if (streaming_ == nullptr) return;
  blocking([this] { conn().reset(*streaming_); });
  streaming_ = nullptr;
}

reader_session::~reader_session() {
  do_end_stream();
  if (in_transaction()) do_abandon();
  home_->put(std::move(reader_), true);
}

result<bool> reader_session::reads_only(context const& ctx, std::string_view text) {
  bool only = false;
  error err = on_disk(ctx, *shared_, conn(), [&]() -> error {
    auto statement = conn().prepare(text);
    if (!statement) return std::move(statement).error();
    only = (*statement)->reads_only;
    return {};
  });
  if (err) return err;
  return only;
}

error reader_session::do_begin(context const& ctx, sql::tx_options const&) {
  return on_disk(ctx, *shared_, conn(), [&] { return conn().control("BEGIN"); });
}

}  // namespace vole::internal
