// SPDX-License-Identifier: Apache-2.0
// net::pipe and pipe_listener: connections in memory.
//
// INVARIANTS
//  - A pair lives until both of its ends are gone; side 0 and side 1 are alike.
//  - out[s] carries what side s writes. hangup[s] is raised once side s can hear nothing new: the
//    other side has closed or half-closed, or side s has closed.
//  - A pipe_listener is closed once; a connection is either accepted or stays with its dialer.
// LOCKS  those of byte_queue and of channels.

#include <cerrno>
#include <utility>

#include "vole/chan.h"
#include "vole/net.h"
#include "vole/select.h"

#include "io/byte_queue.h"

namespace vole::net {
namespace {

using internal::byte_queue;
using operation = op_error::operation;

struct pair_state {
  explicit pair_state(std::size_t capacity_bytes)
      : out{byte_queue(capacity_bytes), byte_queue(capacity_bytes)} {}

  void hang_up(unsigned side) {
    if (internal::hangup_hook* const hook = hangup[side].raise()) hook->fire(hook);
  }

  byte_queue out[2];
  internal::hangup_cell hangup[2];
};

error cause_of(error const& err) {
  if (err == byte_queue::closed_here) return closed;
  if (err == byte_queue::closed_there) return errors::from_errno(EPIPE);
  if (err == byte_queue::timed_out) return timed_out;
  return err;
}

error failed(operation op, error const& err) {
  if (!err) return nullptr;
  return errors::make_typed<op_error>(op, "pipe", "pipe", cause_of(err));
}

class pipe_conn final : public conn {
 public:
  pipe_conn(std::shared_ptr<pair_state> pair, unsigned side)
      : pair_(std::move(pair)), side_(side) {}
  ~pipe_conn() override { shut(); }

  result<std::size_t> read(context const& ctx, bytes_span to) override {
    auto got = in().read(ctx, to);
    if (!got) return failed(operation::read, got.error());
    return got;
  }
  error write(context const& ctx, bytes_view from) override {
    return failed(operation::write, out().write(ctx, from));
  }
  error close() override {
    shut();
    return nullptr;
  }
  error close_write() override {
    out().close_write();
    pair_->hang_up(other());
    return nullptr;
  }

  address local_addr() const override { return address::in_memory(); }
  address remote_addr() const override { return address::in_memory(); }
  void set_read_deadline(time_point when) override { in().set_read_deadline(when); }
  void set_write_deadline(time_point when) override { out().set_write_deadline(when); }
  error wait_readable(context const& ctx) override {
    return failed(operation::read, in().wait_readable(ctx));
  }

 private:
  internal::hangup_cell& hangup() override { return pair_->hangup[side_]; }
  unsigned other() const { return 1 - side_; }
  byte_queue& in() const { return pair_->out[other()]; }
  byte_queue& out() const { return pair_->out[side_]; }

  void shut() {
    in().close_read();
    out().close_write();
    pair_->hang_up(side_);
    pair_->hang_up(other());
  }

  std::shared_ptr<pair_state> pair_;
  unsigned side_;
};

}  // namespace

std::pair<std::unique_ptr<conn>, std::unique_ptr<conn>> pipe(std::size_t capacity_bytes) {
  auto pair = std::make_shared<pair_state>(capacity_bytes);
  return {std::make_unique<pipe_conn>(pair, 0U), std::make_unique<pipe_conn>(pair, 1U)};
}

struct pipe_listener::state {
  explicit state(std::size_t bytes) : capacity_bytes(bytes) {}

  std::size_t capacity_bytes;
  chan<std::unique_ptr<conn>> waiting{0};
  chan<unit> closing{0};
  internal::atomic<bool> is_closed{false};
};

pipe_listener::pipe_listener(std::size_t capacity_bytes)
    : state_(std::make_shared<state>(capacity_bytes)) {}

pipe_listener::~pipe_listener() {
  static_cast<void>(close());
}

result<std::unique_ptr<conn>> pipe_listener::accept(context const& ctx) {
  auto const all = state_;
  std::unique_ptr<conn> next;
  auto const taken = select(ctx, recv(all->waiting, &next), recv(all->closing));
  if (taken && next != nullptr) return next;
  return failed(operation::accept, taken ? error(closed) : taken.error());
}

result<std::unique_ptr<conn>> pipe_listener::dial(context const& ctx) {
  auto const all = state_;
  auto [near, far] = pipe(all->capacity_bytes);
  auto const taken = select(ctx, send(all->waiting, std::move(far)), recv(all->closing));
  if (taken && *taken == 0) return std::move(near);
  return failed(operation::dial, taken ? error(errors::from_errno(ECONNREFUSED)) : taken.error());
}

error pipe_listener::close() {
  // relaxed, no partner: only one caller may close the channel, which orders all else
  if (!state_->is_closed.exchange(true, internal::memory_order_relaxed)) state_->closing.close();
  return nullptr;
}

address pipe_listener::addr() const {
  return address::in_memory();
}

}  // namespace vole::net
