// SPDX-License-Identifier: Apache-2.0
#pragma once
// One connection to a PostgreSQL server: libpq, non-blocking, always in pipeline mode, on the
// netpoller.
//
// A request is some commands and one Sync, sent together: [BEGIN] [Parse] Bind-Describe-Execute
// Sync. Its answer is read up to the Sync's. So the first statement of a transaction, prepared for
// the first time, is one round trip.
//
// INVARIANTS
//   in_flight_: something was sent whose Sync was not read. Only then may input be waited for; a
//   connection goes back to the pool only when it is false.
//   statements_ holds what the server has prepared; a statement enters it when it was answered.
//   timeout_ms_ is the session's statement_timeout, or unknown_timeout when a rollback may have
//   taken it back.
// STATEMENT TIMEOUT
//   A statement under a deadline is bounded by the server too, for the day on which we cannot ask
//   it to cancel. The bound is a power of two of milliseconds, at least what is left and at most
//   twice as much; it is the session's, and goes out ahead of a statement, in its round trip, only
//   when the one in force does not do. So requests with like deadlines send nothing. COMMIT runs
//   without: stopped while it waits for a replica, the server would call it done.
// WHY NO WAKE-UP IS LOST
//   The netpoller reports edges: an edge comes when bytes arrive, and once. libpq does not read
//   until EAGAIN: it takes what its buffer has room for. So after input was taken, bytes may be
//   left for which no edge will ever come (a row of 1 MiB that arrives in one burst). The rule:
//     (1) After taking input, never park before the kernel was asked (poll(2), which sees levels)
//         and had nothing. Bytes that come after that question make an edge, which the poll_handle
//         keeps until a wait uses it up.
//     (2) Directly after sending, park without asking: the answer's bytes come later than the
//         request, and only waits of await_result use up edges, so their edge is still to come or
//         kept. What an earlier wait used up was of bytes before the last Sync, and those have been
//         read.
//     (3) TLS has a level of its own: a record is decrypted whole, up to 16 KiB, and libpq may
//         leave a part of it in OpenSSL, where poll(2) cannot see it. libpq offers at least 8 KiB
//         of room to each read, so two more reads after the kernel's buffer was empty find it all.
//   Spurious edges cost a look. While sending, libpq may read too; it uses up no edge by that.
// LOCKS  none: a connection belongs to the session that holds it.

#include <cstddef>
#include <cstdint>
#include <libpq-fe.h>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vole/sql/postgres.h"

#include "runtime/netpoller.h"
#include "sql/driver.h"
#include "sql/pool.h"
#include "sql/statement_cache.h"

namespace vole::internal {

struct clear_result {
  void operator()(PGresult* r) const noexcept { PQclear(r); }
};
using pg_result = std::unique_ptr<PGresult, clear_result>;
struct free_cancel {
  void operator()(PGcancel* c) const noexcept { PQfreeCancel(c); }
};
using pg_cancel = std::unique_ptr<PGcancel, free_cancel>;
// send_cancel asks the server to interrupt what runs. Blocks its thread until the server has taken
// note: for ever, if that hangs.
void send_cancel(pg_cancel const& handle);

struct finish_connection {
  void operator()(PGconn* c) const noexcept { PQfinish(c); }
};
using pg_handle = std::unique_ptr<PGconn, finish_connection>;

// The server's error as a pg_error; also of what libpq made up itself, whose code is empty.
error pg_error_of(PGresult const* result);
sql_cell pg_cell(PGresult const* result, int row, int column);
// The first line of a message of libpq, beginning in lower case, without blanks around it.
std::string first_line_of(char const* message);

// Rows as libpq has them.
class pg_rows final : public sql_batch {
 public:
  explicit pg_rows(pg_result all) : all_(std::move(all)) {}
  std::size_t size() const override { return static_cast<std::size_t>(PQntuples(all_.get())); }
  std::size_t columns() const override { return static_cast<std::size_t>(PQnfields(all_.get())); }
  std::string_view column_name(std::size_t column) const override {
    return PQfname(all_.get(), static_cast<int>(column));
  }
  sql_cell cell(std::size_t row, std::size_t column) const override {
    return pg_cell(all_.get(), static_cast<int>(row), static_cast<int>(column));
  }

 private:
  pg_result all_;
};

// Rows of a stream: libpq gives each as a result of its own; the last one has the columns and no
// row.
class pg_single_rows final : public sql_batch {
 public:
  void add(pg_result row) { rows_.push_back(std::move(row)); }
  void set_end(pg_result end) { end_ = std::move(end); }
  bool empty() const { return rows_.empty(); }
  std::size_t size() const override { return rows_.size(); }
  std::size_t columns() const override { return static_cast<std::size_t>(PQnfields(any())); }
  std::string_view column_name(std::size_t column) const override {
    return PQfname(any(), static_cast<int>(column));
  }
  sql_cell cell(std::size_t row, std::size_t column) const override {
    return pg_cell(rows_[row].get(), 0, static_cast<int>(column));
  }

 private:
  PGresult const* any() const { return rows_.empty() ? end_.get() : rows_.front().get(); }

  std::vector<pg_result> rows_;
  pg_result end_;
};

class pg_conn final : public pooled {
 public:
  // Takes over a connection that is established. Errors: the descriptor cannot be polled.
  // timeout_max: the longest statement timeout to ask for; zero: none at all.
  static result<std::unique_ptr<pg_conn>> adopt(pg_handle established, std::size_t statements_max,
                                                duration timeout_max);
  ~pg_conn() override;

  bool usable() const noexcept override { return !broken_ && !poll_->hangup().raised(); }
  bool broken() const { return broken_; }
  bool in_flight() const { return in_flight_; }
  bool in_transaction() const { return PQtransactionStatus(pg_.get()) != PQTRANS_IDLE; }
  // True after a LISTEN, or a notification: the session gets more of them until unlisten().
  bool listens() const { return listens_; }
  // Of the last script: one of its statements was COMMIT or ROLLBACK, perhaps to a savepoint.
  bool ended_transaction() const { return ended_transaction_; }

  // run runs one statement, prepared; `begin`, when not empty, goes ahead of it in the same round
  // trip.
  // Errors:  pg_error; connection_lost; the context's, and then the answer is still in flight.
  result<pg_result> run(context const& ctx, std::string_view text, sql_params args,
                        std::string const& begin);
  // control runs a statement without arguments, not prepared.
  result<pg_result> control(context const& ctx, char const* text);
  // commit is COMMIT, which no statement timeout stops.
  result<pg_result> commit(context const& ctx);
  // script runs any number of statements by the simple protocol.
  error script(context const& ctx, std::string const& text);

  // start_stream sends the statement; fetch reads some rows, null at the end.
  error start_stream(context const& ctx, std::string_view text, sql_params args,
                     std::string const& begin);
  result<std::unique_ptr<sql_batch>> fetch(context const& ctx);

  // drain reads and drops the answer that is in flight.
  error drain(context const& ctx);
  // cancel_handle is what send_cancel takes. It may outlive the connection. Null: out of memory.
  pg_cancel cancel_handle() const;
  error unlisten(context const& ctx);
  // After DISCARD ALL: the server has forgotten statements and settings.
  void forget_session();

 private:
  enum : std::int64_t { server_timeout = 0, unknown_timeout = -1 };

  pg_conn(pg_handle established, poll_handle* poll, std::size_t statements_max,
          duration timeout_max)
      : pg_(std::move(established)),
        poll_(poll),
        statements_(statements_max),
        timeout_max_(timeout_max) {}

  error ready(context const& ctx);
  error prepare_request(context const& ctx, std::string_view text, sql_params args);
  error make_room(context const& ctx);
  error encode(sql_params args);
  error queue_plain(char const* text);
  error bound(context const& ctx, std::string_view text);
  error lift_timeout(context const& ctx);
  std::int64_t wanted_timeout_ms(context const& ctx) const;
  error queue_prepare(std::string_view text);
  error queue_execute(std::string const& name);
  error sync(context const& ctx);
  error flush(context const& ctx, park_limit const& limit);
  error await_result(context const& ctx, park_limit const& limit);
  error next_result(context const& ctx, pg_result& out);
  error read_until_sync(context const& ctx, pg_result& last);
  error read_all_simple(context const& ctx);
  void note_command(PGresult* done);
  void drop_notifications();
  bool nothing_left();
  bool readable_now() const;
  error lost();

  pg_handle pg_;
  poll_handle* const poll_;
  statement_cache<std::string> statements_;  // text -> the server's name for it
  std::string stream_text_;                  // of the last stream
  duration const timeout_max_;
  std::int64_t timeout_ms_ = server_timeout;  // server_timeout: what the server itself has set
  std::uint64_t named_ = 0;
  std::string preparing_text_;  // being prepared by this request, as preparing_name_,
  std::string preparing_name_;
  int prepare_at_ = -1;      // by its command with this index; -1: none
  int commands_queued_ = 0;  // in the request being made
  int commands_done_ = 0;    // of the request in flight
  bool in_flight_ = false;
  bool broken_ = false;
  bool simple_ = false;     // outside of pipeline mode, in a script
  bool must_look_ = false;  // rule (1) holds for the next wait
  bool listens_ = false;
  bool ended_transaction_ = false;

  // Arguments of the request being made.
  std::vector<char const*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
  std::string arena_;
};

}  // namespace vole::internal
