// SPDX-License-Identifier: Apache-2.0
#pragma once
// The profile labels of goroutines: immutable sets, shared by the goroutines that inherit them.
//
// INVARIANTS
//   - A set is alive while a goroutine or a scope counts it. A goroutine's pointer to its set is
//     read and written by that goroutine, or by who makes or ends it.
//   - Readers of other goroutines - profiles, signal handlers - see the set's id only. An id is
//     never used twice, and what it meant can be asked for a while after the set has ended: a late
//     answer is missing, never wrong.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace vole::internal {

struct goroutine;

namespace labels {

using pair_list = std::vector<std::pair<std::string, std::string>>;  // sorted by key, each once

struct set;

// make returns a new set, counted once: base's labels, then those of `more`, which win.
set* make(set const* base, std::span<std::pair<std::string_view, std::string_view> const> more);
set* retain(set* s) noexcept;   // null: null
void release(set* s) noexcept;  // null: no effect

std::uint64_t id_of(set const* s) noexcept;  // 0 for null
pair_list const& pairs_of(set const& s) noexcept;

// find is what the id means, or meant within the last seconds; empty when that is forgotten.
pair_list find(std::uint64_t id);

// find_at_panic is find() of many, for a dump of a process that may be broken: nothing at all when
// the lock is not to be had for 20 ms, since the thread that panics may hold it.
std::unordered_map<std::uint64_t, pair_list> find_at_panic(std::span<std::uint64_t const> ids);

// set_of is g's own set or null; put makes `now` g's set. Only by who owns g.
set* set_of(goroutine const& g) noexcept;
void put(goroutine& g, set* now) noexcept;

}  // namespace labels
}  // namespace vole::internal
