// SPDX-License-Identifier: Apache-2.0
#pragma once
// The control block of a goroutine. It lies at the top of the goroutine's own stack.

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string_view>

#include "vole/internal/park.h"

#include "runtime/fiber.h"

namespace vole::internal {

class bubble;
struct local_values;
struct slab;
namespace labels {
struct set;
}
struct worker;

// goroutine_state says who owns the stack and where the goroutine is linked.
enum class goroutine_state : std::uint8_t {
  dead,      // stack: the pool or a processor's cache; linked there. -> runnable
  runnable,  // stack: nobody; in exactly one run queue. -> running
  // stack: the worker whose current it is; in no queue. -> parked, runnable, blocking, dead
  running,
  // stack: nobody, once its ticket says parked; its tickets are in wait queues. -> runnable,
  // running
  parked,
  blocking,  // stack: the worker, which holds no processor; in no queue. -> running, runnable
};

struct exception_globals {
  void* caught = nullptr;
  unsigned uncaught = 0;
};

struct alignas(64) goroutine {
  // Owned by whoever owns the stack.
  fiber context;
  goroutine* next = nullptr;  // in the one queue or free list that state names
  void (*invoke)(void*) = nullptr;
  void* closure = nullptr;
  exception_globals exceptions;
  int saved_errno = 0;
  std::uint16_t blocking_depth = 0;
  std::uint8_t size_class = 0;
  std::int64_t ready_at = 0;  // when it was made runnable, for one schedule in 64; else 0

  // Fixed when the stack is taken.
  char* stack_low = nullptr;   // lowest usable byte, above the guard
  char* stack_high = nullptr;  // where frames start; the control block lies above
  slab* home = nullptr;
  std::size_t slot = 0;

  worker* wired = nullptr;  // the one worker that may run it, see runtime::lock_thread
  std::uint32_t wired_depth = 0;
  void (*on_exception)(std::exception_ptr) = nullptr;
  local_values* locals = nullptr;      // see vole/goroutine_local.h
  internal::bubble* bubble = nullptr;  // see bubble.h; null as a rule
  // Whoever wakes it must say so to the bubble. Written before it can be woken.
  bool bubble_blocked = false;
  atomic<bool> background{false};  // see background.cc; fixed at spawn

  // Written by the owner, read by dumps and profiles without a lock: may be stale there.
  atomic<goroutine_state> state{goroutine_state::dead};
  atomic<wait_reason> why{wait_reason::none};
  atomic<std::int64_t> since{0};  // coarse time of the last change to parked or blocking, ns
  atomic<std::uint64_t> id{0};
  atomic<std::uint64_t> parent_id{0};
  atomic<void*> created_by{nullptr};
  atomic<std::uint32_t> switches{
      0};  // a dump that sees it change between two looks drops that stack
  // Where it entered blocking(), for the unwinder: what lies above stands still until it leaves.
  // As a frame record tells it: symbol/unwind.h, sp_known.
  atomic<std::uintptr_t> blocking_pc{0};
  atomic<std::uintptr_t> blocking_sp{0};
  atomic<std::uintptr_t> blocking_fp{0};

  // Profile labels (runtime/labels.h), inherited at spawn.
  labels::set* labels = nullptr;  // owned by the goroutine, which counts it
  atomic<std::uint64_t> labels_id{0};
};

#if defined(__x86_64__)
inline constexpr bool blocking_sp_is_exact = true;
#else
inline constexpr bool blocking_sp_is_exact = false;
#endif

// The largest closure that fits a stack is what leaves its goroutine this much to run on.
inline constexpr std::size_t stack_bytes_min_free = 16 << 10;

// current_goroutine returns the caller's, or null on a plain thread. Never inlined: its address
// must not be
// kept over a switch, since the goroutine may go on on another thread.
goroutine* current_goroutine() noexcept;

}  // namespace vole::internal
