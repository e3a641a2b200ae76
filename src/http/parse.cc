// SPDX-License-Identifier: Apache-2.0
#include "http/parse.h"

#include "http/scan.h"

namespace vole::http::internal {

namespace {

constexpr std::size_t method_bytes_max = 32;
constexpr std::size_t name_bytes_max = 256;

text_place place(std::size_t from, std::size_t to) {
  return {static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to - from)};
}

}  // namespace

head_parser::head_parser(head_kind kind, parse_limits const& limits)
    : kind_(kind), step_(first_step()), limits_(limits) {}

head_parser::step head_parser::first_step() const {
  switch (kind_) {
    case head_kind::request:
      return step::method;
    case head_kind::response:
      return step::status;
    case head_kind::trailer:
      break;
  }
  return step::field;
}

void head_parser::reset() {
  step_ = first_step();
  at_ = mark_ = header_at_ = 0;
  fields_.clear();
  failure_ = {};
}

parse_state head_parser::parse(std::string_view bytes) {
  for (;;) {
    outcome got = outcome::end;
    switch (step_) {
      case step::method:
        got = take_method(bytes);
        break;
      case step::target:
        got = take_target(bytes);
        break;
      case step::version:
        got = take_version(bytes);
        break;
      case step::status:
        got = take_status(bytes);
        break;
      case step::reason:
        got = take_reason(bytes);
        break;
      case step::field:
        got = take_field(bytes);
        break;
      case step::name:
        got = take_name(bytes);
        break;
      case step::value:
        got = take_value(bytes);
        break;
      case step::done:
        return parse_state::done;
      case step::failed:
        return parse_state::failed;
    }
    if (got == outcome::wait) return parse_state::more;
  }
}

head_parser::outcome head_parser::go(step to, std::size_t consumed) {
  at_ += consumed;
  mark_ = at_;
  step_ = to;
  return outcome::next;
}

head_parser::outcome head_parser::fail(int status, char const* what) {
  failure_ = {status, what, at_};
  step_ = step::failed;
  return outcome::end;
}

head_parser::outcome head_parser::take_method(std::string_view in) {
  at_ = scan_token(in, at_);
  if (at_ - mark_ > method_bytes_max) return fail(400, "method too long");
  if (at_ == in.size()) return outcome::wait;
  if (at_ == mark_) return fail(400, "no method at the start of the request line");
  if (in[at_] != ' ') return fail(400, "no space after the method");
  method_ = place(mark_, at_);
  return go(step::target, 1);
}

head_parser::outcome head_parser::take_target(std::string_view in) {
  at_ = scan_target(in, at_);
  if (line_too_long()) return fail(414, "request line too long");
  if (at_ == in.size()) return outcome::wait;
  if (in[at_] != ' ') return fail(400, "byte in the request target that must be percent-encoded");
  if (at_ == mark_) return fail(400, "more than one space before the request target");
  target_ = place(mark_, at_);
  return go(step::version, 1);
}

head_parser::outcome head_parser::take_version(std::string_view in) {
  // "HTTP/1.1\r\n": digits stand for any digit.
  constexpr std::string_view form = "HTTP/0.0\r\n";
  std::string_view const got = in.substr(mark_, form.size());
  for (std::size_t i = at_ - mark_; i < got.size(); ++i, ++at_) {
    bool const fits = form[i] == '0' ? is_digit(got[i]) : form[i] == got[i];
    if (!fits) return fail(400, "malformed HTTP version or line end in the request line");
  }
  if (got.size() < form.size()) return outcome::wait;
  if (got[5] != '1') return fail(505, "HTTP version is not 1.0 or 1.1");
  version_minor_ = got[7] - '0';
  if (version_minor_ > 1) return fail(505, "HTTP version is not 1.0 or 1.1");
  header_at_ = at_;
  return go(step::field, 0);
}

head_parser::outcome head_parser::take_status(std::string_view in) {
  // "HTTP/1.1 200 ": the byte behind the code may be the CR of an absent reason.
  constexpr std::string_view form = "HTTP/0.0 000";
  std::string_view const got = in.substr(mark_, form.size() + 1);
  for (std::size_t i = at_ - mark_; i < got.size() && i < form.size(); ++i, ++at_) {
    bool const fits = form[i] == '0' ? is_digit(got[i]) : form[i] == got[i];
    if (!fits) return fail(400, "malformed status line");
  }
  if (got.size() <= form.size()) return outcome::wait;
  if (got[5] != '1' || got[7] > '1') return fail(505, "HTTP version is not 1.0 or 1.1");
  version_minor_ = got[7] - '0';
  status_ = (got[9] - '0') * 100 + (got[10] - '0') * 10 + (got[11] - '0');
  if (status_ < 100 || status_ > 599) return fail(400, "status code out of range");
  if (got[12] == ' ') return go(step::reason, 1);
  if (got[12] == '\r') return go(step::reason, 0);
  return fail(400, "malformed status line");
}

head_parser::outcome head_parser::take_reason(std::string_view in) {
  at_ = scan_value(in, at_);
  if (line_too_long()) return fail(414, "status line too long");
  if (at_ == in.size()) return outcome::wait;
  if (in[at_] != '\r') return fail(400, "control character in the status line");
  if (at_ + 1 == in.size()) return outcome::wait;
  if (in[at_ + 1] != '\n') return fail(400, "bare CR in the status line");
  reason_ = place(mark_, at_);
  header_at_ = at_ + 2;
  return go(step::field, 2);
}

head_parser::outcome head_parser::take_field(std::string_view in) {
  if (at_ == in.size()) return outcome::wait;
  char const c = in[at_];
  if (c == '\r') {
    if (at_ + 1 == in.size()) return outcome::wait;
    if (in[at_ + 1] != '\n') return fail(400, "bare CR in place of a field");
    return go(step::done, 2);
  }
  if (c == ' ' || c == '\t') return fail(400, "folded field line");
  if (fields_.size() == limits_.header_fields_max) return fail(431, "too many fields");
  return go(step::name, 0);
}

head_parser::outcome head_parser::take_name(std::string_view in) {
  at_ = scan_token(in, at_);
  if (header_too_large()) return fail(431, "header too large");
  if (at_ - mark_ > name_bytes_max) return fail(431, "field name too long");
  if (at_ == in.size()) return outcome::wait;
  if (in[at_] != ':') {
    bool const blank = in[at_] == ' ' || in[at_] == '\t';
    return fail(400, blank ? "white space in a field name" : "invalid byte in a field name");
  }
  if (at_ == mark_) return fail(400, "empty field name");
  name_ = place(mark_, at_);
  return go(step::value, 1);
}

head_parser::outcome head_parser::take_value(std::string_view in) {
  at_ = scan_value(in, at_);
  if (header_too_large()) return fail(431, "header too large");
  if (at_ == in.size()) return outcome::wait;
  if (in[at_] != '\r') {
    return fail(
        400, in[at_] == '\n' ? "bare LF in a field value" : "control character in a field value");
  }
  if (at_ + 1 == in.size()) return outcome::wait;
  if (in[at_ + 1] != '\n') return fail(400, "bare CR in a field value");
  std::string_view const value = trim(in.substr(mark_, at_ - mark_));
  std::size_t const from = static_cast<std::size_t>(value.data() - in.data());
  fields_.push_back({name_, place(from, from + value.size())});
  return go(step::field, 2);
}

}  // namespace vole::http::internal
