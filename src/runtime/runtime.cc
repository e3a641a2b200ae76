// SPDX-License-Identifier: Apache-2.0
// What users call: spawn, run, blocking, yield and the counters.

#include "vole/runtime.h"

#include <cerrno>
#include <iterator>
#include <sys/resource.h>

#include "vole/go.h"
#include "vole/internal/format.h"
#include "vole/internal/park.h"
#include "vole/internal/spin.h"

#include "runtime/bubble.h"
#include "runtime/dump.h"
#include "runtime/exit_hold.h"
#include "runtime/goroutine_local.h"
#include "runtime/labels.h"
#include "runtime/scheduler.h"
#include "runtime/signal.h"
#include "runtime/stall.h"
#include "symbol/stack_word.h"

namespace vole {
namespace internal {

void goroutine_main(void* arg);

namespace {

constexpr std::size_t main_stack_bytes = 8 << 20;  // as a process's first thread has

}  // namespace

[[gnu::noinline]] spawn_slot spawn_begin(spawn_options const& options, std::size_t closure_bytes,
                                         std::size_t align, void (*invoke)(void*)) noexcept {
  scheduler& s = the_scheduler();
  s.start();
  spawn_slot slot;
  int const size_class = stack_class_for(options.stack_bytes);
  if (size_class < 0 || !stack_holds(size_class, closure_bytes + align + stack_bytes_min_free)) {
    slot.failure = std::errc::value_too_large;
    return slot;
  }
  goroutine* const g = s.take_block(size_class, &slot.failure);
  if (g == nullptr) return slot;
  auto const top = reinterpret_cast<std::uintptr_t>(g->stack_high);
  std::uintptr_t const closure = (top - closure_bytes) & ~(std::uintptr_t{align} - 1);
  worker* const w = current_worker();
  goroutine* const parent = w == nullptr ? nullptr : w->current;
  g->invoke = invoke;
  g->closure = reinterpret_cast<void*>(closure);
  g->exceptions = {};
  g->saved_errno = 0;
  g->blocking_depth = 0;
  g->ready_at = 0;
  g->on_exception = options.on_exception;
  bool const background = options.scheduling == scheduling_class::inherited
                              ? parent != nullptr && parent->background.load(memory_order_relaxed)
                              : options.scheduling == scheduling_class::background;
  g->background.store(background && s.expect_background(), memory_order_relaxed);
  g->locals = parent == nullptr || parent->locals == nullptr ? nullptr : inherit_locals(*parent);
  g->bubble = parent == nullptr ? nullptr : parent->bubble;
  if (g->bubble != nullptr) [[unlikely]]
    g->bubble->started();
  g->next = nullptr;
#if VOLE_ASAN
  __asan_unpoison_memory_region(g->stack_low,
                                static_cast<std::size_t>(g->stack_high - g->stack_low));
#endif
  g->context.sp = fiber_prepare(g->closure, &goroutine_main, g);
#if VOLE_TSAN
  g->context.tsan = __tsan_create_fiber(0);
#endif
  g->why.store(wait_reason::none, memory_order_relaxed);
  g->created_by.store(__builtin_return_address(0), memory_order_relaxed);
  g->parent_id.store(parent == nullptr ? 0 : parent->id.load(memory_order_relaxed),
                     memory_order_relaxed);
  labels::put(*g, parent == nullptr ? nullptr : labels::retain(parent->labels));
  g->id.store(s.next_id(w == nullptr ? nullptr : w->held), memory_order_relaxed);
  slot.g = g;
  slot.closure = g->closure;
  return slot;
}

void spawn_commit(goroutine* g) noexcept {
  the_scheduler().spawned(g);
}

void spawn_failed(std::errc why, std::size_t stack_bytes) {
  fmt::memory_buffer text;  // on the stack: there may be no memory for it either
  auto const out = std::back_inserter(text);
  if (why == std::errc::value_too_large) {
    fmt::format_to(out, "go: a stack of {} bytes with its closure is more than vole makes (8 MiB)",
                   stack_bytes);
  } else if (why == std::errc::resource_unavailable_try_again) {
    fmt::format_to(out,
                   "go: no stack: {} goroutines live, and runtime::set_max_goroutines bounds them "
                   "to {}; try_go returns this as a value",
                   the_scheduler().live(), the_scheduler().stacks().counters().blocks_max);
  } else {
    fmt::format_to(out,
                   "go: no memory for a stack: {} goroutines live; the address space (ulimit -v), "
                   "memory or map entries (vm.max_map_count) are used up; try_go returns this as a "
                   "value",
                   the_scheduler().live());
  }
  panic({text.data(), text.size()});
}

int run_main(int (*invoke)(void*), void* fn) {
  VOLE_REQUIRE(current_goroutine() == nullptr, "vole::run is called from a goroutine");
  int status = 0;
  park_ticket done;
  spawn_options options;
  options.stack_bytes = main_stack_bytes;
  go(options, [&] {
    status = invoke(fn);
    the_scheduler().expect_progress(-1);
    if (done.try_claim()) done.finish();
  });
  the_scheduler().expect_progress(1);
  the_scheduler()
      .check_deadlock();  // all may be asleep already, before they could know that somebody waits
  done.park(wait_reason::main_wait);
  hold_at_exit();  // before the static objects that were made meanwhile
  return status;
}

[[gnu::noinline]] void blocking_begin() noexcept {
  goroutine* const g = current_goroutine();
  if (g == nullptr) return;
  if (g->blocking_depth == 0) {
    auto const* const frame = static_cast<std::uintptr_t const*>(__builtin_frame_address(0));
    g->blocking_pc.store(symbol::code_address(frame[1]), memory_order_relaxed);
    g->blocking_sp.store(reinterpret_cast<std::uintptr_t>(frame + 2), memory_order_relaxed);
    g->blocking_fp.store(frame[0], memory_order_relaxed);
  }
  the_scheduler().enter_blocking(*g);
}

void blocking_end() noexcept {
  if (goroutine* const g = current_goroutine()) the_scheduler().leave_blocking(*g);
}

bool scheduler::spinning_pays() const noexcept {
  auto const without_work = static_cast<int>(idle_count_.load(memory_order_relaxed) +
                                             spinning_.load(memory_order_relaxed));
  if (max_procs() - without_work < 2) return false;  // no other runs anything
  worker const* const w = current_worker();
  return w == nullptr || w->held == nullptr || w->held->queue.empty();
}

bool spinning_pays() noexcept {
  return the_scheduler().spinning_pays();
}

}  // namespace internal

namespace runtime {

void yield() noexcept {
  internal::the_scheduler().yield();
}

int max_procs() noexcept {
  if (!internal::the_scheduler().is_forked()) internal::the_scheduler().start();
  return internal::the_scheduler().max_procs();
}

int set_max_procs(int n) noexcept {
  return internal::the_scheduler().set_max_procs(n);
}

unsigned set_max_threads(unsigned n) noexcept {
  return internal::the_scheduler().set_max_threads(n);
}

void set_max_goroutines(std::size_t n) noexcept {
  internal::the_scheduler().stacks().set_limit(n);
}

void set_dump_signal(int signal) noexcept {
  internal::choose_dump_signal(signal);
}

void lock_thread() noexcept {
  if (auto* const g = internal::current_goroutine()) internal::the_scheduler().wire(*g);
}

void unlock_thread() noexcept {
  if (auto* const g = internal::current_goroutine()) internal::the_scheduler().unwire(*g);
}

void set_stall_report(std::chrono::nanoseconds after) noexcept {
  internal::stall_report_after.store(after.count(), internal::memory_order_relaxed);
}

std::size_t goroutines() noexcept {
  return internal::the_scheduler().live();
}

scheduling_class scheduling() noexcept {
  internal::goroutine const* const g = internal::current_goroutine();
  bool const background = g != nullptr && g->background.load(internal::memory_order_relaxed);
  return background ? scheduling_class::background : scheduling_class::foreground;
}

std::uint64_t goroutine_id() noexcept {
  internal::goroutine* const g = internal::current_goroutine();
  return g == nullptr ? 0 : g->id.load(internal::memory_order_relaxed);
}

latency_histogram scheduling_latency() noexcept {
  return internal::the_scheduler().latency();
}

stats read_stats() noexcept {
  return internal::the_scheduler().stats();
}

}  // namespace runtime
}  // namespace vole
