// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the program does: work in libraries and in code of its own. No shared state.

#include <functional>
#include <string_view>
#include <vector>

// One kind of work; run() takes a millisecond or so.
struct load {
  std::string_view name;
  std::function<void()> run;
};
std::vector<load> all_loads();

// Allocates through each library, calls fn while all of it lives, and gives it back.
void with_allocations(std::function<void()> const& fn);
