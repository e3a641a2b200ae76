// SPDX-License-Identifier: Apache-2.0
#pragma once
// The functions of a profile by what they cost, as `go tool pprof -top` prints them. No shared
// state.

#include <cstddef>
#include <string>

#include "pprof/reader.h"

namespace vole::pprof {

struct top_options {
  std::size_t type = 0;                  // index in parsed_profile::types
  parsed_profile const* base = nullptr;  // its values are taken off; it has the same types
  std::size_t rows_max = 0;              // 0: all
  bool by_cum = false;                   // else by flat
};

// top_text has pprof's lines, figures and order; calls below 0.5 % are left out, as there.
std::string top_text(parsed_profile const& profile, top_options const& options);

}  // namespace vole::pprof
