// SPDX-License-Identifier: Apache-2.0
#include "vole/testing.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "vole/assert.h"
#include "vole/internal/format.h"
#include "vole/runtime.h"
#include "vole/time.h"

#include "runtime/dump.h"
#include "runtime/goroutine.h"
#include "runtime/scheduler.h"

namespace vole::testing {
namespace {

using internal::goroutine;
using internal::goroutine_state;

// Nothing that a test waits for takes this long: the dump of a panic says more than a hanging test.
constexpr auto patience = std::chrono::minutes(2);

// pause lets the others run: at first they get the processor, later also time.
void pause(int round) {
  if (round < 64) {
    runtime::yield();
  } else {
    time::sleep(std::chrono::microseconds(std::min(round, 1000)));
  }
}

std::vector<std::uint64_t> live_ids() {
  std::vector<std::uint64_t> ids;
  internal::the_scheduler().stacks().for_each_block(
      [](void* arg, goroutine& g) {
        // relaxed, no partner: a look at what moves anyway.
        auto const id = g.id.load(internal::memory_order_relaxed);
        auto const state = g.state.load(internal::memory_order_relaxed);
        if (id != 0 && state != goroutine_state::dead) {
          static_cast<std::vector<std::uint64_t>*>(arg)->push_back(id);
        }
      },
      &ids);
  std::sort(ids.begin(), ids.end());
  return ids;
}

// section_id reads the 17 of "goroutine 17 [chan receive]:"; 0 when the section does not begin so.
std::uint64_t section_id(std::string_view section) {
  constexpr std::string_view head = "goroutine ";
  std::uint64_t id = 0;
  if (section.starts_with(head)) {
    std::from_chars(section.data() + head.size(), section.data() + section.size(), id);
  }
  return id;
}

// sections_of picks the sections of these goroutines out of a dump.
std::string sections_of(std::vector<std::uint64_t> const& ids) {
  std::string const dump = runtime::dump_goroutines();
  std::string picked;
  for (std::size_t at = 0; at < dump.size();) {
    std::size_t const end = std::min(dump.find("\n\n", at), dump.size());
    std::string_view const section = std::string_view(dump).substr(at, end - at);
    if (std::binary_search(ids.begin(), ids.end(), section_id(section))) {
      picked.append(section).append("\n\n");
    }
    at = end + 2;
  }
  return picked;
}

}  // namespace

std::size_t parked() {
  struct search {
    goroutine* self;
    std::size_t count;
  } found{internal::current_goroutine(), 0};
  internal::the_scheduler().stacks().for_each_block(
      [](void* arg, goroutine& g) {
        auto& search_in = *static_cast<search*>(arg);
        if (&g != search_in.self && internal::stands_still(g)) ++search_in.count;
      },
      &found);
  return found.count;
}

void wait_until_parked(std::size_t n) {
  time_point const give_up = internal::monotonic_now() + patience;
  for (int round = 0; parked() < n; ++round) {
    if (internal::monotonic_now() >= give_up) {
      panic(fmt::format("testing::wait_until_parked({}): only {} goroutines are parked", n,
                        parked()));
    }
    pause(round);
  }
}

leak_check::leak_check() : before_(live_ids()) {}

std::string leak_check::report(duration grace) const {
  time_point const give_up = internal::monotonic_now() + grace;
  std::uint64_t const self = runtime::goroutine_id();
  for (int round = 0;; ++round) {
    std::vector<std::uint64_t> left;
    for (std::uint64_t const id : live_ids()) {
      if (id != self && !std::binary_search(before_.begin(), before_.end(), id)) left.push_back(id);
    }
    if (left.empty()) return {};
    if (internal::monotonic_now() >= give_up) return sections_of(left);
    pause(round);
  }
}

}  // namespace vole::testing
