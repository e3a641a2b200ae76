// SPDX-License-Identifier: Apache-2.0
// The half of a session that is the same for both drivers. State and its rules: driver.h.
#include <algorithm>
#include <chrono>
#include <utility>

#include "vole/assert.h"

#include "base/rand.h"
#include "sql/driver.h"

namespace vole::internal {

// sql_stream is the source of a streamed row set. It and its session know of each other: whichever
// goes first tells the other.
class sql_stream final : public sql_source {
 public:
  sql_stream(sql_session* session, std::unique_ptr<sql_session> owner)
      : session_(session), owner_(std::move(owner)) {
    session_->stream_ = this;
  }
  ~sql_stream() override { end(); }

  result<std::unique_ptr<sql_batch>> fetch(context const& ctx) override {
    if (session_ == nullptr) return errors::make("the connection of the stream was given back");
    auto batch = session_->do_fetch(ctx);
    if (!batch) session_->settle(batch.error());
    if (!batch || *batch == nullptr) end();
    return batch;
  }

  // The session is going.
  void detach() noexcept { session_ = nullptr; }

 private:
  void end() noexcept {
    if (session_ == nullptr) return;
    session_->do_end_stream();
    session_->stream_ = nullptr;
    session_ = nullptr;
    owner_.reset();
  }

  sql_session* session_;
  std::unique_ptr<sql_session> owner_;
};

std::string marked_error::message() const {
  return cause ? fmt::format("{}: {}", mark->text(), cause.message()) : std::string(mark->text());
}

error mark_error(errors::sentinel const& mark, error err) {
  if (!err || errors::is(err, mark)) return err;
  return errors::make_typed<marked_error>(mark, std::move(err));
}

void hook_timer::done(context const& ctx, error const& err, std::int64_t rows) const {
  if (!hooks_.done) return;
  hooks_.done(ctx, {.operation = operation_,
                    .statement = statement_,
                    .started = started_,
                    .took = now() - started_,
                    .rows = rows,
                    .err = err});
}

error retry_pause(context const& ctx, int attempt) {
  using namespace std::chrono_literals;
  duration const most = std::min<duration>(2ms * (1 << std::min(attempt, 10)), 100ms);
  auto const most_us = std::chrono::duration_cast<std::chrono::microseconds>(most).count();
  return time::sleep(
      ctx, std::chrono::microseconds(fast_rand_below(static_cast<std::uint32_t>(most_us) + 1)));
}

sql_session::~sql_session() {
  if (stream_ != nullptr) stream_->detach();
}

error sql_session::still_here() const {
  if (!gone_) return {};
  return errors::make("the connection was given up: a commit on it had no answer");
}

error sql_session::admit(std::string_view text) const {
  if (error gone = still_here()) return gone;
  if (stream_ != nullptr) return errors::make("the rows of a stream are still being read");
  if (state_ == state::failed) {
    return errors::make("the transaction has failed: roll it back, or go back to a savepoint");
  }
  if (kind_of(text) == statement_kind::transaction) {
    return errors::make("{} is a method, not a statement: use begin(), write() or savepoint()",
                        first_word(text));
  }
  return {};
}

void sql_session::settle(error const& err) {
  if (err && state_ == state::open) state_ = state::failed;
}

error sql_session::end_closure(context const& ctx, error err) {
  in_closure_ = false;
  if (!err) err = swallowed();
  if (!err) return commit(ctx);
  static_cast<void>(rollback(ctx));  // one that fails costs the connection, and that is all
  return err;
}

error sql_session::swallowed() const {
  if (state_ != state::failed) return {};
  return errors::make("a statement of the transaction had failed; it was rolled back");
}

result<sql::rows> sql_session::query(context const& ctx, std::string_view text, sql_params args) {
  if (error err = admit(text)) return err;
  hook_timer const timer(*hooks_, sql::operation::query, text);
  auto batch = do_query(ctx, text, args);
  settle(batch.error());
  timer.done(ctx, batch.error(), batch ? static_cast<std::int64_t>((*batch)->size()) : 0);
  if (!batch) return std::move(batch).error();
  return sql::rows(*std::move(batch));
}

result<sql::exec_result> sql_session::exec(context const& ctx, std::string_view text,
                                           sql_params args) {
  if (error err = admit(text)) return err;
  hook_timer const timer(*hooks_, sql::operation::exec, text);
  auto done = do_exec(ctx, text, args);
  settle(done.error());
  timer.done(ctx, done.error(), done ? done->rows_affected : 0);
  return done;
}

error sql_session::script(context const& ctx, std::string_view text) {
  if (error err = admit(text)) return err;
  hook_timer const timer(*hooks_, sql::operation::script, text);
  error err = do_script(ctx, text);
  settle(err);
  timer.done(ctx, err);
  return err;
}

result<sql::rows> sql_session::stream(context const& ctx, std::string_view text, sql_params args,
                                      std::unique_ptr<sql_session> owner) {
  if (in_closure_) return errors::make("a closure of write() or read() cannot stream: use query()");
  if (error err = admit(text)) return err;
  std::shared_ptr<sql::hooks const> const hooks = hooks_;  // the session may go with its stream
  hook_timer const timer(*hooks, sql::operation::query, text);
  error err = do_start_stream(ctx, text, args);
  settle(err);
  if (err) return timer.done(ctx, err), err;
  auto source = std::make_unique<sql_stream>(this, std::move(owner));
  auto first = source->fetch(ctx);
  timer.done(ctx, first.error(), first && *first ? static_cast<std::int64_t>((*first)->size()) : 0);
  if (!first) return std::move(first).error();
  return sql::rows(*std::move(first), std::move(source));
}

error sql_session::begin(context const& ctx, sql::tx_options const& options) {
  if (error gone = still_here()) return gone;
  if (in_transaction()) return errors::make("a transaction is open already: use savepoint()");
  if (stream_ != nullptr) return errors::make("the rows of a stream are still being read");
  hook_timer const timer(*hooks_, sql::operation::begin);
  error err = do_begin(ctx, options);
  if (!err) state_ = state::open;
  savepoints_ = 0;
  timer.done(ctx, err);
  return err;
}

error sql_session::commit(context const& ctx) {
  if (in_closure_) return errors::make("the closure's return commits: do not call commit()");
  if (state_ == state::none) return errors::make("the transaction has ended already");
  if (stream_ != nullptr) return errors::make("the rows of a stream are still being read");
  if (state_ == state::failed) {
    static_cast<void>(rollback(ctx));
    return errors::make("commit: a statement of the transaction had failed; it was rolled back");
  }
  hook_timer const timer(*hooks_, sql::operation::commit);
  error err = do_commit(ctx);
  state_ = state::none;
  timer.done(ctx, err);
  return errors::wrap(std::move(err), "commit");
}

error sql_session::rollback(context const& ctx) {
  if (in_closure_) return errors::make("return an error from the closure to roll back");
  if (state_ == state::none) return {};
  if (stream_ != nullptr) {
    do_end_stream();
    std::exchange(stream_, nullptr)->detach();
  }
  hook_timer const timer(*hooks_, sql::operation::rollback);
  error err = do_rollback(ctx);
  state_ = state::none;
  timer.done(ctx, err);
  return errors::wrap(std::move(err), "roll back");
}

void sql_session::end_borrowed() noexcept {
  if (in_closure_ || state_ == state::none) return;
  if (stream_ != nullptr) {
    do_end_stream();
    std::exchange(stream_, nullptr)->detach();
  }
  do_abandon();
  state_ = state::none;
}

error sql_session::mark(context const& ctx) {
  if (state_ == state::none) return errors::make("the transaction has ended already");
  if (error err = admit({})) return err;
  error err = do_control(ctx, fmt::format("SAVEPOINT vole_{}", savepoints_ + 1));
  settle(err);
  if (!err) ++savepoints_;
  return err;
}

error sql_session::unmark(context const& ctx, bool keep) {
  VOLE_ASSERT(savepoints_ > 0);
  if (state_ == state::none) return errors::make("the transaction ended inside the savepoint");
  int const mine = savepoints_--;
  bool const failed = state_ == state::failed;
  error err;
  if (!keep || failed) err = do_control(ctx, fmt::format("ROLLBACK TO SAVEPOINT vole_{}", mine));
  if (!err) err = do_control(ctx, fmt::format("RELEASE SAVEPOINT vole_{}", mine));
  state_ = err ? state::failed : state::open;
  if (!err && keep && failed) return errors::make("a statement inside the savepoint had failed");
  return err;
}

}  // namespace vole::internal
