// SPDX-License-Identifier: Apache-2.0
// Errors as values: make, wrap and join them; ask what they are. result<T> and VOLE_TRY are in
// vole/result.h. No shared state beyond the reference counts of immutable nodes.
//
// Text is lower case, without a full stop, "doing what to which: cause". Handle an error once: log
// it or return it.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <fmt/core.h>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "vole/internal/error_node.h"

namespace vole {

// error is what went wrong, or null when nothing did. One word; copies share one immutable node.
// It is true in a condition when it IS an error: `if (err) { ... }`.
//
// Format:  "{}" is the whole chain in one line ("load portfolio: connect: connection refused"; the
//          branches of a join are parted by "; "), "{:+}" the tree, one line for each error with
//          its attributes, causes indented, stacks by function, file and line. A null error is
//          "no error".
// Safety:  as std::shared_ptr: distinct copies from any goroutine or thread.
// Cost:    a copy is one atomic increment (none for sentinels and errno errors), a move none.
class [[nodiscard]] error {
 public:
  constexpr error() noexcept = default;
  constexpr error(std::nullptr_t) noexcept {}  // so that `return nullptr;` says success
  error(error const& other) noexcept : node_(other.node_) {
    if (node_ != nullptr) internal::error_retain(node_);
  }
  error(error&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  error& operator=(error other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  constexpr ~error() {
    if (node_ != nullptr) internal::error_release(node_);
  }

  constexpr explicit operator bool() const noexcept { return node_ != nullptr; }

  // message is the whole chain in one line; "no error" when null.
  std::string message() const;
  // tree is the chain with one line for each error, causes indented below what they caused.
  // Blocks:  where there is a stack, while symbols are read (milliseconds at first), as blocking().
  std::string tree() const;

  // The same error object. What an error is, asks errors::is, which sees through wraps and joins.
  friend bool operator==(error const& a, error const& b) noexcept { return a.node_ == b.node_; }

  // For vole itself: adopt takes over one reference, release gives it to the caller.
  static error adopt(internal::error_node const* node) noexcept {
    error made;
    made.node_ = node;
    return made;
  }
  internal::error_node const* release() noexcept { return std::exchange(node_, nullptr); }
  internal::error_node const* node() const noexcept { return node_; }

 private:
  internal::error_node const* node_ = nullptr;
};
static_assert(sizeof(error) == sizeof(void*));

namespace errors {

// sentinel is a named error that callers compare with:
//   inline constinit errors::sentinel no_rows{"sql: no rows"};
//   if (errors::is(err, sql::no_rows)) { ... }
// It converts to error without allocation. Declare it in static storage only: errors point to it.
class sentinel {
 public:
  consteval explicit sentinel(std::string_view text) : node_(text) {}
  sentinel(sentinel const&) = delete;
  sentinel& operator=(sentinel const&) = delete;

  operator error() const noexcept { return error::adopt(&node_); }
  constexpr std::string_view text() const noexcept { return node_.text; }
  internal::error_node const* node() const noexcept { return &node_; }  // for vole itself

 private:
  internal::sentinel_node node_;
};

// typed_base is the base of errors that carry data:
//   struct pg_error : errors::typed_base {
//     std::string message() const override;
//     std::string code;
//   };
//   return errors::make_typed<pg_error>(...);
//   if (auto* pg = errors::as<pg_error>(err)) { ... pg->code ... }
struct typed_base {
  // message is this error's whole text, its cause's included if it has one.
  virtual std::string message() const = 0;
  // unwrap is the cause. Return an error that this object itself holds: as() points into it.
  virtual error unwrap() const { return nullptr; }
  // is says that this error answers to target although it is another object (equal codes, say).
  virtual bool is(error const& target) const {
    static_cast<void>(target);
    return false;
  }

 protected:
  constexpr typed_base() = default;
  constexpr typed_base(typed_base const&) = default;
  constexpr typed_base& operator=(typed_base const&) = default;
  constexpr ~typed_base() = default;  // never deleted through the base
};

// system_error is an errno value as an error: what from_errno makes.
struct system_error : typed_base {
  constexpr explicit system_error(int errno_code) : code(errno_code) {}

  std::string message() const override;  // "connection refused"
  bool is(error const& target) const override;

  int code;  // an errno value
};

// code_error is a std::error_code of a category that has no errno.
struct code_error : typed_base {
  explicit code_error(std::error_code error_code) : code(error_code) {}

  std::string message() const override;  // "category: text"
  bool is(error const& target) const override;

  std::error_code code;
};

// exception_error is a caught exception of somebody else's code; unwrap() is the error code that it
// carries, or the exception that it was thrown with (std::throw_with_nested), if any.
struct exception_error : typed_base {
  exception_error(std::exception_ptr caught, std::string type, std::string what, error why)
      : exception(std::move(caught)),
        type_name(std::move(type)),
        what_text(std::move(what)),
        cause(std::move(why)) {}

  std::string message() const override;  // "std::out_of_range: vector::at"
  error unwrap() const override { return cause; }

  std::exception_ptr exception;
  std::string type_name;  // readable: "std::out_of_range"
  std::string what_text;  // what(); empty for what is no std::exception
  error cause;
};

}  // namespace errors

namespace internal {

template <class T>
struct typed_node : error_node {
  template <class... A>
  constexpr explicit typed_node(std::uint32_t first_refs, A&&... args);

  T value;
};

template <class T>
errors::typed_base const& typed_value(error_node const& node) {
  return static_cast<typed_node<T> const&>(node).value;
}
template <class T>
void typed_destroy(error_node* node) {
  delete static_cast<typed_node<T>*>(node);
}
template <class T>
inline constexpr typed_ops typed_ops_of{&typed_value<T>, &typed_destroy<T>};

template <class T>
template <class... A>
constexpr typed_node<T>::typed_node(std::uint32_t first_refs, A&&... args)
    : error_node(&typed_ops_of<T>, first_refs), value(std::forward<A>(args)...) {}

error wrap_formatted(error cause, fmt::string_view format, fmt::format_args args);
error make_formatted(fmt::string_view format, fmt::format_args args);
error add_stack(error err);
bool is_below(error_node const* node, error_node const* target);
error_node const* find_typed(error_node const* node, typed_ops const* ops) noexcept;

}  // namespace internal

namespace errors {

// make is a new error with this text, equal to no other.
// Cost:    1 allocation.
error make(std::string_view text);
template <class... A>
  requires(sizeof...(A) > 0)
error make(fmt::format_string<A...> format, A&&... args) {
  return internal::make_formatted(format, fmt::make_format_args(args...));
}

// make_typed is an error that carries a T, built from args; as<T> finds it.
// Cost:    1 allocation.
template <class T, class... A>
  requires std::derived_from<T, typed_base> && std::constructible_from<T, A...>
error make_typed(A&&... args) {
  error made = error::adopt(new internal::typed_node<T>(1, std::forward<A>(args)...));
  return internal::wants_stack() ? internal::add_stack(std::move(made)) : made;
}

// wrap puts what was being done in front of its cause: "<text>: <cause>". A null cause stays null.
// Cost:    1 allocation; none when cause is null.
template <class... A>
error wrap(error cause, fmt::format_string<A...> format, A&&... args) {
  if (!cause) return nullptr;
  return internal::wrap_formatted(std::move(cause), format, fmt::make_format_args(args...));
}

// join is all of errs that are not null as one error: null if there is none, the error itself if
// there is one.
// Cost:    1 allocation from two errors on.
error join(std::span<error const> errs);
template <std::convertible_to<error>... E>
  requires(sizeof...(E) > 1)
error join(E&&... errs) {
  error const all[] = {error(std::forward<E>(errs))...};
  return join(std::span<error const>(all));
}

// wrap puts what was being done in front of several causes, the nulls among them left out: "<text>:
// <cause>; <cause>". Null if there is no cause.
// Cost:    2 allocations from two causes on.
template <class... A>
error wrap(std::initializer_list<error> causes, fmt::format_string<A...> format, A&&... args) {
  return wrap(join(std::span<error const>(causes.begin(), causes.size())), format,
              std::forward<A>(args)...);
}

// unwrap is the direct cause of err; null if it has none (as a join, which has several).
error unwrap(error const& err);

// is says whether err, or any cause below it, is target or answers to it, in walking order: an
// error, then its causes, the first one with all below it before the second. Null is only null.
// Source:  Go's errors.Is.
inline bool is(error const& err, error const& target) {
  if (err == target) return true;
  return err && target && internal::is_below(err.node(), target.node());
}
inline bool is(error const& err, sentinel const& target) {
  return err && internal::is_below(err.node(), target.node());
}

// as finds the first T in err and its causes: T exactly as it was given to make_typed, not a base
// of it. The pointer is good while err lives; null if there is none.
template <std::derived_from<typed_base> T>
T const* as(error const& err) noexcept {
  auto const* node = internal::find_typed(err.node(), &internal::typed_ops_of<T>);
  return node == nullptr ? nullptr : &static_cast<internal::typed_node<T> const*>(node)->value;
}
template <std::derived_from<typed_base> T>
T const* as(error&& err) = delete;  // the pointer would outlive the error

// stacks says which errors keep the stack of where they began: where they were made, or where a
// sentinel or an errno error was first wrapped.
enum class stacks : std::uint8_t { off, sampled, always };

// capture_stacks switches it for the whole process, at any time; off at the start. sampled is one
// error in one_in.
// Cost:    off: one load for each new error. A stack: about 100 ns for each frame, 32 at most.
void capture_stacks(stacks when, std::uint32_t one_in = 100) noexcept;
stacks capturing_stacks() noexcept;

// with_stack is err with the stack of this call, unless it brings one along. A null error stays
// null.
error with_stack(error err);

// stack_of is the first stack in err and its causes, the innermost call first, each as "function
// (file:line)"; empty if there is none.
// Blocks:  while symbols are read, as blocking().
std::vector<std::string> stack_of(error const& err);

// from_errno is the errno value code as an error: "connection refused"; null for 0. With words it
// is "<text>: connection refused". as<system_error> finds the code.
// Cost:    0 allocations (errno values up to 133); 1 with words.
error from_errno(int code);
template <class... A>
error from_errno(int code, fmt::format_string<A...> format, A&&... args) {
  return wrap(from_errno(code), format, std::forward<A>(args)...);
}

// from_error_code is a std::error_code as an error; what from_errno gives when it holds an errno.
error from_error_code(std::error_code code);

// from_exception is a caught exception as an error; null for a null pointer. Without argument it is
// the one that the catch block around the call is handling.
error from_exception(std::exception_ptr caught = std::current_exception());

}  // namespace errors
}  // namespace vole

// "{}" is err.message(), "{:+}" is err.tree().
template <>
struct fmt::formatter<vole::error> {
  constexpr auto parse(fmt::format_parse_context& spec) -> fmt::format_parse_context::iterator {
    auto at = spec.begin();
    if (at != spec.end() && *at == '+') {
      tree_ = true;
      ++at;
    }
    return at;  // anything else before the brace is fmt's to refuse
  }
  auto format(vole::error const& err, fmt::format_context& to) const
      -> fmt::format_context::iterator {
    std::string const text = tree_ ? err.tree() : err.message();
    return fmt::format_to(to.out(), "{}", text);
  }

 private:
  bool tree_ = false;
};
template <>
struct fmt::formatter<vole::errors::sentinel> : fmt::formatter<std::string_view> {
  auto format(vole::errors::sentinel const& s, fmt::format_context& to) const
      -> fmt::format_context::iterator {
    return fmt::formatter<std::string_view>::format(s.text(), to);
  }
};
