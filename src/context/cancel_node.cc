// SPDX-License-Identifier: Apache-2.0
// Invariants and locks: cancel_node.h.
#include "context/cancel_node.h"

#include "vole/assert.h"
#include "vole/go.h"

namespace vole::internal {
namespace {

// A channel that was closed before anybody saw it: done() of a context that ended unwatched.
recv_chan<unit> closed_channel() {
  static chan<unit> const* const closed = [] {
    auto* made = new chan<unit>(0);  // never freed: a context may outlive static objects
    made->close();
    return made;
  }();
  return *closed;
}

// take_children puts the children on the work list; the parent's lock is held.
void take_children(cancel_watch& parent, cancel_link*& work) noexcept {
  for (cancel_link* at = std::exchange(parent.first_child, nullptr); at != nullptr;) {
    cancel_link* const next = at->next;
    context_retain(at->child);
    at->linked = false;
    at->previous = at->next = nullptr;
    at->next_ending = work;
    work = at;
    at = next;
  }
}

}  // namespace

void run_after_func(after_func_node* func) {
  go({.scheduling = func->scheduling}, [func] {
    func->run(func);
    after_func_release(func);
  });
}

cancel_node::cancel_node(context_node* node_parent, time_point own_deadline,
                         error own_cause) noexcept
    : context_node(context_kind::cancel, node_parent),
      cancel_source(&on_first_wait),
      expire_cause_(std::move(own_cause)) {
  // relaxed, no partner: nobody else knows the node yet.
  refs.store(2, memory_order_relaxed);
  context_retain(node_parent);
  canceler = this;
  if (node_parent != nullptr) values = node_parent->values;
  deadline_ = own_deadline;
  expirer_ = own_deadline == never ? nullptr : this;
  cancel_node const* const above = parent_canceler();
  if (above != nullptr && above->deadline_ <= own_deadline) {
    deadline_ = above->deadline_;
    expirer_ = above->expirer_;
  }
}

cancel_node::~cancel_node() {
  VOLE_ASSERT(ended() != end::live, "a live context lost its handle");
  // relaxed, no partner: the last reference is gone, and releasing it ordered everything before.
  cancel_watch* const mine = watch_.load(memory_order_relaxed);
  if (mine == nullptr) return;
  for (cancel_link const& up : mine->merged) context_release(up.parent);
  delete mine;
}

cancel_watch& cancel_node::make_watch() {
  // pairs with cancel_node.cc:make_watch
  if (cancel_watch* const made = watch_.load(memory_order_acquire)) return *made;
  auto fresh = std::make_unique<cancel_watch>(this, parent_canceler());
  raw_lock const lock(mu_);
  // relaxed, no partner: it is set under mu_.
  if (cancel_watch* const other = watch_.load(memory_order_relaxed)) return *other;
  // pairs with cancel_node.cc:make_watch
  watch_.store(fresh.get(), memory_order_release);
  return *fresh.release();
}

// engage lets what follows under mu_ enter the lists; false: the node has ended.
bool cancel_node::engage() noexcept {
  // pairs with cancel_node.cc:finish_one
  return end_of(state.fetch_or(watched_bit, memory_order_acq_rel)) == end::live;
}

// attach has every end above brought here. Another caller may have begun it: then that one goes on
// to the root, and finds what has ended meanwhile.
void cancel_node::attach() {
  cancel_node* at = this;
  while (at->parent_canceler() != nullptr && at->attach_one()) at = at->parent_canceler();
}

bool cancel_node::attach_one() {
  cancel_watch& mine = make_watch();
  {
    raw_lock const lock(mu_);
    if (mine.attached || !engage()) return false;
    mine.attached = true;
  }
  link(mine.up);
  return true;
}

// link enters this node at a parent, or ends it when that one has ended.
void cancel_node::link(cancel_link& up) {
  cancel_node& parent = *up.parent;
  cancel_watch& above = parent.make_watch();
  bool ended_there;
  {
    raw_lock const lock(parent.mu_);
    ended_there = !parent.engage();
    if (!ended_there) {
      up.next = above.first_child;
      if (up.next != nullptr) up.next->previous = &up;
      above.first_child = &up;
      up.linked = true;
    }
  }
  if (ended_there) return finish(parent.ended(), parent.cause_);
  // Whoever has ended this node meanwhile may have looked for the link too early.
  if (ended() != end::live) unlink(up);
}

void cancel_node::unlink(cancel_link& up) noexcept {
  raw_lock const lock(up.parent->mu_);
  if (!up.linked) return;
  up.linked = false;
  if (up.previous != nullptr) {
    up.previous->next = up.next;
  } else {
    // relaxed, no partner: the link is in that list, so it is there.
    up.parent->watch_.load(memory_order_relaxed)->first_child = up.next;
  }
  if (up.next != nullptr) up.next->previous = up.previous;
  up.previous = up.next = nullptr;
}

void cancel_node::leave_parents(cancel_watch& mine) noexcept {
  if (mine.up.parent != nullptr) unlink(mine.up);
  for (cancel_link& up : mine.merged) unlink(up);
}

void cancel_node::merge_below(std::span<cancel_node* const> parents) {
  cancel_watch& mine = make_watch();
  mine.merged.resize(parents.size());
  for (std::size_t i = 0; i < parents.size(); ++i) {
    context_retain(parents[i]);
    mine.merged[i].child = this;
    mine.merged[i].parent = parents[i];
  }
  attach();
  for (cancel_link& up : mine.merged) {
    link(up);
    up.parent->attach();
  }
}

// adopt_end_above: true if a node above has ended, which is then the end of this one.
bool cancel_node::adopt_end_above() {
  for (cancel_node* at = parent_canceler(); at != nullptr; at = at->parent_canceler()) {
    if (end const there = at->ended(); there != end::live) {
      finish(there, at->cause_);
      return true;
    }
  }
  return false;
}

void cancel_node::cancel(error const& cause) {
  if (ended() != end::live || adopt_end_above()) return;
  finish(end::canceled, cause);
}

void cancel_node::expire_now() {
  if (!adopt_end_above()) finish(end::expired, expire_cause_);
}

// finish ends this node and all below it; no effect when it has ended. The caller holds the node.
void cancel_node::finish(end how, error const& cause) {
  cancel_link* work = nullptr;
  if (!finish_one(how, cause, work)) return;
  // pairs with cancel_node.cc:make_watch
  if (cancel_watch* const mine = watch_.load(memory_order_acquire)) leave_parents(*mine);
  while (work != nullptr) {
    cancel_link* const at = std::exchange(work, work->next_ending);
    cancel_node* const node = at->child;
    // A plain child was taken out of its only parent; a merged one may still be linked elsewhere.
    // relaxed, no partner: the link lies in it.
    cancel_watch& below = *node->watch_.load(memory_order_relaxed);
    if (node->finish_one(how, cause, work) && !below.merged.empty()) node->leave_parents(below);
    context_release(node);
  }
}

// finish_one ends this node alone and puts its children on the work list; false: it had ended
// before.
bool cancel_node::finish_one(end how, error const& cause, cancel_link*& work) {
  std::uint8_t unwatched = 0;
  // pairs with cancel_node.h:ended and cancel_node.cc:engage
  if (!cause && state.compare_exchange_strong(unwatched, static_cast<std::uint8_t>(how),
                                              memory_order_acq_rel, memory_order_relaxed)) {
    return true;
  }
  after_func_node* funcs = nullptr;
  chan<unit> done;
  bool armed = false;
  cancel_watch* mine = nullptr;
  {
    raw_lock const lock(mu_);
    if (!engage()) return false;
    cause_ = cause;
    // relaxed, no partner: it is set under mu_.
    mine = watch_.load(memory_order_relaxed);
    if (mine != nullptr) done = mine->done;
    auto const bits = watched_bit | (done ? closing_bit : 0);
    // pairs with cancel_node.h:ended
    state.store(static_cast<std::uint8_t>(static_cast<int>(how) | bits), memory_order_release);
    if (mine == nullptr) return true;
    take_children(*mine, work);
    funcs = std::exchange(mine->first_func, nullptr);
    for (after_func_node* func = funcs; func != nullptr; func = func->next) func->linked = false;
    armed = std::exchange(mine->armed, false);
  }
  if (done) {
    done.close();
    // pairs with cancel_node.cc:settled_end
    state.fetch_and(static_cast<std::uint8_t>(~closing_bit), memory_order_release);
  }
  fire();
  if (armed && timer_delete(mine->timer)) context_release(this);
  while (funcs != nullptr) run_after_func(std::exchange(funcs, funcs->next));
  return true;
}

// settled_end is the end whose done(), if anybody has it, is closed.
cancel_node::end cancel_node::settled_end() {
  // pairs with cancel_node.cc:finish_one
  std::uint8_t const bits = state.load(memory_order_acquire);
  if ((bits & closing_bit) != 0) await_closed();
  return end_of(bits);
}

// await_closed waits for who is just closing done().
void cancel_node::await_closed() {
  chan<unit> done;
  {
    raw_lock const lock(mu_);
    // relaxed, no partner: there is a channel to be closed.
    done = watch_.load(memory_order_relaxed)->done;
  }
  done.recv();
}

cancel_node::end cancel_node::check() {
  end const known = settled_end();
  if (known != end::live) return known;
  if (!adopt_end_above()) {
    if (deadline_ == never || now() < deadline_) return end::live;
    expirer_->finish(end::expired, expirer_->expire_cause_);
    // Another caller may be on its way down from the expirer and not here yet.
    finish(expirer_->ended(), expirer_->cause_);
  }
  return settled_end();
}

error cancel_node::err() {
  switch (check()) {
    case end::live:
      return nullptr;
    case end::canceled:
      return context::canceled;
    case end::expired:
      return context::deadline_exceeded;
  }
  return nullptr;
}

error cancel_node::cause() {
  if (check() == end::live) return nullptr;
  return cause_ ? cause_ : err();
}

void cancel_node::on_first_wait(cancel_source& source) noexcept {
  auto& node = static_cast<cancel_node&>(source);
  node.make_watch();
  node.attach();
  bool live;
  {
    raw_lock const lock(node.mu_);
    live = node.engage();
  }
  if (!live) node.fire();  // it may have ended before there was a watch to tell
  node.set_watched();
}

recv_chan<unit> cancel_node::done() {
  if (check() != end::live) {
    // pairs with cancel_node.cc:make_watch
    if (watch_.load(memory_order_acquire) == nullptr) return closed_channel();
  }
  cancel_watch& mine = make_watch();
  {
    raw_lock const lock(mu_);
    if (mine.done) return mine.done;
  }
  chan<unit> const fresh(0);
  {
    raw_lock const lock(mu_);
    if (mine.done) return mine.done;
    if (!engage()) return closed_channel();
    mine.done = fresh;
  }
  attach();
  if (expirer_ != nullptr) expirer_->arm();
  return fresh;
}

bool cancel_node::watch(after_func_node* func) {
  if (check() != end::live) return false;
  cancel_watch& mine = make_watch();
  {
    raw_lock const lock(mu_);
    if (!engage()) return false;
    func->linked = true;
    func->next = mine.first_func;
    if (func->next != nullptr) func->next->previous = func;
    mine.first_func = func;
  }
  attach();
  if (expirer_ != nullptr) expirer_->arm();
  return true;
}

bool cancel_node::unwatch(after_func_node* func) noexcept {
  raw_lock const lock(mu_);
  if (!func->linked) return false;
  func->linked = false;
  if (func->previous != nullptr) {
    func->previous->next = func->next;
  } else {
    // relaxed, no partner: the function is in that list, so it is there.
    watch_.load(memory_order_relaxed)->first_func = func->next;
  }
  if (func->next != nullptr) func->next->previous = func->previous;
  func->previous = func->next = nullptr;
  return true;
}

// arm sets the timer that ends this node at its own deadline, once.
void cancel_node::arm() {
  cancel_watch& mine = make_watch();
  raw_lock const lock(mu_);
  if (mine.armed || !engage()) return;
  mine.armed = true;
  context_retain(this);
  mine.timer.fire = &on_timer;
  timer_add(mine.timer, deadline_);
}

// The heap's lock is held here, and an end may have far to travel: a goroutine does it.
time_point cancel_node::on_timer(timer_node* timer, time_point) {
  cancel_node* const node = static_cast<cancel_watch::expiry_timer*>(timer)->node;
  go([node] {
    node->expire_now();
    context_release(node);
  });
  return never;
}

}  // namespace vole::internal
