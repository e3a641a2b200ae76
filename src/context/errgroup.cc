// SPDX-License-Identifier: Apache-2.0
#include "vole/errgroup.h"

namespace vole::errgroup {

group::group(context const& parent, member_options const& members)
    : group(context::with_cancel(parent), members) {}

group::group(std::pair<context, cancel_handle> made, member_options const& members)
    : ctx_(std::move(made.first)), cancel_(std::move(made.second)), members_(members) {}

group::~group() {
  cancel_();
  running_.wait();
}

void group::set_limit(std::int64_t n) {
  VOLE_REQUIRE(n >= 1, "errgroup: a limit of {} would let nothing run", n);
  VOLE_REQUIRE(!slots_ && !started_.load(internal::memory_order_relaxed),
               "errgroup: set_limit() comes once, before the first go()");
  slots_.emplace(n);
}

error group::wait() {
  running_.wait();
  error first;
  {
    internal::raw_lock const lock(mu_);
    first = first_;
  }
  cancel_();
  return first;
}

void group::start() {
  started_.store(true, internal::memory_order_relaxed);
  if (slots_) slots_->acquire(1);
  running_.add(1);
}

bool group::try_start() {
  started_.store(true, internal::memory_order_relaxed);
  if (slots_ && !slots_->try_acquire(1)) return false;
  running_.add(1);
  return true;
}

void group::stop() noexcept {
  if (slots_) slots_->release(1);
  running_.done();
}

void group::fail(error err) {
  {
    internal::raw_lock const lock(mu_);
    if (first_) return;
    first_ = err;
  }
  cancel_(std::move(err));
}

}  // namespace vole::errgroup
