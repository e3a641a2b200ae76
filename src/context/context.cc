// SPDX-License-Identifier: Apache-2.0
#include "vole/context.h"

#include <vector>

#include "vole/assert.h"
#include "vole/runtime.h"
#include "vole/time.h"

#include "context/cancel_node.h"

namespace vole {
namespace internal {
namespace {

cancel_node* canceler_of(context_node const* node) noexcept {
  return node == nullptr ? nullptr : node->canceler;
}

void destroy(context_node* node) noexcept {
  switch (node->kind) {
    case context_kind::cancel:
      delete static_cast<cancel_node*>(node);
      return;
    case context_kind::value: {
      auto* const value = static_cast<value_node*>(node);
      value->destroy(value);
      return;
    }
    case context_kind::without_cancel:
      delete node;
      return;
  }
}

}  // namespace

namespace {

// Whether the caller held the last reference; then nobody can make another one.
bool last_reference(context_node& node) noexcept {
  // pairs with the release of the others: the last one sees what they did before.
  return node.refs.load(memory_order_acquire) == 1 ||
         node.refs.fetch_sub(1, memory_order_acq_rel) == 1;
}

}  // namespace

void context_release(context_node* node) noexcept {
  while (node != nullptr && last_reference(*node)) {
    context_node* const parent = node->parent;
    destroy(node);
    node = parent;
  }
}

void context_link_value(value_node* node) noexcept {
  context_retain(node->parent);
  node->canceler = canceler_of(node->parent);
  node->outer = node->parent == nullptr ? nullptr : node->parent->values;
  node->values = node;
}

void after_func_release(after_func_node* node) noexcept {
  // pairs with itself: the last to release sees what the other did before it released.
  if (node->refs.fetch_sub(1, memory_order_acq_rel) == 1) node->destroy(node);
}

error context_error(context const& ctx) {
  error err = ctx.err();
  VOLE_ASSERT(err, "a wait was ended by a context that has not ended");
  return err;
}

}  // namespace internal

using internal::canceler_of;

std::pair<context, cancel_handle> context::make_cancel(context const& parent, time_point deadline,
                                                       error cause) {
  auto* const node = new internal::cancel_node(parent.node_, deadline, std::move(cause));
  return {context(node), cancel_handle(node)};
}

std::pair<context, cancel_handle> context::make_merged(context const& first,
                                                       std::span<context const* const> others) {
  time_point deadline = never;
  error cause;
  std::vector<internal::cancel_node*> parents;
  for (context const* const other : others) {
    auto* const canceler = canceler_of(other->node_);
    if (canceler == nullptr) continue;
    parents.push_back(canceler);
    if (canceler->deadline() < deadline) {
      deadline = canceler->deadline();
      cause = canceler->expire_cause();
    }
  }
  auto made = make_cancel(first, deadline, std::move(cause));
  if (!parents.empty()) made.second.node_->merge_below(parents);
  return made;
}

std::pair<context, cancel_handle> context::with_cancel(context const& parent) {
  return make_cancel(parent, never, nullptr);
}

std::pair<context, cancel_handle> context::with_deadline(context const& parent, time_point deadline,
                                                         error cause) {
  auto made = make_cancel(parent, deadline, std::move(cause));
  if (deadline != never && deadline <= internal::now()) made.second.node_->expire_now();
  return made;
}

std::pair<context, cancel_handle> context::with_timeout(context const& parent, duration timeout,
                                                        error cause) {
  auto made = make_cancel(parent, internal::deadline_after(timeout), std::move(cause));
  if (timeout <= duration::zero()) made.second.node_->expire_now();
  return made;
}

context context::without_cancel(context const& parent) {
  if (parent.node_ == nullptr || parent.node_->canceler == nullptr) return parent;
  auto* const node =
      new internal::context_node(internal::context_kind::without_cancel, parent.node_);
  internal::context_retain(parent.node_);
  node->values = parent.node_->values;
  return context(node);
}

error context::err() const {
  auto* const canceler = canceler_of(node_);
  return canceler == nullptr ? error() : canceler->err();
}

error context::cause() const {
  auto* const canceler = canceler_of(node_);
  return canceler == nullptr ? error() : canceler->cause();
}

std::optional<time_point> context::deadline() const noexcept {
  auto* const canceler = canceler_of(node_);
  if (canceler == nullptr || canceler->deadline() == never) return std::nullopt;
  return canceler->deadline();
}

recv_chan<unit> context::done() const {
  auto* const canceler = canceler_of(node_);
  return canceler == nullptr ? recv_chan<unit>() : canceler->done();
}

context::operator internal::park_limit() const noexcept {
  auto* const canceler = canceler_of(node_);
  return canceler == nullptr ? internal::park_limit() : canceler->limit();
}

// watch: true if the node now waits for the end of ctx; the caller then owns the second reference.
bool context::watch(context const& ctx, internal::after_func_node* node) {
  auto* const canceler = canceler_of(ctx.node_);
  if (canceler == nullptr) {
    internal::after_func_release(node);  // never to run
    return false;
  }
  // relaxed, no partner: nobody else knows the node yet.
  node->refs.store(2, internal::memory_order_relaxed);
  node->scheduling = runtime::scheduling();
  if (canceler->watch(node)) return true;
  internal::after_func_release(node);
  internal::run_after_func(node);
  return false;
}

cancel_handle& cancel_handle::operator=(cancel_handle&& other) noexcept {
  cancel_handle old(std::move(*this));  // ended by its destructor
  node_ = std::exchange(other.node_, nullptr);
  return *this;
}

cancel_handle::~cancel_handle() {
  if (node_ == nullptr) return;
  cancel(nullptr);
  internal::context_release(node_);
}

void cancel_handle::cancel(error cause) const {
  if (node_ != nullptr) node_->cancel(cause);
}

stop_handle& stop_handle::operator=(stop_handle&& other) noexcept {
  if (this == &other) return *this;
  stop();
  ctx_ = std::move(other.ctx_);
  node_ = std::exchange(other.node_, nullptr);
  return *this;
}

bool stop_handle::stop() noexcept {
  if (node_ == nullptr) return false;
  auto* const node = std::exchange(node_, nullptr);
  bool const stopped = canceler_of(ctx_.get().node_)->unwatch(node);
  if (stopped) internal::after_func_release(node);
  internal::after_func_release(node);
  ctx_ = context();
  return stopped;
}

void stop_handle::detach() noexcept {
  if (node_ != nullptr) internal::after_func_release(std::exchange(node_, nullptr));
  ctx_ = context();
}

error time::sleep(context const& ctx, duration d) {
  return internal::wait_error(ctx, internal::sleep_until(d, ctx));
}

}  // namespace vole
