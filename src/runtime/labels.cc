// SPDX-License-Identifier: Apache-2.0
//
// LOCKS     registry::mu (leaf, held over fork: fork_locks.h) guards known and ended.
// ORDERING  a set's count: the last release sees all uses before the others (acq_rel with itself).

#include "runtime/labels.h"

#include <algorithm>
#include <deque>
#include <time.h>
#include <unordered_map>

#include "vole/internal/annotations.h"
#include "vole/internal/clock.h"
#include "vole/internal/raw_mutex.h"

#include "runtime/fork_locks.h"
#include "runtime/goroutine.h"

namespace vole::internal::labels {

struct set {
  atomic<std::uint64_t> users{1};
  std::uint64_t id = 0;
  pair_list pairs;
};

namespace {

// Samples are resolved ten times a second; ended sets are kept a good deal longer than that.
constexpr duration kept_after_end = std::chrono::seconds(2);
constexpr std::size_t kept_max = 65'536;

struct registry {
  raw_mutex mu;
  std::unordered_map<std::uint64_t, set*> known VOLE_GUARDED_BY(mu);
  struct ended_set {
    set* what;
    time_point since;
  };
  std::deque<ended_set> ended VOLE_GUARDED_BY(mu);
  std::uint64_t last_id VOLE_GUARDED_BY(mu) = 0;

  // forget_old takes out what was kept long enough; the caller deletes it without the lock.
  std::vector<set*> forget_old(time_point now) VOLE_REQUIRES_LOCK(mu) {
    std::vector<set*> gone;
    while (!ended.empty() &&
           (now - ended.front().since > kept_after_end || ended.size() > kept_max)) {
      gone.push_back(ended.front().what);
      known.erase(ended.front().what->id);
      ended.pop_front();
    }
    return gone;
  }
};

// Never destroyed: goroutines outlive static objects.
registry& the_registry() noexcept {
  static registry& one = *new registry;
  return one;
}

}  // namespace

set* make(set const* base, std::span<std::pair<std::string_view, std::string_view> const> more) {
  auto* const made = new set;
  if (base != nullptr) made->pairs = base->pairs;
  for (auto const& [key, value] : more) {
    auto const at = std::ranges::lower_bound(
        made->pairs, key, {}, [](auto const& p) { return std::string_view(p.first); });
    if (at != made->pairs.end() && at->first == key) {
      at->second = value;
    } else {
      made->pairs.emplace(at, key, value);
    }
  }
  guard_forks();
  registry& r = the_registry();
  raw_lock const lock(r.mu);
  made->id = ++r.last_id;
  r.known.emplace(made->id, made);
  return made;
}

set* retain(set* s) noexcept {
  if (s != nullptr) s->users.fetch_add(1, memory_order_relaxed);  // no partner: the caller has it
  return s;
}

void release(set* s) noexcept {
  // pairs with itself, see ORDERING
  if (s == nullptr || s->users.fetch_sub(1, memory_order_acq_rel) != 1) return;
  std::vector<set*> gone;
  {
    registry& r = the_registry();
    raw_lock const lock(r.mu);
    time_point const now = internal::monotonic_now();
    r.ended.push_back({s, now});
    gone = r.forget_old(now);
  }
  for (set* const old : gone) delete old;
}

std::uint64_t id_of(set const* s) noexcept {
  return s == nullptr ? 0 : s->id;
}

pair_list const& pairs_of(set const& s) noexcept {
  return s.pairs;
}

pair_list find(std::uint64_t id) {
  if (id == 0) return {};
  registry& r = the_registry();
  raw_lock const lock(r.mu);
  auto const at = r.known.find(id);
  return at == r.known.end() ? pair_list{} : at->second->pairs;
}

std::unordered_map<std::uint64_t, pair_list> find_at_panic(std::span<std::uint64_t const> ids) {
  std::unordered_map<std::uint64_t, pair_list> found;
  registry& r = the_registry();
  timespec const pause{0, 1'000'000};
  for (int attempt = 0; attempt < 20; ++attempt) {
    if (!r.mu.try_lock()) {
      ::nanosleep(&pause, nullptr);
      continue;
    }
    for (std::uint64_t const id : ids) {
      if (auto const at = r.known.find(id); at != r.known.end()) found[id] = at->second->pairs;
    }
    r.mu.unlock();
    break;
  }
  return found;
}

set* set_of(goroutine const& g) noexcept {
  return g.labels;
}

void put(goroutine& g, set* now) noexcept {
  g.labels = now;
  g.labels_id.store(id_of(now), memory_order_relaxed);  // no partner: the id alone is shared
}

void before_fork() noexcept {
  the_registry().mu.lock();
}
void after_fork() noexcept {
  the_registry().mu.unlock();
}

}  // namespace vole::internal::labels
