// SPDX-License-Identifier: Apache-2.0
// Stores, loads and fences on views. The model: memory.h.

#include "memory.h"

namespace vole::model {
namespace {

// pairs with: whatever the case's other threads do
bool acquires(memory_order order) noexcept {
  return order == memory_order::acquire || order == memory_order::acq_rel ||
         order == memory_order::seq_cst || order == memory_order::consume;
}
bool releases(memory_order order) noexcept {
  return order == memory_order::release || order == memory_order::acq_rel ||
         order == memory_order::seq_cst;  // pairs with: as above
}
bool is_sc(memory_order order) noexcept {
  return order == memory_order::seq_cst;  // pairs with: as above
}

constexpr std::size_t locations_max = 2048;

}  // namespace

void view::join(view const& other) {
  if (oldest.size() < other.oldest.size()) oldest.resize(other.oldest.size(), 0);
  for (std::size_t i = 0; i < other.oldest.size(); ++i) {
    if (oldest[i] < other.oldest[i]) oldest[i] = other.oldest[i];
  }
  for (std::size_t i = 0; i < threads_max; ++i) {
    if (clock[i] < other.clock[i]) clock[i] = other.clock[i];
  }
}

void memory::reset() noexcept {
  if (locations_.empty()) locations_.resize(locations_max);
  used_ = 0;
  by_address_.clear();
  sc_ = {};
}

location* memory::find(cell const& c) {
  auto const [at, is_new] = by_address_.try_emplace(c.at, static_cast<std::uint32_t>(used_));
  location& l = locations_[at->second];
  if (!is_new && !l.history.empty()) return l.alive ? &l : nullptr;
  if (is_new) {
    if (++used_ == locations_max) __builtin_trap();  // a case is small
    auto history = std::move(l.history);
    history.clear();
    l = {};
    l.history = std::move(history);
    l.at = c.at;
  }
  l.bytes = c.bytes;
  l.history.emplace_back().value = c.initial;
  return &l;
}

void memory::construct(void const* at, int thread, std::uint32_t clock) {
  // A new location even where one was: old views do not speak of it.
  auto const id = static_cast<std::uint32_t>(used_);
  if (++used_ == locations_max) __builtin_trap();
  by_address_[at] = id;
  location& l = locations_[id];
  auto history = std::move(l.history);
  history.clear();
  l = {};
  l.history = std::move(history);
  l.at = at;
  l.made_here = true;
  l.made_by = static_cast<std::uint8_t>(thread);
  l.made_clock = clock;
}

location* memory::destroy(void const* at) noexcept {
  auto const found = by_address_.find(at);
  if (found == by_address_.end()) return nullptr;
  location& l = locations_[found->second];
  l.alive = false;
  if (l.history.empty()) l.history.emplace_back();
  return &l;
}

std::uint32_t memory::first_visible(reader const& r, location const& l,
                                    memory_order order) const noexcept {
  std::uint32_t const id = id_of(l);
  std::uint32_t first = r.seen.at(id);
  if (is_sc(order) && sc_.at(id) > first) first = sc_.at(id);
  return first;
}

void memory::do_read(reader& r, location& l, std::uint32_t index, memory_order order) {
  std::uint32_t const id = id_of(l);
  message const& m = l.history[index];
  r.seen.raise(id, index);
  if (m.carries) {
    r.pending.join(m.released);
    if (acquires(order)) r.seen.join(m.released);
  }
  if (is_sc(order)) sc_.raise(id, index);
}

void memory::do_write(reader& r, location& l, std::uint64_t value, memory_order order,
                      std::uint32_t const* rmw_of, std::uint32_t step) {
  std::uint32_t const id = id_of(l);
  auto const index = static_cast<std::uint32_t>(l.history.size());
  r.seen.raise(id, index);
  message m;
  m.value = value;
  m.step = step;
  if (releases(order)) {
    m.released = r.seen;
    m.carries = true;
  } else if (r.has_fenced) {
    m.released = r.fenced;
    m.carries = true;
  }
  if (rmw_of != nullptr && l.history[*rmw_of].carries) {
    m.released.join(l.history[*rmw_of].released);
    m.carries = true;
  }
  if (m.carries) m.released.raise(id, index);
  l.history.push_back(std::move(m));
  if (is_sc(order)) sc_.raise(id, index);
}

void memory::do_fence(reader& r, memory_order order) {
  if (acquires(order)) r.seen.join(r.pending);
  if (is_sc(order)) {
    // Threads' clocks are happens-before, which a seq_cst fence alone does not
    // make.
    auto const clock = r.seen.clock;
    r.seen.join(sc_);
    r.seen.clock = clock;
    sc_.join(r.seen);
    sc_.clock = {};
  }
  if (releases(order)) {
    r.fenced = r.seen;
    r.has_fenced = true;
  }
}

}  // namespace vole::model
