// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one door to atomics. In a build for the model checker VOLE_MODEL names the header that stands
// behind it (tests/model).
// Every acquire, release and read-modify-write that orders other data names its partner: "pairs
// with <file>:<function>".

#include <atomic>

namespace vole::internal {

using std::memory_order;
using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

}  // namespace vole::internal

#ifdef VOLE_MODEL
#include VOLE_MODEL
#else

namespace vole::internal {

template <class T>
using atomic = std::atomic<T>;

// spin_pause tells the processor that this is a spin-wait step. Most cores of aarch64 do nothing at
// `yield`; `isb` makes them wait for as long as x86's `pause` does.
inline void spin_pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  asm volatile("isb" ::: "memory");
#endif
}

}  // namespace vole::internal

#endif
