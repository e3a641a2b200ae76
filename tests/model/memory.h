// SPDX-License-Identifier: Apache-2.0
#pragma once
// The memory of one execution: what was stored where, and what each thread must
// have seen of it.
//
// The model is C++20's, with two things left out: a load never reads a store
// that is executed after it (no load buffering), and the modification order of
// a location is the order of execution.
//   - A view says for each location which of its stores is the oldest that may
//   still be read, and
//     for each thread what of it is known to have happened.
//   - A store carries the view that its reader gets: the storing thread's when
//   it releases, that of
//     its last release fence when not. A read-modify-write also carries on what
//     it has read.
//   - sc is the view of the seq_cst accesses and fences, in the order of
//   execution.
// No shared state: one execution owns it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "vole/internal/atomic.h"

namespace vole::model {

inline constexpr std::size_t threads_max = 24;

struct view {
  std::vector<std::uint32_t> oldest;               // by location
  std::array<std::uint32_t, threads_max> clock{};  // by thread

  std::uint32_t at(std::uint32_t location) const noexcept {
    return location < oldest.size() ? oldest[location] : 0;
  }
  void raise(std::uint32_t location, std::uint32_t to) {
    if (location >= oldest.size()) oldest.resize(location + 1, 0);
    if (oldest[location] < to) oldest[location] = to;
  }
  void join(view const& other);
};

struct message {
  std::uint64_t value = 0;
  std::uint32_t step = 0;
  bool carries = false;  // whether released means anything
  view released;
};

struct location {
  void const* at = nullptr;
  std::uint32_t bytes = 0;
  bool alive = true;
  bool made_here = false;  // constructed in this execution, by made_by
  std::uint8_t made_by = 0;
  std::uint32_t made_clock = 0;
  std::uint32_t users = 0;  // bits: threads that came while there were several
  bool written = false;     // while there were several
  std::vector<message> history;
  std::array<std::uint32_t, threads_max> last_use{};  // clock of each thread's last access
};

struct reader {
  view seen;     // what this thread must know
  view pending;  // what an acquire fence would add
  view fenced;   // as of the last release fence
  bool has_fenced = false;
};

class memory {
 public:
  void reset() noexcept;

  // The location of a word, made at its first use. Null: it was destroyed.
  location* find(cell const& c);
  std::uint32_t id_of(location const& l) const noexcept {
    return static_cast<std::uint32_t>(&l - locations_.data());
  }
  bool knows(void const* at) const noexcept { return by_address_.contains(at); }
  void const* address_of(std::uint32_t id) const noexcept { return locations_[id].at; }
  std::uint32_t last_of(std::uint32_t id) const noexcept {
    return static_cast<std::uint32_t>(locations_[id].history.size() - 1);
  }
  void construct(void const* at, int thread, std::uint32_t clock);
  location* destroy(void const* at) noexcept;

  // The first store in the history that the thread may read.
  std::uint32_t first_visible(reader const& r, location const& l,
                              memory_order order) const noexcept;

  void do_read(reader& r, location& l, std::uint32_t index, memory_order order);
  // rmw_of: the store that was read by the same operation, or null.
  void do_write(reader& r, location& l, std::uint64_t value, memory_order order,
                std::uint32_t const* rmw_of, std::uint32_t step);
  void do_fence(reader& r, memory_order order);

 private:
  std::vector<location> locations_;
  std::size_t used_ = 0;
  std::unordered_map<void const*, std::uint32_t> by_address_;
  view sc_;
};

}  // namespace vole::model
