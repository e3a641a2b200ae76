// SPDX-License-Identifier: Apache-2.0
// Passwords inside URLs and connection strings. No shared state.
#include <algorithm>
#include <cctype>

#include "vole/service/flags.h"

namespace vole::service {
namespace {

// redact_authority hides what stands between ':' and the last '@' of "scheme://user:password@host".
// A password with '/', '?' or '#' in it belongs percent-encoded; one that is not is hidden all the
// same, up to the last '@' of the text.
std::string redact_authority(std::string_view url) {
  auto const scheme = url.find("://");
  auto const at = url.rfind('@');
  if (scheme == std::string_view::npos || at == std::string_view::npos || at < scheme + 3) {
    return std::string(url);
  }
  auto const colon = url.find(':', scheme + 3);
  if (colon == std::string_view::npos || colon > at) return std::string(url);
  return fmt::format("{}{}{}", url.substr(0, colon + 1), redacted_text, url.substr(at));
}

std::size_t find_no_case(std::string_view in, std::string_view what, std::size_t from) {
  auto const at = std::search(
      in.begin() + static_cast<std::ptrdiff_t>(from), in.end(), what.begin(), what.end(),
      [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
  return at == in.end() ? std::string_view::npos : static_cast<std::size_t>(at - in.begin());
}

// value_end is where the value of a parameter ends: at '&' or '#' in a URL, at a blank or the
// closing quote in a connection string.
std::size_t value_end(std::string_view text, std::size_t begin, bool is_url) {
  if (is_url) return std::min(text.find_first_of("&#", begin), text.size());
  if (begin < text.size() && text[begin] == '\'') {
    for (std::size_t i = begin + 1; i < text.size(); ++i) {
      if (text[i] == '\\') {
        ++i;
      } else if (text[i] == '\'') {
        return i + 1;
      }
    }
    return text.size();
  }
  return std::min(text.find_first_of(" \t\r\n", begin), text.size());
}

}  // namespace

std::string redact_url(std::string_view url) {
  std::string text = redact_authority(url);
  bool const is_url = text.find("://") != std::string::npos;
  for (std::size_t at = 0; (at = find_no_case(text, "password", at)) != std::string_view::npos;) {
    std::size_t begin = at + std::string_view("password").size();
    while (!is_url && begin < text.size() && text[begin] == ' ') ++begin;
    if (begin == text.size() || text[begin] != '=') {
      at = begin;
      continue;
    }
    ++begin;
    while (!is_url && begin < text.size() && text[begin] == ' ') ++begin;
    text.replace(begin, value_end(text, begin, is_url) - begin, redacted_text);
    at = begin + redacted_text.size();
  }
  return text;
}

}  // namespace vole::service
