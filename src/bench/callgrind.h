// SPDX-License-Identifier: Apache-2.0
#pragma once
// Exact instruction counts: the program runs itself again under `valgrind --tool=callgrind` and
// asks it, by valgrind's client requests, to count while the timer is on. No shared state.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vole/result.h"

namespace vole::bench::callgrind {

// available: this program was built where valgrind's header is.
bool available() noexcept;

// toggle begins or ends the counting in the calling thread.
void toggle() noexcept;
// forget sets the calling thread's counts to zero.
void forget() noexcept;
// take has callgrind write the calling thread's counts as file number `serial` into dir, and
// returns its instructions; nothing when there is no such file.
std::optional<std::uint64_t> take(std::string const& dir, int serial);

// command is the command line that runs argv under callgrind, writing into dir.
std::vector<std::string> command(std::string const& dir, std::vector<std::string> argv);

}  // namespace vole::bench::callgrind
