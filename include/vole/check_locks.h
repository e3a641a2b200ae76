// SPDX-License-Identifier: Apache-2.0
// check_locks.h: finds a std::mutex that is held over a park. A debugging aid, of the library
// vole::check_locks, which stands in front of the C library's pthread_mutex_* and pthread_rwlock_*,
// also for other shared libraries. Programs built with CMAKE_BUILD_TYPE=Debug link it by
// themselves; any other gets it from
//
//   target_link_libraries(server PRIVATE vole::http vole::check_locks)
//
// and one that is to do without in Debug too from
//
//   set_target_properties(server PROPERTIES VOLE_NO_CHECK_LOCKS ON)
//
// With the library in it, a program has every goroutine reported on standard error, with both
// stacks, that parks, yields, ends or otherwise leaves its thread while it holds a pthread mutex or
// rwlock (std::mutex, std::shared_mutex and their kin) that it locked itself: whoever wants that
// lock next stops a worker, which may be the one that is needed to go on, and the unlock may come
// from another thread, which POSIX forbids. Each place that locks is reported once. Not reported:
// plain threads and goroutines in lock_thread().
//
// Cost: a walk of the stack for each lock that a goroutine takes, some 100 ns; without the library
// nothing. Not in sanitizer builds of vole, which stand in front of the same functions, nor for
// shared libraries: a program that only itself is built with a sanitizer says VOLE_NO_CHECK_LOCKS.
#pragma once

#include <cstdint>

namespace vole::runtime {

// lock_reports counts the reports that were written: a test may demand that there are none. Links
// the library, whatever the build.
// Safety: any thread.
std::uint64_t lock_reports() noexcept;

}  // namespace vole::runtime
