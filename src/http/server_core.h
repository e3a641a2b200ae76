// SPDX-License-Identifier: Apache-2.0
// The state behind http::server: its options, its connections, and the way it comes to an end.
//
// INVARIANTS
//  - live_ counts the connections from admit() to release(); connections_ holds those of them that
//    run. One that was hijacked runs until its handler returns.
//  - draining_ goes from false to true once. A connection stores its state, then loads draining_;
//    shutdown stores draining_, then loads the states: so either the connection sees the end
//    coming, or it is nudged.
//  - finished_ is closed once, after the last connection has gone or been given up.
// LOCKS
//  - mu_ guards connections_, listeners_, live_ and the counters; a connection's own lock is taken
//    inside it, never the other way round.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "vole/chan.h"
#include "vole/http/server.h"
#include "vole/internal/annotations.h"
#include "vole/internal/atomic.h"
#include "vole/net.h"
#include "vole/sync/mutex.h"
#include "vole/sync/pool.h"

#include "base/intrusive_list.h"
#include "http/connection.h"

namespace vole::http::internal {

struct server_core {
  explicit server_core(server_options given);

  error accept_loop(std::shared_ptr<server_core> const& self, context const& ctx,
                    net::listener& listener);
  void start(std::shared_ptr<server_core> const& self, std::unique_ptr<net::conn> conn);
  void serve_admitted(std::unique_ptr<net::conn> conn);

  // admit counts a new connection in; false: it must be refused.
  bool admit();
  void release();
  void add(connection& c);
  void remove(connection& c);
  // take hands c's connection to its handler; a shutdown that runs out of time cancels the request.
  std::unique_ptr<net::conn> take(connection& c);

  // shutdown drains under ctx; when another call is at it already, it waits for that one under
  // other_limit.
  error shutdown(context const& ctx, context const& other_limit);
  bool draining() const {
    // pairs with server.cc:shutdown
    return draining_.load(vole::internal::memory_order_seq_cst);
  }
  server_stats stats();

  server_options const options;
  exchange_pool exchanges;

 private:
  error drain(context const& ctx);
  void refuse(std::shared_ptr<server_core> const& self, std::unique_ptr<net::conn> conn);
  void refuse_counted(net::conn* owned, bool linger);
  void close_when_empty() VOLE_REQUIRES_LOCK(mu_);

  sync::mutex mu_;
  vole::internal::intrusive_list<connection, &connection::link> connections_ VOLE_GUARDED_BY(mu_);
  std::vector<net::listener*> listeners_ VOLE_GUARDED_BY(mu_);
  std::size_t live_ VOLE_GUARDED_BY(mu_) = 0;
  std::size_t turned_away_ VOLE_GUARDED_BY(mu_) = 0;  // being answered 503
  bool ending_ VOLE_GUARDED_BY(mu_) = false;
  std::uint64_t connections_total_ VOLE_GUARDED_BY(mu_) = 0;
  std::uint64_t refused_total_ VOLE_GUARDED_BY(mu_) = 0;
  std::uint64_t requests_ended_ VOLE_GUARDED_BY(mu_) = 0;  // of connections that are gone
  error outcome_ VOLE_GUARDED_BY(mu_);
  vole::internal::atomic<bool> draining_{false};
  chan<unit> empty_{1};     // closed when draining, and live_ and turned_away_ have become 0
  chan<unit> finished_{1};  // closed when shutdown is over
};

}  // namespace vole::http::internal
