// SPDX-License-Identifier: Apache-2.0
// peer_watch: the function of a watch, and the hand-shake that lets the watch go.
//
// INVARIANTS
//  - state_ is 0 until the function has returned, then `done`; between, the destructor may put the
//    address of its ticket there, once, and then parks until the goroutine has claimed that ticket.
//  - The goroutine touches the watch last by the exchange that puts `done`.
// LOCKS  none.

#include <utility>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/internal/park.h"
#include "vole/net.h"
#include "vole/select.h"

namespace vole::net {
namespace {

constexpr std::uintptr_t done = 1;  // no address of a ticket

}  // namespace

peer_watch::peer_watch(conn& watched, std::function<void()> on_closed)
    : hangup_hook{&peer_watch::spawn}, cell_(&watched.hangup()), on_closed_(std::move(on_closed)) {
  cell_->arm(this);
}

peer_watch::~peer_watch() {
  if (cell_->disarm(this)) return;
  internal::park_ticket ticket;
  std::uintptr_t expected = 0;
  // pairs with peer_watch.cc:run, both ways: its ticket, and what the function wrote
  if (state_.compare_exchange_strong(expected, reinterpret_cast<std::uintptr_t>(&ticket),
                                     internal::memory_order_acq_rel)) {
    ticket.park(internal::wait_reason::task_wait);
  }
}

void peer_watch::spawn(internal::hangup_hook* self) {
  go([watch = static_cast<peer_watch*>(self)] { watch->run(); });
}

void peer_watch::run() {
  on_closed_();
  // pairs with peer_watch.cc:~peer_watch
  std::uintptr_t const waiter = state_.exchange(done, internal::memory_order_acq_rel);
  if (waiter == 0) return;
  auto* const ticket = reinterpret_cast<internal::park_ticket*>(waiter);
  if (ticket->try_claim()) ticket->finish();
}

error conn::wait_peer_closed(context const& ctx) {
  chan<unit> const gone(1);
  peer_watch const watch(*this, [&gone] { gone.close(); });
  auto const heard = recv(ctx, gone);
  if (heard) return nullptr;
  return errors::make_typed<op_error>(op_error::operation::wait, remote_addr().network(),
                                      remote_addr().text(), heard.error());
}

}  // namespace vole::net
