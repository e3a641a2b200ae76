// SPDX-License-Identifier: Apache-2.0
//
// CPU profiles: counts the sampler's stacks and renders them.
//
// INVARIANTS
//   - stacks is written by the sampler's deliveries only, which stop when the capture stops; it is
//     read after that.
//   - A stack is kept once, with its pcs moved into the calls that they return to, and a weight.
// LOCKS  none here: the sampler's lock orders the deliveries.
// Source: Go runtime/pprof (StartCPUProfile, proto.go).

#include <chrono>
#include <unordered_map>
#include <utility>
#include <vector>

#include "vole/errors.h"
#include "vole/go.h"
#include "vole/internal/clock.h"
#include "vole/internal/format.h"
#include "vole/pprof.h"

#include "pprof/profile.h"
#include "runtime/sample.h"

namespace vole::pprof {
namespace {

namespace sample = internal::sample;

using stack = std::vector<std::uintptr_t>;

// into_calls moves return addresses into the calls before them; the leaf stands where it stood, and
// who started the goroutine at the end.
stack into_calls(sample::cpu_sample const& taken) {
  if (taken.pcs.empty()) return {lost_samples_pc};
  stack moved(taken.pcs.begin(), taken.pcs.end());
  for (std::size_t i = 1; i < moved.size(); ++i) --moved[i];
  if (taken.created_by != 0) moved.push_back(creator_pc(taken.created_by));
  return moved;
}

std::vector<std::string> comments_on(sample::capture_gaps const& gaps) {
  std::vector<std::string> comments;
  if (gaps.threads_unarmed > 0) {
    comments.push_back(
        fmt::format("threads without a timer: {}; what they used is missing. ulimit -i is too low, "
                    "or there are "
                    "more than 16384 threads",
                    gaps.threads_unarmed));
  }
  if (gaps.handler_replaced) {
    comments.push_back(
        "somebody had put in a handler of SIGPROF (another profiler in this process?): vole's was "
        "put back, samples may be missing");
  }
  return comments;
}

}  // namespace

struct cpu_profile::state {
  std::chrono::system_clock::time_point begun;
  time_point begun_monotonic;
  std::unordered_map<labelled_stack, std::int64_t, labelled_stack_hash> weights;
  sample::cpu_capture capture{
      [](void* self, sample::cpu_sample const& taken) { static_cast<state*>(self)->count(taken); },
      this};

  ~state() {
    blocking([this] { capture.stop(); });
  }

  void count(sample::cpu_sample const& taken) {
    // Now, since the meaning of an id does not outlive its goroutines by much.
    weights[{into_calls(taken), labels_of(taken.labels_id)}] +=
        static_cast<std::int64_t>(taken.weight);
  }

  profile_data data() {
    constexpr std::int64_t period_ns = 1'000'000'000 / sample::cpu_hz;
    profile_data all{.sample_types = {{"samples", "count"}, {"cpu", "nanoseconds"}},
                     .period_type = {"cpu", "nanoseconds"},
                     .period = period_ns,
                     .begun = begun,
                     .lasted = internal::now() - begun_monotonic,
                     .samples = {},
                     .comments = comments_on(capture.gaps())};
    for (auto const& [at, weight] : weights) {
      all.samples.push_back(
          {.pcs = at.pcs, .values = {weight, weight * period_ns}, .labels = at.labels});
    }
    return all;
  }
};

cpu_profile::cpu_profile(std::unique_ptr<state> own) noexcept : state_(std::move(own)) {}
cpu_profile::cpu_profile(cpu_profile&&) noexcept = default;
cpu_profile& cpu_profile::operator=(cpu_profile&&) noexcept = default;
cpu_profile::~cpu_profile() = default;

result<cpu_profile> start_cpu() {
  auto own = std::make_unique<cpu_profile::state>();
  own->begun = std::chrono::system_clock::now();
  own->begun_monotonic = internal::now();
  // The first one reads unwind tables for 20 ms.
  int const failure = blocking([&own] { return own->capture.start(); });
  if (failure != 0) {
    return errors::from_errno(failure, "start the processor-time timers of the profiler");
  }
  return cpu_profile(std::move(own));
}

std::string cpu_profile::stop() {
  if (state_ == nullptr) return {};
  std::unique_ptr<state> const own = std::move(state_);
  return blocking([&own] {
    own->capture.stop();
    return gzip(encode(own->data()));
  });
}

}  // namespace vole::pprof
