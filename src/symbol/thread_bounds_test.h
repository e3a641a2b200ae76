// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the tests' own stack lies.

#include <cstddef>
#include <cstdint>
#include <pthread.h>

#include "symbol/unwind.h"

namespace vole::symbol {

inline stack_bounds bounds_of_this_thread() {
  pthread_attr_t attributes;
  void* low = nullptr;
  std::size_t size = 0;
  ::pthread_getattr_np(::pthread_self(), &attributes);
  ::pthread_attr_getstack(&attributes, &low, &size);
  ::pthread_attr_destroy(&attributes);
  auto const from = reinterpret_cast<std::uintptr_t>(low);
  return {from, from + size};
}

}  // namespace vole::symbol
