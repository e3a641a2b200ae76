// SPDX-License-Identifier: Apache-2.0
#pragma once
// The heap and allocs profiles: what the runtime has sampled, scaled to what it stands for. No
// shared state here.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "pprof/source.h"

namespace vole::pprof {

// The two differ in what pprof shows first: default_type, or in_use where it is empty.
std::unique_ptr<profile_source> make_heap_source(std::string_view default_type);

struct heap_values {
  std::int64_t objects = 0;
  std::int64_t bytes = 0;
};

// unsampled is how many objects and bytes a sample of a Poisson process of that rate stands for.
heap_values unsampled(heap_values sampled, std::size_t rate);

}  // namespace vole::pprof
