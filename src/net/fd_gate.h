// SPDX-License-Identifier: Apache-2.0
// fd_gate: who may use a descriptor now, and who has to close it.
//
// A descriptor's number is given out again by the kernel as soon as it is closed, so it must not be
// closed while somebody is between looking it up and the end of the system call. The gate counts
// those inside; close() shuts it, and the last one to leave a shut gate closes the descriptor.
// It also lets one reader and one writer in at a time, the others in order of arrival.
//
// Bits of word_ (never stale; changed by read-modify-write only):
//   shut        close() was called: nobody enters any more
//   turn[s]     somebody has the turn of side s
//   queue[s]    somebody waits for the turn of side s; set and cleared under mu_, while turn[s]
//   inside      the rest of the word counts those inside; each turn is one of them
// INVARIANTS
//  - turn[s] with queue[s] passes from the one who leaves to the first waiter that can still be
//    claimed, with its place inside; the bit is not cleared between.
//  - After shut no waiter stays in a queue.
// LOCKS  mu_ (a leaf) guards the queues.
// Source: Go internal/poll/fd_mutex.go. Differs: waiting for the turn ends with a context.
#pragma once

#include <cstdint>

#include "vole/internal/annotations.h"
#include "vole/internal/atomic.h"
#include "vole/internal/park.h"
#include "vole/internal/raw_mutex.h"
#include "vole/internal/waiter_list.h"

namespace vole::internal {

class fd_gate {
 public:
  enum class side : std::uint8_t { read, write };
  enum class entry : std::uint8_t { entered, shut, deadline, canceled };

  // enter takes the turn of a side; leave gives it back.
  // Blocks:  while somebody else has it.      Cost: one atomic operation each when nobody has.
  [[nodiscard]] entry enter(side s, park_limit const& limit);
  // True: the gate is shut and this was the last one inside, who has to close the descriptor.
  [[nodiscard]] bool leave(side s);

  // enter_beside goes in without a turn, for calls that neither read nor write; false: shut.
  [[nodiscard]] bool enter_beside();
  [[nodiscard]] bool leave_beside();

  // shut closes the gate and lets the caller in beside, to wake those inside; false: it was shut.
  // Whoever waits for a turn goes away with entry::shut.
  [[nodiscard]] bool shut();

  bool is_shut() const noexcept {
    return (word_.load(memory_order_acquire) & shut_bit) != 0;  // pairs with fd_gate.cc:shut
  }

 private:
  struct waiter {
    waiter* next = nullptr;
    waiter* previous = nullptr;
    bool linked = false;
    entry outcome = entry::entered;  // written by the one who claims the ticket
    park_ticket ticket;

    bool claim() noexcept { return ticket.try_claim(); }
  };

  enum : std::uint32_t { shut_bit = 1, turn_bit = 2, queue_bit = 8, one_inside = 32 };

  static std::uint32_t turn(side s) noexcept { return std::uint32_t{turn_bit} << index(s); }
  static std::uint32_t queued(side s) noexcept { return std::uint32_t{queue_bit} << index(s); }
  static unsigned index(side s) noexcept { return static_cast<unsigned>(s); }
  static bool last_out(std::uint32_t word) noexcept {
    return (word & shut_bit) != 0 && word < std::uint32_t{one_inside};
  }

  entry enter_slow(side s, park_limit const& limit);
  bool leave_slow(side s);
  // queue_up links w unless the turn is free (then it is taken) or the gate shut.
  bool queue_up(side s, waiter& w) VOLE_REQUIRES_LOCK(mu_);

  atomic<std::uint32_t> word_{0};
  raw_mutex mu_;
  waiter_list<waiter> queues_[2] VOLE_GUARDED_BY(mu_);
};

}  // namespace vole::internal
