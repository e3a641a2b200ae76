// SPDX-License-Identifier: Apache-2.0
// ledger: transfers between accounts inside a transaction. No shared state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vole/context.h"
#include "vole/result.h"
#include "vole/sql.h"

namespace folio::ledger {

using vole::context;
using vole::error;
using vole::result;

// is_house: an owner of the ledger itself, which no user may be: "bank" and "market".
bool is_house(std::string_view owner);

std::string account_of(std::string_view owner, std::string_view unit);

// open makes the account of an owner in a unit, if there is none. Only the house's may go below
// zero.
error open(context const& ctx, vole::sql::tx& tx, std::string_view owner, std::string_view unit);

// No account comes to hold more than this, or to owe more; no amount is larger. So no sum of two
// overflows 64 bits.
inline constexpr std::int64_t amount_max = 4'000'000'000'000'000'000;

// change adds to an account's balance and to what is reserved of it.
// False: the account does not hold it (balance - reserved would fall below zero), or would come to
// hold or owe more than amount_max; nothing was changed.
result<bool> change(context const& ctx, vole::sql::tx& tx, std::string const& account,
                    std::int64_t balance_by, std::int64_t reserved_by);

// One line of a transfer.
struct entry {
  std::string account;
  std::string unit;
  std::int64_t amount = 0;
};

// record writes a transfer whose balances have been changed. Entries of amount 0 are left out.
// Errors: entries that do not sum to zero per unit (a bug; nothing is written).
error record(context const& ctx, vole::sql::tx& tx, std::string const& transfer_id,
             std::string_view kind, std::string const& order_id, std::vector<entry> const& entries);

}  // namespace folio::ledger
