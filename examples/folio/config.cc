// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <filesystem>

#include "vole/internal/format.h"
#include "vole/net.h"
#include "vole/sql/migrate.h"
#include "vole/sql/postgres.h"
#include "vole/sql/sqlite.h"

#include "embedded.h"

namespace folio {
namespace {

constexpr std::string_view sqlite_prefix = "sqlite:";

bool is_postgres(std::string_view url) {
  return url.starts_with("postgres://") || url.starts_with("postgresql://");
}

vole::error check_database(std::string_view url) {
  if (is_postgres(url) || (url.starts_with(sqlite_prefix) && url.size() > sqlite_prefix.size()))
    return {};
  return vole::errors::make("want sqlite:PATH or postgres://USER@HOST:PORT/DATABASE");
}

vole::error make_folder_of(std::string const& path) {
  std::filesystem::path const folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) return {};
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (!failure) return {};
  return vole::errors::from_errno(failure.value(), "make the data folder {}", folder.string());
}

// An address as this machine reaches it: one that is bound everywhere is reached by loopback.
std::string reached_at(std::string_view address) {
  auto const parts = vole::net::split_host_port(address);
  if (!parts) return std::string(address);
  auto const ip = vole::net::ip_address::parse(parts->host);
  bool const everywhere = parts->host.empty() || (ip && ip->is_unspecified());
  return everywhere ? vole::net::join_host_port("127.0.0.1", parts->port) : std::string(address);
}

}  // namespace

std::string hints(std::string_view listen, std::string_view admin) {
  std::string const at = reached_at(listen);
  std::string text = fmt::format(
      "folio serves on http://{0}. Try, in another terminal:\n"
      "  curl -s http://{0}/v1/prices\n"
      "  curl -s http://{0}/v1/users -d '{{\"id\":\"usr_abc123\",\"email\":\"a@b.c\"}}'\n"
      "  curl -s http://{0}/v1/users/usr_abc123/deposits -H 'Idempotency-Key: d1' -d "
      "'{{\"amount_minor\":100000,\"currency\":\"USD\"}}'\n",
      at);
  if (admin.empty()) {
    text += "Profiles come from the admin pages, which --admin none has switched off.\n";
  } else {
    text += fmt::format(
        "Its admin pages: http://{0}\n"
        "Where does the time go?  go tool pprof -top "
        "http://{0}/debug/pprof/profile?seconds=5\n",
        reached_at(admin));
  }
  return text + "Stop it with Ctrl-C: it finishes the requests in flight and exits.\n";
}

std::optional<int> parse_args(int argc, char** argv, config& to) {
  vole::service::flags flags("folio",
                             "Portfolios and orders over HTTP, with a double-entry ledger.");
  vole::service::add_flags(flags, to.service);
  flags
      .url("database", &to.database, "sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE",
           check_database)
      .integer("database-connections", &to.connections_max,
               "PostgreSQL connections; 0: four per processor", 0, 1000)
      .text("prices", &to.prices, "CSV file (symbol,date,price) to replay; empty: the one built in")
      .duration("feed-pace", &to.feed_pace,
                "time from one month of prices to the next; 0: stand still")
      .duration("read-timeout", &to.read_timeout,
                "longest time a portfolio may take to load; 0: no limit")
      .duration("request-timeout", &to.request_timeout,
                "longest time any other request may take; 0: no limit")
      .boolean("hints", &to.hints, "print what to try next, once it serves")
      .example("folio --database postgres://folio@127.0.0.1:5432/folio --ops 0.0.0.0:9090")
      .example("FOLIO_FEED_PACE=250ms folio --log-format json");
  if (auto const code = flags.parse(argc, argv)) return code;
  to.service.config = flags.entries();
  return std::nullopt;
}

vole::result<vole::sql::db> open_database(vole::context const& ctx, config const& from,
                                          vole::sql::hooks hooks) {
  auto opened = [&]() -> vole::result<vole::sql::db> {
    if (is_postgres(from.database)) {
      return vole::postgres::open(ctx, from.database,
                                  {.open_max = static_cast<int>(from.connections_max),
                                   .application_name = "folio",
                                   .hooks = std::move(hooks)});
    }
    std::string const path = from.database.substr(sqlite_prefix.size());
    if (vole::error err = make_folder_of(path)) return err;
    return vole::sqlite::open(ctx, path, {.hooks = std::move(hooks)});
  }();
  vole::sql::db db = VOLE_TRY(std::move(opened), "open database {} (choose another by --database)",
                              vole::service::redact_url(from.database));
  std::vector<vole::sql::migration> const migrations = {{1, "ledger", std::string(migration_0001)}};
  VOLE_TRY(vole::sql::migrate(ctx, db, migrations), "migrate database {}",
           vole::service::redact_url(from.database));
  return db;
}

}  // namespace folio
