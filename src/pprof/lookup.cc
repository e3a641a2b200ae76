// SPDX-License-Identifier: Apache-2.0
//
// The list of profiles.
//
// INVARIANTS  a profile in the list stays at its place and is never destroyed.
// LOCKS       catalogue::mu_ (leaf) guards the list, not the profiles.

#include <map>
#include <memory>
#include <utility>

#include "vole/assert.h"
#include "vole/go.h"
#include "vole/internal/annotations.h"
#include "vole/internal/clock.h"
#include "vole/internal/raw_mutex.h"
#include "vole/pprof.h"

#include "pprof/contention.h"
#include "pprof/custom.h"
#include "pprof/goroutine.h"
#include "pprof/heap.h"
#include "pprof/source.h"
#include "pprof/text.h"

namespace vole::pprof {
namespace {

class catalogue {
 public:
  catalogue() {
    add("allocs", "all that was allocated since the start, by who did",
        make_heap_source("alloc_space"));
    add("block", "where goroutines waited for each other, and how long", make_block_source());
    add("heap", "memory in use, by who allocated it", make_heap_source(""));
    add("mutex", "whose unlocking others waited for, and how long", make_mutex_source());
    add("goroutine", "stacks of all goroutines that live now", make_goroutine_source());
    add("goroutineleak", "goroutines that nobody seems to wake any more",
        make_goroutine_leak_source());
    add("threadcreate", "threads of the process, by name", make_thread_source());
  }

  profile* find(std::string_view name) noexcept VOLE_EXCLUDES(mu_) {
    internal::raw_lock const lock(mu_);
    auto const at = all_.find(name);
    return at == all_.end() ? nullptr : at->second.get();
  }

  // Null: the name is taken.
  profile* add(std::string_view name, std::string_view description,
               std::unique_ptr<profile_source> source) VOLE_EXCLUDES(mu_) {
    auto made =
        std::make_unique<profile>(std::string(name), std::string(description), std::move(source));
    internal::raw_lock const lock(mu_);
    std::string_view const key = made->name();
    auto const [at, fresh] = all_.try_emplace(key, std::move(made));
    return fresh ? at->second.get() : nullptr;
  }

  std::vector<profile const*> list() VOLE_EXCLUDES(mu_) {
    internal::raw_lock const lock(mu_);
    std::vector<profile const*> sorted;
    for (auto const& [name, p] : all_) sorted.push_back(p.get());
    return sorted;
  }

 private:
  internal::raw_mutex mu_;
  std::map<std::string_view, std::unique_ptr<profile>> all_ VOLE_GUARDED_BY(mu_);
};

// Never destroyed: profiles are asked for while static objects are being taken down.
catalogue& the_catalogue() {
  static catalogue& one = *new catalogue;
  return one;
}

}  // namespace

void profile_source::add(void const*, int, void const*) {
  panic(
      "add to a profile that vole keeps: only those of pprof::new_profile have entries of one's "
      "own");
}
void profile_source::remove(void const*) {
  panic(
      "remove from a profile that vole keeps: only those of pprof::new_profile have entries of "
      "one's own");
}

profile::profile(std::string name, std::string description, std::unique_ptr<profile_source> source)
    : name_(std::move(name)), description_(std::move(description)), source_(std::move(source)) {}
profile::~profile() = default;

std::size_t profile::count() const {
  return source_->count();
}
std::string profile::write(int debug) const {
  if (debug > 0) return as_text(*this, debug);
  return blocking([this] { return gzip(encode(source_->collect())); });
}
bool profile::has_delta() const noexcept {
  return source_->has_delta();
}
[[gnu::noinline]] void profile::add(void const* value, int skip) {
  source_->add(value, skip, __builtin_return_address(0));
}
void profile::remove(void const* value) {
  source_->remove(value);
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
  own->before = source_->collect_apart();
  return delta(std::move(own));
}

std::string delta::finish() {
  return blocking([this] {
    profile_data change = state_->of->source().collect();
    change.lasted = internal::now() - state_->begun;
    subtract(change, state_->before);
    return gzip(encode(change));
  });
}

std::string delta::next() {
  return blocking([this] {
    profile_data change = state_->of->source().collect();
    time_point const now = internal::now();
    profile_data const before = std::exchange(state_->before, change);
    change.lasted = now - std::exchange(state_->begun, now);
    subtract(change, before);
    return gzip(encode(change));
  });
}

profile* lookup(std::string_view name) noexcept {
  return the_catalogue().find(name);
}

std::vector<profile const*> profiles() {
  return the_catalogue().list();
}

profile& new_profile(std::string_view name) {
  VOLE_REQUIRE(!name.empty(), "a profile without a name");
  profile* const made = the_catalogue().add(name, "of this program", make_custom_source(name));
  VOLE_REQUIRE(made != nullptr, "there is a profile {} already", name);
  return *made;
}

}  // namespace vole::pprof
