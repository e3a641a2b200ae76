// SPDX-License-Identifier: Apache-2.0
// errors: values with words added on the way up, looked into where they are handled.

#include <cerrno>
#include <cstdio>
#include <string>

#include "vole/vole.h"

namespace {

using vole::error;
using vole::result;

inline constinit vole::errors::sentinel no_such_user{"no such user"};

result<int> dial(std::string const& address) {
  return vole::errors::from_errno(ECONNREFUSED, "connect to {}", address);
}

result<int> load_portfolio(std::string const& user) {
  if (user.empty()) return error(no_such_user);
  int const connection = VOLE_TRY(dial("127.0.0.1:5432"), "load portfolio for user {}", user);
  return connection;
}

}  // namespace

int main() {
  auto const failed = load_portfolio("usr_abc123");
  std::printf("%s\n", failed.error().message().c_str());
  if (auto const* sys = vole::errors::as<vole::errors::system_error>(failed.error())) {
    std::printf("refused: %s\n", sys->code == ECONNREFUSED ? "yes" : "no");
  }
  std::printf("unknown: %s\n",
              vole::errors::is(load_portfolio("").error(), no_such_user) ? "yes" : "no");
}

// Output:
// load portfolio for user usr_abc123: connect to 127.0.0.1:5432: connection refused
// refused: yes
// unknown: yes
