// SPDX-License-Identifier: Apache-2.0
#include "context/cancel_node.h"

#include <algorithm>

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

}  // namespace

void run_after_func(after_func_node* func) {
  go([func] {
    func->run(func);
    after_func_release(func);
  });
}

cancel_node::cancel_node(context_node* node_parent, time_point own_deadline,
                         error own_cause) noexcept
    : context_node(context_kind::cancel, node_parent), expire_cause_(std::move(own_cause)) {
  context_retain(node_parent);
  canceler = this;
  if (node_parent != nullptr) {
    values = node_parent->values;
    parent_canceler_ = node_parent->canceler;
  }
  deadline_ = own_deadline;
  expirer_ = own_deadline == never ? nullptr : this;
  if (parent_canceler_ != nullptr && parent_canceler_->deadline_ <= own_deadline) {
    deadline_ = parent_canceler_->deadline_;
    expirer_ = parent_canceler_->expirer_;
  }
}

cancel_node::~cancel_node() {
  // relaxed, no partner: the last reference is gone, and releasing it ordered everything before.
  VOLE_ASSERT(ended_.load(memory_order_relaxed) != end::live, "a live context lost its handle");
}

void cancel_node::attach() {
  if (parent_canceler_ == nullptr) return;
  {
    raw_lock const lock(parent_canceler_->mu_);
    // relaxed, no partner: ended_ changes under mu_ only.
    if (parent_canceler_->ended_.load(memory_order_relaxed) == end::live) {
      next_sibling_ = parent_canceler_->first_child_;
      if (next_sibling_ != nullptr) next_sibling_->prev_sibling_ = this;
      parent_canceler_->first_child_ = this;
      linked_ = true;
      return;
    }
  }
  // pairs with cancel_node.cc:finish_one
  finish(parent_canceler_->ended_.load(memory_order_acquire), parent_canceler_->cause_);
}

void cancel_node::leave_parent() noexcept {
  if (parent_canceler_ == nullptr) return;
  raw_lock const lock(parent_canceler_->mu_);
  if (!linked_) return;
  linked_ = false;
  (prev_sibling_ == nullptr ? parent_canceler_->first_child_ : prev_sibling_->next_sibling_) =
      next_sibling_;
  if (next_sibling_ != nullptr) next_sibling_->prev_sibling_ = prev_sibling_;
  prev_sibling_ = next_sibling_ = nullptr;
}

void cancel_node::take_children(cancel_node*& work) noexcept {
  for (cancel_node* child = std::exchange(first_child_, nullptr); child != nullptr;) {
    cancel_node* const next = child->next_sibling_;
    context_retain(child);
    child->linked_ = false;
    child->prev_sibling_ = child->next_sibling_ = nullptr;
    child->next_ending_ = work;
    work = child;
    child = next;
  }
}

void cancel_node::finish(end how, error const& cause) {
  cancel_node* work = nullptr;
  if (!finish_one(how, cause, work)) return;
  leave_parent();
  while (work != nullptr) {
    cancel_node* const node = std::exchange(work, work->next_ending_);
    node->finish_one(how, cause, work);
    context_release(node);
  }
}

// finish_one ends this node alone and puts its children on the work list; false: it had ended
// before.
bool cancel_node::finish_one(end how, error const& cause, cancel_node*& work) {
  after_func_node* funcs = nullptr;
  chan<unit> done;
  bool armed = false;
  {
    raw_lock const lock(mu_);
    // relaxed, no partner: ended_ changes under mu_ only.
    if (ended_.load(memory_order_relaxed) != end::live) return false;
    cause_ = cause;
    // pairs with cancel_node.cc:check, err, cause, attach
    ended_.store(how, memory_order_release);
    take_children(work);
    funcs = std::exchange(first_func_, nullptr);
    for (after_func_node* func = funcs; func != nullptr; func = func->next) func->linked = false;
    done = done_;
    armed = std::exchange(armed_, false);
  }
  source_.fire();
  if (done) done.close();
  if (armed && timer_delete(timer_)) context_release(this);
  while (funcs != nullptr) run_after_func(std::exchange(funcs, funcs->next));
  return true;
}

cancel_node::end cancel_node::check() {
  // pairs with cancel_node.cc:finish_one
  end const ended = ended_.load(memory_order_acquire);
  if (ended != end::live || deadline_ == never || now() < deadline_) return ended;
  expirer_->finish(end::expired, expirer_->expire_cause_);
  // Another caller may be on its way down from the expirer and not here yet.
  // pairs with cancel_node.cc:finish_one
  finish(expirer_->ended_.load(memory_order_acquire), expirer_->cause_);
  // pairs with cancel_node.cc:finish_one
  return ended_.load(memory_order_acquire);
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

recv_chan<unit> cancel_node::done() {
  bool const ended = check() != end::live;
  chan<unit> fresh = ended ? chan<unit>() : chan<unit>(0);
  {
    raw_lock const lock(mu_);
    if (done_) return done_;
    // relaxed, no partner: ended_ changes under mu_ only.
    if (ended_.load(memory_order_relaxed) != end::live) return closed_channel();
    done_ = fresh;
  }
  if (expirer_ != nullptr) expirer_->arm();
  return fresh;
}

bool cancel_node::watch(after_func_node* func) {
  if (check() != end::live) return false;
  {
    raw_lock const lock(mu_);
    // relaxed, no partner: ended_ changes under mu_ only.
    if (ended_.load(memory_order_relaxed) != end::live) return false;
    func->linked = true;
    func->next = first_func_;
    if (first_func_ != nullptr) first_func_->previous = func;
    first_func_ = func;
  }
  if (expirer_ != nullptr) expirer_->arm();
  return true;
}

bool cancel_node::unwatch(after_func_node* func) noexcept {
  raw_lock const lock(mu_);
  if (!func->linked) return false;
  func->linked = false;
  (func->previous == nullptr ? first_func_ : func->previous->next) = func->next;
  if (func->next != nullptr) func->next->previous = func->previous;
  func->previous = func->next = nullptr;
  return true;
}

// arm sets the timer that ends this node at its own deadline, once.
void cancel_node::arm() {
  raw_lock const lock(mu_);
  // relaxed, no partner: ended_ changes under mu_ only.
  if (armed_ || ended_.load(memory_order_relaxed) != end::live) return;
  armed_ = true;
  context_retain(this);
  timer_.fire = &on_timer;
  timer_.node = this;
  timer_add(timer_, deadline_);
}

// The heap's lock is held here, and an end may have far to travel: a goroutine does it.
time_point cancel_node::on_timer(timer_node* timer, time_point) {
  cancel_node* const node = static_cast<expiry_timer*>(timer)->node;
  go([node] {
    node->finish(end::expired, node->expire_cause_);
    context_release(node);
  });
  return never;
}

}  // namespace vole::internal
