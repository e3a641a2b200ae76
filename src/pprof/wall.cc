// SPDX-License-Identifier: Apache-2.0
//
// Wall profiles: adds up the wall sampler's looks and renders them.
//
// INVARIANTS  stacks is written by the sampler's deliveries only, which stop when the capture
//             stops; it is read after that.
// LOCKS  none here: the sampler's lock orders the deliveries.
// REJECTED  what a goroutine waits for as its innermost frame: the frames say it already (recv,
//           sleep), and pprof makes a frame of a label when asked (-tagleaf=wait_reason), but never
//           a label of a frame.
// Source: github.com/felixge/fgprof (sample types). Differs: runtime/wall_sample.h.

#include <chrono>
#include <unordered_map>
#include <utility>
#include <vector>

#include "vole/errors.h"
#include "vole/go.h"
#include "vole/pprof.h"

#include "pprof/goroutine.h"
#include "pprof/profile.h"
#include "pprof/text.h"
#include "runtime/wall_sample.h"

namespace vole::pprof {
namespace {

namespace wall = internal::wall;

}  // namespace

struct wall_profile::state {
  std::chrono::system_clock::time_point begun;
  std::unordered_map<labelled_stack, std::int64_t, labelled_stack_hash> seen_ns;
  wall::wall_capture capture{
      [](void* self, wall::wall_sample const& taken) { static_cast<state*>(self)->add(taken); },
      this};

  ~state() {
    blocking([this] { capture.stop(); });
  }

  void add(wall::wall_sample const& taken) {
    labelled_stack at{.pcs = {taken.pcs.begin(), taken.pcs.end()},
                      .labels = labels_with_reason(taken.labels_id, taken.reason)};
    if (taken.created_by != 0) at.pcs.push_back(creator_pc(taken.created_by));
    if (at.pcs.empty()) at.pcs.push_back(lost_samples_pc);
    seen_ns[std::move(at)] += taken.ns;
  }

  profile_data data() const {
    constexpr std::int64_t period_ns = wall::period.count();
    profile_data all{.sample_types = {{"samples", "count"}, {"time", "nanoseconds"}},
                     .period_type = {"wallclock", "nanoseconds"},
                     .period = period_ns,
                     .begun = begun,
                     .lasted = capture.lasted(),
                     .samples = {}};
    for (auto const& [at, ns] : seen_ns) {
      if (ns == 0) continue;
      all.samples.push_back(
          {.pcs = at.pcs, .values = {(ns + period_ns / 2) / period_ns, ns}, .labels = at.labels});
    }
    return all;
  }
};

wall_profile::wall_profile(std::unique_ptr<state> own) noexcept : state_(std::move(own)) {}
wall_profile::wall_profile(wall_profile&&) noexcept = default;
wall_profile& wall_profile::operator=(wall_profile&&) noexcept = default;
wall_profile::~wall_profile() = default;

result<wall_profile> start_wall() {
  auto own = std::make_unique<wall_profile::state>();
  own->begun = std::chrono::system_clock::now();
  // The first one reads unwind tables for 20 ms.
  int const failure = blocking([&own] { return own->capture.start(); });
  if (failure != 0) {
    return errors::from_errno(failure, "start the thread of the wall profiler");
  }
  return wall_profile(std::move(own));
}

std::string wall_profile::stop(int debug) {
  if (state_ == nullptr) return {};
  std::unique_ptr<state> const own = std::move(state_);
  return blocking([&] {
    own->capture.stop();
    profile_data const all = own->data();
    return debug > 0 ? text_of("wall", all) : gzip(encode(all));
  });
}

}  // namespace vole::pprof
