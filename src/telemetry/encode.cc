// SPDX-License-Identifier: Apache-2.0
#include "telemetry/encode.h"

#include <array>

#include "base/utf8.h"

namespace vole::internal {
namespace {

// Characters that end a line, do not show, or turn the direction of writing.
bool is_hidden(char32_t code) noexcept {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x200b || code == 0x200e ||
         code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ||
         (code >= 0xfff9 && code <= 0xfffb) || (code >= 0xe0000 && code <= 0xe007f);
}

// plain[c] says that the ASCII character c stands for itself inside quotes.
constexpr std::array<bool, 256> plain = [] {
  std::array<bool, 256> made{};
  for (int c = 0x20; c < 0x7f; ++c) made[static_cast<std::size_t>(c)] = c != '"' && c != '\\';
  return made;
}();

void append_escape(line_buffer& to, char32_t code) {
  switch (code) {
    case '"':
      return append(to, "\\\"");
    case '\\':
      return append(to, "\\\\");
    case '\n':
      return append(to, "\\n");
    case '\r':
      return append(to, "\\r");
    case '\t':
      return append(to, "\\t");
    default:
      break;
  }
  if (code < 0x10000) {
    fmt::format_to(fmt::appender(to), "\\u{:04x}", static_cast<std::uint32_t>(code));
    return;
  }
  auto const rest = static_cast<std::uint32_t>(code) - 0x10000;
  fmt::format_to(fmt::appender(to), "\\u{:04x}\\u{:04x}", 0xd800 + (rest >> 10),
                 0xdc00 + (rest & 0x3ff));
}

// append_escaped writes the inside of the quotes; bad_byte writes a byte that is not UTF-8.
template <class BadByte>
void append_escaped(line_buffer& to, std::string_view text, BadByte bad_byte) {
  while (!text.empty()) {
    std::size_t run = 0;
    while (run < text.size() && plain[static_cast<unsigned char>(text[run])]) ++run;
    append(to, text.substr(0, run));
    text.remove_prefix(run);
    if (text.empty()) return;
    char32_t code = 0;
    std::size_t const length = decode_utf8(text, code);
    if (length == 0) {
      bad_byte(static_cast<unsigned char>(text[0]));
    } else if (code < 0x80 || is_hidden(code)) {
      append_escape(to, code);
    } else {
      append(to, text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
}

bool is_bare_word(std::string_view text) noexcept {
  if (text.empty()) return false;
  for (char const c : text) {
    if (!plain[static_cast<unsigned char>(c)] || c == ' ' || c == '=') return false;
  }
  return true;
}

struct civil_date {
  std::int64_t year;
  unsigned month;
  unsigned day;
};

// civil_from_days turns days since 1970-01-01 into a date of the proleptic Gregorian calendar, by
// eras of 400 years that begin on 1 March. Source: Howard Hinnant, "chrono-Compatible Low-Level
// Date Algorithms".
civil_date civil_from_days(std::int64_t days) noexcept {
  days += 719468;
  std::int64_t const era = (days >= 0 ? days : days - 146096) / 146097;
  auto const day_of_era = static_cast<unsigned>(days - era * 146097);
  unsigned const year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  unsigned const day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  unsigned const march_month = (5 * day_of_year + 2) / 153;
  unsigned const day = day_of_year - (153 * march_month + 2) / 5 + 1;
  unsigned const month = march_month < 10 ? march_month + 3 : march_month - 9;
  return {static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

void append_fixed(line_buffer& to, std::uint64_t number, int digits) {
  char text[20];
  for (int i = digits - 1; i >= 0; --i) {
    text[i] = static_cast<char>('0' + number % 10);
    number /= 10;
  }
  append(to, {text, static_cast<std::size_t>(digits)});
}

// append_decimal writes whole.fraction, where fraction has `digits` digits, without zeros at its
// end.
void append_decimal(line_buffer& to, std::uint64_t whole, std::uint64_t fraction, int digits) {
  fmt::format_to(fmt::appender(to), "{}", whole);
  if (fraction == 0) return;
  while (fraction % 10 == 0) {
    fraction /= 10;
    --digits;
  }
  to.push_back('.');
  append_fixed(to, fraction, digits);
}

}  // namespace

void append_json_string(line_buffer& to, std::string_view text) {
  to.push_back('"');
  append_escaped(to, text, [&to](unsigned char) { append(to, "\\ufffd"); });
  to.push_back('"');
}

void append_text_value(line_buffer& to, std::string_view text) {
  if (is_bare_word(text)) return append(to, text);
  to.push_back('"');
  append_escaped(to, text, [&to](unsigned char byte) {
    fmt::format_to(fmt::appender(to), "\\x{:02x}", byte);
  });
  to.push_back('"');
}

void append_hex(line_buffer& to, std::span<std::uint8_t const> bytes) {
  constexpr char digits[] = "0123456789abcdef";
  for (auto const byte : bytes) {
    to.push_back(digits[byte >> 4]);
    to.push_back(digits[byte & 0x0f]);
  }
}

void append_time(line_buffer& to, std::chrono::nanoseconds since_epoch) {
  constexpr std::int64_t day_ms = 86'400'000;
  std::int64_t const ms = std::chrono::floor<std::chrono::milliseconds>(since_epoch).count();
  std::int64_t days = ms / day_ms;
  std::int64_t left = ms % day_ms;
  if (left < 0) {
    left += day_ms;
    --days;
  }
  auto const date = civil_from_days(days);
  auto const of_day = static_cast<std::uint64_t>(left);
  append_fixed(to, static_cast<std::uint64_t>(date.year), 4);
  to.push_back('-');
  append_fixed(to, date.month, 2);
  to.push_back('-');
  append_fixed(to, date.day, 2);
  to.push_back('T');
  append_fixed(to, of_day / 3'600'000, 2);
  to.push_back(':');
  append_fixed(to, of_day / 60'000 % 60, 2);
  to.push_back(':');
  append_fixed(to, of_day / 1000 % 60, 2);
  to.push_back('.');
  append_fixed(to, of_day % 1000, 3);
  to.push_back('Z');
}

void append_duration(line_buffer& to, std::chrono::nanoseconds d) {
  bool const negative = d.count() < 0;
  std::uint64_t const ns =
      negative ? 0 - static_cast<std::uint64_t>(d.count()) : static_cast<std::uint64_t>(d.count());
  if (negative) to.push_back('-');
  if (ns == 0) return append(to, "0s");
  if (ns < 1000) {
    fmt::format_to(fmt::appender(to), "{}ns", ns);
  } else if (ns < 1'000'000) {
    append_decimal(to, ns / 1000, ns % 1000, 3);
    append(to, "us");
  } else if (ns < 1'000'000'000) {
    append_decimal(to, ns / 1'000'000, ns % 1'000'000, 6);
    append(to, "ms");
  } else {
    std::uint64_t const seconds = ns / 1'000'000'000;
    if (seconds >= 3600) fmt::format_to(fmt::appender(to), "{}h", seconds / 3600);
    if (seconds >= 60) fmt::format_to(fmt::appender(to), "{}m", seconds / 60 % 60);
    append_decimal(to, seconds % 60, ns % 1'000'000'000, 9);
    to.push_back('s');
  }
}

}  // namespace vole::internal
