// SPDX-License-Identifier: Apache-2.0
// What the decoder knows of a C++ type: a table per type, made by the compiler, so that the decoder
// itself is compiled once. Included by vole/json.h. No shared state: tables are constants.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "vole/errors.h"
#include "vole/result.h"

namespace vole::json {

// The parts of a description; made by field(), name(), text().
template <class C, class M>
struct described_field {
  std::string_view name;
  M C::* member;
  bool may_be_absent;
};
template <class E>
struct described_name {
  std::string_view name;
  E value;
};
template <class T>
struct described_text {
  std::string (*format)(T const&);
  result<T> (*parse)(std::string_view);
};

}  // namespace vole::json

namespace vole::internal {

enum class json_kind : std::uint8_t {
  boolean,
  integer,
  floating,
  string,
  text,  // a string that the type itself reads
  name,  // an enum
  optional,
  array,
  map,
  object,
};

struct json_type;

struct json_field {
  std::string_view name;
  json_type const* type;
  void* (*at)(void* object);
  bool may_be_absent;
};

// json_type is how to fill one object of one type; which members hold depends on the kind.
struct json_type {
  json_kind kind;
  std::int64_t min = 0;   // integer
  std::uint64_t max = 0;  // integer
  void (*store_integer)(void* to, std::uint64_t bits) = nullptr;
  bool (*store_floating)(void* to, std::string_view digits) = nullptr;  // false: does not fit
  error (*store_text)(void* to, std::string_view text) = nullptr;       // text
  bool (*store_name)(void* to, std::string_view name) = nullptr;        // name; false: no such name
  std::string (*names)() = nullptr;     // name; all of them, for the message
  void (*clear)(void* to) = nullptr;    // optional, array, map; it holds nothing after that
  void* (*engage)(void* to) = nullptr;  // optional; the place of its value
  void* (*append)(void* to) = nullptr;  // array; the place of a new last element
  void* (*insert)(void* to, std::string_view key,
                  std::string_view* kept) = nullptr;  // map; null: key is there
  json_type const* element = nullptr;                 // optional, array, map
  json_field const* fields = nullptr;                 // object
  std::size_t field_count = 0;                        // object
};

template <class T>
concept json_described = requires(T const* at) { describe(at); };

template <class T>
inline constexpr auto json_description = describe(static_cast<T const*>(nullptr));

template <class D>
inline constexpr bool is_json_fields = false;
template <class... F>
inline constexpr bool is_json_fields<std::tuple<F...>> = true;
template <class D>
inline constexpr bool is_json_names = false;
template <class E, std::size_t N>
inline constexpr bool is_json_names<std::array<json::described_name<E>, N>> = true;
template <class D>
inline constexpr bool is_json_text = false;
template <class T>
inline constexpr bool is_json_text<json::described_text<T>> = true;

template <class T>
inline constexpr bool is_json_optional = false;
template <class T>
inline constexpr bool is_json_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_json_array = false;
template <class T, class A>
inline constexpr bool is_json_array<std::vector<T, A>> = !std::is_same_v<T, bool>;
template <class T>
inline constexpr bool is_json_map = false;
template <class T, class L, class A>
inline constexpr bool is_json_map<std::map<std::string, T, L, A>> = true;

template <class T>
concept json_integer = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> &&
                       !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> &&
                       !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

template <class T>
struct json_type_of;

template <class T, std::size_t I>
void* json_field_at(void* object) {
  return &(static_cast<T*>(object)->*std::get<I>(json_description<T>).member);
}

template <class T, std::size_t... I>
constexpr auto make_json_fields(std::index_sequence<I...>) {
  constexpr auto const& described = json_description<T>;
  return std::array<json_field, sizeof...(I)>{json_field{
      std::get<I>(described).name,
      &json_type_of<
          std::remove_cvref_t<decltype(std::declval<T&>().*std::get<I>(described).member)>>::value,
      &json_field_at<T, I>,
      std::get<I>(described).may_be_absent ||
          is_json_optional<
              std::remove_cvref_t<decltype(std::declval<T&>().*std::get<I>(described).member)>>,
  }...};
}

template <class T>
inline constexpr std::size_t json_field_count =
    std::tuple_size_v<std::remove_const_t<decltype(json_description<T>)>>;
template <class T>
inline constexpr auto json_fields_of =
    make_json_fields<T>(std::make_index_sequence<json_field_count<T>>());

// A name needs no escape on the wire, and stands once in its description.
template <class List>
constexpr bool json_names_are_sound(List const& list) {
  for (auto const& one : list) {
    for (char const c : one.name) {
      if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e ||
          c == '"' || c == '\\') {
        return false;
      }
    }
    std::size_t same = 0;
    for (auto const& other : list) same += other.name == one.name ? 1 : 0;
    if (same != 1) return false;
  }
  return true;
}

template <class T>
constexpr json_type make_json_object() {
  static_assert(json_field_count<T> <= 64, "json: a struct has at most 64 described fields");
  static_assert(
      json_names_are_sound(json_fields_of<T>),
      "json: field names are printable ASCII without quote and backslash, each used once");
  return {.kind = json_kind::object,
          .fields = json_fields_of<T>.data(),
          .field_count = json_field_count<T>};
}

template <class E>
bool json_store_name(void* to, std::string_view name) {
  for (auto const& one : json_description<E>) {
    if (one.name == name) {
      *static_cast<E*>(to) = one.value;
      return true;
    }
  }
  return false;
}

template <class E>
std::string json_names() {
  std::string all;
  for (auto const& one : json_description<E>) {
    if (!all.empty()) all += ", ";
    all.append("\"").append(one.name).append("\"");
  }
  return all;
}

template <class T>
error json_store_text(void* to, std::string_view text) {
  result<T> parsed = json_description<T>.parse(text);
  if (!parsed) return std::move(parsed).error();
  *static_cast<T*>(to) = *std::move(parsed);
  return nullptr;
}

template <class T>
constexpr json_type make_json_described() {
  using description = std::remove_const_t<decltype(json_description<T>)>;
  if constexpr (is_json_fields<description>) {
    return make_json_object<T>();
  } else if constexpr (is_json_names<description>) {
    static_assert(json_names_are_sound(json_description<T>),
                  "json: names are printable ASCII without quote and backslash, each used once");
    return {.kind = json_kind::name, .store_name = &json_store_name<T>, .names = &json_names<T>};
  } else {
    static_assert(
        is_json_text<description>,
        "json: describe() returns json::object(...), json::names(...) or json::text(...)");
    return {.kind = json_kind::text, .store_text = &json_store_text<T>};
  }
}

template <class T>
void* json_insert(void* to, std::string_view key, std::string_view* kept) {
  auto const [at, fresh] = static_cast<T*>(to)->try_emplace(std::string(key));
  *kept = at->first;
  return fresh ? &at->second : nullptr;
}

// json_parse_floating reads a JSON number, rounded once, to the nearest of the type; one too small
// is 0. False: too large. Defined in src/json/decode.cc.
bool json_parse_floating(std::string_view digits, float* to);
bool json_parse_floating(std::string_view digits, double* to);

template <class T>
bool json_store_floating(void* to, std::string_view digits) {
  std::conditional_t<std::same_as<T, float>, float, double> value = 0;
  if (!json_parse_floating(digits, &value)) return false;
  *static_cast<T*>(to) = value;
  return true;
}

template <class T>
void json_clear(void* to) {
  if constexpr (is_json_optional<T>) {
    static_cast<T*>(to)->reset();
  } else {
    static_cast<T*>(to)->clear();
  }
}

template <class T>
constexpr json_type make_json_type() {
  if constexpr (json_described<T>) {
    return make_json_described<T>();
  } else if constexpr (std::same_as<T, bool>) {
    return {.kind = json_kind::boolean, .store_integer = [](void* to, std::uint64_t bits) {
              *static_cast<bool*>(to) = bits != 0;
            }};
  } else if constexpr (json_integer<T>) {
    return {.kind = json_kind::integer,
            .min = static_cast<std::int64_t>(std::numeric_limits<T>::min()),
            .max = static_cast<std::uint64_t>(std::numeric_limits<T>::max()),
            .store_integer = [](void* to, std::uint64_t bits) {
              *static_cast<T*>(to) = static_cast<T>(bits);
            }};
  } else if constexpr (std::floating_point<T>) {
    return {.kind = json_kind::floating, .store_floating = &json_store_floating<T>};
  } else if constexpr (std::same_as<T, std::string>) {
    return {.kind = json_kind::string};
  } else if constexpr (is_json_optional<T>) {
    return {.kind = json_kind::optional,
            .clear = &json_clear<T>,
            .engage = [](void* to) -> void* { return &static_cast<T*>(to)->emplace(); },
            .element = &json_type_of<typename T::value_type>::value};
  } else if constexpr (is_json_array<T>) {
    return {.kind = json_kind::array,
            .clear = &json_clear<T>,
            .append = [](void* to) -> void* { return &static_cast<T*>(to)->emplace_back(); },
            .element = &json_type_of<typename T::value_type>::value};
  } else {
    static_assert(
        is_json_map<T>,
        "json: this type has no description. Write `constexpr auto describe(T const*)` beside it, "
        "or use bool, integers, double, std::string, std::optional, std::vector, "
        "std::map<std::string, ...>");
    return {.kind = json_kind::map,
            .clear = &json_clear<T>,
            .insert = &json_insert<T>,
            .element = &json_type_of<typename T::mapped_type>::value};
  }
}

template <class T>
struct json_type_of {
  static constexpr json_type value = make_json_type<T>();
};

// Fills *to, an object of this type; defined in src/json/decode.cc.
error json_decode(std::string_view text, json_type const& type, void* to);

}  // namespace vole::internal
