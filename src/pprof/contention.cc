// SPDX-License-Identifier: Apache-2.0
// Source: Go runtime/pprof (writeProfileInternal). Differs: always on, see runtime/contention.h.

#include "pprof/contention.h"

#include <chrono>
#include <vector>

#include "vole/pprof.h"

#include "runtime/contention.h"

namespace vole::pprof {
namespace {

namespace contention = internal::contention;

class contention_source : public profile_source {
 public:
  using for_each_fn = void (*)(void (*)(void*, internal::stack_bucket const&), void*);
  using size_fn = std::size_t (*)() noexcept;

  contention_source(for_each_fn for_each, size_fn size) : for_each_(for_each), size_(size) {}

  std::size_t count() const override { return size_(); }

  profile_data collect() const override {
    profile_data all{.sample_types = {{"contentions", "count"}, {"delay", "nanoseconds"}},
                     .period_type = {"contentions", "count"},
                     .period = 1,
                     .begun = std::chrono::system_clock::now(),
                     .lasted = {},
                     .samples = {}};
    all.samples.reserve(size_() + 16);  // seldom does it grow under the table's lock
    for_each_(
        [](void* arg, internal::stack_bucket const& at) {
          static_cast<std::vector<stack_sample>*>(arg)->push_back(
              {.pcs = calls_of({at.pcs, at.depth}),
               .values = {at.counts[0], at.counts[1]},
               .labels = {}});
        },
        &all.samples);
    return all;
  }

 private:
  for_each_fn for_each_;
  size_fn size_;
};

}  // namespace

std::unique_ptr<profile_source> make_block_source() {
  return std::make_unique<contention_source>(&contention::for_each_wait, &contention::wait_stacks);
}

std::unique_ptr<profile_source> make_mutex_source() {
  return std::make_unique<contention_source>(&contention::for_each_unlock,
                                             &contention::unlock_stacks);
}

void set_contention_rate(int samples_per_second) noexcept {
  contention::set_samples_per_second(samples_per_second);
}

}  // namespace vole::pprof
