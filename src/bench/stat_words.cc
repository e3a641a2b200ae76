// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "bench/stat_words.h"

#include <utility>

#include "vole/internal/format.h"

#include "bench/benchfmt_text.h"

namespace vole::benchstat {
namespace {

using benchfmt::decode_rune;
using benchfmt::is_space;

std::optional<word_kind> operator_kind(char c) {
  switch (c) {
    case '(':
      return word_kind::open;
    case ')':
      return word_kind::close;
    case ':':
      return word_kind::colon;
    case '@':
      return word_kind::at;
    case ',':
      return word_kind::comma;
    default:
      return std::nullopt;
  }
}

// '-' and '*' are operators at the beginning of a word, and letters within it.
std::optional<word_kind> first_operator_kind(char c) {
  if (c == '-') return word_kind::minus;
  if (c == '*') return word_kind::star;
  return operator_kind(c);
}

// The bytes of a regular expression up to the '/' that ends it, outside of brackets and
// parentheses; npos when none does.
std::size_t regexp_bytes(std::string_view text) {
  int brackets = 0;
  int parentheses = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char const c = text[i];
    if (c == '/' && brackets == 0 && parentheses == 0) return i;
    if (c == '[') ++brackets;
    if (c == ']' && brackets > 0) --brackets;
    if (c == '(' && brackets == 0) ++parentheses;
    if (c == ')' && brackets == 0) --parentheses;
    if (c == '\\') ++i;
  }
  return std::string_view::npos;
}

// What Go's package regexp says where RE2 gives this code.
std::string_view regexp_complaint(re2::RE2::ErrorCode code) {
  switch (code) {
    case re2::RE2::ErrorBadEscape:
      return "invalid escape sequence";
    case re2::RE2::ErrorBadCharClass:
      return "invalid character class";
    case re2::RE2::ErrorBadCharRange:
      return "invalid character class range";
    case re2::RE2::ErrorMissingBracket:
      return "missing closing ]";
    case re2::RE2::ErrorMissingParen:
      return "missing closing )";
    case re2::RE2::ErrorUnexpectedParen:
      return "unexpected )";
    case re2::RE2::ErrorTrailingBackslash:
      return "trailing backslash at end of expression";
    case re2::RE2::ErrorRepeatArgument:
      return "missing argument to repetition operator";
    case re2::RE2::ErrorRepeatSize:
      return "invalid repeat count";
    case re2::RE2::ErrorRepeatOp:
      return "invalid nested repetition operator";
    case re2::RE2::ErrorBadPerlOp:
      return "invalid or unsupported Perl syntax";
    case re2::RE2::ErrorBadUTF8:
      return "invalid UTF-8";
    case re2::RE2::ErrorBadNamedCapture:
      return "invalid named capture";
    case re2::RE2::ErrorPatternTooLarge:
      return "expression too large";
    default:
      return "regexp/syntax: internal error";
  }
}

}  // namespace

std::string expression_error::text() const {
  int column = 0;
  for (std::size_t at = 0; at < offset && at < expression.size();) {
    auto const r = decode_rune(std::string_view(expression).substr(at));
    if (benchfmt::is_graphic(r.value)) ++column;
    at += r.bytes;
  }
  return fmt::format("syntax error: {}\n\t{}\n\t{}^", what, expression, benchfmt::pad(column, ""));
}

words::words(std::string_view expression)
    : shared_(std::make_shared<common>(std::string(expression), std::nullopt)),
      rest_(shared_->expression) {}

word words::cut(word_kind kind, std::size_t bytes) {
  word made{kind, offset(), std::string(rest_.substr(0, bytes))};
  rest_.remove_prefix(bytes);
  return made;
}

void words::refuse(std::string what) {
  if (!shared_->error) shared_->error = {shared_->expression, offset(), std::move(what)};
  rest_ = rest_.substr(rest_.size());
}

word words::refused(std::string what) {
  refuse(std::move(what));
  return cut(word_kind::end, 0);
}

void words::expect_end() {
  word const left = peek();
  if (left.kind != word_kind::end) refuse("unexpected " + benchfmt::quote(left.text));
}

void words::skip_space() {
  while (!rest_.empty()) {
    auto const r = decode_rune(rest_);
    if (!is_space(r.value)) return;
    rest_.remove_prefix(r.bytes);
  }
}

word words::peek(bool regexp_may_stand) {
  skip_space();
  words ahead = *this;
  return ahead.next(regexp_may_stand);
}

word words::next(bool regexp_may_stand) {
  skip_space();
  if (rest_.empty()) return cut(word_kind::end, 0);
  char const c = rest_.front();
  if (auto const kind = first_operator_kind(c)) return cut(*kind, 1);
  if (regexp_may_stand && c == '/') return regexp_word();
  return c == '"' ? quoted_word() : bare_word();
}

word words::quoted_word() {
  std::size_t end = 1;
  while (end < rest_.size() && (rest_[end] != '"' || rest_[end - 1] == '\\')) ++end;
  if (end == rest_.size()) return refused("missing end quote");
  auto plain = benchfmt::unquote(rest_.substr(0, end + 1));
  if (!plain) return refused("bad escape sequence");
  word made = cut(word_kind::quoted, end + 1);
  made.text = std::move(*plain);
  return made;
}

word words::bare_word() {
  std::size_t end = 0;
  while (end < rest_.size()) {
    auto const r = decode_rune(rest_.substr(end));
    if (is_space(r.value) || (r.bytes == 1 && operator_kind(rest_[end]))) break;
    end += r.bytes;
  }
  std::string_view const text = rest_.substr(0, end);
  if (text == "AND") return cut(word_kind::and_word, end);
  if (text == "OR") return cut(word_kind::or_word, end);
  return cut(word_kind::bare, end);
}

word words::regexp_word() {
  std::string_view const body = rest_.substr(1);
  std::size_t const bytes = regexp_bytes(body);
  if (bytes == std::string_view::npos) return refused("missing close \"/\"");
  re2::RE2::Options options(re2::RE2::Quiet);
  options.set_log_errors(false);
  auto const made = std::make_shared<re2::RE2 const>(re2::StringPiece(body.data(), bytes), options);
  if (!made->ok()) {
    bool const no_place = made->error_code() == re2::RE2::ErrorTrailingBackslash;
    return refused(fmt::format("error parsing regexp: {}: `{}`",
                               regexp_complaint(made->error_code()),
                               no_place ? std::string() : made->error_arg()));
  }
  // So that a '/' within the expression is not taken for its end.
  std::string_view const after = body.substr(bytes + 1);
  if (!after.empty() && !is_space(static_cast<unsigned char>(after.front())) &&
      !first_operator_kind(after.front())) {
    rest_ = after;
    return refused("regexp must be followed by space or an operator (unescaped \"/\"?)");
  }
  word read = cut(word_kind::regexp, bytes + 2);
  read.text = made->pattern();
  read.regexp = made;
  return read;
}

}  // namespace vole::benchstat
