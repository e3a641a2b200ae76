// SPDX-License-Identifier: Apache-2.0
// Errors as values, from the failed call at the bottom to the one place that handles it.
#include <cerrno>
#include <map>
#include <string>
#include <utility>

#include "vole/attr.h"
#include "vole/internal/format.h"
#include "vole/result.h"

using namespace vole;

// A sentinel: a failure that callers ask for by name.
inline constinit errors::sentinel no_such_user{"no such user"};

// A typed error: a failure with data.
struct constraint_error : errors::typed_base {
  explicit constraint_error(std::string broken) : constraint(std::move(broken)) {}

  std::string message() const override { return "constraint " + constraint + " is violated"; }

  std::string constraint;
};

static std::map<std::string, std::string> const emails = {{"usr_1", "ann@example.org"}};

// Nothing to give back but success: return an error. Null is success.
static error connect(std::string const& address, bool up) {
  if (!up) return errors::from_errno(ECONNREFUSED, "connect to {}", address);
  return nullptr;
}

// A value or an error: return a result.
static result<std::string> find_email(std::string const& id, bool up) {
  VOLE_TRY(connect("127.0.0.1:5432", up), "find email");
  auto const found = emails.find(id);
  if (found == emails.end()) return no_such_user;
  return found->second;
}

static result<std::string> greeting(std::string const& id, bool up) {
  auto const email = VOLE_TRY(find_email(id, up), "greet user {}", id);
  return fmt::format("dear {}", email);
}

static error insert_user(std::string const& email) {
  for (auto const& [id, taken] : emails) {
    if (email == taken) {
      return errors::wrap(errors::make_typed<constraint_error>("users_email_key"), "insert {}",
                          email);
    }
  }
  return nullptr;
}

// The one place that handles: it knows what each failure means to the caller outside.
static int status_of(error const& err) {
  if (!err) return 200;
  if (errors::is(err, no_such_user)) return 404;
  if (auto const* broken = errors::as<constraint_error>(err)) {
    return broken->constraint == "users_email_key" ? 409 : 400;
  }
  return 500;
}

static error close_all() {
  error const first = errors::make("flush {}: disk is full", "orders.log");
  error const second = nullptr;
  error const third = errors::from_errno(EIO, "close {}", "ledger.db");
  return errors::wrap({first, second, third}, "shut down");
}

// What to search the log for goes along as attributes; the words stay for the reader.
static error place_order(std::string const& user_id, int qty) {
  error const refused = errors::make("too little cash for {} shares", qty);
  return errors::with_attrs(errors::wrap(refused, "place order"),
                            {{"user_id", user_id}, {"qty", qty}});
}

int main() {
  auto const hello = greeting("usr_1", true);
  if (hello) fmt::print("{}\n", *hello);

  auto const missing = greeting("usr_2", true);
  fmt::print("{}: {}\n", status_of(missing.error()), missing.error());

  auto const down = greeting("usr_1", false);
  fmt::print("{}: {}\n", status_of(down.error()), down.error());
  bool const refused = errors::is(down.error(), errors::from_errno(ECONNREFUSED));
  fmt::print("worth another try: {}\n", refused);

  error const taken = insert_user("ann@example.org");
  fmt::print("{}: {}\n", status_of(taken), taken);

  std::string const who = greeting("usr_2", true)
                              .transform([](std::string const& text) { return text + "!"; })
                              .value_or("dear stranger!");
  fmt::print("{}\n", who);

  error const err = close_all();
  fmt::print("{}\n", err);
  fmt::print("{:+}\n", err);

  error const short_of_cash = place_order("usr_1", 12);
  fmt::print("{}\n", short_of_cash);
  fmt::print("{:+}\n", short_of_cash);
}

// Output:
// dear ann@example.org
// 404: greet user usr_2: no such user
// 500: greet user usr_1: find email: connect to 127.0.0.1:5432: connection refused
// worth another try: true
// 409: insert ann@example.org: constraint users_email_key is violated
// dear stranger!
// shut down: flush orders.log: disk is full; close ledger.db: input/output error
// shut down
//   2 errors
//     flush orders.log: disk is full
//     close ledger.db
//       input/output error
// place order: too little cash for 12 shares
// place order {user_id=usr_1 qty=12}
//   too little cash for 12 shares
