// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sessions on a SQLite connection: what a reader and the writer have in common.
// A statement that meets another process's lock waits for it as a goroutine, not inside SQLite.
// No shared state: a session belongs to one goroutine at a time.

#include <memory>
#include <utility>

#include "vole/go.h"
#include "vole/internal/atomic.h"

#include "sql/driver.h"
#include "sql/pool.h"
#include "sql/sqlite_conn.h"

namespace vole::internal {

// What the sessions of one database share.
struct sqlite_shared {
  sqlite::options options;
  std::shared_ptr<sql::hooks const> hooks;
  atomic<std::int64_t> cancels_total{0};  // relaxed: a counter
};

// busy_pauses waits while another process holds a lock, until the busy timeout is over.
class busy_pauses {
 public:
  explicit busy_pauses(duration timeout) : until_(deadline_after(timeout)) {}
  // True: look again. Else `failed` says why not: it is left as it was, or becomes the context's
  // error.
  bool again(context const& ctx, error& failed);

 private:
  time_point const until_;
  int round_ = 0;
};

// on_disk runs fn, which uses conn, off the processor and under the limit of ctx, again while the
// database is busy.
template <class Fn>
error on_disk(context const& ctx, sqlite_shared& shared, sqlite_conn& conn, Fn&& fn) {
  if (error ended = ctx.err()) return ended;
  park_limit const limit = ctx;
  busy_pauses pauses(shared.options.busy_timeout);
  for (;;) {
    error err = blocking([&] {
      conn.set_limit(limit.unlimited() ? nullptr : &limit);
      error inside = fn();
      conn.set_limit(nullptr);
      return inside;
    });
    if (!err) return err;
    constexpr int busy = 5, interrupt = 9;
    int const code = sqlite_code(err);
    if (code == interrupt) {
      shared.cancels_total.fetch_add(1, memory_order_relaxed);
      error ended = ctx.err();
      return ended ? ended : err;
    }
    if (code != busy || !pauses.again(ctx, err)) return err;
  }
}

class sqlite_session : public sql_session {
 public:
  explicit sqlite_session(std::shared_ptr<sqlite_shared> shared)
      : sql_session(shared->hooks), shared_(std::move(shared)) {}

 protected:
  virtual sqlite_conn& conn() = 0;
  // Runs before each statement, off the processor: where a transaction that begins late begins.
  virtual error before_statement() { return {}; }

  result<std::unique_ptr<sql_batch>> do_query(context const&, std::string_view,
                                              sql_params) override;
  result<sql::exec_result> do_exec(context const&, std::string_view, sql_params) override;
  error do_script(context const&, std::string_view) override;
  error do_commit(context const&) override;
  error do_rollback(context const&) override;
  void do_abandon() noexcept override;
  error do_control(context const&, std::string_view) override;
  error do_start_stream(context const&, std::string_view, sql_params) override;
  result<std::unique_ptr<sql_batch>> do_fetch(context const&) override;
  void do_end_stream() noexcept override;

  std::shared_ptr<sqlite_shared> const shared_;

 private:
  sqlite_statement* streaming_ = nullptr;
  bool stream_begun_ = false;
  bool stream_done_ = false;
};

// A reader connection in its pool.
class sqlite_reader final : public pooled {
 public:
  explicit sqlite_reader(std::unique_ptr<sqlite_conn> opened) : conn(std::move(opened)) {}
  bool usable() const noexcept override { return true; }

  std::unique_ptr<sqlite_conn> const conn;
};

class reader_session final : public sqlite_session {
 public:
  reader_session(std::shared_ptr<sqlite_shared> shared, std::shared_ptr<pool> home,
                 std::unique_ptr<pooled> reader)
      : sqlite_session(std::move(shared)), home_(std::move(home)), reader_(std::move(reader)) {}
  ~reader_session() override;

  // Whether the statement changes nothing.
  result<bool> reads_only(context const& ctx, std::string_view text);

 private:
  sqlite_conn& conn() override { return *static_cast<sqlite_reader&>(*reader_).conn; }
  error do_begin(context const&, sql::tx_options const&) override;

  std::shared_ptr<pool> const home_;
  std::unique_ptr<pooled> reader_;
};

}  // namespace vole::internal
