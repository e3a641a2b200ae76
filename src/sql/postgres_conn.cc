// SPDX-License-Identifier: Apache-2.0
// Invariants, and why no wake-up is lost: postgres_conn.h.
#include "sql/postgres_conn.h"

#include <bit>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <poll.h>

#include "vole/assert.h"
#include "vole/go.h"

namespace vole::internal {
namespace {

constexpr std::size_t stream_rows_max = 256;
constexpr std::size_t argument_bytes_max = std::size_t{1} << 30;  // as the server's for a value
constexpr std::size_t stream_bytes_max = 256 << 10;
constexpr int tls_reads = 2;  // rule (3)

// A send that cannot go on looks for input at least this often: the server may itself wait for us
// to read.
constexpr std::chrono::milliseconds flush_look(20);

std::size_t payload_bytes(PGresult const* row) {
  std::size_t bytes = 0;
  for (int i = 0; i < PQnfields(row); ++i)
    bytes += static_cast<std::size_t>(PQgetlength(row, 0, i));
  return bytes;
}

void ignore_notice(void*, PGresult const*) {}

}  // namespace

result<std::unique_ptr<pg_conn>> pg_conn::adopt(pg_handle established, std::size_t statements_max,
                                                duration timeout_max) {
  PQsetNoticeReceiver(established.get(), &ignore_notice, nullptr);  // libpq's own prints to stderr
  PQsetErrorVerbosity(established.get(), PQERRORS_DEFAULT);
  if (PQsetnonblocking(established.get(), 1) != 0 || PQenterPipelineMode(established.get()) != 1) {
    return errors::make("set up the connection: {}",
                        first_line_of(PQerrorMessage(established.get())));
  }
  poll_handle* poll = nullptr;
  if (int const code = poll_handle::open(PQsocket(established.get()), &poll); code != 0) {
    return errors::from_errno(code, "watch the connection");
  }
  return std::unique_ptr<pg_conn>(
      new pg_conn(std::move(established), poll, statements_max, timeout_max));
}

pg_conn::~pg_conn() {
  poll_->close();
  poll_->release();
  blocking([this] { pg_.reset(); });
}

error pg_conn::lost() {
  broken_ = true;
  // What the server said before it closed is better than what libpq says about the closing.
  error said;
  if (PQstatus(pg_.get()) == CONNECTION_BAD) {
    for (int i = 0; i < 4 && !said; ++i) {
      pg_result const last(PQgetResult(pg_.get()));
      if (last == nullptr) break;
      if (PQresultErrorField(last.get(), PG_DIAG_SQLSTATE) != nullptr)
        said = pg_error_of(last.get());
    }
  }
  if (!said) said = errors::make(first_line_of(PQerrorMessage(pg_.get())));
  return mark_error(sql::connection_lost, std::move(said));
}

bool pg_conn::readable_now() const {
  pollfd at{.fd = PQsocket(pg_.get()), .events = POLLIN, .revents = 0};
  return ::poll(&at, 1, 0) > 0;
}

// nothing_left says that no input is to be had but by waiting: rules (1) and (3).
bool pg_conn::nothing_left() {
  if (readable_now()) return false;
  if (PQsslInUse(pg_.get()) == 0) return true;
  for (int i = 0; i < tls_reads; ++i) {
    // A connection that breaks here is found broken by the next read.
    if (PQconsumeInput(pg_.get()) != 1 || PQisBusy(pg_.get()) == 0) return false;
  }
  return true;
}

// await_result returns when PQgetResult will not wait.
error pg_conn::await_result(context const& ctx, park_limit const& limit) {
  while (PQisBusy(pg_.get()) != 0) {
    if (!must_look_ || nothing_left()) {
      switch (poll_->wait(poll_mode::read, limit)) {
        case poll_result::ready:
          break;
        case poll_result::deadline:
        case poll_result::canceled:
          return context_error(ctx);
        case poll_result::closed:
          return lost();
      }
    }
    must_look_ = true;
    if (PQconsumeInput(pg_.get()) != 1) return lost();
  }
  return {};
}

error pg_conn::next_result(context const& ctx, pg_result& out) {
  if (error err = await_result(ctx, ctx)) return err;
  out.reset(PQgetResult(pg_.get()));
  return {};
}

error pg_conn::flush(context const& ctx, park_limit const& limit) {
  for (;;) {
    int const left = PQflush(pg_.get());
    if (left < 0) return lost();
    if (left == 0) return {};
    park_limit look = limit;
    look.deadline = std::min(look.deadline, deadline_after(flush_look));
    poll_result const woken = poll_->wait(poll_mode::write, look);
    if (woken == poll_result::closed) return lost();
    if (woken != poll_result::ready) {
      if (error ended = ctx.err()) return ended;
    }
    if (PQconsumeInput(pg_.get()) != 1) return lost();
  }
}

// sync ends the request and sends it.
error pg_conn::sync(context const& ctx) {
  if (PQpipelineSync(pg_.get()) != 1) return lost();
  in_flight_ = true;
  commands_done_ = 0;
  commands_queued_ = 0;
  error err = flush(ctx, ctx);
  must_look_ = false;  // rule (2)
  return err;
}

// read_until_sync reads the answer. last: the result of the last command; the error is the first
// command's that failed.
error pg_conn::read_until_sync(context const& ctx, pg_result& last) {
  error first;
  for (int nulls = 0; nulls < 2;) {
    pg_result got;
    if (error err = next_result(ctx, got)) {
      // The server's last words come before the end of the connection.
      return first && broken_ ? mark_error(sql::connection_lost, std::move(first)) : err;
    }
    if (got == nullptr) {
      ++nulls;
      continue;
    }
    nulls = 0;
    switch (PQresultStatus(got.get())) {
      case PGRES_PIPELINE_SYNC:
        in_flight_ = false;
        prepare_at_ = -1;
        drop_notifications();
        return first;
      case PGRES_PIPELINE_ABORTED:
        break;
      case PGRES_COMMAND_OK:
      case PGRES_TUPLES_OK:
        // Prepared is prepared, whatever becomes of the rest.
        if (commands_done_++ == prepare_at_) statements_.insert(preparing_text_, preparing_name_);
        note_command(got.get());
        last = std::move(got);
        break;
      case PGRES_SINGLE_TUPLE:
        break;
      case PGRES_EMPTY_QUERY:
        if (!first) first = errors::make("the statement is empty");
        break;
      case PGRES_COPY_IN:
      case PGRES_COPY_OUT:
      case PGRES_COPY_BOTH:
        broken_ = true;  // no way back into step
        return errors::make("COPY from or to the client is not supported");
      default:
        if (!first) first = pg_error_of(got.get());
        timeout_ms_ = unknown_timeout;
        break;
    }
  }
  broken_ = true;
  return mark_error(sql::connection_lost, errors::make("the server's answer ended too early"));
}

void pg_conn::note_command(PGresult* done) {
  std::string_view const tag = PQcmdStatus(done);
  if (tag == "LISTEN") listens_ = true;
  for (std::string_view const ending : {"COMMIT", "ROLLBACK", "PREPARE TRANSACTION"}) {
    if (tag == ending) ended_transaction_ = true;
  }
}

// libpq keeps notifications until it is asked for them, and nobody here asks.
void pg_conn::drop_notifications() {
  while (PGnotify* const one = PQnotifies(pg_.get())) {
    PQfreemem(one);
    listens_ = true;
  }
}

error pg_conn::unlisten(context const& ctx) {
  auto done = control(ctx, "UNLISTEN *");
  if (done) listens_ = false;
  return std::move(done).error();
}

error pg_conn::drain(context const& ctx) {
  if (!in_flight_) return {};
  if (simple_) return read_all_simple(ctx);
  pg_result dropped;
  error err = read_until_sync(ctx, dropped);
  return in_flight_ || broken_ ? err : error{};
}

// Encodes the arguments: text, which the server reads as whatever type it expects, and bytes as
// they are.
error pg_conn::encode(sql_params args) {
  if (args.size() > 65535) return errors::make("{} arguments: at most 65535", args.size());
  values_.clear();
  lengths_.clear();
  formats_.clear();
  arena_.clear();
  std::size_t bytes = 0;
  for (sql::param const& arg : args) bytes += arg.data().size() + 33;
  arena_.reserve(bytes);  // so that the pointers into it stay good
  for (sql::param const& arg : args) {
    char const* const at = arena_.data() + arena_.size();
    char digits[32];
    std::string_view text = arg.data();
    switch (arg.kind()) {
      case sql::kind::null:
      case sql::kind::bytes:
        break;
      case sql::kind::boolean:
        text = arg.integer() != 0 ? "true" : "false";
        break;
      case sql::kind::integer:
        text = {digits, std::to_chars(digits, digits + sizeof digits, arg.integer()).ptr};
        break;
      case sql::kind::real:
        text = {digits, std::to_chars(digits, digits + sizeof digits, arg.real()).ptr};
        if (std::isnan(arg.real())) text = "NaN";
        break;
      case sql::kind::text:
        if (text.find('\0') != text.npos) {
          return errors::make("argument ${}: text with a NUL byte", values_.size() + 1);
        }
        break;
    }
    if (text.size() > argument_bytes_max) {
      return errors::make("argument ${}: {} bytes, PostgreSQL takes {}", values_.size() + 1,
                          text.size(), argument_bytes_max);
    }
    bool const is_null = arg.kind() == sql::kind::null;
    if (!is_null) arena_.append(text).push_back('\0');
    values_.push_back(is_null ? nullptr : at);
    lengths_.push_back(static_cast<int>(text.size()));
    formats_.push_back(arg.kind() == sql::kind::bytes ? 1 : 0);
  }
  return {};
}

// The server forgets the least recently used statement when there is no room for another.
error pg_conn::make_room(context const& ctx) {
  while (statements_.full()) {
    std::string const text = fmt::format("DEALLOCATE {}", *statements_.evict());
    if (auto done = control(ctx, text.c_str()); !done) return std::move(done).error();
  }
  return {};
}

// What every request starts with.
error pg_conn::ready(context const& ctx) {
  if (error ended = ctx.err()) return ended;
  if (broken_) return mark_error(sql::connection_lost, errors::make("it broke earlier"));
  return drain(ctx);
}

// The commands of a request, queued; sync() sends them.
error pg_conn::queue_plain(char const* text) {
  ++commands_queued_;
  int const sent = PQsendQueryParams(pg_.get(), text, 0, nullptr, nullptr, nullptr, nullptr, 0);
  return sent == 1 ? error{} : lost();
}
// The statement timeout that ctx wants; server_timeout: none of ours.
// It is the net under the client's own deadline, and stays in the session: the SET that the next
// request begins with runs under it. So it is never so short that a pause of the server ends that.
std::int64_t pg_conn::wanted_timeout_ms(context const& ctx) const {
  constexpr std::int64_t least_ms = 1000;
  auto const deadline = ctx.deadline();
  if (!deadline) return server_timeout;
  duration const left = left_until(*deadline, now());
  if (left > timeout_max_) return server_timeout;
  auto const ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<std::int64_t>(
      std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(ms, least_ms))));
}

// bound has the server stop the statement, which is queued next, when ctx wants it.
error pg_conn::bound(context const& ctx, std::string_view text) {
  if (timeout_max_ == duration::zero()) return {};
  if (!takes_company(text)) return lift_timeout(ctx);
  std::int64_t const wanted = wanted_timeout_ms(ctx);
  if (wanted == timeout_ms_) return {};
  timeout_ms_ = wanted;  // a request that fails makes it unknown
  return queue_plain(wanted == server_timeout
                         ? "SET statement_timeout TO DEFAULT"
                         : fmt::format("SET statement_timeout TO {}", wanted).c_str());
}

error pg_conn::lift_timeout(context const& ctx) {
  if (timeout_ms_ == server_timeout) return {};
  auto done = control(ctx, "SET statement_timeout TO DEFAULT");
  if (done) timeout_ms_ = server_timeout;
  return std::move(done).error();
}

error pg_conn::queue_prepare(std::string_view text) {
  preparing_text_ = text;
  preparing_name_ = fmt::format("vole_{}", ++named_);
  prepare_at_ = commands_queued_++;
  int const sent =
      PQsendPrepare(pg_.get(), preparing_name_.c_str(), preparing_text_.c_str(), 0, nullptr);
  return sent == 1 ? error{} : lost();
}
error pg_conn::queue_execute(std::string const& name) {
  ++commands_queued_;
  int const sent = PQsendQueryPrepared(pg_.get(), name.c_str(), static_cast<int>(values_.size()),
                                       values_.data(), lengths_.data(), formats_.data(), 0);
  return sent == 1 ? error{} : lost();
}

// Sees to everything that can fail without a word to the server, and to room for another statement.
error pg_conn::prepare_request(context const& ctx, std::string_view text, sql_params args) {
  if (error err = ready(ctx)) return err;
  if (text.find('\0') != text.npos) return errors::make("the statement has a NUL byte");
  if (statements_.find(text) == nullptr) {
    if (error err = make_room(ctx)) return err;
  }
  return encode(args);
}

result<pg_result> pg_conn::run(context const& ctx, std::string_view text, sql_params args,
                               std::string const& begin) {
  if (error err = prepare_request(ctx, text, args)) return err;
  if (error err = bound(ctx, text)) return err;
  if (!begin.empty()) {
    if (error err = queue_plain(begin.c_str())) return err;
  }
  std::string const* const known = statements_.find(text);
  if (known == nullptr) {
    if (error err = queue_prepare(text)) return err;
  }
  if (error err = queue_execute(known ? *known : preparing_name_)) return err;
  if (error err = sync(ctx)) return err;
  pg_result last;
  error err = read_until_sync(ctx, last);
  // Its plan is stale, or the server has forgotten it: prepared anew at the next run.
  if (err && sql::retryable(err)) statements_.erase(text);
  if (err) return err;
  return last;
}

result<pg_result> pg_conn::commit(context const& ctx) {
  if (error err = ready(ctx)) return err;
  if (timeout_ms_ != server_timeout) {
    if (error err = queue_plain("SET LOCAL statement_timeout TO 0")) return err;
  }
  if (error err = queue_plain("COMMIT")) return err;
  if (error err = sync(ctx)) return err;
  pg_result last;
  if (error err = read_until_sync(ctx, last)) return err;
  if (std::string_view(PQcmdStatus(last.get())) == "ROLLBACK") timeout_ms_ = unknown_timeout;
  return last;
}

result<pg_result> pg_conn::control(context const& ctx, char const* text) {
  if (error err = ready(ctx)) return err;
  if (std::string_view(text).starts_with("ROLLBACK")) timeout_ms_ = unknown_timeout;
  if (error err = queue_plain(text)) return err;
  if (error err = sync(ctx)) return err;
  pg_result last;
  if (error err = read_until_sync(ctx, last)) return err;
  return last;
}

error pg_conn::read_all_simple(context const& ctx) {
  error first;
  for (;;) {
    pg_result got;
    if (error err = next_result(ctx, got)) return err;
    if (got == nullptr) break;
    ExecStatusType const status = PQresultStatus(got.get());
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
      broken_ = true;
      return errors::make("COPY from or to the client is not supported");
    }
    bool const bad =
        status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY;
    if (bad && !first) first = pg_error_of(got.get());
    note_command(got.get());
  }
  in_flight_ = false;
  simple_ = false;
  drop_notifications();
  if (PQstatus(pg_.get()) == CONNECTION_BAD || PQenterPipelineMode(pg_.get()) != 1) {
    broken_ = true;
    if (!first) first = errors::make(first_line_of(PQerrorMessage(pg_.get())));
    return mark_error(sql::connection_lost, std::move(first));
  }
  return first;
}

error pg_conn::script(context const& ctx, std::string const& text) {
  if (error err = ready(ctx)) return err;
  if (text.find('\0') != text.npos) return errors::make("the script has a NUL byte");
  if (error err = lift_timeout(ctx)) return err;
  if (PQexitPipelineMode(pg_.get()) != 1) return lost();
  simple_ = true;
  in_flight_ = true;
  ended_transaction_ = false;
  if (PQsendQuery(pg_.get(), text.c_str()) != 1) return lost();
  error err = flush(ctx, ctx);
  must_look_ = false;  // rule (2)
  return err ? err : read_all_simple(ctx);
}

error pg_conn::start_stream(context const& ctx, std::string_view text, sql_params args,
                            std::string const& begin) {
  if (error err = prepare_request(ctx, text, args)) return err;
  // Single-row mode can be asked for the first command of a request only: what goes ahead has its
  // own round trip.
  bool const preparing = statements_.find(text) == nullptr;
  if (error err = bound(ctx, text)) return err;
  if (preparing || !begin.empty() || commands_queued_ > 0) {
    if (!begin.empty()) {
      if (error err = queue_plain(begin.c_str())) return err;
    }
    if (preparing) {
      if (error err = queue_prepare(text)) return err;
    }
    if (error err = sync(ctx)) return err;
    pg_result done;
    if (error err = read_until_sync(ctx, done)) return err;
  }
  std::string const* const name = statements_.find(text);
  VOLE_ASSERT(name != nullptr);
  if (error err = queue_execute(*name)) return err;
  if (error err = sync(ctx)) return err;
  stream_text_ = text;
  if (PQsetSingleRowMode(pg_.get()) != 1) return errors::make("the statement cannot be streamed");
  return {};
}

result<std::unique_ptr<sql_batch>> pg_conn::fetch(context const& ctx) {
  if (!in_flight_) return std::unique_ptr<sql_batch>();
  auto batch = std::make_unique<pg_single_rows>();
  std::size_t bytes = 0;
  int nulls = 0;
  while (batch->size() < stream_rows_max && bytes < stream_bytes_max) {
    if (!batch->empty() && PQisBusy(pg_.get()) != 0) break;  // give what is there
    pg_result got;
    if (error err = next_result(ctx, got)) return err;
    if (got == nullptr) {
      if (++nulls > 1) return lost();
      continue;
    }
    ExecStatusType const status = PQresultStatus(got.get());
    if (status == PGRES_SINGLE_TUPLE) {
      bytes += payload_bytes(got.get());
      batch->add(std::move(got));
      continue;
    }
    error failed =
        status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ? error{} : pg_error_of(got.get());
    note_command(got.get());
    batch->set_end(std::move(got));
    pg_result rest;
    error err = read_until_sync(ctx, rest);
    if (failed && sql::retryable(failed)) statements_.erase(stream_text_);  // as in run
    if (!failed) failed = std::move(err);
    if (failed) return broken_ ? mark_error(sql::connection_lost, std::move(failed)) : failed;
    break;
  }
  return std::unique_ptr<sql_batch>(std::move(batch));
}

pg_cancel pg_conn::cancel_handle() const {
  return pg_cancel(PQgetCancel(pg_.get()));
}

void send_cancel(pg_cancel const& handle) {
  if (handle == nullptr) return;
  char reason[256];
  PQcancel(handle.get(), reason,
           sizeof reason);  // a failure shows in the answer that does not come
}

void pg_conn::forget_session() {
  timeout_ms_ = server_timeout;
  listens_ = false;
  while (statements_.evict()) {
  }
}

}  // namespace vole::internal
