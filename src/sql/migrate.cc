// SPDX-License-Identifier: Apache-2.0
// Each migration and its row in schema_migrations are one transaction, which first looks again at
// what was applied: so two processes on one SQLite file take turns by its write lock. On PostgreSQL
// an advisory lock is held around it all, since there two transactions could both look before
// either writes. No shared state.
#include "vole/sql/migrate.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <fmt/chrono.h>
#include <fstream>
#include <iterator>
#include <map>
#include <openssl/evp.h>
#include <optional>

#include "vole/go.h"

namespace vole::sql {
namespace {

constexpr std::int64_t advisory_lock_key = 0x766f6c655f6d6967;  // "vole_mig"

constexpr char const* table =
    "create table if not exists schema_migrations ("
    "version bigint primary key, name text not null, checksum text not null, "
    "applied_at text not null)";

struct applied_migration {
  std::int64_t version;
  std::string name;
  std::string checksum;
  std::string applied_at;
};

// has_table asks before the table is made: to create it, even "if not exists", is more than a role
// that only reads and writes may do.
result<bool> has_table(context const& ctx, executor& on, dialect d) {
  std::string_view const question =
      d == dialect::postgres
          ? "select count(*) from pg_class where oid = to_regclass('schema_migrations')"
          : "select count(*) from sqlite_master where type = 'table' and name = "
            "'schema_migrations'";
  auto const found =
      VOLE_TRY(on.query_one<std::int64_t>(ctx, question), "look for schema_migrations");
  return found > 0;
}

error check_list(std::span<migration const> list) {
  std::int64_t expected = 1;
  for (migration const& m : list) {
    if (m.version == expected - 1 && expected > 1) {
      return errors::make("two migrations have version {}: {} and {}", m.version, (&m - 1)->name,
                          m.name);
    }
    if (m.version != expected) {
      return errors::make("migration {} is missing: the next one given is {} ({})", expected,
                          m.version, m.name);
    }
    ++expected;
  }
  return {};
}

// Holds what was applied against the list. Returns the index of the first migration to apply.
result<std::size_t> first_pending(std::span<migration const> list,
                                  std::vector<applied_migration> const& applied) {
  for (std::size_t i = 0; i < applied.size(); ++i) {
    applied_migration const& was = applied[i];
    if (was.version > static_cast<std::int64_t>(list.size())) {
      return errors::make(
          "the database has migration {} ({}), and this program knows only {}: it is too old for "
          "this database",
          was.version, was.name, list.size());
    }
    migration const& known = list[i];
    if (was.version != known.version) {
      return errors::make("migration {} ({}) was never applied, and {} ({}) was", known.version,
                          known.name, was.version, was.name);
    }
    if (std::string const sum = checksum_of(known); sum != was.checksum) {
      return errors::make(
          "migration {} ({}) was changed after it was applied at {}: checksum {:.12}, applied "
          "{:.12}",
          known.version, known.name, was.applied_at, sum, was.checksum);
    }
  }
  return applied.size();
}

result<std::vector<applied_migration>> read_applied(context const& ctx, executor& on) {
  auto rows = VOLE_TRY(
      on.query(
          ctx,
          "select version, name, checksum, applied_at from schema_migrations order by version"),
      "read schema_migrations");
  std::vector<applied_migration> all;
  for (row const row : rows) {
    applied_migration& one = all.emplace_back();
    VOLE_TRY(row.scan(one.version, one.name, one.checksum, one.applied_at),
             "read schema_migrations");
  }
  return all;
}

error apply(context const& ctx, tx& on, migration const& m) {
  VOLE_TRY(on.exec_script(ctx, m.sql), "migration {} ({})", m.version, m.name);
  std::string const at = fmt::format(
      "{:%Y-%m-%dT%H:%M:%SZ}",
      fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())));
  VOLE_TRY(on.exec(ctx,
                   "insert into schema_migrations (version, name, checksum, applied_at) "
                   "values ($1, $2, $3, $4)",
                   m.version, m.name, checksum_of(m), at),
           "note migration {} ({})", m.version, m.name);
  return {};
}

// Applies the next one that is due; its version, or nothing when none is.
result<std::optional<std::int64_t>> apply_next(context const& ctx, conn& on,
                                               std::span<migration const> list, dialect d) {
  auto tx = VOLE_TRY(on.begin(ctx), "migrate");
  bool const there = VOLE_TRY(has_table(ctx, tx, d), "migrate");
  if (!there) VOLE_TRY(tx.exec(ctx, table), "create schema_migrations");
  auto const applied = VOLE_TRY(read_applied(ctx, tx), "migrate");
  std::size_t const next = VOLE_TRY(first_pending(list, applied), "migrate");
  std::optional<std::int64_t> done;
  if (next < list.size()) {
    VOLE_TRY(apply(ctx, tx, list[next]), "migrate");
    done = list[next].version;
  }
  VOLE_TRY(tx.commit(ctx), "migrate");
  return done;
}

error apply_all(context const& ctx, conn& on, std::span<migration const> list, dialect d,
                migrate_report& report) {
  for (;;) {
    auto const done = apply_next(ctx, on, list, d);
    if (!done) return done.error();
    if (!*done) return {};
    report.applied.push_back(**done);
  }
}

struct found_file {
  migration made;
  bool specific = false;  // for one database
  std::string file;
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// "0001_create_users.sqlite.sql". Nothing: a file of another kind, or for another database.
result<std::optional<found_file>> read_name(std::string const& file, dialect d) {
  if (file.empty() || !is_digit(file[0]) || !file.ends_with(".sql")) {
    return std::optional<found_file>();
  }
  std::string_view rest(file);
  rest.remove_suffix(4);
  found_file found;
  found.file = file;
  auto const [end, failure] =
      std::from_chars(rest.data(), rest.data() + rest.size(), found.made.version);
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  for (dialect const other : {dialect::postgres, dialect::sqlite}) {
    std::string const suffix = fmt::format(".{}", name_of(other));
    if (!rest.ends_with(suffix)) continue;
    if (other != d) return std::optional<found_file>();
    found.specific = true;
    rest.remove_suffix(suffix.size());
    break;
  }
  bool const named = failure == std::errc{} && rest.size() > 1 && rest[0] == '_' &&
                     std::all_of(rest.begin(), rest.end(), [](char c) {
                       return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              c == '_' || c == '-';
                     });
  if (!named) {
    return errors::make("{}: the name of a migration is NNNN_name.sql or NNNN_name.{}.sql", file,
                        name_of(d));
  }
  found.made.name = rest.substr(1);
  return std::optional<found_file>(std::move(found));
}

error read_file(std::filesystem::path const& path, std::string& to) {
  std::ifstream from(path, std::ios::binary);
  if (!from) return errors::from_errno(errno, "open {}", path.string());
  // By read(): the buffer throws, of a folder for one, and only the stream's own functions catch.
  char chunk[8192];
  while (from.read(chunk, sizeof chunk) || from.gcount() > 0) {
    to.append(chunk, static_cast<std::size_t>(from.gcount()));
  }
  if (!from.bad()) return {};
  return errors::from_errno(std::filesystem::is_directory(path) ? EISDIR : EIO, "read {}",
                            path.string());
}

result<std::vector<migration>> read_folder(std::filesystem::path const& folder, dialect d) {
  std::map<std::int64_t, found_file> by_version;
  std::error_code code;
  std::filesystem::directory_iterator at(folder, code);
  for (; !code && at != std::filesystem::directory_iterator(); at.increment(code)) {
    auto found = VOLE_TRY(read_name(at->path().filename().string(), d), "read the migrations");
    if (!found) continue;
    auto const [known, fresh] = by_version.try_emplace(found->made.version, *found);
    if (fresh) continue;
    if (known->second.specific == found->specific) {
      return errors::make("two files for migration {}: {} and {}", found->made.version,
                          known->second.file, found->file);
    }
    if (found->specific) known->second = *found;
  }
  if (code) return errors::wrap(errors::from_error_code(code), "open {}", folder.string());
  std::vector<migration> all;
  for (auto& [version, found] : by_version) {
    if (error err = read_file(folder / found.file, found.made.sql)) return err;
    all.push_back(std::move(found.made));
  }
  if (error err = check_list(all)) return errors::wrap(std::move(err), "{}", folder.string());
  return all;
}

}  // namespace

std::string checksum_of(migration const& m) {
  std::string text;
  text.reserve(m.sql.size());
  for (std::size_t i = 0; i < m.sql.size(); ++i) {
    bool const line_end = m.sql[i] == '\r' && i + 1 < m.sql.size() && m.sql[i + 1] == '\n';
    if (!line_end) text += m.sql[i];
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

result<migrate_report> migrate(context const& ctx, db& db, std::span<migration const> migrations) {
  VOLE_TRY(check_list(migrations), "migrate");
  auto conn = VOLE_TRY(db.conn(ctx), "migrate");
  bool const locks = db.dialect() == dialect::postgres;
  // Released by the unlock, or with the connection.
  if (locks) {
    VOLE_TRY(conn.exec(ctx, "select pg_advisory_lock($1)", advisory_lock_key),
             "wait for the lock on migrations");
  }
  migrate_report report;
  report.version = static_cast<std::int64_t>(migrations.size());
  error err = apply_all(ctx, conn, migrations, db.dialect(), report);
  if (locks && !err) {
    VOLE_TRY(conn.exec(ctx, "select pg_advisory_unlock($1)", advisory_lock_key),
             "release the lock on migrations");
  }
  if (err) return err;
  return report;
}

result<std::vector<migration>> load_migrations(context const& ctx, std::string_view folder,
                                               dialect d) {
  if (error ended = ctx.err()) return errors::wrap(std::move(ended), "load migrations");
  return blocking([&] { return read_folder(std::filesystem::path(folder), d); });
}

}  // namespace vole::sql
