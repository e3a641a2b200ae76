// SPDX-License-Identifier: Apache-2.0
#pragma once
// From a URL to an established connection. No shared state: a target is immutable once made.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sql/postgres_conn.h"

namespace vole::internal {

// pg_target is a parsed URL with vole's defaults filled in.
class pg_target {
 public:
  // Errors:  what is wrong with the URL, without its password.
  static result<pg_target> parse(std::string_view url, std::string_view application_name);

  // connect resolves the names, then tries the servers in turn. One that says nothing has its share
  // of the time: the first of two half of it.
  // Errors:  "connect to 127.0.0.1:5432: connection refused", one for each address tried; pg_error.
  // Cancels: with ctx, also while libpq's own part is under way.
  result<pg_handle> connect(context const& ctx) const;

  // The servers as the errors name them: "127.0.0.1:5432".
  std::string name() const;

 private:
  struct server {
    std::string host;  // a name, an address, or the folder of a unix socket; empty: libpq's default
    std::string address;  // numeric; empty: libpq need not look anything up
    std::string port;

    std::string name() const;
  };

  result<std::vector<server>> resolve(context const& ctx) const;
  // connect_to: waited_for is the place of the one that had not answered when ctx ended.
  result<pg_handle> connect_to(context const& ctx, std::vector<server> const& servers,
                               std::size_t& waited_for) const;
  pg_handle start(std::vector<server> const& servers) const;
  static std::size_t place_of(std::vector<server> const& servers, PGconn* pg);

  std::vector<std::pair<std::string, std::string>> options_;  // all but host, hostaddr and port
  std::vector<server> servers_;
  bool port_given_ = false;
};

// The errors in libpq's account of a failed connect, parted by server.
error pg_connect_error(std::string_view account, std::string_view target);

}  // namespace vole::internal
