// SPDX-License-Identifier: Apache-2.0
#pragma once
// A static object that is never destroyed: threads of the runtime use it until the process ends.

namespace vole::internal {

template <class T>
union immortal {
  constexpr immortal() noexcept : value() {}
  ~immortal() {}  // NOLINT: on purpose
  immortal(immortal const&) = delete;
  immortal& operator=(immortal const&) = delete;

  T value;
};

}  // namespace vole::internal
