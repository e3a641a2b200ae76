// SPDX-License-Identifier: Apache-2.0
//
// LOCKS   custom_source::mu_ (leaf) guards entries_; one lock for each profile.
// Source: Go runtime/pprof (Profile.Add, Remove).

#include "pprof/custom.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "vole/assert.h"
#include "vole/internal/annotations.h"
#include "vole/internal/raw_mutex.h"

#include "runtime/own_stack.h"

namespace vole::pprof {
namespace {

using stack = std::vector<std::uintptr_t>;  // return addresses, innermost first

constexpr std::size_t depth_max = 128;

class custom_source : public profile_source {
 public:
  explicit custom_source(std::string_view name) : name_(name) {}

  std::size_t count() const override {
    internal::raw_lock const lock(mu_);
    return entries_.size();
  }

  profile_data collect() const override {
    std::map<stack, std::int64_t> counts;
    {
      internal::raw_lock const lock(mu_);
      for (auto const& [value, pcs] : entries_) ++counts[pcs];
    }
    profile_data all{.sample_types = {{name_, "count"}},
                     .period_type = {name_, "count"},
                     .period = 1,
                     .begun = std::chrono::system_clock::now(),
                     .lasted = {},
                     .samples = {}};
    for (auto const& [pcs, count] : counts) {
      all.samples.push_back({.pcs = calls_of(pcs), .values = {count}, .labels = {}});
    }
    return all;
  }

  bool has_delta() const override { return false; }

  void add(void const* value, int skip, void const* caller) override {
    std::uintptr_t pcs[depth_max];
    std::size_t const depth = internal::unwind_own_stack(pcs, caller);
    std::size_t const from = std::min(depth, static_cast<std::size_t>(std::max(skip, 0)));
    internal::raw_lock const lock(mu_);
    bool const fresh = entries_.try_emplace(value, pcs + from, pcs + depth).second;
    VOLE_REQUIRE(fresh, "{} is in the profile {} already", value, name_);
  }

  void remove(void const* value) override {
    internal::raw_lock const lock(mu_);
    entries_.erase(value);
  }

 private:
  std::string const name_;
  mutable internal::raw_mutex mu_;
  std::unordered_map<void const*, stack> entries_ VOLE_GUARDED_BY(mu_);
};

}  // namespace

std::unique_ptr<profile_source> make_custom_source(std::string_view name) {
  return std::make_unique<custom_source>(name);
}

}  // namespace vole::pprof
