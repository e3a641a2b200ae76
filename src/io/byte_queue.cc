// SPDX-License-Identifier: Apache-2.0
// byte_queue.h says what holds here.

#include "io/byte_queue.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

#include "vole/assert.h"

namespace vole::internal {
namespace {

// The most that is copied under the lock at once: about a microsecond.
constexpr std::size_t step_bytes = 16 * 1024;

}  // namespace

constinit errors::sentinel const byte_queue::closed_here{"closed"};
constinit errors::sentinel const byte_queue::closed_there{"closed by the reader"};
constinit errors::sentinel const byte_queue::timed_out{"deadline passed"};

byte_queue::byte_queue(std::size_t capacity_bytes) : capacity_(capacity_bytes) {
  VOLE_REQUIRE(capacity_bytes > 0, "a pipe needs room for at least one byte");
}

// check tells why a call must not go on, whatever the queue holds.
error byte_queue::check(context const& ctx, end const& self) const {
  if (self.closed) return closed_here;
  if (self.deadline != never && now() >= self.deadline) return timed_out;
  return ctx.err();
}

void byte_queue::wake(end& of) {
  while (waiter* const w = of.waiters.pop_claimed()) w->ticket.finish();
}

// wait lets the lock go until something has changed for this end, or its time is over.
error byte_queue::wait(context const& ctx, end& self) {
  waiter me;
  self.waiters.push_back(me);
  park_limit limit = ctx;
  limit.deadline = std::min(limit.deadline, self.deadline);
  mu_.unlock();
  me.ticket.park(wait_reason::pipe_wait, limit);
  mu_.lock();
  self.waiters.remove(me);
  return check(ctx, self);
}

std::size_t byte_queue::put(std::span<std::byte const> from) {
  if (store_ == nullptr) store_ = std::make_unique_for_overwrite<std::byte[]>(capacity_);
  std::size_t const n = std::min({from.size(), capacity_ - size_, step_bytes});
  std::size_t const back = (front_ + size_) % capacity_;
  std::size_t const first = std::min(n, capacity_ - back);
  std::memcpy(store_.get() + back, from.data(), first);
  std::memcpy(store_.get(), from.data() + first, n - first);
  size_ += n;
  return n;
}

std::size_t byte_queue::take(std::span<std::byte> to) {
  std::size_t const n = std::min({to.size(), size_, step_bytes});
  std::size_t const first = std::min(n, capacity_ - front_);
  std::memcpy(to.data(), store_.get() + front_, first);
  std::memcpy(to.data() + first, store_.get(), n - first);
  size_ -= n;
  front_ = size_ == 0 ? 0 : (front_ + n) % capacity_;
  return n;
}

// wait_for_bytes returns null when there are bytes, or the end has come.
error byte_queue::wait_for_bytes(context const& ctx) {
  if (error err = check(ctx, read_end_)) return err;
  while (size_ == 0 && !write_end_.closed) {
    if (error err = wait(ctx, read_end_)) return err;
  }
  return nullptr;
}

result<std::size_t> byte_queue::read(context const& ctx, std::span<std::byte> to) {
  VOLE_REQUIRE(!to.empty(), "read into no bytes at all: 0 would mean the end of the stream");
  raw_lock const lock(mu_);
  if (error err = wait_for_bytes(ctx)) return err;
  if (size_ == 0) {
    if (write_end_.why) return write_end_.why;
    return std::size_t{0};
  }
  std::size_t const n = take(to);
  wake(write_end_);
  return n;
}

error byte_queue::wait_readable(context const& ctx) {
  raw_lock const lock(mu_);
  return wait_for_bytes(ctx);
}

error byte_queue::write(context const& ctx, std::span<std::byte const> from) {
  if (error err = vole::lock(ctx, write_turn_)) return err;
  std::unique_lock const turn(write_turn_, std::adopt_lock);
  raw_lock const lock(mu_);
  if (error err = check(ctx, write_end_)) return err;
  while (!from.empty()) {
    if (read_end_.closed) return read_end_.why ? read_end_.why : error(closed_there);
    if (size_ == capacity_) {
      if (error err = wait(ctx, write_end_)) return err;
      continue;
    }
    from = from.subspan(put(from));
    wake(read_end_);
  }
  return nullptr;
}

void byte_queue::close(end& self, end& other, error why) {
  if (std::exchange(self.closed, true)) return;
  self.why = std::move(why);
  wake(self);
  wake(other);
}

void byte_queue::close_read(error why) {
  raw_lock const lock(mu_);
  close(read_end_, write_end_, std::move(why));
  store_.reset();
  front_ = size_ = 0;
}

void byte_queue::close_write(error why) {
  raw_lock const lock(mu_);
  close(write_end_, read_end_, std::move(why));
}

void byte_queue::set_deadline(end& of, time_point when) {
  of.deadline = when;
  wake(of);
}

void byte_queue::set_read_deadline(time_point when) {
  raw_lock const lock(mu_);
  set_deadline(read_end_, when);
}

void byte_queue::set_write_deadline(time_point when) {
  raw_lock const lock(mu_);
  set_deadline(write_end_, when);
}

}  // namespace vole::internal
