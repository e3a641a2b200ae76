// SPDX-License-Identifier: Apache-2.0
// The bare switch between two fibers, without the scheduler: what a park and a yield cannot be
// faster than. bench/ holds those beside Go.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>

#include "vole/bench.h"

#include "runtime/fiber.h"
#include "runtime/goroutine.h"
#include "runtime/sanitizer.h"

using namespace vole;
using namespace vole::internal;

namespace {

struct fibers {
  static constexpr std::size_t stack_bytes = 64 << 10;

  fiber home;  // the benchmark's own goroutine
  fiber away;
  std::int64_t visits = 0;
  std::unique_ptr<std::byte[]> const stack = std::make_unique<std::byte[]>(stack_bytes);

  explicit fibers(void (*fn)(void*)) {
    away.sp = fiber_prepare(stack.get() + stack_bytes, fn, this);
#if VOLE_ASAN
    away.stack_low = stack.get();
    away.stack_bytes = stack_bytes;
    home.stack_low = current_goroutine()->context.stack_low;
    home.stack_bytes = current_goroutine()->context.stack_bytes;
#endif
#if VOLE_TSAN
    away.tsan = __tsan_create_fiber(0);
    home.tsan = current_goroutine()->context.tsan;
#endif
  }
  ~fibers() {
#if VOLE_TSAN
    __tsan_destroy_fiber(away.tsan);
#endif
  }
};

void report_visits(bench::benchmark& b, fibers const& two) {
  std::int64_t const pairs = (b.n + 1) / 2;
  b.report_metric(static_cast<double>(two.visits) / static_cast<double>(pairs), "check/op");
}

// Both fibers are here, as goroutines are in the one place where the scheduler switches.
[[gnu::noinline, gnu::no_sanitize_address, gnu::no_sanitize_thread]] void take_turns(
    fiber& self, fiber& other, std::int64_t& count, std::int64_t most) {
  while (count < most) {
    ++count;
    fiber_switch(self, other);
  }
}

// Of the fibers away none returns, so that their frames must leave nothing behind that a sanitizer
// keeps of them.
[[gnu::no_sanitize_address, gnu::no_sanitize_thread]] void answer_in_turn(void* arg) {
  fiber_entered();
  auto& two = *static_cast<fibers*>(arg);
  take_turns(two.away, two.home, two.visits, std::numeric_limits<std::int64_t>::max());
}

VOLE_BENCH(fiber_switch) {
  fibers two(&answer_in_turn);
  std::int64_t turns = 0;
  take_turns(two.home, two.away, turns, (b.n + 1) / 2);
  report_visits(b, two);
}

[[gnu::no_sanitize_address, gnu::no_sanitize_thread]] void answer_elsewhere(void* arg) {
  fiber_entered();
  auto& two = *static_cast<fibers*>(arg);
  while (true) {
    ++two.visits;
    fiber_switch(two.away, two.home);
  }
}

// Each fiber switches in a place of its own, so that the processor expects the other's return
// address at each return: the dearest case.
VOLE_BENCH(fiber_switch_apart) {
  fibers two(&answer_elsewhere);
  for (std::int64_t switches = 0; switches < b.n; switches += 2) fiber_switch(two.home, two.away);
  report_visits(b, two);
}

}  // namespace
