// SPDX-License-Identifier: Apache-2.0
//
// Goroutines, grouped by stack or each by itself.
//
// Nobody is stopped for it: each goroutine is looked at by itself (runtime/dump.h), and the profile
// is of no one instant. No shared state.
// Source: Go runtime/pprof (writeGoroutine). Differs: what a goroutine waits for is a label.

#include "pprof/goroutine.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "vole/go.h"
#include "vole/runtime.h"

#include "runtime/dump.h"
#include "runtime/labels.h"

namespace vole::pprof {
namespace {

using internal::goroutine_snapshot;

constexpr std::string_view reason_key = "wait_reason";
// As Go: a dump that is larger helps nobody.
constexpr std::size_t dump_bytes_max = 64 << 20;

struct group_key {
  std::vector<std::uintptr_t> pcs;
  std::string_view reason;  // static text
  std::uint64_t labels_id = 0;

  bool operator==(group_key const&) const = default;
};
struct group_hash {
  std::size_t operator()(group_key const& k) const noexcept {
    return hash_stack(k.pcs) ^ std::hash<std::string_view>{}(k.reason) ^ k.labels_id;
  }
};
using groups = std::unordered_map<group_key, std::int64_t, group_hash>;

// place is where g stands, without the frame that switched away from it: that has several exits,
// which say nothing.
std::vector<std::uintptr_t> place(goroutine_snapshot const& g) {
  bool const switched = g.state == internal::goroutine_state::parked ||
                        g.state == internal::goroutine_state::runnable;
  return {g.pcs + (switched && g.depth > 1 ? 1 : 0), g.pcs + g.depth};
}

groups grouped_goroutines() {
  groups all;
  internal::for_each_goroutine(
      [](void* arg, goroutine_snapshot const& g) {
        auto& found = *static_cast<groups*>(arg);
        found[{.pcs = place(g), .reason = internal::state_text(g), .labels_id = g.labels_id}] += 1;
      },
      &all);
  return all;
}

class goroutine_source : public profile_source {
 public:
  std::size_t count() const override { return runtime::goroutines(); }

  profile_data collect() const override {
    profile_data all{.sample_types = {{"goroutine", "count"}},
                     .period_type = {"goroutine", "count"},
                     .period = 1,
                     .begun = std::chrono::system_clock::now(),
                     .lasted = {},
                     .samples = {}};
    for (auto const& [key, count] : grouped_goroutines()) {
      stack_sample s{.pcs = key.pcs, .values = {count}, .labels = labels_of(key.labels_id)};
      if (std::ranges::find(s.labels, reason_key, &text_label::key) == s.labels.end()) {
        s.labels.push_back({std::string(reason_key), std::string(key.reason)});
      }
      for (std::uintptr_t& pc : s.pcs) --pc;
      all.samples.push_back(std::move(s));
    }
    return all;
  }
};

}  // namespace

std::vector<text_label> labels_of(std::uint64_t id) {
  std::vector<text_label> labels;
  for (auto& [key, value] : internal::labels::find(id)) {
    labels.push_back({std::move(key), std::move(value)});
  }
  return labels;
}

std::unique_ptr<profile_source> make_goroutine_source() {
  return std::make_unique<goroutine_source>();
}

std::string dump_of_goroutines() {
  std::vector<goroutine_snapshot> all;
  internal::for_each_goroutine(
      [](void* arg, goroutine_snapshot const& g) {
        auto& kept = *static_cast<std::vector<goroutine_snapshot>*>(arg);
        // Each makes about as much text as it takes here: what would be cut off need not be kept.
        if (kept.size() * sizeof(goroutine_snapshot) < dump_bytes_max) kept.push_back(g);
      },
      &all);
  return blocking([&] { return internal::dump_text(std::move(all), dump_bytes_max); });
}

}  // namespace vole::pprof
