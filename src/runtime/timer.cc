// SPDX-License-Identifier: Apache-2.0
// A node keeps heap_ while it fires, so that timer_delete() waits on the heap's lock for the end of
// fire().

#include "runtime/timer.h"

#include "base/rand.h"
#include "runtime/bubble.h"
#include "runtime/goroutine.h"
#include "runtime/scheduler.h"

namespace vole::internal {
namespace {

constexpr std::size_t arity = 4;
constexpr std::size_t fires_per_lock = 64;  // then others may have the lock

}  // namespace

void timer_heap::publish() noexcept {
  time_point const first = entries_.empty() ? never : entries_.front().when;
  // seq_cst: pairs with worker.cc:next_timer, of wait_for_net, which sets poll_until_ before, and
  // of find_runnable, which has put its processor among the idle ones
  if (next_when_.load(memory_order_relaxed) != first.time_since_epoch().count()) {
    next_when_.store(first.time_since_epoch().count());
  }
}

void timer_heap::place(std::size_t i, entry e) noexcept {
  entries_[i] = e;
  e.node->index_ = static_cast<std::uint32_t>(i);
}

bool timer_heap::before(entry const& a, entry const& b) const noexcept {
  return a.when < b.when || (of_bubble_ && a.when == b.when && a.node->lot_ < b.node->lot_);
}

void timer_heap::sift_up(std::size_t i) noexcept {
  entry const e = entries_[i];
  while (i > 0) {
    std::size_t const parent = (i - 1) / arity;
    if (!before(e, entries_[parent])) break;
    place(i, entries_[parent]);
    i = parent;
  }
  place(i, e);
}

void timer_heap::sift_down(std::size_t i) noexcept {
  entry const e = entries_[i];
  std::size_t const n = entries_.size();
  while (true) {
    std::size_t const first = i * arity + 1;
    if (first >= n) break;
    std::size_t least = first;
    std::size_t const end = first + arity < n ? first + arity : n;
    for (std::size_t c = first + 1; c < end; ++c) {
      if (before(entries_[c], entries_[least])) least = c;
    }
    if (!before(entries_[least], e)) break;
    place(i, entries_[least]);
    i = least;
  }
  place(i, e);
}

void timer_heap::link(timer_node& node, time_point when) noexcept {
  node.when = when;
  node.key_ = when;
  if (of_bubble_) [[unlikely]]
    node.lot_ = static_cast<std::uint32_t>(fast_rand());
  // pairs with timer.cc:timer_delete, timer_move, timer_advance
  node.heap_.store(this, memory_order_release);
  entries_.push_back({when, &node});
  sift_up(entries_.size() - 1);
}

bool timer_heap::push(timer_node& node, time_point when) noexcept {
  link(node, when);
  publish();
  return node.index_ == 0;
}

void timer_heap::unlink(timer_node& node) noexcept {
  std::size_t const i = node.index_;
  entry const last = entries_.back();
  entries_.pop_back();
  if (last.node != &node) {
    place(i, last);
    sift_up(i);
    sift_down(last.node->index_);
  }
  settle_front();
}

void timer_heap::remove(timer_node& node) noexcept {
  unlink(node);
  publish();
}

void timer_heap::move(timer_node& node, time_point when) noexcept {
  node.when = when;
  if (when < node.key_) {
    node.key_ = when;
    entries_[node.index_].when = when;
    sift_up(node.index_);
  } else if (node.index_ == 0) {
    settle_front();
  } else {
    return;  // the usual case: a deadline moves on, and only its node is touched
  }
  publish();
}

// Sends those that were moved to later from the front to their places.
void timer_heap::settle_front() noexcept {
  while (!entries_.empty() && entries_.front().when != entries_.front().node->when) {
    timer_node& node = *entries_.front().node;
    node.key_ = node.when;
    entries_.front().when = node.when;
    sift_down(0);
  }
}

std::size_t timer_heap::run(time_point now) noexcept {
  std::size_t fired = 0;
  std::size_t before = 0;
  do {
    before = fired;
    raw_lock const lock(mu_);
    fired += run_some(now);
    // Not between: who is about to sleep must not miss a timer that fires and is armed again.
    publish();
  } while (fired - before == fires_per_lock);
  return fired;
}

std::size_t timer_heap::run_some(time_point now) noexcept {
  std::size_t fired = 0;
  while (fired < fires_per_lock && !entries_.empty() && entries_.front().when <= now) {
    timer_node& node = *entries_.front().node;
    unlink(node);
    ++fired;
    time_point const again = node.fire(&node, now);
    if (again != never) {
      link(node, again);
    } else {
      // Whoever waits in timer_delete may free the node once the lock is let go.
      node.heap_.store(nullptr, memory_order_release);  // pairs with timer.cc:timer_delete
    }
  }
  return fired;
}

void timer_heap::move_to(timer_heap& other) noexcept VOLE_NO_THREAD_SAFETY_ANALYSIS {
  raw_lock const from(mu_);
  raw_lock const to(other.mu_);
  for (entry const& e : entries_) other.push(*e.node, e.node->when);
  entries_.clear();
  publish();
}

std::size_t timer_heap::size() noexcept {
  raw_lock const lock(mu_);
  return entries_.size();
}

void timer_heap::changed(time_point earliest) noexcept {
  if (!of_bubble_) {
    the_scheduler().timer_changed(earliest);
    return;
  }
  // Who arms it is not at rest, so the bubble's clock stands: what is due need not wait for it.
  goroutine const* const g = current_goroutine();
  bubble* const in = g == nullptr ? nullptr : g->bubble;
  if (in == nullptr || &in->timers() != this) return;
  if (time_point const t = in->now(); earliest <= t) run(t);
}

void timer_add(timer_node& node, time_point when) noexcept {
  timer_heap& heap = the_scheduler().timers_for_caller();
  bool earliest = false;
  {
    raw_lock const lock(heap.mu_);
    earliest = heap.push(node, when);
  }
  if (earliest) heap.changed(when);
}

bool timer_delete(timer_node& node) noexcept {
  // pairs with timer.cc:timer_heap::link, timer_heap::run_some
  while (timer_heap* const heap = node.heap_.load(memory_order_acquire)) {
    raw_lock const lock(heap->mu_);
    if (node.heap_.load(memory_order_relaxed) != heap) continue;
    heap->remove(node);
    node.heap_.store(nullptr, memory_order_relaxed);
    return true;
  }
  return false;
}

bool timer_move(timer_node& node, time_point when) noexcept {
  // pairs with timer.cc:timer_heap::link, timer_heap::run_some
  while (timer_heap* const heap = node.heap_.load(memory_order_acquire)) {
    bool earliest = false;
    {
      raw_lock const lock(heap->mu_);
      if (node.heap_.load(memory_order_relaxed) != heap) continue;
      heap->move(node, when);
      earliest = node.index_ == 0;
    }
    if (earliest) heap->changed(when);
    return true;
  }
  return false;
}

void timer_advance(timer_node& node, time_point when) noexcept {
  while (true) {
    // pairs with timer.cc:timer_heap::link, timer_heap::run_some
    timer_heap* heap = node.heap_.load(memory_order_acquire);
    bool const armed = heap != nullptr;
    if (!armed) heap = &the_scheduler().timers_for_caller();
    bool earliest = false;
    {
      raw_lock const lock(heap->mu_);
      timer_heap* found = nullptr;
      if (armed) {
        if (node.heap_.load(memory_order_relaxed) != heap) continue;
        if (node.when <= when) return;
        heap->move(node, when);
        earliest = node.index_ == 0;
        // Another may arm it in a heap of its own just now: one of the two has it.
        // pairs with timer.cc:timer_heap::run_some, and itself
      } else if (node.heap_.compare_exchange_strong(found, heap, memory_order_acq_rel)) {
        earliest = heap->push(node, when);
      } else {
        continue;
      }
    }
    if (earliest) heap->changed(when);
    return;
  }
}

}  // namespace vole::internal
