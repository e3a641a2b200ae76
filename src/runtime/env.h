// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the runtime reads from its environment at start.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "vole/internal/clock.h"

namespace vole::internal {

// processors_from_environment: VOLE_MAXPROCS if set, else 1 where VOLE_SEED is set, else the
// smaller of the affinity mask and the cgroup quota.
// A VOLE_MAXPROCS that is no number from 1 to 1024 is reported on standard error and ignored.
int processors_from_environment() noexcept;

// seed_from_environment: VOLE_SEED, or 0 for none.
std::uint64_t seed_from_environment() noexcept;

// threads_from_environment: VOLE_MAXTHREADS, or otherwise what is given.
unsigned threads_from_environment(unsigned otherwise, unsigned most) noexcept;

// dump_signal_from_environment: VOLE_DUMPSIGNAL, a real-time signal, or otherwise what is given.
int dump_signal_from_environment(int otherwise) noexcept;

// bound_malloc_arenas has glibc's malloc keep no more arenas than twice the processors, four at the
// least; by itself it has eight for each core, and each keeps what fragments of it are in use. Left
// as it is where MALLOC_ARENA_MAX or glibc.malloc.arena_max in GLIBC_TUNABLES says how many.
void bound_malloc_arenas(int procs) noexcept;

// debug_settings is VOLE_DEBUG, "name=number" separated by commas: schedtrace (a line about the
// scheduler every so many milliseconds), stall (report a goroutine that keeps its processor for so
// many), heaprate (bytes between two samples) and contentionrate (samples a second of each thread).
// Others are reported on standard error and ignored.
struct debug_settings {
  duration schedtrace{};
  duration stall{};
  std::optional<std::size_t> heaprate;
  std::optional<int> contentionrate;
};
debug_settings debug_from_environment() noexcept;
debug_settings parse_debug(std::string_view text) noexcept;

// The most that VOLE_MAXPROCS and runtime::set_max_procs take.
inline constexpr int procs_max = 1024;

// cgroup_quota is the processor limit of this process's control group (v2 or v1), rounded up, or 0
// for none.
int cgroup_quota() noexcept;

// parse_cpu_max reads the text of a cgroup v2 cpu.max ("150000 100000", "max 100000"): 2, and 0 for
// no limit.
int parse_cpu_max(char const* text) noexcept;

// threads_in_process counts the threads of the process, or a large number where /proc does not
// tell.
unsigned threads_in_process() noexcept;

}  // namespace vole::internal
