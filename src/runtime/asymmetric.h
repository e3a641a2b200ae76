// SPDX-License-Identifier: Apache-2.0
#pragma once
// A pair of barriers of unequal cost. Two sides each store to a word and then read the other's: at
// least one of them sees the other's store. The fast side, which runs all the time, pays a plain
// store; the slow side pays for both, by membarrier(2).
//
// ORDERING  fast_store, then read | seq_cst exchange, slow_barrier, then read. Where there is no
//           membarrier, and under TSan, which cannot see it, fast_store is a full barrier itself.
// Source:   userspace RCU, sys_membarrier.

#include "vole/internal/atomic.h"

#include "runtime/sanitizer.h"

namespace vole::internal {

// membarrier_registered says whether the fast side may do without a barrier. Cost: a load.
bool membarrier_registered() noexcept;

void slow_barrier() noexcept;

template <class T>
void fast_store(atomic<T>& word, T value) noexcept {
  if (membarrier_registered()) [[likely]] {
    word.store(value, memory_order_relaxed);
    // The compiler may not move the reads that follow above the store; slow_barrier sees to the
    // processor.
    asm volatile("" ::: "memory");
  } else {
    word.exchange(value, memory_order_seq_cst);  // pairs with asymmetric.cc:slow_barrier
#if !VOLE_TSAN
    // pairs with asymmetric.cc:slow_barrier, on machines where an exchange is less
    // tidy: std::atomic, a fence has no name behind the door yet
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
  }
}

// fast_barrier makes a fast_store of the read-modify-write that the caller has just done.
inline void fast_barrier() noexcept {
  asm volatile("" ::: "memory");
#if !VOLE_TSAN
  // pairs with asymmetric.cc:slow_barrier, on machines where a read-modify-write is less
  // tidy: std::atomic, a fence has no name behind the door yet
  if (!membarrier_registered()) __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

}  // namespace vole::internal
