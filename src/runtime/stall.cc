// SPDX-License-Identifier: Apache-2.0
// INVARIANTS  one report at a time (reporting): those of a storm of stalls come one after another.

#include "runtime/stall.h"

#include <string>
#include <unistd.h>

#include "vole/go.h"
#include "vole/internal/format.h"

#include "runtime/dump.h"
#include "runtime/labels.h"
#include "runtime/signal.h"

namespace vole::internal {

constinit atomic<std::int64_t> stall_report_after{0};

namespace {

constinit atomic<bool> reporting{false};

struct stall {
  worker* on;
  std::uint64_t id;
  std::uint32_t switches;
  std::uint64_t parent_id;
  std::uint64_t labels_id;
  std::uintptr_t created_by;
  bool background;
  duration ran;
  bool asleep;
};

bool still_there(stall const& s) noexcept {
  goroutine const* const g = s.on->on_cpu.load(memory_order_relaxed);
  return g != nullptr && g->id.load(memory_order_relaxed) == s.id &&
         g->switches.load(memory_order_relaxed) == s.switches;
}

void print(stall const& s) {
  std::uintptr_t pcs[dump_depth_max];
  std::size_t depth = 0;
  // Its thread answers when it gets a core.
  for (int attempt = 0; depth == 0 && attempt < 50; ++attempt) {
    if (!still_there(s)) return;
    depth = capture_running(*s.on, s.id, pcs, dump_depth_max);
  }
  if (!still_there(s)) return;
  auto const ms = std::chrono::duration_cast<std::chrono::milliseconds>(s.ran).count();
  std::string text = fmt::format(
      "vole: stall: {}goroutine {} has kept its processor for {} ms: {}\n\ngoroutine {} "
      "[running{}]:\n",
      s.background ? "background " : "", s.id, ms,
      s.asleep ? "its thread sleeps in the kernel; blocking(fn) would say so at once"
               : "it computes; runtime::yield() would let others go first",
      s.id, labels_text(labels::find(s.labels_id)));
  append_frames(text, pcs, depth);
  append_creator(text, s.created_by, s.parent_id);
  text += '\n';
  write_all(STDERR_FILENO, text);
}

}  // namespace

bool report_stall(worker& w, processor const& p, duration ran, bool asleep) noexcept {
  goroutine const* const g = w.on_cpu.load(memory_order_acquire);  // pairs with scheduler.cc:enter
  if (g == nullptr) return false;
  // acquire, all six: the tick is read after them; a schedule counts before it is on_cpu
  stall const s{&w,  // pairs with scheduler.cc:enter
                g->id.load(memory_order_acquire),
                g->switches.load(memory_order_acquire),
                g->parent_id.load(memory_order_acquire),
                g->labels_id.load(memory_order_acquire),
                reinterpret_cast<std::uintptr_t>(g->created_by.load(memory_order_acquire)),
                g->background.load(memory_order_acquire),
                ran,
                asleep};
  bool const stood_still = p.tick.load(memory_order_relaxed) == p.seen_tick;
  if (!stood_still || reporting.exchange(true)) return false;
  std::errc const failure = try_go({}, [s] {
    blocking([&] { print(s); });
    reporting.store(false);
  });
  if (failure != std::errc{}) reporting.store(false);
  return failure == std::errc{};
}

}  // namespace vole::internal
