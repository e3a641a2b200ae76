// SPDX-License-Identifier: Apache-2.0
#pragma once
// Memory pressure: when the kernel says that this process waits for memory, whoever keeps objects
// only for their next use gives them back; without pressure, those that nobody needed for long.
//
// INVARIANTS  a reclaimer is in the list from its constructor to its destructor. It only hands over
//             what may go; that is destroyed later, without a lock, but before the destructor ends.
// LOCKS       the list's lock is above the locks that collect functions take.

#include <cstdint>
#include <string_view>
#include <vector>

#include "vole/internal/atomic.h"
#include "vole/internal/clock.h"
#include "vole/internal/park.h"

namespace vole::internal {

// An object that may go, and how.
struct garbage {
  void* object;
  void (*destroy)(void*);
};

enum class relief : std::uint8_t {
  unused,  // what nobody has needed since the owner was asked last
  all,     // memory is short
};

// reclaimer makes its owner be asked for what may go. Safety: any thread, also before main().
class reclaimer {
 public:
  // collect appends what may go. It must not run the user's code, park or use the list.
  using collect_fn = void (*)(void* owner, relief need, std::vector<garbage>& out);

  reclaimer(void* owner, collect_fn collect) noexcept;
  // Blocks: parks until what was handed over is destroyed.
  ~reclaimer();
  reclaimer(reclaimer const&) = delete;
  reclaimer& operator=(reclaimer const&) = delete;

  // keeps says whether there may be something for relief::unused. Said by the owner under a lock
  // that its collect function takes.
  void keeps(bool something) noexcept { keeps_.store(something, memory_order_relaxed); }

 private:
  friend void relieve_memory(relief) noexcept;
  friend bool something_is_kept() noexcept;

  void* const owner_;
  collect_fn const collect_;
  reclaimer* next_ = nullptr;
  reclaimer** link_ = nullptr;  // what points at this
  atomic<bool> keeps_{false};
  // Under the list's lock:
  std::uint64_t asked_ = 0;        // the round of relief that asked it last
  bool relieving_ = false;         // what it has handed over is not all destroyed
  park_ticket* ending_ = nullptr;  // its destructor waits for that
};

// relieve_memory asks all reclaimers and destroys what they give. Blocks: as the destructors do.
void relieve_memory(relief need) noexcept;

// pressure_watched says whether there is a reclaimer at all; something_is_kept, whether one has
// something that a relief::unused could find.
bool pressure_watched() noexcept;
bool something_is_kept() noexcept;

// look_at_pressure reads how long the process has waited for memory; if that was more than a
// twentieth of the time since the last look, a goroutine relieves it, at most every ten seconds;
// so often one takes what is unused. Only the monitor calls it. Cost: one small file.
void look_at_pressure(time_point t) noexcept;

// memory_stall_us is the total of the line "some" of a pressure file, in us; 0 if it has none.
// Source: Linux, Documentation/accounting/psi.rst.
std::uint64_t memory_stall_us(std::string_view text) noexcept;

// pressure_path writes the path of the pressure file of the control group that the text of
// /proc/self/cgroup names; of the whole machine where that has none.
void pressure_path(std::string_view cgroup, char* to, std::size_t size) noexcept;

}  // namespace vole::internal
