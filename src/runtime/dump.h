// SPDX-License-Identifier: Apache-2.0
#pragma once
// A look at goroutines, for dumps and profiles. Nobody is stopped: parked stacks are walked from
// their saved registers, those in blocking() from where they entered it, running ones are asked by
// a signal; a goroutine that moves meanwhile is left without a stack.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "runtime/goroutine.h"
#include "runtime/labels.h"
#include "symbol/symbolize.h"

namespace vole::internal {

// As in all profiles; what is deeper loses its middle (symbol::frames_left_out).
inline constexpr std::size_t dump_depth_max = 128;

struct goroutine_snapshot {
  std::uint64_t id = 0;
  std::uint64_t parent_id = 0;
  goroutine_state state = goroutine_state::dead;
  wait_reason why = wait_reason::none;
  duration waiting{};             // since it was parked or entered blocking(); to a few ms
  std::uintptr_t created_by = 0;  // return address of go()
  std::uint64_t labels_id = 0;    // see runtime/labels.h
  bool background = false;        // see background.cc
  std::size_t depth = 0;
  std::uintptr_t pcs[dump_depth_max];  // leaf first; callers are return addresses
};

// A choice among goroutines, by all but their stacks.
using goroutine_filter = bool (*)(goroutine_snapshot const& g) noexcept;
bool any_goroutine(goroutine_snapshot const& g) noexcept;

// for_each_goroutine calls visit(arg, snapshot) for each that lives and is wanted; the others are
// left alone. From any thread, or goroutine, which is running whatever it does around this call.
// depth is 0 for one that moved at each of three attempts.
// Cost: about 1 us each, plus a signal for each that runs; none for those inside blocking(), whose
// system calls would end by it.
void for_each_goroutine(void (*visit)(void* arg, goroutine_snapshot const& g), void* arg,
                        goroutine_filter wanted = &any_goroutine) noexcept;

std::vector<goroutine_snapshot> all_goroutines();

// stands_still says whether g is parked and its thread has left its stack.
bool stands_still(goroutine const& g) noexcept;

// look_at_waiting fills `to` with a goroutine that is parked or runnable; false: it is neither.
// depth as above. Sends no signal. Any thread, while it keeps the stacks from being given back
// (stack_pool::walk_on).
bool look_at_waiting(goroutine& g, goroutine_snapshot& to) noexcept;

// look_at_blocking is the same for one inside blocking(): the place where it entered.
bool look_at_blocking(goroutine& g, goroutine_snapshot& to) noexcept;

// state_text is what a dump says of its state: "running", "chan receive".
char const* state_text(goroutine_snapshot const& g);

// labels_text is what the brackets of a goroutine's header end with, as Go's do:
// ` labels:{"tenant": "acme"}`; empty for none. A closing bracket and control characters are
// escaped.
std::string labels_text(labels::pair_list const& pairs);

// dump_text writes them in the order of their ids; it ends with the goroutine that reaches
// bytes_max. Waits for no lock that a thread that panics may hold.
std::string dump_text(std::vector<goroutine_snapshot> all,
                      std::size_t bytes_max = std::numeric_limits<std::size_t>::max());

// append_frames adds "function\n\tfile:line +0xoffset\n" for each pc, the first of which is exact;
// append_creator adds "created by ..." likewise.
void append_frames(std::string& to, std::uintptr_t const* pcs, std::size_t depth);
void append_creator(std::string& to, std::uintptr_t created_by, std::uint64_t parent_id);

// creator_among is the function that called go(), of the frames of a created_by: the first that is
// none of vole's go(), which are inlined.
symbol::source_frame const& creator_among(std::span<symbol::source_frame const> frames);

// report_no_thread says once a minute that the limit is reached or the system refuses a thread.
void report_no_thread(unsigned workers, unsigned limit) noexcept;

}  // namespace vole::internal
