// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one writer of a SQLite database, and the commits it shares out.
//
// Whoever holds the writer may use its connection. Holders follow each other in the order they
// came. A closure given to run() is a member of a group: the first member begins a transaction,
// each further one works behind a savepoint of its own, and instead of committing passes the open
// transaction on to the next member that waits. The last one commits, one sync for all, and tells
// every member. With nobody waiting a closure commits at once: a group grows only as fast as
// callers come, and an idle database adds no delay.
//
// A member that fails is undone to its savepoint, also when it was a single statement: SQLite
// undoes most of those by itself, but OR FAIL and a trigger's RAISE(FAIL) keep the rows changed so
// far.
//
// A member answers only after the group's commit, also when its closure failed: it may have failed
// because of what an earlier member wrote (a taken key), and that must be durable before anybody
// hears of it.
//
// SQLite may roll a whole transaction back because of one statement (OR ROLLBACK, an interrupt, a
// full disk), and a deferred constraint may fail the group's commit. Then every other member runs
// its closure again, alone; so does the one whose statement it was, since what it failed because of
// may be gone too.
//
// INVARIANTS
//   held_ says whether somebody holds the writer. The group and the connection are the holder's.
//   While nobody holds the writer, no transaction is open and the group is empty.
//   The writer passes with an open group only to a waiter that joins groups.
//   group_.members are parked; a member whose context ends leaves the list by itself, not knowing
//   the outcome.
// LOCKS  mu_ guards held_, closed_, the queue, the list of members and the counters; leaf, never
//   held over a park or a statement.
// REJECTED  One goroutine that runs all closures: their statements would run on its stack, under
//   its context, and profiles and dumps would name it instead of the callers.
//   No savepoint for a single statement, on the ground that SQLite undoes it by itself: not what
//   OR FAIL and RAISE(FAIL) have changed. It would save 7 of 35 us per insert (sql_bench,
//   insert_many, 60 to a commit).

#include <cstdint>
#include <memory>
#include <utility>

#include "vole/internal/park.h"
#include "vole/internal/raw_mutex.h"
#include "vole/internal/waiter_list.h"

#include "sql/sqlite_session.h"

namespace vole::internal {

class member_session;

class sqlite_writer : public std::enable_shared_from_this<sqlite_writer> {
 public:
  sqlite_writer(std::shared_ptr<sqlite_shared> shared, std::unique_ptr<sqlite_conn> conn)
      : shared_(std::move(shared)), conn_(std::move(conn)) {}

  // run runs a closure as a member of a group, again when the group was lost.
  error run(context const& ctx, int attempts_max, sql_body body);

  // enter takes the writer alone; leave gives it to the next.
  error enter(context const& ctx) { return take(ctx, false); }
  void leave();
  // By the holder.
  sqlite_conn& conn() { return *conn_; }
  void count_commit(int transactions);
  void roll_back();

  // close waits for its turn, closes the connection and sends the waiting ones away.
  error close(context const& ctx);
  void fill(sql::stats& stats) const;

 private:
  friend class member_session;

  struct waiter {
    bool claim() noexcept { return ticket.try_claim(); }

    park_ticket ticket;
    bool joins = false;    // takes an open group over
    bool refused = false;  // the database was closed
    waiter* next = nullptr;
    waiter* previous = nullptr;
    bool linked = false;
  };

  enum class outcome : std::uint8_t { committed, failed, again };
  struct member {
    bool claim() noexcept { return ticket.try_claim(); }

    park_ticket ticket;
    outcome ended = outcome::committed;
    error failure;
    member* next = nullptr;
    member* previous = nullptr;
    bool linked = false;
  };

  struct group {
    bool begun = false;        // a transaction is open
    bool release_due = false;  // the savepoint of the last member still stands
    int count = 0;             // members whose changes are in it
    time_point since{};        // when it began
  };

  // What one run of a closure came to.
  struct turn {
    error err;
    bool again = false;
  };

  error take(context const& ctx, bool joins);
  turn take_turn(context const& ctx, bool shares, sql_body body);
  turn end_turn(context const& ctx, member_session& session, bool shares, error err);
  turn wait_for_group(context const& ctx, member& me, error err);
  turn commit_apart(context const& ctx, member& me, error err);
  bool undo();
  bool pass_on(member& me);
  std::pair<outcome, error> commit_group(context const& ctx);
  void tell_members(outcome ended, error const& failure);
  waiter* pop_waiter() VOLE_REQUIRES_LOCK(mu_);

  std::shared_ptr<sqlite_shared> const shared_;
  std::unique_ptr<sqlite_conn> conn_;  // the holder's
  group group_;                        // the holder's

  mutable raw_mutex mu_;
  waiter_list<waiter> queue_ VOLE_GUARDED_BY(mu_);
  waiter_list<member> members_ VOLE_GUARDED_BY(mu_);  // who waits for the group's commit
  bool held_ VOLE_GUARDED_BY(mu_) = false;
  bool closed_ VOLE_GUARDED_BY(mu_) = false;
  int waiting_ VOLE_GUARDED_BY(mu_) = 0;
  std::int64_t waits_total_ VOLE_GUARDED_BY(mu_) = 0;
  duration wait_total_ VOLE_GUARDED_BY(mu_){};
  std::int64_t transactions_total_ VOLE_GUARDED_BY(mu_) = 0;
  std::int64_t commits_total_ VOLE_GUARDED_BY(mu_) = 0;
};

// A closure's session. Its transaction begins with its first statement.
class member_session final : public sqlite_session {
 public:
  member_session(std::shared_ptr<sqlite_shared> shared, sqlite_writer& writer)
      : sqlite_session(std::move(shared)), writer_(writer) {
    set_in_closure();
    set_open();
  }

 private:
  friend class sqlite_writer;

  sqlite_conn& conn() override { return writer_.conn(); }
  error before_statement() override;
  error do_begin(context const&, sql::tx_options const&) override;

  sqlite_writer& writer_;
  bool ran_ = false;     // a statement reached the database
  bool marked_ = false;  // behind a savepoint
};

// The writer in one pair of hands, for begin() and conn().
class writer_session final : public sqlite_session {
 public:
  // The caller has entered the writer.
  writer_session(std::shared_ptr<sqlite_shared> shared, std::shared_ptr<sqlite_writer> writer)
      : sqlite_session(std::move(shared)), writer_(std::move(writer)) {}
  ~writer_session() override;

 private:
  sqlite_conn& conn() override { return writer_->conn(); }
  error do_begin(context const&, sql::tx_options const&) override;
  error do_commit(context const&) override;
  error commit_now(context const& ctx);
  error settled(error err);

  std::shared_ptr<sqlite_writer> const writer_;
  bool left_ = false;  // while its commit was under way, which then gives the writer back
};

}  // namespace vole::internal
