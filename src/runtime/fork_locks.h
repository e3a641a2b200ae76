// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a forked child may go on using: malloc and free, mutexes and labels, whose counting takes
// locks that another thread may have held. The forking thread takes them all, and parent and child
// let them go. What needs the runtime's threads panics there, if they had been started:
// scheduler::refuse_if_forked.
//
// INVARIANTS
//   - Until guard_forks() has been called nothing has been counted, so no lock is held.
// LOCKS  in this order: labels, then waits and unlocks, then the heap's. Labels allocate under
//        their lock, so the heap's is the last.

#include "vole/internal/annotations.h"

namespace vole::internal {

// guard_forks makes the forks from now on safe. Called before the first lock of these is taken; a
// load when it has been called before.
void guard_forks() noexcept;

// this_thread_forks: it holds the locks for a fork. What runs in other handlers of pthread_atfork
// may free, and may unlock.
bool this_thread_forks() noexcept;

// What is locked over a fork, by those whose locks they are.
namespace labels {
void before_fork() noexcept VOLE_NO_THREAD_SAFETY_ANALYSIS;
void after_fork() noexcept VOLE_NO_THREAD_SAFETY_ANALYSIS;
}  // namespace labels
namespace contention {
void before_fork() noexcept VOLE_NO_THREAD_SAFETY_ANALYSIS;
void after_fork() noexcept VOLE_NO_THREAD_SAFETY_ANALYSIS;
}  // namespace contention
namespace heap {
void before_fork() noexcept VOLE_NO_THREAD_SAFETY_ANALYSIS;
void after_fork() noexcept VOLE_NO_THREAD_SAFETY_ANALYSIS;
}  // namespace heap

}  // namespace vole::internal
