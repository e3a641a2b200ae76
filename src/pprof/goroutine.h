// SPDX-License-Identifier: Apache-2.0
#pragma once
// The goroutines and threads that live. No shared state.

#include <memory>
#include <string>

#include "pprof/source.h"

namespace vole::pprof {

std::unique_ptr<profile_source> make_goroutine_source();
// Every goroutine by itself, as SIGQUIT prints them.
std::string dump_of_goroutines();

// The threads of the process, counted by name.
std::unique_ptr<profile_source> make_thread_source();

}  // namespace vole::pprof
