// SPDX-License-Identifier: Apache-2.0
#include "model.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <sys/random.h>

#include "vole/assert.h"
#include "vole/internal/format.h"

namespace folio {

bool valid_id(std::string_view id) noexcept {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

std::string make_id(std::string_view prefix) {
  static constexpr char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";  // 32, without i, l, o, u
  unsigned char random[26];
  VOLE_ASSERT(::getrandom(random, sizeof random, 0) == sizeof random,
              "the kernel gives no random bytes");
  std::string id(prefix);
  id += '_';
  for (unsigned char const byte : random) id += letters[byte % 32];
  return id;
}

std::string timestamp() {
  auto const ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                      std::chrono::system_clock::now().time_since_epoch())
                      .count();
  std::time_t const seconds = ms / 1000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ms % 1000);
}

std::string_view name_of(order_side s) noexcept {
  return s == order_side::buy ? "buy" : "sell";
}
std::string_view name_of(order_type t) noexcept {
  return t == order_type::market ? "market" : "limit";
}
std::string_view name_of(order_state s) noexcept {
  switch (s) {
    case order_state::open:
      return "open";
    case order_state::filled:
      return "filled";
    case order_state::cancelled:
      return "cancelled";
  }
  return "open";
}

}  // namespace folio
