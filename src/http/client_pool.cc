// SPDX-License-Identifier: Apache-2.0
#include "http/client_pool.h"

#include <utility>
#include <vector>

#include "vole/time.h"

namespace vole::http::internal {

client_pool::host& client_pool::enter(std::string const& address) {
  sync::lock_guard const lock(mu_);
  auto const [at, added] = hosts_.try_emplace(address, options.connections_per_host_max);
  ++at->second.users;
  return at->second;
}

// leave forgets a host that nobody uses and that keeps no connection.
void client_pool::leave(std::string const& address, bool release_place) {
  sync::lock_guard const lock(mu_);
  auto const at = hosts_.find(address);
  if (release_place) at->second.free_places.release();
  if (--at->second.users == 0 && at->second.idle.empty()) hosts_.erase(at);
}

std::unique_ptr<client_conn> client_pool::take_idle(host& from) {
  sync::lock_guard const lock(mu_);
  if (from.idle.empty()) return nullptr;
  auto conn = std::move(from.idle.back());
  from.idle.pop_back();
  --counted_.connections_idle;
  return conn;
}

result<client_pool::lease> client_pool::take(context const& ctx, std::string const& address,
                                             bool fresh) {
  host& at = enter(address);
  if (error err = acquire(ctx, at.free_places)) {
    leave(address, false);
    return errors::wrap(std::move(err), "wait for a connection to {}", address);
  }
  if (error err = ctx.err()) {  // a place may come free by the same end that our context has met
    leave(address, true);
    return err;
  }
  while (!fresh) {
    auto conn = take_idle(at);
    if (conn == nullptr) break;
    bool const late = vole::internal::now() - conn->idle_since >= options.idle_timeout;
    if (!late && !conn->stale()) {
      sync::lock_guard const lock(mu_);
      ++counted_.reused_total;
      return lease{std::move(conn), true};
    }
    conn->close();
    sync::lock_guard const lock(mu_);
    --live_;
  }
  auto dialed = dial(ctx, address);
  if (!dialed) {
    leave(address, true);
    return std::move(dialed).error();
  }
  return lease{*std::move(dialed), false};
}

result<std::unique_ptr<client_conn>> client_pool::dial(context const& ctx,
                                                       std::string const& address) {
  result<std::unique_ptr<net::conn>> made = [&]() -> result<std::unique_ptr<net::conn>> {
    if (options.dial) {
      auto const [limited, cancel] = context::with_timeout(ctx, options.connect_timeout);
      return options.dial(limited, address);
    }
    return net::dial(ctx, "tcp", address, {.timeout = options.connect_timeout});
  }();
  if (!made) return std::move(made).error();
  parse_limits const limits{8 * 1024, options.header_bytes_max, options.header_fields_max};
  sync::lock_guard const lock(mu_);
  ++counted_.dials_total;
  ++live_;
  return std::make_unique<client_conn>(*std::move(made), limits);
}

void client_pool::give_back(std::string const& address, std::unique_ptr<client_conn> conn,
                            bool keep) {
  std::unique_ptr<client_conn> surplus;
  {
    sync::lock_guard const lock(mu_);
    auto const at = hosts_.find(address);
    if (keep && options.idle_per_host_max > 0) {
      conn->idle_since = vole::internal::now();
      auto& idle = at->second.idle;
      if (idle.size() == options.idle_per_host_max) {
        surplus = std::move(idle.front());
        idle.pop_front();
        --counted_.connections_idle;
      }
      idle.push_back(std::move(conn));
      ++counted_.connections_idle;
      arm_sweep();
    } else {
      surplus = std::move(conn);
    }
    if (surplus != nullptr) --live_;
  }
  leave(address, true);
  if (surplus != nullptr) surplus->close();
}

// arm_sweep has the idle connections looked after; the timer holds nothing but a weak reference.
void client_pool::arm_sweep() {
  if (std::exchange(sweep_armed_, true)) return;
  time::after_func(options.idle_timeout, [weak = weak_from_this()] {
    if (auto const pool = weak.lock()) pool->sweep();
  });
}

void client_pool::sweep() {
  std::vector<std::unique_ptr<client_conn>> late;
  sync::lock_guard const lock(mu_);
  sweep_armed_ = false;
  time_point const now = vole::internal::now();
  for (auto at = hosts_.begin(); at != hosts_.end();) {
    auto& idle = at->second.idle;
    while (!idle.empty() && now - idle.front()->idle_since >= options.idle_timeout) {
      late.push_back(std::move(idle.front()));
      idle.pop_front();
    }
    at = idle.empty() && at->second.users == 0 ? hosts_.erase(at) : std::next(at);
  }
  counted_.connections_idle -= late.size();
  live_ -= late.size();
  for (auto const& conn : late) conn->close();
  if (counted_.connections_idle != 0) arm_sweep();
}

void client_pool::count_retry() {
  sync::lock_guard const lock(mu_);
  ++counted_.retries_total;
}

void client_pool::close_idle() {
  sync::lock_guard const lock(mu_);
  for (auto at = hosts_.begin(); at != hosts_.end();) {
    auto& idle = at->second.idle;
    counted_.connections_idle -= idle.size();
    live_ -= idle.size();
    for (auto const& conn : idle) conn->close();
    idle.clear();
    at = at->second.users == 0 ? hosts_.erase(at) : std::next(at);
  }
}

client_stats client_pool::stats() {
  sync::lock_guard const lock(mu_);
  client_stats now = counted_;
  now.connections_live = live_;
  return now;
}

}  // namespace vole::http::internal
