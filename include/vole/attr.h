// SPDX-License-Identifier: Apache-2.0
// attr: a named value, for log lines and for errors; and secret<T>, which none of them prints. No
// shared state.
//
//   logger.info(ctx, "order filled", {{"order_id", order.id}, {"qty_micro", order.qty}});
//   return errors::with_attrs(err, {{"symbol", symbol}, {"attempt", attempt}});
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "vole/errors.h"
#include "vole/internal/format.h"

namespace vole {

// secret keeps a value out of logs, configuration pages and formatted text: whatever prints it
// prints "[redacted]". reveal() is the one way to the content, easy to find in a review.
template <class T>
class secret {
 public:
  secret() = default;
  explicit secret(T content) : content_(std::move(content)) {}

  T const& reveal() const noexcept { return content_; }
  friend bool operator==(secret const&, secret const&) = default;

 private:
  T content_{};
};
inline constexpr std::string_view redacted_text = "[redacted]";

}  // namespace vole

template <class T>
struct fmt::formatter<vole::secret<T>> : fmt::formatter<std::string_view> {
  auto format(vole::secret<T> const&, fmt::format_context& to) const
      -> fmt::format_context::iterator {
    return fmt::formatter<std::string_view>::format(vole::redacted_text, to);
  }
};

namespace vole {

struct attr;

// attr_value is what an attribute holds: a view. It lives no longer than what it was made from, so
// write attributes inside the call that takes them. A type of your own is printed by its
// fmt::formatter.
class attr_value {
 public:
  enum class kind : std::uint8_t {
    null,
    boolean,
    int64,
    uint64,
    float64,
    text,
    duration,
    time,
    error,
    group,
    any
  };
  using print_fn = void (*)(void const* object, fmt::memory_buffer& to);

  constexpr attr_value() noexcept : kind_(kind::null) {}
  constexpr attr_value(std::nullptr_t) noexcept : kind_(kind::null) {}
  template <std::same_as<bool> B>
  constexpr attr_value(B b) noexcept : kind_(kind::boolean), int_(b) {}
  template <std::signed_integral I>
    requires(!std::same_as<I, char> && !std::same_as<I, wchar_t>)
  constexpr attr_value(I i) noexcept : kind_(kind::int64), int_(i) {}
  template <std::unsigned_integral U>
    requires(!std::same_as<U, bool> && !std::same_as<U, char>)
  constexpr attr_value(U u) noexcept : kind_(kind::uint64), uint_(u) {}
  template <std::same_as<char> C>
  attr_value(C) = delete;  // a view cannot hold a character: pass a text
  constexpr attr_value(double f) noexcept : kind_(kind::float64), float_(f) {}
  constexpr attr_value(std::string_view s) noexcept
      : kind_(kind::text), object_(s.data()), size_(s.size()) {}
  attr_value(std::string const& s) noexcept : attr_value(std::string_view(s)) {}
  constexpr attr_value(char const* s) noexcept
      : attr_value(s == nullptr ? std::string_view("<null>") : std::string_view(s)) {}
  template <class Rep, class Period>
  constexpr attr_value(std::chrono::duration<Rep, Period> d) noexcept
      : kind_(kind::duration),
        int_(std::chrono::duration_cast<std::chrono::nanoseconds>(d).count()) {}
  constexpr attr_value(std::chrono::system_clock::time_point t) noexcept
      : kind_(kind::time),
        int_(std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count()) {}
  attr_value(vole::error const& e) noexcept : kind_(kind::error), object_(&e) {}
  template <class T>
  constexpr attr_value(secret<T> const&) noexcept : attr_value(redacted_text) {}
  template <class T>
    requires(fmt::is_formattable<T>::value && !std::is_arithmetic_v<T> && !std::is_pointer_v<T> &&
             !std::convertible_to<T const&, std::string_view> &&
             !std::convertible_to<T const&, vole::error>)
  attr_value(T const& object) noexcept
      : kind_(kind::any), object_(&object), print_(&print_object<T>) {}

  constexpr enum kind kind() const noexcept { return kind_; }
  bool as_bool() const noexcept { return int_ != 0; }
  std::int64_t as_int64() const noexcept { return int_; }
  std::uint64_t as_uint64() const noexcept { return uint_; }
  double as_float64() const noexcept { return float_; }
  std::string_view as_text() const noexcept { return {static_cast<char const*>(object_), size_}; }
  std::chrono::nanoseconds as_duration() const noexcept { return std::chrono::nanoseconds(int_); }
  std::chrono::nanoseconds as_time() const noexcept {
    return std::chrono::nanoseconds(int_);
  }  // since the epoch
  vole::error const& as_error() const noexcept { return *static_cast<vole::error const*>(object_); }
  std::span<attr const> as_group() const noexcept;
  void print_any(fmt::memory_buffer& to) const { print_(object_, to); }

 private:
  friend attr attr_group(std::string_view, std::span<attr const>);

  template <class T>
  static void print_object(void const* object, fmt::memory_buffer& to) {
    fmt::format_to(fmt::appender(to), "{}", *static_cast<T const*>(object));
  }

  enum kind kind_;
  union {
    std::int64_t int_ = 0;
    std::uint64_t uint_;
    double float_;
    void const* object_;
  };
  union {
    std::size_t size_ = 0;  // of a text or a group
    print_fn print_;        // of any
  };
};

// attr is a named value: {"user_id", id}.
struct attr {
  std::string_view key;
  attr_value value;
};

inline std::span<attr const> attr_value::as_group() const noexcept {
  return {static_cast<attr const*>(object_), size_};
}

// attr_group is several attributes under one name: "http.method=GET http.status=200" in text, a
// nested object in JSON.
inline attr attr_group(std::string_view name, std::span<attr const> attrs) {
  attr made{name, {}};
  made.value.kind_ = attr_value::kind::group;
  made.value.object_ = attrs.data();
  made.value.size_ = attrs.size();
  return made;
}
inline attr attr_group(std::string_view name, std::initializer_list<attr> attrs) {
  return attr_group(name, std::span(attrs.begin(), attrs.size()));
}

namespace errors {

// with_attrs is err with attributes for its log line: a logger that is given err as a value writes
// them beside it, "{:+}" prints them, "{}" does not. The error stays what it is: is, as, unwrap and
// message() do not see them. A group's attributes get its name and a dot in front; what is printed
// by its fmt::formatter is printed now. A null error stays null.
// Cost:    1 allocation; none when err is null.
error with_attrs(error err, std::initializer_list<attr> attrs);

// attrs_of is every attribute of err and its causes, in walking order; of two with the same key the
// outer one. They are views, good while err lives.
std::vector<attr> attrs_of(error const& err);

}  // namespace errors
}  // namespace vole
