// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "vole/internal/json_encode.h"
#include "vole/json.h"

#include "base/utf8.h"

namespace vole {
namespace internal {
namespace {

// What stands for a byte inside quotes: 0 itself, 'u' the six-letter form, 8 look at the UTF-8
// sequence, else the letter behind a backslash.
constexpr std::array<char, 256> make_escapes() {
  std::array<char, 256> escapes{};
  for (int c = 0; c < 0x20; ++c) escapes[c] = 'u';
  for (int c = 0x80; c < 0x100; ++c) escapes[c] = 8;
  escapes['\b'] = 'b';
  escapes['\f'] = 'f';
  escapes['\n'] = 'n';
  escapes['\r'] = 'r';
  escapes['\t'] = 't';
  escapes['"'] = '"';
  escapes['\\'] = '\\';
  return escapes;
}
constexpr std::array<char, 256> escapes = make_escapes();

template <class T>
void append_floating(std::string& to, T value) {
  if (!std::isfinite(value)) {
    to.append("null");
    return;
  }
  char digits[32];
  to.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

}  // namespace

void json_append_string(std::string& to, std::string_view text) {
  to.push_back('"');
  std::size_t done = 0;
  for (std::size_t i = 0; i < text.size();) {
    char const escape = escapes[static_cast<unsigned char>(text[i])];
    if (escape == 0) {
      ++i;
      continue;
    }
    if (escape == 8) {
      if (std::size_t const length = utf8_sequence(text.substr(i)); length != 0) {
        i += length;
        continue;
      }
    }
    to.append(text, done, i - done);
    if (escape == 8) {
      to.append("\xef\xbf\xbd");  // U+FFFD
    } else if (escape == 'u') {
      constexpr char digits[] = "0123456789abcdef";
      auto const c = static_cast<unsigned char>(text[i]);
      to.append("\\u00").append(1, digits[c >> 4]).append(1, digits[c & 15]);
    } else {
      to.append(1, '\\').append(1, escape);
    }
    done = ++i;
  }
  to.append(text, done, text.size() - done);
  to.push_back('"');
}

void json_append_floating(std::string& to, float value) {
  append_floating(to, value);
}
void json_append_floating(std::string& to, double value) {
  append_floating(to, value);
}

}  // namespace internal

namespace json {

std::string json_error::message() const {
  if (path.empty()) return fmt::format("{} (at byte {})", text, offset);
  return fmt::format("{}: {} (at byte {})", path, text, offset);
}

void writer::before_value() {
  bool const in_object = depth_ != 0 && (objects_ & 1) != 0;
  VOLE_REQUIRE(in_object == has_key_, "json::writer: a value in an object follows its key");
  if (comma_ && !has_key_) to_.push_back(',');
  comma_ = true;
  has_key_ = false;
}

void writer::open(char bracket, bool object) {
  VOLE_REQUIRE(depth_ < depth_max, "json::writer: nested more than {} levels", depth_max);
  before_value();
  to_.push_back(bracket);
  objects_ = objects_ << 1 | (object ? 1 : 0);
  ++depth_;
  comma_ = false;
}

void writer::close(char bracket, bool object) {
  VOLE_REQUIRE(depth_ != 0 && ((objects_ & 1) != 0) == object && !has_key_,
               "json::writer: '{}' closes what is not open", bracket);
  to_.push_back(bracket);
  objects_ >>= 1;
  --depth_;
  comma_ = true;
}

writer& writer::begin_object() {
  open('{', true);
  return *this;
}

writer& writer::end_object() {
  close('}', true);
  return *this;
}

writer& writer::begin_array() {
  open('[', false);
  return *this;
}

writer& writer::end_array() {
  close(']', false);
  return *this;
}

writer& writer::key(std::string_view name) {
  VOLE_REQUIRE(depth_ != 0 && (objects_ & 1) != 0 && !has_key_,
               "json::writer: no place for key \"{}\"", name);
  if (comma_) to_.push_back(',');
  internal::json_append_string(to_, name);
  to_.push_back(':');
  has_key_ = true;
  return *this;
}

writer& writer::null() {
  return raw("null");
}

writer& writer::raw(std::string_view text) {
  before_value();
  to_.append(text);
  return *this;
}

}  // namespace json
}  // namespace vole
