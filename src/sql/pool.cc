// SPDX-License-Identifier: Apache-2.0
// Invariants and locks: pool.h.
#include "sql/pool.h"

#include <algorithm>
#include <chrono>

#include "vole/assert.h"
#include "vole/go.h"

#include "base/rand.h"
#include "sql/driver.h"

namespace vole::internal {

pool::pool(pool_settings settings) : pool(std::move(settings), context::with_cancel({})) {}

pool::pool(pool_settings settings, std::pair<context, cancel_handle> life)
    : settings_(std::move(settings)),
      life_(std::move(life.first)),
      end_life_(std::move(life.second)),
      drained_(0) {
  VOLE_REQUIRE(settings_.open_max > 0, "a pool of {} connections", settings_.open_max);
}

pool::~pool() = default;

// A tenth of jitter, so that connections made together do not die together.
time_point pool::dies_at() const {
  if (settings_.lifetime_max == duration::max()) return never;
  auto const tenth = settings_.lifetime_max / 10;
  return deadline_after(settings_.lifetime_max - tenth * fast_rand_below(1001) / 1000);
}

// When an idle connection is to be closed.
time_point pool::due(pooled const& idle) const {
  if (settings_.idle_max == duration::max()) return idle.dies_at_;
  return std::min(idle.dies_at_, idle.idle_since_ + settings_.idle_max);
}

pool::waiter* pool::pop_waiter() {
  while (waiter* const first = waiters_.pop_front()) {
    --waiting_;
    if (first->claim()) return first;
  }
  return nullptr;
}

int pool::dials_due() {
  if (closed_) return 0;
  int const due = std::min(waiting_, settings_.open_max - open_) - connecting_;
  if (due <= 0) return 0;
  connecting_ += due;
  return due;
}

bool pool::drained_now() {
  if (!closed_ || drained_told_ || open_ > 0 || connecting_ > 0) return false;
  drained_told_ = true;
  return true;
}

// The idle connections that were put back before `since`; what is used last stands last.
std::vector<std::unique_ptr<pooled>> pool::take_idle_before(time_point since) {
  auto const stale = std::find_if(idle_.begin(), idle_.end(),
                                  [since](auto const& c) { return c->idle_since_ >= since; });
  std::vector<std::unique_ptr<pooled>> taken(std::move_iterator(idle_.begin()),
                                             std::move_iterator(stale));
  idle_.erase(idle_.begin(), stale);
  return taken;
}

result<std::unique_ptr<pooled>> pool::acquire(context const& ctx, time_point idle_after) {
  for (;;) {
    waiter me;
    std::unique_ptr<pooled> idle;
    std::vector<std::unique_ptr<pooled>> stale;
    int due = 0;
    {
      raw_lock const lock(mu_);
      if (closed_) return error(sql::closed);
      if (idle_after != time_point::min()) stale = take_idle_before(idle_after);
      if (!idle_.empty()) {
        idle = std::move(idle_.back());
        idle_.pop_back();
      } else {
        waiters_.push_back(me);
        ++waiting_;
        ++waits_total_;
        due = dials_due();
      }
    }
    for (auto& connection : stale) retire(std::move(connection));
    if (idle != nullptr) {
      bool const worn = idle->dies_at_ != never && now() >= idle->dies_at_;
      if (!worn && idle->usable()) return idle;
      retire(std::move(idle));
      continue;
    }
    start_dials(due);
    time_point const since = now();
    wake_reason const reason = me.ticket.park(wait_reason::pool_wait, ctx);
    int connecting;
    {
      raw_lock const lock(mu_);
      if (waiters_.remove(me)) --waiting_;
      wait_total_ += now() - since;
      connecting = connecting_;
    }
    if (reason != wake_reason::ready) {
      return errors::wrap(wait_error(ctx, reason), "wait for one of {} connections ({} connecting)",
                          settings_.open_max, connecting);
    }
    if (me.failure) return std::move(me.failure);
    return std::move(me.connection);
  }
}

void pool::put(std::unique_ptr<pooled> connection, bool usable) {
  bool const worn = connection->dies_at_ != never && now() >= connection->dies_at_;
  if (usable && !worn) {
    deliver(std::move(connection), false);
  } else {
    retire(std::move(connection));
  }
}

// Gives the connection to the first waiter, or keeps it; a fresh one was not counted as open yet.
void pool::deliver(std::unique_ptr<pooled> connection, bool fresh) {
  waiter* served = nullptr;
  bool arm = false;
  if (settings_.idle_max != duration::max()) connection->idle_since_ = now();
  {
    raw_lock const lock(mu_);
    if (fresh) {
      --connecting_;
      ++open_;
      ++connects_total_;
    }
    if (!closed_) {
      served = pop_waiter();
      if (served != nullptr) {
        served->connection = std::move(connection);
      } else {
        arm = !reaper_armed_ && due(*connection) != never;
        idle_.push_back(std::move(connection));
      }
    }
  }
  if (served != nullptr) served->ticket.finish();
  if (connection != nullptr) retire(std::move(connection));
  if (arm) arm_reaper();
}

// Closes one open connection and makes up for it.
void pool::retire(std::unique_ptr<pooled> connection) {
  connection.reset();
  int due;
  bool drained;
  {
    raw_lock const lock(mu_);
    --open_;
    ++discards_total_;
    due = dials_due();
    drained = drained_now();
  }
  start_dials(due);
  if (drained) drained_.close();
}

void pool::start_dials(int count) {
  for (; count > 0; --count) {
    go({.scheduling = scheduling_class::foreground}, [self = shared_from_this()] { self->dial(); });
  }
}

void pool::dial() {
  auto const [ctx, cancel] = context::with_timeout(life_, settings_.connect_timeout);
  hook_timer const timer(*settings_.hooks, sql::operation::connect);
  auto made = settings_.dial(ctx);
  timer.done(ctx, made.error());
  if (made) {
    (*made)->dies_at_ = dies_at();
    return deliver(*std::move(made), true);
  }
  error const why = errors::make_typed<unreachable_error>(made.error());
  waiter* failed;
  int due;
  bool drained;
  {
    raw_lock const lock(mu_);
    --connecting_;
    ++connect_errors_total_;
    failed = pop_waiter();
    if (failed != nullptr) failed->failure = why;
    due = dials_due();
    drained = drained_now();
  }
  if (failed != nullptr) failed->ticket.finish();
  start_dials(due);
  if (drained) drained_.close();
}

void pool::arm_reaper() {
  time_point first = never;
  {
    raw_lock const lock(mu_);
    if (closed_ || reaper_armed_) return;
    for (auto const& idle : idle_) first = std::min(first, due(*idle));
    if (first == never) return;
    reaper_armed_ = true;
  }
  auto const timer =
      time::after_func(std::max(first - now(), duration(0)), [weak = weak_from_this()] {
        if (auto const self = weak.lock()) self->reap();
      });
  bool stop;
  {
    raw_lock const lock(mu_);
    stop = closed_;
    if (!stop) reaper_ = timer;
  }
  if (stop) timer.stop();
}

void pool::reap() {
  std::vector<std::unique_ptr<pooled>> dead;
  {
    raw_lock const lock(mu_);
    reaper_armed_ = false;
    time_point const t = now();
    for (auto& idle : idle_) {
      if (due(*idle) <= t) dead.push_back(std::move(idle));
    }
    std::erase(idle_, nullptr);
  }
  for (auto& connection : dead) retire(std::move(connection));
  arm_reaper();
}

void pool::shut() {
  std::vector<waiter*> refused;
  std::vector<std::unique_ptr<pooled>> dead;
  std::optional<time::func_timer> reaper;
  bool drained;
  {
    raw_lock const lock(mu_);
    closed_ = true;
    while (waiter* const w = pop_waiter()) refused.push_back(w);
    for (waiter* const w : refused) w->failure = sql::closed;
    dead.swap(idle_);
    reaper.swap(reaper_);
    drained = drained_now();
  }
  if (reaper) reaper->stop();
  end_life_();
  for (waiter* const w : refused) w->ticket.finish();
  for (auto& connection : dead) retire(std::move(connection));
  if (drained) drained_.close();
}

error pool::close(context const& ctx) {
  shut();
  auto const drained = recv(ctx, drained_);
  if (drained) return {};
  sql::stats left;
  fill(left);
  return errors::wrap(drained.error(), "close: {} connections are in use", left.open);
}

void pool::fill(sql::stats& stats) const {
  raw_lock const lock(mu_);
  stats.open = open_;
  stats.idle = static_cast<int>(idle_.size());
  stats.connecting = connecting_;
  stats.waiting = waiting_;
  stats.open_max = settings_.open_max;
  stats.waits_total = waits_total_;
  stats.wait_total = wait_total_;
  stats.connects_total = connects_total_;
  stats.connect_errors_total = connect_errors_total_;
  stats.discards_total = discards_total_;
}

}  // namespace vole::internal
