// SPDX-License-Identifier: Apache-2.0
// The node of a context that can end, and how its end travels to the contexts below.
//
// A node that nobody watches is not known to anything: it is born and ended without a lock, and
// learns of an end above by looking there. Only with its first watcher, a wait, done(), after_func
// or a merged child, it and the nodes above it are linked, so that an end above is brought to it.
//
// INVARIANTS
//   - state leaves `live` once and never changes its end again; cause_ is written before it and
//     never after.
//   - Whoever has seen an end by err() finds done() closed: state says `closing` until it is.
//   - state gets `watched` before anything enters the lists of watch_; a node without it may be
//     ended by one exchange of state, without mu_.
//   - A live node is held by its cancel_handle, and whoever ends one holds it. So a linked child is
//     alive, and by the time a node is freed it has ended: no children, no functions, no timer, not
//     linked.
//   - Of a node with a watcher, every node up to the root is linked in the nearest cancel node
//     above it, or an end is on its way to it. It leaves at its end, so that nothing of an ended
//     context stays with a parent that lives on.
//   - An end that came first above is the end here too: whoever ends a node looks above before.
//   - deadline_ never lies after the parent's; expirer_ is the node (this or above) that the
//     deadline belongs to, so that one timer serves all contexts that share a deadline. It is armed
//     when the first of them is watched by what cannot carry a deadline itself: done() or
//     after_func. An armed timer holds the node.
//   - An end reaches the nodes below by a work list through cancel_link::next_ending, never by
//     recursion.
// LOCKS
//   - mu_, the cancel source's, guards the lists of watch_; a cancel_link belongs to the mu_ of its
//     parent, and once taken out there, to who took it.
//   - Two node locks are never held at once. Under mu_ only the timer heap's lock is taken (to
//     arm).
//   - Waiters, channel, timer and functions are told after mu_ is released.
// ORDERING  state is changed with release after cause_; whoever loads it with acquire may read
//   cause_ unlocked.
// REJECTED  linking every node at its birth, as Go does: the parent's lock twice and the node's
//   once for each, and contexts that are waited under are the fewer.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "vole/chan.h"
#include "vole/context.h"
#include "vole/internal/park.h"
#include "vole/internal/raw_mutex.h"

#include "runtime/timer.h"

namespace vole::internal {

struct cancel_node;

// cancel_link is a node's place below one parent.
struct cancel_link {
  cancel_node* child = nullptr;
  cancel_node* parent = nullptr;
  bool linked = false;
  cancel_link* previous = nullptr;
  cancel_link* next = nullptr;
  cancel_link* next_ending = nullptr;
};

// cancel_watch is what a node needs once it is watched.
struct cancel_watch {
  struct expiry_timer : timer_node {
    cancel_node* node = nullptr;
  };

  explicit cancel_watch(cancel_node* owner, cancel_node* parent) noexcept {
    up.child = owner;
    up.parent = parent;
    timer.node = owner;
  }

  bool attached = false;  // up is, or is being, linked
  bool armed = false;
  cancel_link* first_child = nullptr;
  after_func_node* first_func = nullptr;
  chan<unit> done;     // nil until asked for
  expiry_timer timer;  // guarded by its heap's lock once armed
  cancel_link up;
  std::vector<cancel_link> merged;  // below further parents, which they hold; fixed when linked
};

struct cancel_node : context_node, cancel_source {
  enum class end : std::uint8_t { live, canceled, expired };

  // A node below parent that `own_deadline` also ends. Two references: its context's, its handle's.
  cancel_node(context_node* node_parent, time_point own_deadline, error own_cause) noexcept;
  ~cancel_node();

  // merge_below has the end of these end the node too. Only by its maker, once.
  void merge_below(std::span<cancel_node* const> parents);

  // cancel ends this node and all below it; no effect when it, or a node above, has ended.
  void cancel(error const& cause);
  // expire_now ends it by its own deadline, which had passed before it was made.
  void expire_now();

  // check is the state as of now: an end above and a deadline that has passed are ends.
  end check();

  // What a context says.
  error err();
  error cause();
  recv_chan<unit> done();
  time_point deadline() const noexcept { return deadline_; }
  // The cause with which the deadline ends it.
  error expire_cause() const { return expirer_ == nullptr ? error() : expirer_->expire_cause_; }
  park_limit limit() noexcept { return {deadline_, this}; }

  // watch has func run at the end and takes over one reference to it; false: it has ended already.
  bool watch(after_func_node* func);
  // unwatch: true if func was waiting; it will now never run, and the reference comes back to the
  // caller.
  bool unwatch(after_func_node* func) noexcept;

 private:
  enum : std::uint8_t { end_mask = 3, watched_bit = 4, closing_bit = 8 };

  // pairs with cancel_node.cc:finish_one
  end ended() const noexcept { return end_of(state.load(memory_order_acquire)); }
  static end end_of(std::uint8_t bits) noexcept { return static_cast<end>(bits & end_mask); }
  // The nearest above that can end; null: none.
  cancel_node* parent_canceler() const noexcept {
    return parent == nullptr ? nullptr : parent->canceler;
  }

  void finish(end how, error const& cause);
  end settled_end();
  void await_closed();
  bool finish_one(end how, error const& cause, cancel_link*& work);
  bool adopt_end_above();
  cancel_watch& make_watch();
  bool engage() noexcept VOLE_REQUIRES_LOCK(mu_);
  void attach();
  bool attach_one();
  void link(cancel_link& up);
  static void unlink(cancel_link& up) noexcept;
  void leave_parents(cancel_watch& mine) noexcept;
  void arm();
  static void on_first_wait(cancel_source& source) noexcept;
  static time_point on_timer(timer_node* timer, time_point now);

  time_point deadline_ = never;
  cancel_node* expirer_ = nullptr;        // null: no deadline
  error const expire_cause_;              // cause when the own deadline ends it; null: as err()
  error cause_;                           // null: as err()
  atomic<cancel_watch*> watch_{nullptr};  // set once, under mu_; owned
};

// run_after_func runs func in a goroutine of its own, which takes over one reference.
void run_after_func(after_func_node* func);

}  // namespace vole::internal
