// SPDX-License-Identifier: Apache-2.0
// How values are written as JSON. Included by vole/json.h. No shared state.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "vole/assert.h"
#include "vole/internal/json_type.h"

namespace vole::internal {

void json_append_string(std::string& to, std::string_view text);  // quoted and escaped
// The shortest digits that come back as the same value of the type; null if it is not finite.
void json_append_floating(std::string& to, float value);
void json_append_floating(std::string& to, double value);

inline void json_append_signed(std::string& to, std::int64_t value) {
  char digits[20];
  to.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}
inline void json_append_unsigned(std::string& to, std::uint64_t value) {
  char digits[20];
  to.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

template <class T>
void json_append(std::string& to, T const& v);

template <class T, std::size_t I>
void json_append_field(std::string& to, T const& object, bool& comma) {
  constexpr auto const& field = std::get<I>(json_description<T>);
  auto const& member = object.*field.member;
  if constexpr (is_json_optional<std::remove_cvref_t<decltype(member)>>) {
    if (!member.has_value()) return;
  }
  to.append(comma ? ",\"" : "\"").append(field.name).append("\":");
  comma = true;
  json_append(to, member);
}

template <class T, std::size_t... I>
void json_append_object(std::string& to, T const& object, std::index_sequence<I...>) {
  bool comma = false;
  to.push_back('{');
  (json_append_field<T, I>(to, object, comma), ...);
  to.push_back('}');
}

template <class E>
void json_append_name(std::string& to, E value) {
  for (auto const& one : json_description<E>) {
    if (one.value == value) {
      to.append("\"").append(one.name).append("\"");
      return;
    }
  }
  VOLE_REQUIRE(false, "json: the value {} of an enum has no name in its description",
               static_cast<std::int64_t>(value));
}

template <class T>
void json_append_described(std::string& to, T const& v) {
  using description = std::remove_const_t<decltype(json_description<T>)>;
  if constexpr (is_json_fields<description>) {
    static_assert(json_type_of<T>::value.kind == json_kind::object);
    json_append_object(to, v, std::make_index_sequence<json_field_count<T>>());
  } else if constexpr (is_json_names<description>) {
    json_append_name(to, v);
  } else {
    json_append_string(to, json_description<T>.format(v));
  }
}

template <class T>
void json_append_map(std::string& to, T const& map) {
  bool comma = false;
  to.push_back('{');
  for (auto const& [key, value] : map) {
    if (std::exchange(comma, true)) to.push_back(',');
    json_append_string(to, key);
    to.push_back(':');
    json_append(to, value);
  }
  to.push_back('}');
}

template <class T>
void json_append(std::string& to, T const& v) {
  if constexpr (json_described<T>) {
    json_append_described(to, v);
  } else if constexpr (std::same_as<T, bool>) {
    to.append(v ? "true" : "false");
  } else if constexpr (json_integer<T>) {
    if constexpr (std::is_signed_v<T>) {
      json_append_signed(to, v);
    } else {
      json_append_unsigned(to, v);
    }
  } else if constexpr (std::floating_point<T>) {
    json_append_floating(to, std::conditional_t<std::same_as<T, float>, float, double>(v));
  } else if constexpr (std::convertible_to<T const&, std::string_view>) {
    json_append_string(to, v);
  } else if constexpr (is_json_optional<T>) {
    if (v.has_value()) {
      json_append(to, *v);
    } else {
      to.append("null");
    }
  } else if constexpr (is_json_array<T>) {
    bool comma = false;
    to.push_back('[');
    for (auto const& element : v) {
      if (std::exchange(comma, true)) to.push_back(',');
      json_append(to, element);
    }
    to.push_back(']');
  } else {
    static_assert(json_type_of<T>::value.kind == json_kind::map);
    json_append_map(to, v);
  }
}

}  // namespace vole::internal
