// SPDX-License-Identifier: Apache-2.0
// result<T>: a T or the error why there is none; and VOLE_TRY, which takes the T or leaves the
// function. No shared state.
#pragma once

#include <concepts>
#include <initializer_list>
#include <memory>
#include <type_traits>
#include <utility>
#include <version>
#ifdef __cpp_lib_expected
#include <expected>
#endif

#include "vole/errors.h"
#include "vole/internal/result_chain.h"

namespace vole {
namespace internal {

// The error of a failed result that has been moved from: it stays failed.
inline constinit errors::sentinel moved_from{"result was moved from"};

[[noreturn]] void panic_no_value(error const& err);
[[noreturn]] void panic_no_error();

template <class U>
concept error_like = std::same_as<std::remove_cvref_t<U>, error> ||
                     std::same_as<std::remove_cvref_t<U>, errors::sentinel>;

// What result<T> takes as its value. A bool only from a bool: a pointer or a count is a slip.
template <class U, class T>
concept value_for =
    !error_like<U> && !is_result<std::remove_cvref_t<U>> &&
    !std::same_as<std::remove_cvref_t<U>, std::in_place_t> && std::constructible_from<T, U> &&
    (!std::same_as<T, bool> || std::same_as<std::remove_cvref_t<U>, bool>);

// The error half of every result, and what all results can do.
class result_error {
 public:
  // True when there is a value.
  constexpr explicit operator bool() const noexcept { return !err_; }
  constexpr bool has_value() const noexcept { return !err_; }

  // error is why there is no value; null when there is one.
  vole::error const& error() const& noexcept { return err_; }
  vole::error error() && noexcept { return take(); }
  // error_or is the error, or other when there is a value.
  vole::error error_or(vole::error other) const& noexcept { return err_ ? err_ : other; }
  vole::error error_or(vole::error other) && noexcept { return err_ ? take() : other; }

 protected:
  constexpr result_error() noexcept = default;
  explicit result_error(vole::error err) noexcept : err_(std::move(err)) {}

  void require_error() const {
    if (!err_) [[unlikely]]
      panic_no_error();
  }
  void require_value() const {
    if (err_) [[unlikely]]
      panic_no_value(err_);
  }
  // take moves the error out and keeps this result failed.
  vole::error take() noexcept { return err_ ? std::exchange(err_, moved_from) : vole::error(); }

  vole::error err_;
};

}  // namespace internal

// result is a T (any object, also move-only; T&; or void) or an error.
//
//   result<int> r = parse("12");
//   if (!r) return errors::wrap(r.error(), "parse the answer");
//   use(*r);
//
// It converts from a T, from what converts to T, and from an error that is not null. A default one
// holds a default T, as std::expected's does.
// Panics:  *r, r->, value() of a failed result; a result<T> made from a null error (caller's bugs).
// Safety:  as T. Cost: a word beside T; no allocation.
template <class T>
class [[nodiscard]] result : public internal::result_error,
                             public internal::result_chain<result<T>> {
  static_assert(
      std::is_object_v<T> && !std::is_array_v<T> && !internal::error_like<T> &&
          !internal::is_result<T>,
      "result<T>: T is an object type, a reference or void, and neither an error nor a result");
  static_assert(std::is_same_v<T, std::remove_cv_t<T>>, "result<T>: T has no const or volatile");

 public:
  using value_type = T;

  constexpr result()
    requires std::default_initializable<T>
      : value_() {}
  template <internal::value_for<T> U = T>
  constexpr explicit(!std::convertible_to<U, T>) result(U&& value)
      : value_(std::forward<U>(value)) {}
  result(vole::error err) : internal::result_error(std::move(err)) { require_error(); }
  result(errors::sentinel const& err) : internal::result_error(err) {}
  template <class... A>
    requires std::constructible_from<T, A...>
  constexpr explicit result(std::in_place_t, A&&... args) : value_(std::forward<A>(args)...) {}
  template <class E, class... A>
    requires std::constructible_from<T, std::initializer_list<E>&, A...>
  constexpr explicit result(std::in_place_t, std::initializer_list<E> list, A&&... args)
      : value_(list, std::forward<A>(args)...) {}
  // A result of another type whose value converts.
  template <class U>
    requires(!std::same_as<T, U> && std::constructible_from<T, U>)
  explicit(!std::convertible_to<U, T>) result(result<U>&& other) : internal::result_error() {
    if (other) {
      std::construct_at(&value_, *std::move(other));
    } else {
      err_ = std::move(other).error();
    }
  }
  template <class U>
    requires(!std::same_as<T, U> && std::constructible_from<T, U const&>)
  explicit(!std::convertible_to<U const&, T>) result(result<U> const& other)
      : internal::result_error() {
    if (other) {
      std::construct_at(&value_, *other);
    } else {
      err_ = other.error();
    }
  }
#ifdef __cpp_lib_expected
  result(std::expected<T, vole::error> other) : internal::result_error() {
    if (other.has_value()) {
      std::construct_at(&value_, *std::move(other));
    } else {
      err_ = std::move(other).error();
      require_error();
    }
  }
  std::expected<T, vole::error> to_expected() && {
    if (err_) return std::unexpected(take());
    return std::move(value_);
  }
#endif

  result(result const& other)
    requires std::copy_constructible<T>
      : internal::result_error(other.err_) {
    if (!err_) std::construct_at(&value_, other.value_);
  }
  result(result&& other) noexcept(std::is_nothrow_move_constructible_v<T>)
      : internal::result_error(other.take()) {
    if (!err_) std::construct_at(&value_, std::move(other.value_));
  }
  result& operator=(result const& other)
    requires std::copy_constructible<T>
  {
    return *this = result(other);
  }
  result& operator=(result&& other) noexcept(std::is_nothrow_move_constructible_v<T>) {
    if (this == &other) return *this;
    drop_value();
    vole::error err = other.take();
    if (!err) std::construct_at(&value_, std::move(other.value_));
    err_ = std::move(err);
    return *this;
  }
  constexpr ~result() {
    if (!err_) std::destroy_at(&value_);
  }

  T& value() & { return checked(*this); }
  T const& value() const& { return checked(*this); }
  T&& value() && { return std::move(checked(*this)); }
  T const&& value() const&& { return std::move(checked(*this)); }
  T& operator*() & { return checked(*this); }
  T const& operator*() const& { return checked(*this); }
  T&& operator*() && { return std::move(checked(*this)); }
  T const&& operator*() const&& { return std::move(checked(*this)); }
  T* operator->() { return std::addressof(checked(*this)); }
  T const* operator->() const { return std::addressof(checked(*this)); }

  // value_or is the value, or other when failed.
  template <std::convertible_to<T> U>
  T value_or(U&& other) const& {
    return err_ ? static_cast<T>(std::forward<U>(other)) : value_;
  }
  template <std::convertible_to<T> U>
  T value_or(U&& other) && {
    return err_ ? static_cast<T>(std::forward<U>(other)) : std::move(value_);
  }

  // emplace makes the value anew from args; a failed result has a value then.
  template <class... A>
    requires std::constructible_from<T, A...>
  T& emplace(A&&... args) {
    drop_value();
    std::construct_at(&value_, std::forward<A>(args)...);
    err_ = nullptr;
    return value_;
  }
  template <class E, class... A>
    requires std::constructible_from<T, std::initializer_list<E>&, A...>
  T& emplace(std::initializer_list<E> list, A&&... args) {
    drop_value();
    std::construct_at(&value_, list, std::forward<A>(args)...);
    err_ = nullptr;
    return value_;
  }

 private:
  template <class Self>
  static auto& checked(Self& self) {
    self.require_value();
    return self.value_;
  }
  // drop_value leaves the result failed while T's constructor runs: should that throw, there is no
  // value to destroy.
  void drop_value() noexcept {
    if (err_) return;
    err_ = internal::moved_from;
    std::destroy_at(&value_);
  }

  union {
    T value_;
  };
};

// result<T&> holds the address of a T that somebody else keeps alive.
template <class T>
class [[nodiscard]] result<T&> : public internal::result_error,
                                 public internal::result_chain<result<T&>> {
 public:
  using value_type = T&;

  constexpr result(T& value) noexcept : value_(std::addressof(value)) {}
  result(T const&&) = delete;  // the reference would outlive the temporary
  result(vole::error err) : internal::result_error(std::move(err)) { require_error(); }
  result(errors::sentinel const& err) : internal::result_error(err) {}
  template <class U>
    requires(!std::same_as<T, U> && std::convertible_to<U*, T*>)
  result(result<U&> const& other) : internal::result_error(other.error()) {
    if (other) value_ = std::addressof(*other);
  }
  result(result const&) noexcept = default;
  result(result&& other) noexcept : internal::result_error(other.take()), value_(other.value_) {}
  result& operator=(result const&) noexcept = default;
  result& operator=(result&& other) noexcept {
    if (this != &other) {
      err_ = other.take();
      value_ = other.value_;
    }
    return *this;
  }
  constexpr ~result() = default;

  T& value() const { return checked(); }
  T& operator*() const { return checked(); }
  T* operator->() const { return std::addressof(checked()); }
  T& value_or(T& other) const noexcept { return err_ ? other : *value_; }

 private:
  T& checked() const {
    require_value();
    return *value_;
  }
  T* value_ = nullptr;
};

// result<void> is success or an error, for generic code; a function that yields nothing returns
// error instead.
template <>
class [[nodiscard]] result<void> : public internal::result_error,
                                   public internal::result_chain<result<void>> {
 public:
  using value_type = void;

  constexpr result() noexcept = default;
  constexpr explicit result(std::in_place_t) noexcept {}
  result(vole::error err) noexcept : internal::result_error(std::move(err)) {}
  result(errors::sentinel const& err) noexcept : internal::result_error(err) {}

  void value() const { require_value(); }
  void operator*() const { require_value(); }
  void emplace() noexcept { err_ = nullptr; }
};

// Equal: both have values, and those are equal; or both failed with the same error object.
template <class T, class U>
  requires(std::is_void_v<T> && std::is_void_v<U>) ||
          requires(result<T> const& a, result<U> const& b) {
            { *a == *b } -> std::convertible_to<bool>;
          }
bool operator==(result<T> const& a, result<U> const& b) {
  if (!a || !b) return a.error() == b.error();
  if constexpr (std::is_void_v<T>) {
    return true;
  } else {
    return *a == *b;
  }
}

}  // namespace vole

#include "vole/internal/try.h"
