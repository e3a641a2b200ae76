// SPDX-License-Identifier: Apache-2.0
// Labels as programs set them. No shared state: see runtime/labels.h.

#include "runtime/labels.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "vole/pprof.h"

#include "runtime/goroutine.h"

namespace vole::pprof {

namespace labels = internal::labels;

label_scope::label_scope(std::span<label const> added) {
  internal::goroutine* const g = internal::current_goroutine();
  if (g == nullptr) return;
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  for (label const& l : added) pairs.emplace_back(l.key, l.value);
  labels::set* const outer = labels::set_of(*g);
  labels::put(*g, labels::make(outer, pairs));
  outer_ = outer;
}

label_scope::~label_scope() {
  internal::goroutine* const g = internal::current_goroutine();
  if (g == nullptr) return;
  labels::set* const mine = labels::set_of(*g);
  labels::put(*g, static_cast<labels::set*>(outer_));
  labels::release(mine);
}

namespace {

// Null: none.
labels::pair_list const* own_labels() {
  internal::goroutine* const g = internal::current_goroutine();
  labels::set const* const own = g == nullptr ? nullptr : labels::set_of(*g);
  return own == nullptr ? nullptr : &labels::pairs_of(*own);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> current_labels() {
  labels::pair_list const* const own = own_labels();
  return own == nullptr ? labels::pair_list() : *own;
}

std::optional<std::string> label_value(std::string_view key) {
  labels::pair_list const* const own = own_labels();
  if (own == nullptr) return std::nullopt;
  auto const at = std::ranges::find(*own, key, &labels::pair_list::value_type::first);
  if (at == own->end()) return std::nullopt;
  return at->second;
}

}  // namespace vole::pprof
