// SPDX-License-Identifier: Apache-2.0
// The decoder: Boost.JSON's parser reads the text and calls; the tables of
// vole/internal/json_type.h say where each value belongs. Nothing in between is built.
//
// INVARIANTS
//   - frames_[0 .. depth_) are the objects, arrays and maps that are open, outermost first; each
//     one's `to` stays where it is while it is open, for only the innermost grows.
//   - Once failure_ is set, every callback has returned false, and the parser calls no more.
// No shared state.
#include <algorithm>
#include <array>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

#include "vole/json.h"

#include "base/utf8.h"

namespace vole::internal {
namespace {

using boost::json::error_code;
using json::json_error;
using json::reason;
using boost_view = boost::json::string_view;

std::string_view view(boost_view text) {
  return {text.data(), text.size()};
}

// What the text holds at one place, for messages.
enum class token : std::uint8_t { null, boolean, number, string, array, object };

std::string_view to_text(token got) {
  constexpr std::string_view texts[] = {"null",     "a bool",   "a number",
                                        "a string", "an array", "an object"};
  return texts[static_cast<std::size_t>(got)];
}

std::string_view wanted_text(json_kind kind) {
  switch (kind) {
    case json_kind::boolean:
      return "a bool";
    case json_kind::integer:
      return "an integer";
    case json_kind::floating:
      return "a number";
    case json_kind::string:
    case json_kind::text:
    case json_kind::name:
      return "a string";
    case json_kind::array:
      return "an array";
    case json_kind::map:
    case json_kind::object:
    case json_kind::optional:
      return "an object";
  }
  return "another value";
}

// shown is a text of outside origin as a message may hold it: short, and escaped unless it is a
// plain word.
std::string shown(std::string_view text) {
  constexpr std::size_t shown_max = 64;
  std::size_t const plain =
      text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+.");
  bool const cut = text.size() > shown_max;
  if (cut) text = text.substr(0, shown_max);
  std::string to;
  if (plain == std::string_view::npos) {
    to = text;
  } else {
    json_append_string(to, text);
  }
  return cut ? to + "..." : to;
}

struct failure {
  reason why;
  std::string path;
  std::string text;
  error cause;
};

struct frame {
  json_type const* type = nullptr;
  void* to = nullptr;
  json_type const* next_type = nullptr;  // object, map: what the value after the key is
  void* next_to = nullptr;
  std::string_view key;    // map: the key of next_to, which the map holds
  std::uint64_t seen = 0;  // object: a bit per field
  std::size_t index = 0;   // object: the current field; array: elements so far
};

class decoder {
 public:
  static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_key_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_string_size = std::numeric_limits<std::size_t>::max();

  decoder(json_type const& type, void* to) : root_type_(&type), root_(to) {}

  std::optional<failure>& failed() noexcept { return failure_; }
  // path names the value that the decoder is at.
  std::string path() const;

  // What the parser calls.
  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code& ec);
  bool on_object_end(std::size_t, error_code& ec);
  bool on_array_begin(error_code& ec);
  bool on_array_end(std::size_t, error_code&) { return close(); }
  bool on_key_part(boost_view text, std::size_t, error_code&) { return on_part(text); }
  bool on_key(boost_view text, std::size_t, error_code& ec);
  bool on_string_part(boost_view text, std::size_t, error_code&) { return on_part(text); }
  bool on_string(boost_view text, std::size_t, error_code& ec);
  bool on_number_part(boost_view text, error_code&) { return on_part(text); }
  bool on_int64(std::int64_t, boost_view text, error_code& ec) { return on_number(text, ec); }
  bool on_uint64(std::uint64_t, boost_view text, error_code& ec) { return on_number(text, ec); }
  bool on_double(double, boost_view text, error_code& ec) { return on_number(text, ec); }
  bool on_bool(bool value, error_code& ec);
  bool on_null(error_code& ec);
  bool on_comment_part(boost_view, error_code&) { return true; }
  bool on_comment(boost_view, error_code&) { return true; }

 private:
  struct place {
    json_type const* type;
    void* to;
  };

  // next is where the value that begins now belongs, its optionals engaged.
  place next();
  place next_raw();
  // open begins an object, array or map; what an array or map held before, a default, goes.
  bool open(place at);
  bool close() {
    --depth_;
    return filled();
  }
  // filled ends a value: the object or map around it is at no field now.
  bool filled() {
    if (depth_ != 0) frames_[depth_ - 1].next_to = nullptr;
    parts_.clear();
    return true;
  }
  std::string_view whole(boost_view last);

  bool on_part(boost_view text) {
    parts_.append(text.data(), text.size());
    return true;
  }
  bool on_number(boost_view text, error_code& ec);
  bool store_integer(place at, std::string_view digits, error_code& ec);
  bool store_floating(place at, std::string_view digits, error_code& ec);
  bool select_field(frame& top, std::string_view key, error_code& ec);
  bool insert_key(frame& top, std::string_view key, error_code& ec);
  // path_to is the path of a key that is not a field.
  std::string path_to(std::string_view key) const {
    std::string const outer = path();
    return fmt::format("{}{}{}", outer, outer.empty() ? "" : ".", shown(key));
  }

  bool fail(error_code& ec, reason why, std::string path, std::string text, error cause = {});
  bool fail_type(error_code& ec, json_kind wanted, token got) {
    return fail(ec, reason::wrong_type, path(),
                fmt::format("want {}, got {}", wanted_text(wanted), to_text(got)));
  }

  json_type const* const root_type_;
  void* const root_;
  std::array<frame, json::depth_max> frames_;
  std::size_t depth_ = 0;
  std::string parts_;  // of a string or key with escapes, until its last part
  std::optional<failure> failure_;
};

std::string decoder::path() const {
  std::string path;
  for (std::size_t i = 0; i < depth_; ++i) {
    frame const& at = frames_[i];
    switch (at.type->kind) {
      case json_kind::array:
        path += fmt::format("[{}]", at.index == 0 ? 0 : at.index - 1);
        break;
      case json_kind::map:
        if (at.next_to == nullptr) return path;
        path.append(path.empty() ? "" : ".").append(shown(at.key));
        break;
      default:
        if (at.next_to == nullptr) return path;
        path.append(path.empty() ? "" : ".").append(at.type->fields[at.index].name);
    }
  }
  return path;
}

bool decoder::fail(error_code& ec, reason why, std::string path, std::string text, error cause) {
  failure_ = failure{why, std::move(path), std::move(text), std::move(cause)};
  ec = boost::json::make_error_code(boost::json::error::exception);  // any: failure_ is what counts
  return false;
}

decoder::place decoder::next_raw() {
  if (depth_ == 0) return {root_type_, root_};
  frame& top = frames_[depth_ - 1];
  if (top.type->kind != json_kind::array) return {top.next_type, top.next_to};
  ++top.index;
  return {top.type->element, top.type->append(top.to)};
}

decoder::place decoder::next() {
  place at = next_raw();
  while (at.type->kind == json_kind::optional) at = {at.type->element, at.type->engage(at.to)};
  return at;
}

bool decoder::open(place at) {
  if (at.type->clear != nullptr) at.type->clear(at.to);
  frame& fresh = frames_[depth_++];
  fresh = frame();
  fresh.type = at.type;
  fresh.to = at.to;
  return true;
}

bool decoder::on_object_begin(error_code& ec) {
  place const at = next();
  if (at.type->kind == json_kind::object || at.type->kind == json_kind::map) return open(at);
  return fail_type(ec, at.type->kind, token::object);
}

bool decoder::on_object_end(std::size_t, error_code& ec) {
  frame& top = frames_[depth_ - 1];
  if (top.type->kind == json_kind::object) {
    for (std::size_t i = 0; i < top.type->field_count; ++i) {
      if ((top.seen >> i & 1) != 0 || top.type->fields[i].may_be_absent) continue;
      top.index = i;
      top.next_to = top.to;
      return fail(ec, reason::missing_field, path(), "is missing");
    }
  }
  return close();
}

bool decoder::on_array_begin(error_code& ec) {
  place const at = next();
  if (at.type->kind == json_kind::array) return open(at);
  return fail_type(ec, at.type->kind, token::array);
}

// whole is a text that came in parts as one; it is good until the next part.
std::string_view decoder::whole(boost_view last) {
  if (parts_.empty()) return view(last);
  on_part(last);
  return parts_;
}

bool decoder::on_key(boost_view text, std::size_t, error_code& ec) {
  std::string_view const key = whole(text);
  frame& top = frames_[depth_ - 1];
  bool const good =
      top.type->kind == json_kind::object ? select_field(top, key, ec) : insert_key(top, key, ec);
  parts_.clear();
  return good;
}

bool decoder::insert_key(frame& top, std::string_view key, error_code& ec) {
  top.next_type = top.type->element;
  top.next_to = top.type->insert(top.to, key, &top.key);
  if (top.next_to != nullptr) return true;
  return fail(ec, reason::duplicate_field, path_to(key), "appears twice");
}

bool decoder::select_field(frame& top, std::string_view key, error_code& ec) {
  // Fields mostly come in the order of their description: begin behind the last one.
  std::size_t const count = top.type->field_count;
  std::size_t i = top.seen == 0 ? 0 : top.index + 1;
  for (std::size_t tried = 0; tried < count; ++tried, ++i) {
    if (i >= count) i = 0;
    json_field const& field = top.type->fields[i];
    if (field.name != key) continue;
    top.index = i;
    top.next_type = field.type;
    top.next_to = field.at(top.to);
    if ((top.seen >> i & 1) != 0) return fail(ec, reason::duplicate_field, path(), "appears twice");
    top.seen |= std::uint64_t{1} << i;
    return true;
  }
  return fail(ec, reason::unknown_field, path_to(key), "is unknown");
}

bool decoder::on_string(boost_view text, std::size_t, error_code& ec) {
  std::string_view const value = whole(text);
  place const at = next();
  switch (at.type->kind) {
    case json_kind::string:
      static_cast<std::string*>(at.to)->assign(value);
      return filled();
    case json_kind::text:
      if (error cause = at.type->store_text(at.to, value)) {
        return fail(ec, reason::bad_value, path(), cause.message(), cause);
      }
      return filled();
    case json_kind::name:
      if (at.type->store_name(at.to, value)) return filled();
      return fail(ec, reason::bad_value, path(), fmt::format("want one of {}", at.type->names()));
    default:
      return fail_type(ec, at.type->kind, token::string);
  }
}

bool decoder::on_number(boost_view text, error_code& ec) {
  std::string_view const digits = whole(text);
  place const at = next();
  switch (at.type->kind) {
    case json_kind::integer:
      return store_integer(at, digits, ec);
    case json_kind::floating:
      return store_floating(at, digits, ec);
    default:
      return fail_type(ec, at.type->kind, token::number);
  }
}

bool decoder::store_integer(place at, std::string_view digits, error_code& ec) {
  if (digits.find_first_of(".eE") != std::string_view::npos) {
    return fail(ec, reason::wrong_type, path(),
                fmt::format("want an integer, got {}", shown(digits)));
  }
  char const* const first = digits.data();
  char const* const last = first + digits.size();
  bool fits = false;
  std::uint64_t bits = 0;
  if (digits.front() == '-') {
    std::int64_t value = 0;
    fits = std::from_chars(first, last, value).ec == std::errc{} && value >= at.type->min;
    bits = static_cast<std::uint64_t>(value);
  } else {
    fits = std::from_chars(first, last, bits).ec == std::errc{} && bits <= at.type->max;
  }
  if (fits) {
    at.type->store_integer(at.to, bits);
    return filled();
  }
  return fail(
      ec, reason::out_of_range, path(),
      fmt::format("{} is out of range: want {} to {}", shown(digits), at.type->min, at.type->max));
}

bool decoder::store_floating(place at, std::string_view digits, error_code& ec) {
  if (at.type->store_floating(at.to, digits)) return filled();
  return fail(ec, reason::out_of_range, path(), fmt::format("{} is out of range", shown(digits)));
}

bool decoder::on_bool(bool value, error_code& ec) {
  place const at = next();
  if (at.type->kind != json_kind::boolean) return fail_type(ec, at.type->kind, token::boolean);
  at.type->store_integer(at.to, value ? 1 : 0);
  return filled();
}

bool decoder::on_null(error_code& ec) {
  place const at = next_raw();
  if (at.type->kind != json_kind::optional) return fail_type(ec, at.type->kind, token::null);
  at.type->clear(at.to);
  return filled();
}

reason reason_of(error_code const& ec, std::string_view text, std::size_t offset) {
  using boost::json::error;
  if (ec == error::incomplete) return reason::truncated;
  if (ec == error::extra_data) return reason::trailing_data;
  if (ec == error::too_deep) return reason::too_deep;
  if (ec == error::exponent_overflow) return reason::out_of_range;
  std::size_t const bad = first_bad_utf8(text);
  return bad <= offset ? reason::bad_utf8 : reason::syntax;
}

std::string_view reason_text(reason why) {
  switch (why) {
    case reason::truncated:
      return "the text ends too early";
    case reason::trailing_data:
      return "more data after the value";
    case reason::too_deep:
      return "nested too deeply";
    case reason::bad_utf8:
      return "not UTF-8";
    case reason::out_of_range:
      return "the exponent of a number is out of range";
    default:
      return "not JSON";
  }
}

// is_below_one tells of a JSON number other than 0 whether its magnitude is less than 1.
bool is_below_one(std::string_view number) {
  std::size_t const e = number.find_first_of("eE");
  std::string_view const mantissa = number.substr(0, e);
  auto const point = static_cast<std::int64_t>(std::min(mantissa.find('.'), mantissa.size()));
  auto const first = static_cast<std::int64_t>(mantissa.find_first_of("123456789"));
  // The first digit that counts stands so many places before the point: 1 in 1.5, 0 in 0.5.
  std::int64_t const places = first < point ? point - first : point + 1 - first;
  std::int64_t exponent = 0;
  if (e != number.npos) {
    std::string_view digits = number.substr(e + 1);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    auto const read = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    if (read.ec != std::errc{}) return digits.starts_with('-');
  }
  return exponent <= -places;
}

template <class T>
bool parse_floating(std::string_view digits, T* to) {
  auto const read = std::from_chars(digits.data(), digits.data() + digits.size(), *to);
  if (read.ec == std::errc{}) return std::isfinite(*to);
  if (!is_below_one(digits)) return false;
  *to = digits.starts_with('-') ? -T{0} : T{0};
  return true;
}

}  // namespace

bool json_parse_floating(std::string_view digits, float* to) {
  return parse_floating(digits, to);
}
bool json_parse_floating(std::string_view digits, double* to) {
  return parse_floating(digits, to);
}

error json_decode(std::string_view text, json_type const& type, void* to) {
  boost::json::parse_options options;
  options.max_depth = json::depth_max;
  boost::json::basic_parser<decoder> parser(options, type, to);
  error_code ec;
  std::size_t const used = parser.write_some(false, text.data(), text.size(), ec);
  if (!ec && used < text.size()) ec = boost::json::error::extra_data;
  if (!ec) return nullptr;
  if (auto& failed = parser.handler().failed()) {
    return errors::make_typed<json_error>(failed->why, std::move(failed->path), used,
                                          std::move(failed->text), std::move(failed->cause));
  }
  reason const why = reason_of(ec, text, used);
  return errors::make_typed<json_error>(why, parser.handler().path(), used,
                                        std::string(reason_text(why)), nullptr);
}

}  // namespace vole::internal
