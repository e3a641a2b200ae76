// SPDX-License-Identifier: Apache-2.0
// The connections of an http::client, by host.
//
// INVARIANTS
//  - A place of the host's semaphore is held by every connection in use, none by idle ones.
//  - idle is in the order of use: the most recently used at the back, taken first; the oldest, at
//    the front, goes first when there are too many.
//  - While a connection is idle, one timer of the pool will look whether it has been so for too
//    long; without idle connections no timer runs.
// LOCKS  mu_ guards hosts_, their idle lists and the counters; never held over a wait.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "vole/http/client.h"
#include "vole/internal/annotations.h"
#include "vole/sync/mutex.h"
#include "vole/sync/semaphore.h"

#include "http/client_conn.h"

namespace vole::http::internal {

class client_pool : public std::enable_shared_from_this<client_pool> {
 public:
  explicit client_pool(client_options given) : options(std::move(given)) {}

  // lease is a connection in use, and its place.
  struct lease {
    std::unique_ptr<client_conn> conn;
    bool reused = false;
  };

  // take waits for a place, then gives an idle connection or dials. fresh: dial in any case.
  result<lease> take(context const& ctx, std::string const& address, bool fresh);
  // give_back ends the use of a connection; keep: it can serve again.
  void give_back(std::string const& address, std::unique_ptr<client_conn> conn, bool keep);

  void count_retry();
  void close_idle();
  client_stats stats();

  client_options const options;

 private:
  struct host {
    explicit host(std::size_t places) : free_places(static_cast<std::int64_t>(places)) {}
    sync::semaphore free_places;
    std::deque<std::unique_ptr<client_conn>> idle;
    std::size_t users = 0;  // who holds or waits for a place: the host may not go
  };

  host& enter(std::string const& address);
  void leave(std::string const& address, bool release_place);
  std::unique_ptr<client_conn> take_idle(host& from);
  result<std::unique_ptr<client_conn>> dial(context const& ctx, std::string const& address);
  void arm_sweep() VOLE_REQUIRES_LOCK(mu_);
  void sweep();

  sync::mutex mu_;
  std::map<std::string, host, std::less<>> hosts_ VOLE_GUARDED_BY(mu_);
  bool sweep_armed_ VOLE_GUARDED_BY(mu_) = false;
  std::size_t live_ VOLE_GUARDED_BY(mu_) = 0;
  client_stats counted_ VOLE_GUARDED_BY(mu_);
};

}  // namespace vole::http::internal
