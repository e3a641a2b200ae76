// SPDX-License-Identifier: Apache-2.0
#pragma once
// Leaves out of a profile what it asks to hide, such as the insides of an allocator. No shared
// state.

#include <functional>
#include <string_view>

#include "pprof/reader.h"

namespace vole::pprof {

// prune ends each stack above the outermost function that is hidden, counted from the first one
// that is not: a stack of hidden functions alone stays. is_hidden is asked for each name once,
// without the arguments.
// Source: github.com/google/pprof/profile/prune.go (Prune). Differs: nothing.
void prune(parsed_profile& profile, std::function<bool(std::string_view)> const& is_hidden);

// allocator_frames is what a heap profile asks to hide.
inline constexpr std::string_view allocator_frames = "operator new(\\[\\])?";

// prune_own hides what a profile of this process asks to hide: allocator_frames or nothing.
void prune_own(parsed_profile& profile);

}  // namespace vole::pprof
