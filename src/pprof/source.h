// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where a profile's entries come from. No shared state.

#include <cstddef>

#include "vole/go.h"

#include "pprof/profile.h"

namespace vole::pprof {

class profile_source {
 public:
  profile_source() = default;
  virtual ~profile_source() = default;
  profile_source(profile_source const&) = delete;
  profile_source& operator=(profile_source const&) = delete;

  virtual std::size_t count() const = 0;
  // collect takes the profile as it stands, which may take long: see collect_apart.
  virtual profile_data collect() const = 0;
  // collect_apart does so while the processor of the calling goroutine runs others.
  profile_data collect_apart() const {
    return blocking([this] { return collect(); });
  }
  virtual bool has_delta() const { return true; }

  // The program's own profiles; the others panic. caller: where profile::add returns to.
  virtual void add(void const* value, int skip, void const* caller);
  virtual void remove(void const* value);
};

}  // namespace vole::pprof
