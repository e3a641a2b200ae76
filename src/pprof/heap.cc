// SPDX-License-Identifier: Apache-2.0
// Source: Go runtime/pprof/protomem.go (writeHeapProto, scaleHeapSample). Differs: the rate that a
//   sample was drawn with stays with it, so that a change of the rate falsifies nothing.

#include "pprof/heap.h"

#include <chrono>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "vole/pprof.h"

#include "pprof/prune.h"
#include "runtime/heap_sample.h"
#include "runtime/malloc_count.h"

namespace vole::pprof {
namespace {

namespace heap = internal::heap;

std::vector<std::string> comments_on(internal::malloc_count::hooked const& by_vole) {
  if (!by_vole.malloc) {
    return {
        "nothing is sampled here: malloc and operator new of this program are not vole's, but "
        "those of an allocator that is linked statically, or of a sanitizer"};
  }
  if (!by_vole.operator_new) {
    return {"operator new is not sampled: the program has one of its own that calls no malloc"};
  }
  return {};
}

class heap_source : public profile_source {
 public:
  explicit heap_source(std::string_view default_type) : default_type_(default_type) {}

  std::size_t count() const override { return heap::stacks(); }

  profile_data collect() const override {
    profile_data all{.sample_types = {{"alloc_objects", "count"},
                                      {"alloc_space", "bytes"},
                                      {"inuse_objects", "count"},
                                      {"inuse_space", "bytes"}},
                     .period_type = {"space", "bytes"},
                     .period = static_cast<std::int64_t>(heap::rate()),
                     .begun = std::chrono::system_clock::now(),
                     .lasted = {},
                     .samples = {},
                     .default_sample_type = default_type_,
                     .drop_frames = allocator_frames,
                     .comments = comments_on(internal::malloc_count::what_is_hooked())};
    for (heap::stack_counts const& at : heap::snapshot()) {
      if (at.objects_allocated <= 0) continue;
      heap_values const made = unsampled({at.objects_allocated, at.bytes_allocated}, at.rate);
      heap_values const live = unsampled(
          {at.objects_allocated - at.objects_freed, at.bytes_allocated - at.bytes_freed}, at.rate);
      stack_sample s{.pcs = calls_of(at.pcs),
                     .values = {made.objects, made.bytes, live.objects, live.bytes},
                     .labels = {}};
      s.numbers.push_back({"bytes", static_cast<std::int64_t>(at.block_bytes), "bytes"});
      all.samples.push_back(std::move(s));
    }
    return all;
  }

 private:
  std::string_view default_type_;
};

}  // namespace

heap_values unsampled(heap_values sampled, std::size_t rate) {
  if (sampled.objects == 0 || sampled.bytes == 0) return {};
  if (rate <= 1) return sampled;
  double const average = static_cast<double>(sampled.bytes) / static_cast<double>(sampled.objects);
  double const scale = 1 / (1 - std::exp(-average / static_cast<double>(rate)));
  return {static_cast<std::int64_t>(static_cast<double>(sampled.objects) * scale),
          static_cast<std::int64_t>(static_cast<double>(sampled.bytes) * scale)};
}

std::unique_ptr<profile_source> make_heap_source(std::string_view default_type) {
  return std::make_unique<heap_source>(default_type);
}

void set_heap_rate(std::size_t bytes) noexcept {
  heap::set_rate(bytes);
}
std::size_t heap_rate() noexcept {
  return heap::rate();
}

}  // namespace vole::pprof
