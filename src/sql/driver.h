// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a driver implements: a database, and a session, which is one connection in the hands of one
// goroutine. The public calls of a session are the same for both drivers and stand in session.cc;
// they refuse what a transaction's state forbids, call the driver, and report to the hooks.
//
// INVARIANTS
//   A session is used by one goroutine at a time. Its state goes none -> open -> (failed <-> open
//   by savepoint) -> none. In `failed` no statement reaches the driver.
//   While a stream is open no other statement reaches the driver.
//   Destroying a session gives its connection back, whatever state it is in.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "vole/context.h"
#include "vole/errors.h"
#include "vole/result.h"
#include "vole/sql.h"

#include "sql/statement_text.h"

namespace vole::internal {

using sql_params = std::span<sql::param const>;

// marked_error is `cause` that also answers to a sentinel: "sql: connection lost: <cause>".
struct marked_error final : errors::typed_base {
  marked_error(errors::sentinel const& marked, error because)
      : mark(&marked), cause(std::move(because)) {}
  std::string message() const override;
  error unwrap() const override { return cause; }
  bool is(error const& target) const override { return target == error(*mark); }

  errors::sentinel const* mark;
  error cause;
};

// unreachable_error is why a connection could not be made; it reads as its cause does.
struct unreachable_error final : errors::typed_base {
  explicit unreachable_error(error because) : cause(std::move(because)) {}
  std::string message() const override { return cause.message(); }
  error unwrap() const override { return cause; }
  bool is(error const& target) const override { return target == error(sql::unreachable); }

  error cause;
};

// mark_error is err with the mark; null stays null.
error mark_error(errors::sentinel const& mark, error err);

// hook_timer reports one operation to the hooks; it reads no clock when nobody listens.
class hook_timer {
 public:
  hook_timer(sql::hooks const& hooks, sql::operation op, std::string_view statement = {})
      : hooks_(hooks), operation_(op), statement_(statement) {
    if (hooks_.done) started_ = now();
  }
  void done(context const& ctx, error const& err, std::int64_t rows = 0) const;

 private:
  sql::hooks const& hooks_;
  sql::operation operation_;
  std::string_view statement_;
  time_point started_{};
};

class sql_stream;

class sql_session {
 public:
  explicit sql_session(std::shared_ptr<sql::hooks const> hooks) : hooks_(std::move(hooks)) {}
  virtual ~sql_session();
  sql_session(sql_session const&) = delete;
  sql_session& operator=(sql_session const&) = delete;

  result<sql::rows> query(context const& ctx, std::string_view text, sql_params args);
  result<sql::exec_result> exec(context const& ctx, std::string_view text, sql_params args);
  error script(context const& ctx, std::string_view text);
  // The stream takes the session over when `owner` is given.
  result<sql::rows> stream(context const& ctx, std::string_view text, sql_params args,
                           std::unique_ptr<sql_session> owner = nullptr);

  error begin(context const& ctx, sql::tx_options const& options);
  error commit(context const& ctx);
  error rollback(context const& ctx);
  error mark(context const& ctx);
  error unmark(context const& ctx, bool keep);

  // Ends the transaction of a closure that returned err: commits, or rolls back and gives err back.
  error end_closure(context const& ctx, error err);
  // For a closure that returned success: the error of a transaction that had failed on the way.
  error swallowed() const;
  static sql_session& of(sql::tx& tx) { return *tx.session_; }
  bool in_transaction() const { return state_ != state::none; }
  // A tx on this session, which stays the caller's; end_borrowed is the end of one that was left
  // open.
  sql::tx borrow();
  void end_borrowed() noexcept;
  // The transaction is a closure's: its return ends it, and nothing streams from it.
  void set_in_closure() { in_closure_ = true; }
  // The transaction of a closure is open from the start.
  void set_open() { state_ = state::open; }

 protected:
  virtual result<std::unique_ptr<sql_batch>> do_query(context const&, std::string_view,
                                                      sql_params) = 0;
  virtual result<sql::exec_result> do_exec(context const&, std::string_view, sql_params) = 0;
  virtual error do_script(context const&, std::string_view) = 0;
  virtual error do_begin(context const&, sql::tx_options const&) = 0;
  virtual error do_commit(context const&) = 0;
  virtual error do_rollback(context const&) = 0;
  // A transaction was left open: get rid of it without waiting for a context.
  virtual void do_abandon() noexcept = 0;
  // SAVEPOINT, RELEASE, ROLLBACK TO.
  virtual error do_control(context const&, std::string_view statement) = 0;
  virtual error do_start_stream(context const&, std::string_view, sql_params) = 0;
  // The next rows of the open stream; an empty pointer at its end.
  virtual result<std::unique_ptr<sql_batch>> do_fetch(context const&) = 0;
  virtual void do_end_stream() noexcept = 0;

  // The connection is out of the caller's hands: nothing more reaches the driver.
  void set_gone() { gone_ = true; }

  sql::hooks const& hooks() const { return *hooks_; }

 private:
  friend class sql_stream;
  enum class state : std::uint8_t { none, open, failed };

  error admit(std::string_view text) const;
  error still_here() const;
  void settle(error const& err);

  std::shared_ptr<sql::hooks const> hooks_;
  sql_stream* stream_ = nullptr;  // the open one
  int savepoints_ = 0;
  state state_ = state::none;
  bool in_closure_ = false;
  bool gone_ = false;
};

class sql_database {
 public:
  virtual ~sql_database() = default;

  virtual result<sql::rows> query(context const&, std::string_view, sql_params) = 0;
  virtual result<sql::rows> stream(context const&, std::string_view, sql_params) = 0;
  virtual result<sql::exec_result> exec(context const&, std::string_view, sql_params) = 0;
  // A session with an open transaction.
  virtual result<std::unique_ptr<sql_session>> begin(context const&, sql::tx_options const&) = 0;
  virtual result<std::unique_ptr<sql_session>> connection(context const&) = 0;
  virtual error run(context const&, sql::tx_options const&, sql_body) = 0;
  virtual error ping(context const&) = 0;
  virtual sql::stats stats() const = 0;
  virtual sql::dialect dialect() const = 0;
  virtual error close(context const&) = 0;
};

// retry_pause waits before the attempt-th retry of a transaction: full jitter, doubling, 100 ms at
// most.
error retry_pause(context const& ctx, int attempt);

}  // namespace vole::internal
