// SPDX-License-Identifier: Apache-2.0
// Invariants and the quarantine: postgres_session.h.
#include "sql/postgres_session.h"

#include <charconv>

#include "vole/chan.h"
#include "vole/go.h"

namespace vole::internal {
namespace {

std::int64_t affected_rows(PGresult* result) {
  std::string_view const text = PQcmdTuples(result);
  std::int64_t rows = 0;
  std::from_chars(text.data(), text.data() + text.size(), rows);
  return rows;
}

std::string begin_text(sql::tx_options const& options) {
  std::string text = "BEGIN";
  switch (options.level) {
    case sql::isolation::standard:
      break;
    case sql::isolation::read_committed:
      text += " ISOLATION LEVEL READ COMMITTED";
      break;
    case sql::isolation::repeatable_read:
      text += " ISOLATION LEVEL REPEATABLE READ";
      break;
    case sql::isolation::serializable:
      text += " ISOLATION LEVEL SERIALIZABLE";
      break;
  }
  if (options.read_only) text += " READ ONLY";
  return text;
}

// The server's own clock may be a moment faster than ours.
bool stopped_by_timeout(error const& err) {
  auto const* pg = errors::as<postgres::pg_error>(err);
  return pg != nullptr && pg->code == "57014";
}

// Brings a connection back to where it can serve again; an error: it cannot.
error restore(context const& ctx, pg_conn& conn, pg_session::use was) {
  if (error err = conn.drain(ctx)) return err;
  if (conn.in_transaction()) {
    if (auto done = conn.control(ctx, "ROLLBACK"); !done) return std::move(done).error();
  }
  if (was == pg_session::use::dedicated) {
    if (auto done = conn.control(ctx, "DISCARD ALL"); !done) return std::move(done).error();
    conn.forget_session();
  }
  return {};
}

// One round trip that a cancel still on its way may hit instead of the next user's statement.
error probe(context const& ctx, pg_conn& conn) {
  auto done = conn.control(ctx, "SELECT 1");
  error err = std::move(done).error();
  auto const* pg = errors::as<postgres::pg_error>(err);
  bool const hit = pg != nullptr && pg->code == "57014";
  return hit ? error{} : err;
}

// cancel_statement asks the server to interrupt what runs, and waits until it has taken note. The
// request is a connection of its own, which libpq does not bound in time: late, it is left alone.
error cancel_statement(context const& ctx, pg_conn const& conn) {
  chan<unit> const taken(1);
  go([taken, handle = conn.cancel_handle()] {
    blocking([&] { send_cancel(handle); });
    taken.send({});
  });
  auto const note = recv(ctx, taken);
  return note ? error{} : note.error();
}

}  // namespace

pg_session::~pg_session() {
  if (conn_ == nullptr) return;
  if (conn_->broken()) {
    shared_->home->put(std::move(conn_), false);
  } else if (conn_->in_flight() || conn_->in_transaction() || conn_->listens() ||
             use_ == use::dedicated) {
    quarantine(conn_->in_flight());
  } else {
    shared_->home->put(std::move(conn_), true);
  }
}

void pg_session::quarantine(bool cancel) {
  go({.scheduling = scheduling_class::foreground},
     [shared = shared_, conn = std::move(conn_), cancel, was = use_]() mutable {
       auto const [ctx, stop] = context::with_timeout(context{}, shared->cancel_timeout);
       error err;
       if (cancel) {
         shared->cancels_total.fetch_add(1, memory_order_relaxed);
         err = cancel_statement(ctx, *conn);
       }
       if (!err) err = restore(ctx, *conn, was);
       if (!err && conn->listens()) err = conn->unlisten(ctx);
       if (!err && cancel) err = probe(ctx, *conn);
       bool const sound = !err && !conn->broken() && !conn->in_flight() && !conn->in_transaction();
       shared->home->put(std::move(conn), sound);
     });
}

error pg_session::gone() const {
  return mark_error(sql::connection_lost,
                    errors::make("the connection to {} was given up earlier", shared_->target));
}

// A statement failed. Decides what becomes of the connection, and what is known of the statement.
error pg_session::failed(error err, statement_kind kind) {
  bool const unanswered = conn_->in_flight();  // sent, and no answer
  bool const lost = conn_->broken();
  if (!lost && unanswered) {
    quarantine(true);
  } else if (lost) {
    shared_->home->put(std::move(conn_), false);
  }
  bool const may_stand = unanswered && !in_transaction() && kind != statement_kind::read;
  return may_stand ? mark_error(sql::outcome_unknown, std::move(err)) : err;
}

result<pg_result> pg_session::run(context const& ctx, std::string_view text, sql_params args) {
  auto got = conn_->run(ctx, text, args, begin_due_);
  if (!got && stopped_by_timeout(got.error()) && ctx.err()) {
    got = mark_error(context::deadline_exceeded, std::move(got).error());
  }
  // The transaction may be open although the statement failed.
  if (conn_->in_transaction()) begin_due_.clear();
  return got;
}

result<std::unique_ptr<sql_batch>> pg_session::do_query(context const& ctx, std::string_view text,
                                                        sql_params args) {
  if (conn_ == nullptr) return gone();
  auto got = run(ctx, text, args);
  if (!got) return failed(std::move(got).error(), kind_of(text));
  return std::unique_ptr<sql_batch>(std::make_unique<pg_rows>(*std::move(got)));
}

result<sql::exec_result> pg_session::do_exec(context const& ctx, std::string_view text,
                                             sql_params args) {
  if (conn_ == nullptr) return gone();
  auto got = run(ctx, text, args);
  if (!got) return failed(std::move(got).error(), kind_of(text));
  return sql::exec_result{.rows_affected = affected_rows(got->get())};
}

error pg_session::begin_now(context const& ctx) {
  if (begin_due_.empty()) return {};
  auto done = conn_->control(ctx, begin_due_.c_str());
  if (!done) return failed(std::move(done).error(), statement_kind::transaction);
  begin_due_.clear();
  return {};
}

error pg_session::do_script(context const& ctx, std::string_view text) {
  if (conn_ == nullptr) return gone();
  if (error err = begin_now(ctx)) return err;
  bool const inside = conn_->in_transaction();
  if (error err = conn_->script(ctx, std::string(text))) {
    return failed(std::move(err), statement_kind::other);
  }
  bool const left = inside && conn_->ended_transaction();  // and perhaps began another
  if (conn_->in_transaction() == inside && !left) return {};
  return errors::make("the script began or ended a transaction, which its caller has");
}

error pg_session::do_begin(context const& ctx, sql::tx_options const& options) {
  if (conn_ == nullptr) return gone();
  if (error ended = ctx.err()) return ended;
  begin_due_ = begin_text(options);
  return {};
}

error pg_session::do_commit(context const& ctx) {
  if (conn_ == nullptr) return gone();
  if (!begin_due_.empty()) return begin_due_.clear(), ctx.err();
  if (error ended = ctx.err()) {
    do_abandon();
    return ended;
  }
  auto done = conn_->commit(ctx);
  if (!done) {
    error err = std::move(done).error();
    bool const unanswered = conn_->in_flight();
    if (conn_->broken()) {
      shared_->home->put(std::move(conn_), false);
    } else if (unanswered) {
      quarantine(false);  // let it be done
    }
    return unanswered ? mark_error(sql::outcome_unknown, std::move(err)) : err;
  }
  if (std::string_view(PQcmdStatus(done->get())) == "ROLLBACK") {
    return errors::make("the server rolled the transaction back");
  }
  shared_->transactions_total.fetch_add(1, memory_order_relaxed);
  return {};
}

error pg_session::do_rollback(context const& ctx) {
  if (conn_ == nullptr) return {};  // the quarantine, or the server, rolls back
  if (!begin_due_.empty()) return begin_due_.clear(), error{};
  if (ctx.err()) return do_abandon(), error{};
  auto done = conn_->control(ctx, "ROLLBACK");
  return done ? error{} : failed(std::move(done).error(), statement_kind::transaction);
}

// The transaction is to go without its context: in the quarantine, or at once on a connection that
// is still wanted.
void pg_session::do_abandon() noexcept {
  begin_due_.clear();
  if (conn_ == nullptr) return;
  if (use_ == use::brief || conn_->in_flight()) return quarantine(conn_->in_flight());
  auto const [ctx, stop] = context::with_timeout(context{}, shared_->cancel_timeout);
  if (restore(ctx, *conn_, use::brief)) shared_->home->put(std::move(conn_), false);
}

error pg_session::do_control(context const& ctx, std::string_view statement) {
  if (conn_ == nullptr) return gone();
  if (error err = begin_now(ctx)) return err;
  auto done = conn_->control(ctx, std::string(statement).c_str());
  return done ? error{} : failed(std::move(done).error(), statement_kind::transaction);
}

error pg_session::do_start_stream(context const& ctx, std::string_view text, sql_params args) {
  if (conn_ == nullptr) return gone();
  error err = conn_->start_stream(ctx, text, args, begin_due_);
  if (conn_->in_transaction()) begin_due_.clear();
  return err ? failed(std::move(err), kind_of(text)) : error{};
}

result<std::unique_ptr<sql_batch>> pg_session::do_fetch(context const& ctx) {
  if (conn_ == nullptr) return gone();
  auto batch = conn_->fetch(ctx);
  if (!batch) return failed(std::move(batch).error(), statement_kind::read);
  return batch;
}

}  // namespace vole::internal
