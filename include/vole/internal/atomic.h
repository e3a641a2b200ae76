// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one door to atomics: a build for the model checker swaps what stands behind it.
// Every acquire, release and read-modify-write that orders other data names its partner: "pairs
// with <file>:<function>".

#include <atomic>

namespace vole::internal {

template <class T>
using atomic = std::atomic<T>;

using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

// spin_pause tells the processor that this is a spin-wait step.
inline void spin_pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  asm volatile("yield");
#endif
}

}  // namespace vole::internal
