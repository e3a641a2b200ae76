// SPDX-License-Identifier: Apache-2.0
// The node of a context that can end, and how its end travels to the contexts below.
//
// INVARIANTS
//   - ended_ leaves `live` once and never changes again; cause_ is written before it and never
//   after.
//   - A live node is held by its cancel_handle, and whoever ends one holds it. So a linked child is
//   alive, and
//     by the time a node is freed it has ended: no children, no functions, no timer, not linked.
//   - A child is linked in the nearest cancel node above it while both are live; it leaves at its
//   end, so that
//     nothing of an ended context stays with a parent that lives on.
//   - deadline_ never lies after the parent's; expirer_ is the node (this or above) that the
//   deadline belongs
//     to, so that one timer serves all contexts that share a deadline. It is armed when the first
//     of them is watched by what cannot carry a deadline itself: done() or after_func. An armed
//     timer holds the node.
//   - An end reaches the nodes below by a work list through next_ending_, never by recursion.
// LOCKS
//   - mu_ guards what says so; prev_sibling_, next_sibling_ and linked_ belong to the mu_ of
//   parent_canceler_.
//   - Two node locks are never held at once. Under mu_ only the timer heap's lock is taken (to
//   arm).
//   - Waiters, channel, timer and functions are told after mu_ is released.
// ORDERING  ended_ is stored with release after cause_; whoever loads it with acquire may read
// cause_ unlocked.
#pragma once

#include "vole/chan.h"
#include "vole/context.h"
#include "vole/internal/park.h"
#include "vole/internal/raw_mutex.h"

#include "runtime/timer.h"

namespace vole::internal {

struct cancel_node : context_node {
  enum class end : std::uint8_t { live, canceled, expired };

  // A node below parent that `own_deadline` also ends. The caller then calls attach().
  cancel_node(context_node* node_parent, time_point own_deadline, error own_cause) noexcept;
  ~cancel_node();

  // attach links the new node below the nearest cancel node above it, or ends it if that has ended.
  void attach();

  // finish ends this node and all below it; no effect when it has ended. The caller holds the node.
  void finish(end how, error const& cause);

  // check is the state as of now: a node whose deadline has passed is ended by that.
  end check();

  // What a context says.
  error err();
  error cause();
  recv_chan<unit> done();
  time_point deadline() const noexcept { return deadline_; }
  park_limit limit() noexcept { return {deadline_, &source_}; }

  // watch has func run at the end and takes over one reference to it; false: it has ended already.
  bool watch(after_func_node* func);
  // unwatch: true if func was waiting; it will now never run, and the reference comes back to the
  // caller.
  bool unwatch(after_func_node* func) noexcept;

 private:
  struct expiry_timer : timer_node {
    cancel_node* node = nullptr;
  };

  bool finish_one(end how, error const& cause, cancel_node*& work);
  void take_children(cancel_node*& work) noexcept VOLE_REQUIRES_LOCK(mu_);
  void leave_parent() noexcept;
  void arm();
  static time_point on_timer(timer_node* timer, time_point now);

  time_point deadline_ = never;
  cancel_node* expirer_ = nullptr;          // null: no deadline
  cancel_node* parent_canceler_ = nullptr;  // nearest above; null: none
  error const expire_cause_;                // cause when the own deadline ends it; null: as err()

  cancel_source source_;
  atomic<end> ended_{end::live};
  error cause_;  // null: as err()

  raw_mutex mu_;
  bool armed_ VOLE_GUARDED_BY(mu_) = false;
  cancel_node* first_child_ VOLE_GUARDED_BY(mu_) = nullptr;
  after_func_node* first_func_ VOLE_GUARDED_BY(mu_) = nullptr;
  chan<unit> done_ VOLE_GUARDED_BY(mu_);  // nil until asked for
  expiry_timer timer_;                    // guarded by its heap's lock once armed

  bool linked_ = false;
  cancel_node* prev_sibling_ = nullptr;
  cancel_node* next_sibling_ = nullptr;
  cancel_node* next_ending_ =
      nullptr;  // belongs to the one caller that took this out of its parent
};

// run_after_func runs func in a goroutine of its own, which takes over one reference.
void run_after_func(after_func_node* func);

}  // namespace vole::internal
