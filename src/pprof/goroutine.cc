// SPDX-License-Identifier: Apache-2.0
//
// Goroutines, grouped by stack or each by itself.
//
// Nobody is stopped for it: each goroutine is looked at by itself (runtime/dump.h), and the profile
// is of no one instant. The caller's processor is given to others meanwhile: to look at many takes
// long. No shared state.
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
#include "runtime/fiber.h"
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
// which say nothing. Of one that moved at each look only the first frame is known; a sample without
// any would be malformed.
std::vector<std::uintptr_t> place(goroutine_snapshot const& g) {
  if (g.depth == 0) return {reinterpret_cast<std::uintptr_t>(&vole_fiber_entry) + 1};
  bool const switched = g.state == internal::goroutine_state::parked ||
                        g.state == internal::goroutine_state::runnable;
  return {g.pcs + (switched && g.depth > 1 ? 1 : 0), g.pcs + g.depth};
}

using internal::any_goroutine;
using internal::goroutine_filter;

groups grouped_goroutines(goroutine_filter wanted) {
  groups all;
  blocking([&all, wanted] {
    internal::for_each_goroutine(
        [](void* arg, goroutine_snapshot const& g) {
          auto& to = *static_cast<groups*>(arg);
          to[{.pcs = place(g), .reason = internal::state_text(g), .labels_id = g.labels_id}] += 1;
        },
        &all, wanted);
  });
  return all;
}

class goroutine_source : public profile_source {
 public:
  goroutine_source(std::string_view name, goroutine_filter wanted) : name_(name), wanted_(wanted) {}

  std::size_t count() const override {
    if (wanted_ == &any_goroutine) return runtime::goroutines();
    std::size_t count = 0;
    for (auto const& [key, goroutines] : grouped_goroutines(wanted_)) {
      count += static_cast<std::size_t>(goroutines);
    }
    return count;
  }

  profile_data collect() const override {
    profile_data all{.sample_types = {{name_, "count"}},
                     .period_type = {name_, "count"},
                     .period = 1,
                     .begun = std::chrono::system_clock::now(),
                     .lasted = {},
                     .samples = {}};
    for (auto const& [key, count] : grouped_goroutines(wanted_)) {
      all.samples.push_back({.pcs = calls_of(key.pcs),
                             .values = {count},
                             .labels = labels_with_reason(key.labels_id, key.reason)});
    }
    blocking([&all] { add_up_equal(all); });
    return all;
  }

 private:
  std::string_view name_;
  goroutine_filter wanted_;
};

std::string dump_of(goroutine_filter wanted) {
  return blocking([wanted] {
    std::vector<goroutine_snapshot> kept;
    internal::for_each_goroutine(
        [](void* arg, goroutine_snapshot const& g) {
          auto& to = *static_cast<std::vector<goroutine_snapshot>*>(arg);
          // Each makes about as much text as it takes here: what would be cut off need not be kept.
          if (to.size() * sizeof(goroutine_snapshot) < dump_bytes_max) to.push_back(g);
        },
        &kept, wanted);
    return internal::dump_text(std::move(kept), dump_bytes_max);
  });
}

}  // namespace

std::vector<text_label> labels_of(std::uint64_t id) {
  std::vector<text_label> labels;
  for (auto& [key, value] : internal::labels::find(id)) {
    labels.push_back({std::move(key), std::move(value)});
  }
  return labels;
}

std::vector<text_label> labels_with_reason(std::uint64_t labels_id, std::string_view reason) {
  std::vector<text_label> labels = labels_of(labels_id);
  if (std::ranges::find(labels, reason_key, &text_label::key) == labels.end()) {
    labels.push_back({std::string(reason_key), std::string(reason)});
  }
  return labels;
}

bool is_leak_suspect(goroutine_snapshot const& g) noexcept {
  using internal::wait_reason;
  if (g.state != internal::goroutine_state::parked) return false;
  switch (g.why) {
    case wait_reason::chan_receive_nil:
    case wait_reason::chan_send_nil:
    case wait_reason::select_no_cases:
      return true;
    case wait_reason::none:
    case wait_reason::sleep:
    case wait_reason::io_wait:
    case wait_reason::pipe_wait:
    case wait_reason::main_wait:
    case wait_reason::bubble_driver:
      return false;
    default:
      return g.waiting >= leak_age;
  }
}

std::unique_ptr<profile_source> make_goroutine_source() {
  return std::make_unique<goroutine_source>("goroutine", &any_goroutine);
}

std::unique_ptr<profile_source> make_goroutine_leak_source() {
  return std::make_unique<goroutine_source>("goroutineleak", &is_leak_suspect);
}

std::string dump_of_goroutines() {
  return dump_of(&any_goroutine);
}

std::string dump_of_leak_suspects() {
  return dump_of(&is_leak_suspect);
}

}  // namespace vole::pprof
