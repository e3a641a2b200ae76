// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "symbol/symbolize.h"

namespace vole::symbol {

pc_names::pc_names(std::vector<std::uintptr_t> pcs) : pcs_(std::move(pcs)) {
  std::ranges::sort(pcs_);
  pcs_.erase(std::ranges::unique(pcs_).begin(), pcs_.end());
  names_ = symbolize(pcs_);
}

symbolized const& pc_names::of(std::uintptr_t pc) const {
  auto const at = std::ranges::lower_bound(pcs_, pc);
  return names_[static_cast<std::size_t>(at - pcs_.begin())];
}

}  // namespace vole::symbol
