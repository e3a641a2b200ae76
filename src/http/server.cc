// SPDX-License-Identifier: Apache-2.0
#include "vole/http/server.h"

#include <algorithm>
#include <utility>

#include "vole/assert.h"
#include "vole/go.h"
#include "vole/select.h"

#include "http/refusal.h"
#include "http/server_core.h"

namespace vole::http {

namespace internal {

namespace {

constexpr duration handler_grace = std::chrono::seconds(5);
constexpr std::size_t turned_away_max = 64;  // at a time; past it their answers may be reset

parse_limits limits_of(server_options const& options) {
  return {options.request_line_bytes_max, options.header_bytes_max, options.header_fields_max};
}

}  // namespace

server_core::server_core(server_options given)
    : options(std::move(given)), exchanges(make_exchange{limits_of(options)}) {}

bool server_core::admit() {
  sync::lock_guard const lock(mu_);
  ++connections_total_;
  if (ending_ || live_ >= options.connections_max) {
    ++refused_total_;
    return false;
  }
  ++live_;
  return true;
}

void server_core::close_when_empty() {
  if (ending_ && live_ == 0 && turned_away_ == 0) empty_.close();
}

void server_core::release() {
  sync::lock_guard const lock(mu_);
  --live_;
  close_when_empty();
}

// A connection too many is answered beside the accepting: one slow client holds up no other.
void server_core::refuse(std::shared_ptr<server_core> const& self,
                         std::unique_ptr<net::conn> conn) {
  bool counted = false;
  {
    sync::lock_guard const lock(mu_);
    counted = !ending_ && turned_away_ < turned_away_max;
    if (counted) ++turned_away_;
  }
  if (!counted) return turn_away(options, *conn, false);
  net::conn* const raw = conn.release();
  auto const failure = try_go({.stack_bytes = options.stack_bytes},
                              [self, raw] { self->refuse_counted(raw, true); });
  if (failure != std::errc{}) refuse_counted(raw, false);
}

void server_core::refuse_counted(net::conn* owned, bool linger) {
  std::unique_ptr<net::conn> const conn(owned);
  turn_away(options, *conn, linger);
  sync::lock_guard const lock(mu_);
  --turned_away_;
  close_when_empty();
}

void server_core::add(connection& c) {
  sync::lock_guard const lock(mu_);
  connections_.push_back(c);
}

void server_core::remove(connection& c) {
  sync::lock_guard const lock(mu_);
  requests_ended_ += c.requests();
  connections_.remove(c);
}

std::unique_ptr<net::conn> server_core::take(connection& c) {
  sync::lock_guard const lock(mu_);
  return c.take();
}

void server_core::serve_admitted(std::unique_ptr<net::conn> conn) {
  {
    connection served(*this, std::move(conn));
    served.run();
  }
  release();
}

void server_core::start(std::shared_ptr<server_core> const& self, std::unique_ptr<net::conn> conn) {
  if (!admit()) return refuse(self, std::move(conn));
  net::conn* const raw = conn.release();
  std::errc const failure = try_go({.stack_bytes = options.stack_bytes}, [self, raw] {
    self->serve_admitted(std::unique_ptr<net::conn>(raw));
  });
  if (failure == std::errc{}) return;
  std::unique_ptr<net::conn> const unserved(raw);
  turn_away(options, *unserved, false);
  release();
  auto const& hook = options.hooks.on_accept_error;
  if (hook) hook(errors::from_errno(static_cast<int>(failure), "start a goroutine"));
}

error server_core::accept_loop(std::shared_ptr<server_core> const& self, context const& ctx,
                               net::listener& listener) {
  {
    sync::lock_guard const lock(mu_);
    if (!ending_) listeners_.push_back(&listener);
  }
  error failed;
  while (!draining()) {
    auto conn = listener.accept(ctx);
    if (conn) {
      start(self, *std::move(conn));
      continue;
    }
    if (draining() || ctx.err()) break;
    if (!net::is_resource_limit(conn.error())) {
      failed = errors::wrap(conn.error(), "http: serve {}", listener.addr().text());
      break;
    }
    auto const& hook = options.hooks.on_accept_error;
    if (hook) hook(conn.error());
  }
  {
    sync::lock_guard const lock(mu_);
    std::erase(listeners_, &listener);
  }
  error const closed = listener.close();
  return failed ? failed : closed;
}

error server_core::shutdown(context const& ctx, context const& other_limit) {
  bool first = false;
  {
    sync::lock_guard const lock(mu_);
    first = !std::exchange(ending_, true);
    if (first) {
      draining_.store(
          true, vole::internal::memory_order_seq_cst);  // pairs with connection.cc:wait_for_bytes
      for (net::listener* listener : listeners_) static_cast<void>(listener->close());
      for (connection* c = connections_.front(); c != nullptr; c = connections_.next(*c))
        c->nudge();
      close_when_empty();
    }
  }
  if (!first) {
    if (auto const over = recv(other_limit, finished_); !over) {
      return errors::wrap(over.error(), "http: wait for the shutdown under way");
    }
    sync::lock_guard const lock(mu_);
    return outcome_;
  }
  error outcome = drain(ctx);
  {
    sync::lock_guard const lock(mu_);
    outcome_ = outcome;
  }
  finished_.close();
  return outcome;
}

error server_core::drain(context const& ctx) {
  if (recv(ctx, empty_)) return nullptr;
  std::size_t canceled = 0;
  {
    sync::lock_guard const lock(mu_);
    for (connection* c = connections_.front(); c != nullptr; c = connections_.next(*c)) {
      if (c->cut()) ++canceled;
    }
  }
  auto const [grace, cancel] = context::with_timeout(context{}, handler_grace);
  if (recv(grace, empty_)) {
    if (canceled == 0) return nullptr;
    return errors::make("http: shutdown: {} requests were canceled", canceled);
  }
  sync::lock_guard const lock(mu_);
  return errors::make("http: shutdown: {} requests were canceled, {} handlers have not returned",
                      canceled, live_);
}

server_stats server_core::stats() {
  sync::lock_guard const lock(mu_);
  server_stats now;
  now.connections_live = live_;
  now.connections_total = connections_total_;
  now.connections_refused_total = refused_total_;
  now.requests_total = requests_ended_;
  for (connection* c = connections_.front(); c != nullptr; c = connections_.next(*c)) {
    now.requests_total += c->requests();
    if (c->active()) ++now.requests_active;
  }
  return now;
}

}  // namespace internal

server::server(server_options options)
    : core_(std::make_shared<internal::server_core>(std::move(options))) {
  VOLE_REQUIRE(core_->options.handler != nullptr, "http::server needs a handler");
  VOLE_REQUIRE(core_->options.stack_bytes <= spawn_options::stack_bytes_max,
               "http::server: stacks of {} bytes are more than vole makes ({})",
               core_->options.stack_bytes, spawn_options::stack_bytes_max);
}

server::~server() {
  std::size_t const live = stats().connections_live;
  VOLE_REQUIRE(live == 0, "http::server destroyed with {} open connections: shut it down", live);
}

error server::serve(context const& ctx, net::listener& listener) {
  error const failed = core_->accept_loop(core_, ctx, listener);
  auto const [limit, cancel] = context::with_timeout(context{}, core_->options.drain_timeout);
  error const drained = core_->shutdown(limit, context{});
  return failed ? failed : drained;
}

void server::serve_conn(std::unique_ptr<net::conn> conn) {
  if (core_->admit()) core_->serve_admitted(std::move(conn));
}

error server::shutdown(context const& ctx) {
  return core_->shutdown(ctx, ctx);
}

server_stats server::stats() const {
  return core_->stats();
}

}  // namespace vole::http
