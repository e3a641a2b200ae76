// SPDX-License-Identifier: Apache-2.0
#pragma once
// A bounded pool of connections with a FIFO wait under the caller's context.
//
// Connections are dialled by goroutines of the pool, never by the caller: a caller whose context
// ends returns at once, and the connection that was on its way serves the next one.
//
// INVARIANTS
//   open_ counts the connections that are idle or out, connecting_ the dials under way; together
//   they
//   are at most open_max.
//   Waiters and idle connections never exist at the same time; put() and dials serve the queue in
//   its order.
//   While there are waiters, connecting_ >= min(waiters, open_max - open_): nobody waits for a
//   connection that nobody will make.
//   A dial that fails answers one waiter with its error.
//   A closed pool has no waiter and no idle connection; drained_ is closed when open_ and
//   connecting_ are 0 too.
// LOCKS  mu_ guards all state; leaf, never held over a park, a dial, a hook or the destructor of a
//   connection.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "vole/chan.h"
#include "vole/context.h"
#include "vole/internal/park.h"
#include "vole/internal/raw_mutex.h"
#include "vole/internal/waiter_list.h"
#include "vole/sql.h"
#include "vole/time.h"

namespace vole::internal {

// What a pool holds. The destructor closes the connection; it may take a moment and runs under no
// lock.
class pooled {
 public:
  virtual ~pooled() = default;
  // False: broken while idle. Asked at each acquire, so cheap.
  virtual bool usable() const noexcept = 0;

 private:
  friend class pool;
  time_point dies_at_ = never;  // lifetime
  time_point idle_since_{};
};

struct pool_settings {
  int open_max = 1;
  duration connect_timeout = std::chrono::seconds(5);
  duration lifetime_max = duration::max();
  duration idle_max = duration::max();
  std::function<result<std::unique_ptr<pooled>>(context const&)> dial;
  std::shared_ptr<sql::hooks const> hooks;
};

class pool : public std::enable_shared_from_this<pool> {
 public:
  explicit pool(pool_settings settings);
  ~pool();
  pool(pool const&) = delete;
  pool& operator=(pool const&) = delete;

  // acquire takes an idle connection, or waits in turn for one. With idle_after it closes those
  // that have been idle since before then: one of them was found broken.
  // Errors:  the dial's, as sql::unreachable; sql::closed; the context's, with how the pool stood.
  result<std::unique_ptr<pooled>> acquire(context const& ctx,
                                          time_point idle_after = time_point::min());

  // put gives a connection back; a broken one is closed, and replaced if somebody waits.
  void put(std::unique_ptr<pooled> connection, bool usable);

  // close refuses new callers, sends the waiting ones away and waits until all connections are
  // closed.
  error close(context const& ctx);
  // shut is close without the wait.
  void shut();

  void fill(sql::stats& stats) const;

 private:
  struct waiter {
    bool claim() noexcept { return ticket.try_claim(); }

    park_ticket ticket;
    std::unique_ptr<pooled> connection;
    error failure;
    waiter* next = nullptr;
    waiter* previous = nullptr;
    bool linked = false;
  };
  pool(pool_settings settings, std::pair<context, cancel_handle> life);
  void deliver(std::unique_ptr<pooled> connection, bool fresh);
  void retire(std::unique_ptr<pooled> connection);
  void start_dials(int count);
  void dial();
  void arm_reaper();
  void reap();
  // The parts of a change of state that need the lock; what must be done without it is returned.
  waiter* pop_waiter() VOLE_REQUIRES_LOCK(mu_);
  std::vector<std::unique_ptr<pooled>> take_idle_before(time_point since) VOLE_REQUIRES_LOCK(mu_);
  [[nodiscard]] int dials_due() VOLE_REQUIRES_LOCK(mu_);
  [[nodiscard]] bool drained_now() VOLE_REQUIRES_LOCK(mu_);
  time_point dies_at() const;
  time_point due(pooled const& idle) const;

  pool_settings const settings_;
  context::stored const life_;  // of the dials: ends with the pool
  cancel_handle const end_life_;
  chan<unit> const drained_;

  mutable raw_mutex mu_;
  waiter_list<waiter> waiters_ VOLE_GUARDED_BY(mu_);
  std::vector<std::unique_ptr<pooled>> idle_
      VOLE_GUARDED_BY(mu_);  // the most recently used one last
  std::optional<time::func_timer> reaper_ VOLE_GUARDED_BY(mu_);
  int open_ VOLE_GUARDED_BY(mu_) = 0;
  int connecting_ VOLE_GUARDED_BY(mu_) = 0;
  int waiting_ VOLE_GUARDED_BY(mu_) = 0;
  bool closed_ VOLE_GUARDED_BY(mu_) = false;
  bool drained_told_ VOLE_GUARDED_BY(mu_) = false;
  bool reaper_armed_ VOLE_GUARDED_BY(mu_) = false;
  std::int64_t waits_total_ VOLE_GUARDED_BY(mu_) = 0;
  duration wait_total_ VOLE_GUARDED_BY(mu_){};
  std::int64_t connects_total_ VOLE_GUARDED_BY(mu_) = 0;
  std::int64_t connect_errors_total_ VOLE_GUARDED_BY(mu_) = 0;
  std::int64_t discards_total_ VOLE_GUARDED_BY(mu_) = 0;
};

}  // namespace vole::internal
