// SPDX-License-Identifier: Apache-2.0
// The list of profiles. No shared state.

#include <memory>
#include <utility>

#include "vole/go.h"
#include "vole/internal/clock.h"
#include "vole/pprof.h"
#include "vole/runtime.h"

#include "pprof/goroutine.h"

namespace vole::pprof {

struct profile_list {
  static constexpr profile all[] = {
      // sorted by name
      {"goroutine", "stacks of all goroutines that live now", &runtime::goroutines,
       &collect_goroutines, &goroutines_as_text},
      {"threadcreate", "threads of the process, by name", &count_threads, &collect_threads,
       &threads_as_text},
  };
};

std::size_t profile::count() const {
  return count_();
}
std::string profile::write(int debug) const {
  if (debug > 0) return text_(debug);
  profile_data const all = collect_();
  return blocking([&] { return gzip(encode(all)); });
}

struct delta::state {
  profile const* of = nullptr;
  profile_data before;
  time_point begun = internal::now();
};

delta::delta(std::unique_ptr<state> own) noexcept : state_(std::move(own)) {}
delta::delta(delta&&) noexcept = default;
delta& delta::operator=(delta&&) noexcept = default;
delta::~delta() = default;

delta profile::begin_delta() const {
  auto own = std::make_unique<delta::state>();
  own->of = this;
  own->before = collect_();
  return delta(std::move(own));
}

std::string delta::finish() {
  profile_data change = state_->of->collect_();
  change.lasted = internal::now() - state_->begun;
  subtract(change, state_->before);
  return blocking([&] { return gzip(encode(change)); });
}

profile const* lookup(std::string_view name) noexcept {
  for (profile const& p : profile_list::all) {
    if (p.name() == name) return &p;
  }
  return nullptr;
}

std::vector<profile const*> profiles() {
  std::vector<profile const*> list;
  for (profile const& p : profile_list::all) list.push_back(&p);
  return list;
}

}  // namespace vole::pprof
