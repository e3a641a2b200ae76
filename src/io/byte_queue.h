// SPDX-License-Identifier: Apache-2.0
// byte_queue: one direction of an in-memory connection: a bounded ring of bytes with a reading and
// a writing end, each of which can be closed and given a deadline. Under io::pipe and net::pipe.
//
// INVARIANTS
//  - size_ <= capacity_; the bytes are those at [front_, front_ + size_) modulo capacity_.
//  - Whoever waits is in the list of its end and looks again at everything when woken: bytes, room,
//    closes, its deadline. Wakes may be spurious, never missing: each change is made under mu_, and
//    wakes all of the end that it concerns before mu_ is let go.
//  - A write of several steps is not mixed with another: the writer holds write_turn_.
// LOCKS  write_turn_ (parks) before mu_ (a leaf, held for the copy of at most step_bytes).
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "vole/context.h"
#include "vole/errors.h"
#include "vole/internal/clock.h"
#include "vole/internal/park.h"
#include "vole/internal/raw_mutex.h"
#include "vole/internal/waiter_list.h"
#include "vole/result.h"
#include "vole/sync/mutex.h"

namespace vole::internal {

class byte_queue {
 public:
  // How a call fails besides its context's error; what stands above turns them into its own errors.
  static constinit errors::sentinel const closed_here;   // this end is closed
  static constinit errors::sentinel const closed_there;  // written, but the reading end is closed
  static constinit errors::sentinel const timed_out;     // the deadline of this end has passed

  explicit byte_queue(std::size_t capacity_bytes);

  // read takes what is there, at least one byte; 0: the writing end is closed and all was read.
  result<std::size_t> read(context const& ctx, std::span<std::byte> to);
  // wait_readable returns when read would not wait.
  error wait_readable(context const& ctx);
  // write puts in all of `from`, or fails after a part of it.
  error write(context const& ctx, std::span<std::byte const> from);

  // The closed end fails with closed_here from now on, the other with `why`: null stands for the
  // end of the stream when reading, for closed_there when writing. Only the first close counts.
  void close_read(error why = nullptr);
  void close_write(error why = nullptr);

  void set_read_deadline(time_point when);
  void set_write_deadline(time_point when);

 private:
  struct waiter {
    waiter* next = nullptr;
    waiter* previous = nullptr;
    bool linked = false;
    park_ticket ticket;

    bool claim() noexcept { return ticket.try_claim(); }
  };

  // What both ends have.
  struct end {
    waiter_list<waiter> waiters;
    time_point deadline = never;
    bool closed = false;
    error why;  // what the other end is told
  };

  error check(context const& ctx, end const& self) const VOLE_REQUIRES_LOCK(mu_);
  error wait(context const& ctx, end& self) VOLE_REQUIRES_LOCK(mu_);
  static void wake(end& of);
  error wait_for_bytes(context const& ctx) VOLE_REQUIRES_LOCK(mu_);
  std::size_t put(std::span<std::byte const> from) VOLE_REQUIRES_LOCK(mu_);
  std::size_t take(std::span<std::byte> to) VOLE_REQUIRES_LOCK(mu_);
  void close(end& self, end& other, error why);
  void set_deadline(end& of, time_point when);

  sync::mutex write_turn_;
  raw_mutex mu_;
  std::size_t const capacity_;
  std::unique_ptr<std::byte[]> store_ VOLE_GUARDED_BY(mu_);  // null until the first write
  std::size_t front_ VOLE_GUARDED_BY(mu_) = 0;
  std::size_t size_ VOLE_GUARDED_BY(mu_) = 0;
  end read_end_ VOLE_GUARDED_BY(mu_);
  end write_end_ VOLE_GUARDED_BY(mu_);
};

}  // namespace vole::internal
