// SPDX-License-Identifier: Apache-2.0
// json: structs from JSON and to JSON, strictly. A struct is described beside its declaration:
//
//   enum class side { buy, sell };
//   constexpr auto describe(side const*) {
//     return json::names(json::name("buy", side::buy), json::name("sell", side::sell));
//   }
//   struct order {
//     std::string symbol;
//     order_side side;
//     std::int64_t qty_micro;
//     std::optional<std::int64_t> limit_minor;    // may be absent, or null
//   };
//   constexpr auto describe(order const*) {
//     return json::object(json::field("symbol", &order::symbol), json::field("side", &order::side),
//                         json::field("qty_micro", &order::qty_micro),
//                         json::field("limit_minor", &order::limit_minor));
//   }
//   auto wanted = VOLE_TRY(json::decode<order>(body), "read the order");
//   std::string text = json::encode(wanted);
//
// Fields may be: bool; integers of any width, which are exact; float and double; std::string;
// described structs and enums; std::vector, std::optional and std::map<std::string, T> of these;
// types with json::text.
// No shared state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "vole/errors.h"
#include "vole/internal/json_encode.h"
#include "vole/internal/json_type.h"
#include "vole/result.h"

namespace vole::json {

// field describes one member of a struct. It must be in the text, unless it is a std::optional.
template <class C, class M>
constexpr described_field<C, M> field(std::string_view name, M C::* member) {
  return {name, member, false};
}
// optional_field may be absent; the member then keeps what its struct gives it. In the text, its
// value takes the place of that: a vector or map does not keep its elements, null empties a
// std::optional.
template <class C, class M>
constexpr described_field<C, M> optional_field(std::string_view name, M C::* member) {
  return {name, member, true};
}
// object is the description of a struct: its fields, in the order in which they are written.
template <class... F>
constexpr std::tuple<F...> object(F... fields) {
  return {fields...};
}

// name is how one value of an enum is written; names is the description of the enum.
template <class E>
constexpr described_name<E> name(std::string_view text, E value) {
  return {text, value};
}
template <class E, class... N>
constexpr std::array<described_name<E>, 1 + sizeof...(N)> names(described_name<E> first,
                                                                N... rest) {
  return {first, rest...};
}

// text is the description of a type that is a string in JSON and reads and writes it itself:
// identifiers, dates, money.
template <class T>
constexpr described_text<T> text(std::string (*format)(T const&),
                                 result<T> (*parse)(std::string_view)) {
  return {format, parse};
}

// reason is what is wrong with a text.
enum class reason : std::uint8_t {
  syntax,         // not JSON
  truncated,      // JSON, but not its end
  trailing_data,  // more after the value
  bad_utf8,
  too_deep,  // nested more than depth_max levels
  unknown_field,
  missing_field,
  duplicate_field,
  wrong_type,    // a string where a number is wanted, 1.5 where an integer is
  out_of_range,  // a number that the type does not hold
  bad_value,     // none of the names of an enum; what json::text's function has refused
};

// json_error says what is wrong and where: "items[2].qty_micro: want an integer, got a string (at
// byte 57)".
struct json_error final : errors::typed_base {
  json_error(reason why, std::string path, std::size_t offset, std::string text, error cause)
      : why(why),
        path(std::move(path)),
        offset(offset),
        text(std::move(text)),
        cause(std::move(cause)) {}

  std::string message() const override;
  error unwrap() const override { return cause; }

  reason why;
  std::string path;    // "items[2].qty_micro"; empty: the value as a whole
  std::size_t offset;  // where in the text it was noticed, in bytes
  std::string text;    // "want an integer, got a string"
  error cause;         // of bad_value: what json::text's function returned
};

inline constexpr std::size_t depth_max = 64;

// decode reads one T and nothing else from text.
// Errors:  json_error. Nothing is coerced: unknown, missing and duplicate fields, wrong types,
//          numbers that do not fit, bad UTF-8, data after the value and nesting beyond depth_max
//          are all refused, the field named. A float or double takes the nearest value it has, 0
//          for what is too small.
// Cost:    no tree of values is built; strings and vectors are filled in place.
template <class T>
result<T> decode(std::string_view text) {
  result<T> decoded(std::in_place);
  if (error err = internal::json_decode(text, internal::json_type_of<T>::value, &*decoded))
    return err;
  return decoded;
}

// encode writes v without white space, fields in the order of their description; an empty
// std::optional field is left out. Strings that are not UTF-8 get U+FFFD for what is wrong in them;
// a number that is not finite is null.
// Panics: an enum value without a name (caller's bug).
template <class T>
std::string encode(T const& v) {
  std::string to;
  internal::json_append(to, v);
  return to;
}
// append is encode onto the end of a string.
template <class T>
void append(std::string& to, T const& v) {
  internal::json_append(to, v);
}

// writer writes JSON step by step, for hot paths and for texts that are not a struct; it puts the
// commas.
//   json::writer w(out);
//   w.begin_object().field("symbol", symbol).field("price_minor", price).end_object();
// Panics: ends that do not match begins, a key where none belongs or a value without one (caller's
//         bugs).
class writer {
 public:
  explicit writer(std::string& to) noexcept : to_(to) {}

  writer& begin_object();
  writer& end_object();
  writer& begin_array();
  writer& end_array();
  writer& key(std::string_view name);
  // value is anything that encode takes.
  template <class T>
  writer& value(T const& v) {
    before_value();
    internal::json_append(to_, v);
    return *this;
  }
  writer& null();
  // raw is a value that is JSON already.
  writer& raw(std::string_view text);
  template <class T>
  writer& field(std::string_view name, T const& v) {
    return key(name).value(v);
  }

 private:
  void before_value();
  void open(char bracket, bool object);
  void close(char bracket, bool object);

  std::string& to_;
  std::uint64_t objects_ = 0;  // one bit per level, the innermost lowest: object or array
  std::uint8_t depth_ = 0;
  bool comma_ = false;    // something stands before, at this level
  bool has_key_ = false;  // in an object: a key has been written, its value not yet
};

}  // namespace vole::json
