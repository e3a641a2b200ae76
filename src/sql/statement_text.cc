// SPDX-License-Identifier: Apache-2.0
#include "sql/statement_text.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace vole::internal {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
bool is_letter(char c) {
  return lower(c) >= 'a' && lower(c) <= 'z';
}

// Where the comment that starts at `at` ends; /* */ nest, as PostgreSQL has it.
std::size_t after_comment(std::string_view s, std::size_t at) {
  if (s[at] == '-') {
    auto const end = s.find('\n', at);
    return end == s.npos ? s.size() : end + 1;
  }
  int depth = 0;
  while (at + 1 < s.size()) {
    if (s[at] == '/' && s[at + 1] == '*') {
      ++depth;
      at += 2;
    } else if (s[at] == '*' && s[at + 1] == '/') {
      at += 2;
      if (--depth == 0) return at;
    } else {
      ++at;
    }
  }
  return s.size();
}

bool same_word(std::string_view word, std::string_view lower_case) {
  return std::equal(word.begin(), word.end(), lower_case.begin(), lower_case.end(),
                    [](char a, char b) { return lower(a) == b; });
}
template <std::size_t N>
bool any_of(std::string_view word, std::array<std::string_view, N> const& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view w) { return same_word(word, w); });
}

constexpr std::array<std::string_view, 6> reads = {"select",  "values", "show",
                                                   "explain", "table",  "pragma"};
constexpr std::array<std::string_view, 4> changes = {"insert", "update", "delete", "merge"};
constexpr std::array<std::string_view, 8> transactions = {
    "begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"};

}  // namespace

std::string_view first_word(std::string_view s) {
  std::size_t at = 0;
  while (at < s.size()) {
    bool const pair = at + 1 < s.size();
    if (is_blank(s[at]) || s[at] == '(' || s[at] == ';') {
      ++at;
    } else if (pair && ((s[at] == '-' && s[at + 1] == '-') || (s[at] == '/' && s[at + 1] == '*'))) {
      at = after_comment(s, at);
    } else {
      break;
    }
  }
  std::size_t end = at;
  while (end < s.size() && is_letter(s[end])) ++end;
  return s.substr(at, end - at);
}

statement_kind kind_of(std::string_view statement) {
  std::string_view const word = first_word(statement);
  if (any_of(word, reads)) return statement_kind::read;
  if (same_word(word, "with")) return statement_kind::with;
  if (any_of(word, transactions)) return statement_kind::transaction;
  return statement_kind::other;
}

bool takes_company(std::string_view statement) {
  std::string_view const word = first_word(statement);
  return any_of(word, reads) || any_of(word, changes) || same_word(word, "with");
}

}  // namespace vole::internal
