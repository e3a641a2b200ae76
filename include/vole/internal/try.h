// SPDX-License-Identifier: Apache-2.0
// VOLE_TRY: take the value of a result or leave the function with the error. Included by
// vole/result.h. No shared state.
#pragma once

#include <utility>

#include "vole/result.h"

namespace vole {
namespace internal {

// What VOLE_TRY does with an error or a result: has it failed, its error, its value. A reference
// travels out of the statement expression in a box, since such an expression yields its value by
// copy.
template <class T>
struct try_reference {
  T& value;
};
struct try_nothing {};

inline bool try_failed(error const& err) noexcept {
  return static_cast<bool>(err);
}
inline bool try_failed(result_error const& r) noexcept {
  return !r;
}

inline error try_error(error const& err) noexcept {
  return err;
}
inline error try_error(error&& err) noexcept {
  return std::move(err);
}
inline error try_error(result_error const& r) noexcept {
  return r.error();
}
inline error try_error(result_error&& r) noexcept {
  return std::move(r).error();
}

inline try_nothing try_value(error const&) noexcept {
  return {};
}
inline try_nothing try_value(result<void> const&) noexcept {
  return {};
}
inline try_nothing try_value(result<void>&&) noexcept {
  return {};
}
template <class T>
T try_value(result<T> const& r) {
  return *r;
}
template <class T>
T try_value(result<T>&& r) {
  return *std::move(r);
}
template <class T>
try_reference<T> try_value(result<T&> const& r) {
  return {*r};
}
template <class T>
try_reference<T> try_value(result<T&>&& r) {
  return {*r};
}

template <class T>
T try_yield(T&& value) {
  return std::forward<T>(value);
}
template <class T>
T& try_yield(try_reference<T>&& box) {
  return box.value;
}
inline void try_yield(try_nothing) noexcept {}

}  // namespace internal
}  // namespace vole

// VOLE_TRY(expr, "doing what to {}", which) takes the value of expr, an error or a result<T>; if it
// failed, it returns errors::wrap(error, "doing what to {}", which) from the enclosing function,
// which returns an error or a result. Use it as a whole statement or as the whole initializer of a
// variable, nowhere else: inside a larger expression the temporaries to its left would never be
// destroyed (GCC), so tests/house refuses it there.
//   auto row = VOLE_TRY(db.query(ctx, text, id), "load user {}", id);
// The words are mandatory, a literal and not empty: a failure that passes through a function says
// what that function was doing.
#define VOLE_TRY(expr, words, ...)                                                                 \
  ::vole::internal::try_yield(__extension__({                                                      \
    static_assert(sizeof("" words) > 1, "VOLE_TRY: say what was being done");                      \
    auto&& vole_try_outcome = (expr);                                                              \
    if (::vole::internal::try_failed(vole_try_outcome)) [[unlikely]] {                             \
      return ::vole::errors::wrap(                                                                 \
          ::vole::internal::try_error(std::forward<decltype(vole_try_outcome)>(vole_try_outcome)), \
          words __VA_OPT__(, ) __VA_ARGS__);                                                       \
    }                                                                                              \
    ::vole::internal::try_value(std::forward<decltype(vole_try_outcome)>(vole_try_outcome));       \
  }))
