// SPDX-License-Identifier: Apache-2.0
#include "ledger.h"

#include <limits>
#include <map>

#include "vole/internal/format.h"

#include "model.h"

namespace folio::ledger {

bool is_house(std::string_view owner) {
  return owner == "bank" || owner == "market";
}

std::string account_of(std::string_view owner, std::string_view unit) {
  if (is_house(owner)) return fmt::format("{}:{}", owner, unit);
  return fmt::format("user:{}:{}", owner, unit);
}

error open(context const& ctx, vole::sql::tx& tx, std::string_view owner, std::string_view unit) {
  std::int64_t const allow_negative = is_house(owner) ? 1 : 0;
  // No conflict of either key: two that open it at once may meet at any.
  VOLE_TRY(tx.exec(ctx,
                   "insert into accounts (id, owner, unit, allow_negative) values ($1, $2, $3, $4) "
                   "on conflict do nothing",
                   account_of(owner, unit), owner, unit, allow_negative),
           "open account {}", account_of(owner, unit));
  return {};
}

result<bool> change(context const& ctx, vole::sql::tx& tx, std::string const& account,
                    std::int64_t balance_by, std::int64_t reserved_by) {
  // The old balances from which the new one is within the limits. One that is beyond them (written
  // by an older program) may still come back.
  using limits = std::numeric_limits<std::int64_t>;
  std::int64_t const least = balance_by < 0 ? -amount_max - balance_by : limits::min();
  std::int64_t const most = balance_by > 0 ? amount_max - balance_by : limits::max();
  auto const done = VOLE_TRY(
      tx.exec(ctx,
              "update accounts set balance = balance + $2, reserved = reserved + $3 where id = $1 "
              "and (allow_negative = 1 or balance - reserved >= $4) and balance between $5 and $6",
              account, balance_by, reserved_by, reserved_by - balance_by, least, most),
      "change account {}", account);
  return done.rows_affected == 1;
}

error record(context const& ctx, vole::sql::tx& tx, std::string const& transfer_id,
             std::string_view kind, std::string const& order_id,
             std::vector<entry> const& entries) {
  std::map<std::string, std::int64_t> sums;
  for (entry const& e : entries) sums[e.unit] += e.amount;
  for (auto const& [unit, sum] : sums) {
    if (sum != 0)
      return vole::errors::make("transfer {} does not balance: {} sums to {}", transfer_id, unit,
                                sum);
  }
  VOLE_TRY(
      tx.exec(ctx, "insert into transfers (id, kind, order_id, created_at) values ($1, $2, $3, $4)",
              transfer_id, kind, order_id, timestamp()),
      "record transfer {}", transfer_id);
  std::int64_t seq = 0;
  for (entry const& e : entries) {
    if (e.amount == 0) continue;
    VOLE_TRY(tx.exec(ctx,
                     "insert into entries (transfer_id, seq, account_id, unit, amount) values ($1, "
                     "$2, $3, $4, $5)",
                     transfer_id, ++seq, e.account, e.unit, e.amount),
             "record entry {} of transfer {}", seq, transfer_id);
  }
  return {};
}

}  // namespace folio::ledger
