// SPDX-License-Identifier: Apache-2.0
#pragma once
// defer: runs a function when its scope ends.

#include <utility>

namespace vole {

// defer runs fn at the end of its scope, in reverse order of declaration:  defer done = [&] {
// in_flight.erase(key); };
// Source: Go spec "Defer statements". Differs: at the end of the scope, not of the function.
template <class Fn>
class [[nodiscard]] defer {
 public:
  defer(Fn fn)
      : fn_(std::move(fn)) {
  }  // NOLINT(google-explicit-constructor): so that '=' reads as a statement
  ~defer() { fn_(); }
  defer(defer const&) = delete;
  defer& operator=(defer const&) = delete;

 private:
  Fn fn_;
};

}  // namespace vole
