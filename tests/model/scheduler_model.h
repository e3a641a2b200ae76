// SPDX-License-Identifier: Apache-2.0
#pragma once
// The product's scheduler in a case: its own processors, workers and switches, on threads of the
// explorer.

#include <cstddef>
#include <utility>

#include "explorer.h"
#include "latch.h"
#include "runtime/goroutine.h"

namespace vole::model {

// begin_scheduler starts the scheduler anew. The first thing in a case; choices are held from here.
void begin_scheduler(int processors);

// spawn starts a goroutine from where the caller stands: a plain thread or another goroutine.
void spawn_untyped(char const* name, void (*invoke)(void*), void* closure);
template <class Fn>
void spawn(char const* name, Fn fn) {
  spawn_untyped(
      name,
      [](void* at) {
        auto* const kept = static_cast<Fn*>(at);
        (*kept)();
        delete kept;
      },
      new Fn(std::move(fn)));
}

// expect_deadlock lets `reported` go once the scheduler reports that all
// goroutines are asleep. Else a report is a failure.
void expect_deadlock(latch& reported) noexcept;
// outsiders says how many plain threads there are that might wake a goroutine; 1 at first.
void outsiders(int count) noexcept;

// --- the kernel (kernel_model.cc)

struct goroutine_memory {
  static constexpr std::size_t stack_bytes = 32 << 10;

  alignas(64) char stack[stack_bytes];
  alignas(64) char block[sizeof(internal::goroutine)];
};
goroutine_memory& memory_for_goroutine() noexcept;

// open_file returns a descriptor that has nothing to read yet.
int open_file() noexcept;
void make_readable(int fd) noexcept;
void reset_kernel() noexcept;

}  // namespace vole::model
