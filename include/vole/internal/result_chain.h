// SPDX-License-Identifier: Apache-2.0
// What all results can do with functions: transform, and_then, or_else, transform_error; and with
// others: swap, ==. Included by vole/result.h. No shared state.
#pragma once

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

#include "vole/errors.h"

namespace vole {

template <class T>
class result;

namespace internal {

template <class T>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<result<T>> = true;

// result_call is fn(value), or fn() where the value is void.
template <class R, class Fn>
decltype(auto) result_call(R&& r, Fn&& fn) {
  if constexpr (std::is_void_v<typename std::remove_cvref_t<R>::value_type>) {
    static_cast<void>(r);
    return std::invoke(std::forward<Fn>(fn));
  } else {
    return std::invoke(std::forward<Fn>(fn), *std::forward<R>(r));
  }
}

template <class R, class Fn>
auto result_transform(R&& r, Fn&& fn) {
  using value = decltype(result_call(std::forward<R>(r), std::forward<Fn>(fn)));
  using next = result<
      std::conditional_t<std::is_lvalue_reference_v<value>, value, std::remove_cvref_t<value>>>;
  if (!r) return next(std::forward<R>(r).error());
  if constexpr (std::is_void_v<value>) {
    result_call(std::forward<R>(r), std::forward<Fn>(fn));
    return next();
  } else {
    return next(result_call(std::forward<R>(r), std::forward<Fn>(fn)));
  }
}

template <class R, class Fn>
auto result_and_then(R&& r, Fn&& fn) {
  using next = std::remove_cvref_t<decltype(result_call(std::forward<R>(r), std::forward<Fn>(fn)))>;
  static_assert(is_result<next>, "and_then: the function returns a result; else use transform");
  if (!r) return next(std::forward<R>(r).error());
  return result_call(std::forward<R>(r), std::forward<Fn>(fn));
}

template <class R, class Fn>
auto result_or_else(R&& r, Fn&& fn) {
  using same = std::remove_cvref_t<R>;
  if (r) return same(std::forward<R>(r));
  return same(std::invoke(std::forward<Fn>(fn), std::forward<R>(r).error()));
}

template <class R, class Fn>
auto result_transform_error(R&& r, Fn&& fn) {
  using same = std::remove_cvref_t<R>;
  if (r) return same(std::forward<R>(r));
  return same(error(std::invoke(std::forward<Fn>(fn), std::forward<R>(r).error())));
}

// Self is the result that derives from it.
template <class Self>
class result_chain {
 public:
  // transform is fn(value) as a result; a failed result stays failed and fn is not called.
  template <class Fn>
  auto transform(Fn&& fn) & {
    return result_transform(self(), std::forward<Fn>(fn));
  }
  template <class Fn>
  auto transform(Fn&& fn) const& {
    return result_transform(self(), std::forward<Fn>(fn));
  }
  template <class Fn>
  auto transform(Fn&& fn) && {
    return result_transform(std::move(self()), std::forward<Fn>(fn));
  }
  template <class Fn>
  auto transform(Fn&& fn) const&& {
    return result_transform(std::move(self()), std::forward<Fn>(fn));
  }
  // and_then is fn(value), which is itself a result; a failed result stays failed and fn is not
  // called.
  template <class Fn>
  auto and_then(Fn&& fn) & {
    return result_and_then(self(), std::forward<Fn>(fn));
  }
  template <class Fn>
  auto and_then(Fn&& fn) const& {
    return result_and_then(self(), std::forward<Fn>(fn));
  }
  template <class Fn>
  auto and_then(Fn&& fn) && {
    return result_and_then(std::move(self()), std::forward<Fn>(fn));
  }
  template <class Fn>
  auto and_then(Fn&& fn) const&& {
    return result_and_then(std::move(self()), std::forward<Fn>(fn));
  }
  // or_else is this result if it has a value, else fn(error): a result of the same type, or what
  // makes one.
  template <class Fn>
  Self or_else(Fn&& fn) & {
    return result_or_else(self(), std::forward<Fn>(fn));
  }
  template <class Fn>
  Self or_else(Fn&& fn) const& {
    return result_or_else(self(), std::forward<Fn>(fn));
  }
  template <class Fn>
  Self or_else(Fn&& fn) && {
    return result_or_else(std::move(self()), std::forward<Fn>(fn));
  }
  template <class Fn>
  Self or_else(Fn&& fn) const&& {
    return result_or_else(std::move(self()), std::forward<Fn>(fn));
  }
  // transform_error is this result if it has a value, else failed with fn(error), which is an error
  // and not null.
  template <class Fn>
  Self transform_error(Fn&& fn) & {
    return result_transform_error(self(), std::forward<Fn>(fn));
  }
  template <class Fn>
  Self transform_error(Fn&& fn) const& {
    return result_transform_error(self(), std::forward<Fn>(fn));
  }
  template <class Fn>
  Self transform_error(Fn&& fn) && {
    return result_transform_error(std::move(self()), std::forward<Fn>(fn));
  }
  template <class Fn>
  Self transform_error(Fn&& fn) const&& {
    return result_transform_error(std::move(self()), std::forward<Fn>(fn));
  }

  void swap(Self& other) noexcept(std::is_nothrow_move_constructible_v<Self>) {
    std::swap(self(), other);
  }
  friend void swap(Self& a, Self& b) noexcept(std::is_nothrow_move_constructible_v<Self>) {
    a.swap(b);
  }

  // Equal: has this value.
  template <class U>
    requires(!is_result<U> && !std::convertible_to<U const&, error>)
  friend bool operator==(result_chain const& a, U const& value)
    requires requires(Self const& r) {
      { *r == value } -> std::convertible_to<bool>;
    }
  {
    return a.self() && *a.self() == value;
  }
  // Equal: failed with this very error. errors::is sees through wraps.
  friend bool operator==(result_chain const& a, error const& err) {
    return !a.self() && a.self().error() == err;
  }

 private:
  Self& self() { return static_cast<Self&>(*this); }
  Self const& self() const { return static_cast<Self const&>(*this); }
};

}  // namespace internal
}  // namespace vole
