// SPDX-License-Identifier: Apache-2.0
// Selects whose cases are put together at run time. Invariants: vole/internal/select_list.h.

#include "vole/internal/select_list.h"

#include <algorithm>

#include "vole/assert.h"

namespace vole::internal {

int select_cases::add(std::unique_ptr<listed_case> c) {
  VOLE_REQUIRE(c->base().kind != case_kind::otherwise || std::none_of(cases_.begin(), cases_.end(),
                                                                      [](auto const& other) {
                                                                        return other->base().kind ==
                                                                               case_kind::otherwise;
                                                                      }),
               "a select has at most one otherwise()");
  cases_.push_back(std::move(c));
  return static_cast<int>(cases_.size() - 1);
}

void select_cases::switch_off(int index) {
  VOLE_REQUIRE(index >= 0 && static_cast<std::size_t>(index) < cases_.size(),
               "case {} of a select_list that has {}", index, cases_.size());
  cases_[static_cast<std::size_t>(index)]->base().switch_off();
}

int select_cases::run(park_limit const& limit) {
  std::size_t const n = cases_.size();
  order_.resize(2 * n);
  waiters_.resize(n);
  for (std::size_t i = 0; i < n; ++i) order_[i] = &cases_[i]->base();
  int const taken = select_run({order_.data(), n}, order_.data() + n, waiters_.data(), limit);
  if (taken >= 0) cases_[static_cast<std::size_t>(taken)]->complete();
  return taken;
}

}  // namespace vole::internal
