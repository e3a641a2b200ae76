// SPDX-License-Identifier: Apache-2.0
// Invariants and locks: sqlite_writer.h.
#include "sql/sqlite_writer.h"

#include <sqlite3.h>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/runtime.h"

namespace vole::internal {

error member_session::before_statement() {
  sqlite_writer::group& group = writer_.group_;
  if (!group.begun) {
    if (error err = conn().control("BEGIN IMMEDIATE")) return err;
    group.begun = true;
    group.since = now();
  }
  if (ran_) return {};
  if (group.release_due) {
    if (error err = conn().control("RELEASE SAVEPOINT vole_member")) return err;
    group.release_due = false;
  }
  // The first member needs none: to undo it is to roll back all there is.
  if (group.count > 0) {
    if (error err = conn().control("SAVEPOINT vole_member")) return err;
    marked_ = true;
  }
  ran_ = true;
  return {};
}

error member_session::do_begin(context const&, sql::tx_options const&) {
  return errors::make("a transaction is open already");
}

writer_session::~writer_session() {
  if (left_) return;
  do_end_stream();
  do_abandon();
  writer_->leave();
}

error writer_session::do_begin(context const& ctx, sql::tx_options const&) {
  return on_disk(ctx, *shared_, conn(), [&] { return conn().control("BEGIN IMMEDIATE"); });
}

error writer_session::do_commit(context const& ctx) {
  if (park_limit(ctx).unlimited()) return commit_now(ctx);
  if (error ended = ctx.err()) {
    do_abandon();
    return ended;
  }
  chan<error> const answer(1);
  go({.scheduling = scheduling_class::foreground}, [writer = writer_, shared = shared_, answer] {
    error err = on_disk(context{}, *shared, writer->conn(),
                        [&] { return writer->conn().control("COMMIT"); });
    if (err) writer->roll_back();
    answer.send(std::move(err));
  });
  auto got = recv(ctx, answer);
  if (got) return settled(**std::move(got));
  // It cannot be stopped, and goes on alone; then the next one has the writer.
  set_gone();
  left_ = true;
  go({.scheduling = scheduling_class::foreground}, [writer = writer_, answer] {
    if (!answer.recv().value()) writer->count_commit(1);
    writer->leave();
  });
  return mark_error(sql::outcome_unknown, std::move(got).error());
}

error writer_session::commit_now(context const& ctx) {
  return settled(sqlite_session::do_commit(ctx));
}

error writer_session::settled(error err) {
  if (!err) writer_->count_commit(1);
  return sqlite_code(err) == SQLITE_IOERR ? mark_error(sql::outcome_unknown, std::move(err)) : err;
}

void sqlite_writer::roll_back() {
  blocking([this] {
    if (!conn_->autocommit()) static_cast<void>(conn_->control("ROLLBACK"));
  });
}

sqlite_writer::waiter* sqlite_writer::pop_waiter() {
  while (waiter* const first = queue_.pop_front()) {
    --waiting_;
    if (first->claim()) return first;
  }
  return nullptr;
}

error sqlite_writer::take(context const& ctx, bool joins) {
  waiter me;
  me.joins = joins;
  {
    raw_lock const lock(mu_);
    if (closed_) return sql::closed;
    if (!held_) {
      held_ = true;
      return {};
    }
    queue_.push_back(me);
    ++waiting_;
    ++waits_total_;
  }
  time_point const since = now();
  wake_reason const reason = me.ticket.park(wait_reason::pool_wait, ctx);
  {
    raw_lock const lock(mu_);
    if (queue_.remove(me)) --waiting_;
    wait_total_ += now() - since;
  }
  if (me.refused) return sql::closed;
  return errors::wrap(wait_error(ctx, reason), "wait for the writer");
}

void sqlite_writer::leave() {
  waiter* next;
  {
    raw_lock const lock(mu_);
    next = pop_waiter();
    if (next == nullptr) held_ = false;
  }
  if (next != nullptr) next->ticket.finish();
}

error sqlite_writer::run(context const& ctx, int attempts_max, sql_body body) {
  for (int attempt = 1;; ++attempt) {
    // What was once lost with a group runs alone, and so does what may run only once: nobody joins
    // it, and it joins nobody.
    bool const shares = attempt == 1 && attempts_max > 1;
    if (error ended = ctx.err()) return ended;
    if (error err = take(ctx, shares)) return err;
    turn done = take_turn(ctx, shares, body);
    if (!done.again) return std::move(done.err);
  }
}

sqlite_writer::turn sqlite_writer::take_turn(context const& ctx, bool shares, sql_body body) {
  member_session session(shared_, *this);
  error err;
  {
    sql::tx tx = session.borrow();
    try {
      err = body.call(body.fn, tx);
    } catch (...) {
      // Somebody else's exception goes through; the other members must not pay for it.
      static_cast<void>(
          end_turn(ctx, session, shares, errors::make("the closure threw an exception")));
      throw;
    }
  }
  if (!err) err = session.swallowed();
  return end_turn(ctx, session, shares, std::move(err));
}

// The closure has ended. Undo it or count it in; then pass the group on, or commit it.
sqlite_writer::turn sqlite_writer::end_turn(context const& ctx, member_session& session,
                                            bool shares, error err) {
  bool const ran = group_.begun && session.ran_;
  if (!err && ran && conn_->autocommit()) err = errors::make("SQLite rolled the transaction back");
  if (err && ran && undo()) {
    bool const again = group_.count > 0 && !errors::is(err, ctx.err());
    group_ = {};
    tell_members(outcome::again, {});
    leave();
    return {std::move(err), again};
  }
  if (!err && session.ran_) {
    ++group_.count;
    group_.release_due = session.marked_;
  }
  if (group_.count == 0) {
    if (group_.begun) blocking([this] { static_cast<void>(conn_->control("ROLLBACK")); });
    group_ = {};
    leave();
    return {std::move(err), false};
  }
  member me;
  bool const room = group_.count < shared_->options.group_max &&
                    now() - group_.since < shared_->options.group_time_max;
  if (shares && room && pass_on(me)) return wait_for_group(ctx, me, std::move(err));
  // Others of the group wait for this commit: not for turns of the background as well.
  bool const apart = !internal::park_limit(ctx).unlimited() ||
                     runtime::scheduling() == scheduling_class::background;
  if (apart) return commit_apart(ctx, me, std::move(err));
  auto [ended, failure] = commit_group(ctx);
  leave();
  if (err || ended == outcome::committed) return {std::move(err), false};
  return {std::move(failure), ended == outcome::again};
}

// The last member of a group waits for its commit as the others do: a commit cannot be stopped, and
// goes on when the context of who began it ends.
sqlite_writer::turn sqlite_writer::commit_apart(context const& ctx, member& me, error err) {
  {
    raw_lock const lock(mu_);
    members_.push_back(me);
  }
  go({.scheduling = scheduling_class::foreground}, [self = shared_from_this(), ctx] {
    static_cast<void>(self->commit_group(ctx));
    self->leave();
  });
  return wait_for_group(ctx, me, std::move(err));
}

sqlite_writer::turn sqlite_writer::wait_for_group(context const& ctx, member& me, error err) {
  wake_reason const reason = me.ticket.park(wait_reason::pool_wait, ctx);
  if (reason == wake_reason::ready) {
    // What failed by itself stays failed, whatever became of the others.
    if (err || me.ended == outcome::committed) return {std::move(err), false};
    return {std::move(me.failure), me.ended == outcome::again};
  }
  {
    raw_lock const lock(mu_);
    members_.remove(me);
  }
  if (err) return {std::move(err), false};  // its own changes were undone: that much is known
  return {mark_error(sql::outcome_unknown, wait_error(ctx, reason)), false};
}

// undo takes back what a failed member changed. True: the whole group was rolled back.
bool sqlite_writer::undo() {
  return blocking([this] {
    if (conn_->autocommit()) return true;
    if (group_.count == 0) return false;  // end_turn rolls back
    error err = conn_->control("ROLLBACK TO SAVEPOINT vole_member");
    if (!err) err = conn_->control("RELEASE SAVEPOINT vole_member");
    if (err && !conn_->autocommit()) static_cast<void>(conn_->control("ROLLBACK"));
    return static_cast<bool>(err);
  });
}

// pass_on gives the writer, with its open group, to the next in line if that one joins groups.
bool sqlite_writer::pass_on(member& me) {
  waiter* next = nullptr;
  {
    raw_lock const lock(mu_);
    while (next == nullptr) {
      waiter* const first = queue_.front();
      if (first == nullptr || !first->joins) return false;
      queue_.pop_front();
      --waiting_;
      if (first->claim()) next = first;
    }
    members_.push_back(me);
  }
  next->ticket.finish();
  return true;
}

std::pair<sqlite_writer::outcome, error> sqlite_writer::commit_group(context const& ctx) {
  hook_timer const timer(*shared_->hooks, sql::operation::commit);
  // On behalf of all: no member's context ends it.
  error err = on_disk(context{}, *shared_, *conn_, [this] { return conn_->control("COMMIT"); });
  timer.done(ctx, err, group_.count);
  outcome ended = outcome::committed;
  if (err) {
    // One member's deferred constraint must not be the others' failure: each tries again alone.
    bool const others = group_.count > 1;
    ended = others && sqlite_code(err) == SQLITE_CONSTRAINT ? outcome::again : outcome::failed;
    roll_back();
    bool const unknown = sqlite_code(err) == SQLITE_IOERR;
    err = errors::wrap(std::move(err), "commit");
    if (unknown) err = mark_error(sql::outcome_unknown, std::move(err));
  } else {
    count_commit(group_.count);
  }
  group_ = {};
  tell_members(ended, err);
  return {ended, std::move(err)};
}

void sqlite_writer::tell_members(outcome ended, error const& failure) {
  std::vector<member*> told;
  {
    raw_lock const lock(mu_);
    while (member* const m = members_.pop_claimed()) told.push_back(m);
  }
  for (member* const m : told) {
    m->ended = ended;
    m->failure = failure;
    m->ticket.finish();
  }
}

void sqlite_writer::count_commit(int transactions) {
  raw_lock const lock(mu_);
  transactions_total_ += transactions;
  ++commits_total_;
}

error sqlite_writer::close(context const& ctx) {
  if (error err = enter(ctx)) return errors::is(err, sql::closed) ? error{} : err;
  std::vector<waiter*> refused;
  {
    raw_lock const lock(mu_);
    closed_ = true;
    held_ = false;
    while (waiter* const w = pop_waiter()) refused.push_back(w);
  }
  for (waiter* const w : refused) {
    w->refused = true;
    w->ticket.finish();
  }
  conn_.reset();
  return {};
}

void sqlite_writer::fill(sql::stats& stats) const {
  raw_lock const lock(mu_);
  stats.waiting += waiting_;
  stats.waits_total += waits_total_;
  stats.wait_total += wait_total_;
  stats.transactions_total = transactions_total_;
  stats.commits_total = commits_total_;
}

}  // namespace vole::internal
