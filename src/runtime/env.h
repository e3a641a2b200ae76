// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the runtime reads from its environment at start.

namespace vole::internal {

// processors_from_environment: VOLE_MAXPROCS if set, else the smaller of the affinity mask and the
// cgroup quota.
// A VOLE_MAXPROCS that is no number from 1 to 1024 is reported on standard error and ignored.
int processors_from_environment() noexcept;

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
