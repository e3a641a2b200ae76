// SPDX-License-Identifier: Apache-2.0
#include "money.h"

#include <limits>

namespace folio {

__extension__ using int128 = __int128;

std::optional<std::int64_t> cost_of(std::int64_t qty_micro, std::int64_t price_minor) noexcept {
  int128 const product = static_cast<int128>(qty_micro) * price_minor;
  int128 quotient = product / micro;
  int128 const rest = product % micro;  // of the sign of the product
  int128 const twice = (rest < 0 ? -rest : rest) * 2;
  if (twice > micro || (twice == micro && quotient % 2 != 0)) quotient += product < 0 ? -1 : 1;
  if (quotient > std::numeric_limits<std::int64_t>::max() ||
      quotient < std::numeric_limits<std::int64_t>::min()) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(quotient);
}

vole::result<std::int64_t> parse_minor(std::string_view text) {
  std::int64_t units = 0;
  int places = -1;  // -1: before the point
  for (std::size_t i = 0; i < text.size(); ++i) {
    char const c = text[i];
    if (c == '.' && places == -1 && i > 0) {
      places = 0;
      continue;
    }
    if (c < '0' || c > '9') return vole::errors::make("'{}' is no decimal amount", text);
    if (places == 2) return vole::errors::make("'{}' has more than two decimal places", text);
    if (places >= 0) ++places;
    units = units * 10 + (c - '0');
    if (units > amount_minor_max) return vole::errors::make("'{}' is too large an amount", text);
  }
  if (text.empty() || places == 0) return vole::errors::make("'{}' is no decimal amount", text);
  for (int p = places < 0 ? 0 : places; p < 2; ++p) units *= 10;
  return units;
}

}  // namespace folio
