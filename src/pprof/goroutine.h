// SPDX-License-Identifier: Apache-2.0
#pragma once
// The goroutines and threads that live. No shared state.

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vole/internal/clock.h"

#include "pprof/source.h"
#include "runtime/dump.h"

namespace vole::pprof {

std::unique_ptr<profile_source> make_goroutine_source();
// Those that look leaked: see is_leak_suspect.
std::unique_ptr<profile_source> make_goroutine_leak_source();
// Every goroutine by itself, as SIGQUIT prints them; all, or those that look leaked.
std::string dump_of_goroutines();
std::string dump_of_leak_suspects();

// leak_age is for how long a goroutine waits before it looks leaked.
inline constexpr duration leak_age = std::chrono::minutes(5);

// is_leak_suspect: it waits for another goroutine, for leak_age or longer; or for nothing at all (a
// nil channel, a select without cases), which never ends. Waiting for time, a connection or a child
// is no leak.
bool is_leak_suspect(internal::goroutine_snapshot const& g) noexcept;

// labels_with_reason are the labels of labels_id and, unless one has that key, what a goroutine
// waits for as wait_reason.
std::vector<text_label> labels_with_reason(std::uint64_t labels_id, std::string_view reason);

// The threads of the process, counted by name.
std::unique_ptr<profile_source> make_thread_source();

}  // namespace vole::pprof
