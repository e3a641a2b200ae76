// SPDX-License-Identifier: Apache-2.0
// check_locks.h: finds a std::mutex that is held over a park. A debugging aid, of the library
// vole::check_locks, which a program links for that alone: it stands in front of the C library's
// pthread_mutex_* and pthread_rwlock_*, also for other shared libraries.
//
//   target_link_libraries(server_checked PRIVATE vole::http vole::check_locks)
//
//   int main() {
//     vole::runtime::check_locks();
//     return vole::run(serve);
//   }
#pragma once

#include <cstdint>

namespace vole::runtime {

// check_locks has every goroutine reported on standard error, with both stacks, that parks, yields,
// ends or otherwise leaves its thread while it holds a pthread mutex or rwlock (std::mutex,
// std::shared_mutex and their kin) that it locked itself: whoever wants that lock next stops a
// worker, which may be the one that is needed to go on, and the unlock may come from another
// thread, which POSIX forbids. Each place that locks is reported once. Not reported: plain threads,
// goroutines in lock_thread(), a lock that was taken before the call.
// Cost:    a walk of the stack for each lock that a goroutine takes, some 100 ns; without the
//          library nothing.
// Safety:  any thread; a second call does nothing. Not for sanitizer builds, which stand in front
//          of the same functions.
void check_locks() noexcept;

// lock_reports counts the reports that were written: a test may demand that there are none.
std::uint64_t lock_reports() noexcept;

}  // namespace vole::runtime
