// SPDX-License-Identifier: Apache-2.0
#include "sql/sqlite_conn.h"

#include <bit>
#include <cerrno>
#include <charconv>
#include <sqlite3.h>

#include "vole/assert.h"
#include "vole/go.h"

namespace vole::sqlite {

std::string sqlite_error::message() const {
  if (system_errno != 0) {
    return fmt::format("{}: {} (SQLITE {})", text, errors::from_errno(system_errno), extended_code);
  }
  return fmt::format("{} (SQLITE {})", text, extended_code);
}

}  // namespace vole::sqlite

namespace vole::internal {
namespace {

constexpr int steps_between_looks = 1000;
constexpr std::size_t batch_bytes = 256 << 10;  // of a stream
// Depths of recursion that fit a goroutine's stack of 256 KiB with room to spare.
constexpr int expression_depth_max = 200;
constexpr int compound_select_max = 64;
constexpr int like_pattern_bytes_max = 1000;

std::string_view view(unsigned char const* text, int bytes) {
  return {reinterpret_cast<char const*>(text), static_cast<std::size_t>(bytes)};
}

// "UNIQUE constraint failed: users.email" -> "users.email"
std::string constraint_in(std::string_view text) {
  constexpr std::string_view words = "constraint failed: ";
  auto const at = text.find(words);
  if (at == text.npos) return {};
  std::string_view name = text.substr(at + words.size());
  if (name.starts_with("index '") && name.ends_with('\'')) name = name.substr(7, name.size() - 8);
  return std::string(name);
}

error make_sqlite_error(int extended, char const* text, int system_errno) {
  sqlite::sqlite_error made;
  made.code = extended & 0xff;
  made.extended_code = extended;
  made.text = text;
  if (made.code == SQLITE_CONSTRAINT) made.constraint = constraint_in(made.text);
  if (made.code == SQLITE_IOERR || made.code == SQLITE_CANTOPEN) made.system_errno = system_errno;
  return errors::make_typed<sqlite::sqlite_error>(std::move(made));
}

bool blank(std::string_view rest) {
  return rest.find_first_not_of(" \t\r\n;") == rest.npos;
}

}  // namespace

int sqlite_code(error const& err) {
  auto const* lite = errors::as<sqlite::sqlite_error>(err);
  return lite ? lite->code : 0;
}

void finalize_statement::operator()(sqlite3_stmt* statement) const noexcept {
  sqlite3_finalize(statement);
}

sql_cell sqlite_rows::cell(std::size_t row, std::size_t column) const {
  packed const& at = cells_[row * columns() + column];
  sql_cell out;
  out.kind = at.kind;
  switch (at.kind) {
    case sql::kind::integer:
      out.integer = at.bits;
      break;
    case sql::kind::real:
      out.real = std::bit_cast<double>(at.bits);
      break;
    case sql::kind::text:
    case sql::kind::bytes:
      out.data = std::string_view(data_).substr(static_cast<std::size_t>(at.bits), at.size);
      break;
    case sql::kind::null:
    case sql::kind::boolean:
      break;
  }
  return out;
}

void sqlite_rows::append(sqlite3_stmt* statement) {
  int const count = static_cast<int>(columns());
  for (int i = 0; i < count; ++i) {
    packed cell{0, 0, sql::kind::null};
    switch (sqlite3_column_type(statement, i)) {
      case SQLITE_INTEGER:
        cell = {sqlite3_column_int64(statement, i), 0, sql::kind::integer};
        break;
      case SQLITE_FLOAT:
        cell = {std::bit_cast<std::int64_t>(sqlite3_column_double(statement, i)), 0,
                sql::kind::real};
        break;
      case SQLITE_TEXT:
      case SQLITE_BLOB: {
        bool const text = sqlite3_column_type(statement, i) == SQLITE_TEXT;
        auto const* bytes = static_cast<char const*>(
            text ? static_cast<void const*>(sqlite3_column_text(statement, i))
                 : sqlite3_column_blob(statement, i));
        auto const size = static_cast<std::size_t>(sqlite3_column_bytes(statement, i));
        cell = {static_cast<std::int64_t>(data_.size()), static_cast<std::uint32_t>(size),
                text ? sql::kind::text : sql::kind::bytes};
        if (size > 0) data_.append(bytes, size);
        break;
      }
      default:
        break;
    }
    cells_.push_back(cell);
  }
  ++rows_;
}

sqlite_conn::sqlite_conn(sqlite3* handle, std::size_t statements_max)
    : handle_(handle), statements_(statements_max) {
  sqlite3_progress_handler(handle_, steps_between_looks, &sqlite_conn::on_progress, this);
  sqlite3_set_authorizer(handle_, &sqlite_conn::on_authorize, this);
}

sqlite_conn::~sqlite_conn() {
  while (statements_.evict()) {
  }
  blocking([this] { sqlite3_close(handle_); });
}

int sqlite_conn::on_progress(void* self) {
  auto const* const limit = static_cast<sqlite_conn*>(self)->limit_;
  if (limit == nullptr) return 0;
  if (limit->cancel != nullptr && limit->cancel->canceled()) return 1;
  return limit->deadline != never && now() >= limit->deadline ? 1 : 0;
}

// The first word of a text is not always what SQLite takes it for: its comments do not nest.
int sqlite_conn::on_authorize(void* self, int action, char const*, char const*, char const*,
                              char const*) {
  bool const transaction = action == SQLITE_TRANSACTION || action == SQLITE_SAVEPOINT;
  bool const refused = transaction && static_cast<sqlite_conn*>(self)->refuses_transactions_;
  return refused ? SQLITE_DENY : SQLITE_OK;
}

error sqlite_conn::last_error(int code) const {
  int const extended = sqlite3_extended_errcode(handle_);
  return make_sqlite_error((extended & 0xff) == (code & 0xff) ? extended : code,
                           sqlite3_errmsg(handle_), sqlite3_system_errno(handle_));
}

result<std::unique_ptr<sqlite_conn>> sqlite_conn::open(std::string const& path, role as,
                                                       sqlite::options const& options) {
  sqlite3* handle = nullptr;
  int const flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (as == role::writer ? SQLITE_OPEN_CREATE : 0);
  int const code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  if (handle == nullptr) return errors::from_errno(ENOMEM, "open {}", path);
  std::unique_ptr<sqlite_conn> made(new sqlite_conn(handle, options.statements_max));
  if (code != SQLITE_OK) {
    int const system = sqlite3_system_errno(handle);
    if ((code & 0xff) == SQLITE_CANTOPEN && system != 0) {
      return errors::from_errno(system, "open {}", path);
    }
    return errors::wrap(made->last_error(code), "open {}", path);
  }
  // SQLite falls back to reading only where it may not write.
  if (sqlite3_db_readonly(handle, "main") == 1) return errors::from_errno(EACCES, "open {}", path);
  VOLE_TRY(made->set_up(as, options), "open {}", path);
  return made;
}

error sqlite_conn::set_up(role as, sqlite::options const& options) {
  sqlite3_limit(handle_, SQLITE_LIMIT_EXPR_DEPTH, expression_depth_max);
  sqlite3_limit(handle_, SQLITE_LIMIT_COMPOUND_SELECT, compound_select_max);
  sqlite3_limit(handle_, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, like_pattern_bytes_max);
  VOLE_TRY(expect_pragma("PRAGMA journal_mode=WAL", "wal"), "set journal_mode");
  VOLE_TRY(script("PRAGMA synchronous=FULL"), "set synchronous");
  VOLE_TRY(expect_pragma("PRAGMA synchronous", "2"), "set synchronous");
  VOLE_TRY(script("PRAGMA foreign_keys=ON"), "set foreign_keys");
  VOLE_TRY(script("PRAGMA trusted_schema=OFF"), "set trusted_schema");
  VOLE_TRY(script(fmt::format("PRAGMA cache_size=-{}", options.cache_bytes >> 10)),
           "set cache_size");
  if (as == role::reader) VOLE_TRY(script("PRAGMA query_only=ON"), "set query_only");
  return {};
}

error sqlite_conn::expect_pragma(char const* pragma, std::string_view wanted) {
  auto statement = compile(pragma, nullptr, false);
  if (!statement) return std::move(statement).error();
  sqlite3_stmt* const handle = statement->handle.get();
  int const code = sqlite3_step(handle);
  if (code != SQLITE_ROW) return last_error(code);
  std::string_view const got =
      view(sqlite3_column_text(handle, 0), sqlite3_column_bytes(handle, 0));
  if (got == wanted) return {};
  return errors::make("{} answers {}, not {}", pragma, got, wanted);
}

result<sqlite_statement> sqlite_conn::compile(std::string_view text, std::string_view* rest,
                                              bool keep, bool controls) {
  if (text.size() > static_cast<std::size_t>(sqlite3_limit(handle_, SQLITE_LIMIT_SQL_LENGTH, -1))) {
    return errors::make("the statement has {} bytes, which is too long", text.size());
  }
  if (rest == nullptr && text.find('\0') != text.npos) {
    return errors::make("the statement has a NUL byte");
  }
  sqlite3_stmt* handle = nullptr;
  char const* tail = nullptr;
  refuses_transactions_ = !controls;  // not while statements run: VACUUM has some of its own
  int const code = sqlite3_prepare_v3(handle_, text.data(), static_cast<int>(text.size()),
                                      keep ? SQLITE_PREPARE_PERSISTENT : 0, &handle, &tail);
  refuses_transactions_ = false;
  sqlite_statement made;
  made.handle.reset(handle);
  if ((code & 0xff) == SQLITE_AUTH) {
    return errors::make(
        "what begins or ends a transaction is a method, not a statement: use begin(), write() or "
        "savepoint()");
  }
  if (code != SQLITE_OK) return last_error(code);
  std::string_view const left = text.substr(static_cast<std::size_t>(tail - text.data()));
  if (rest != nullptr) *rest = left;
  if (rest == nullptr && handle == nullptr) return errors::make("the statement is empty");
  if (rest == nullptr && !blank(left)) {
    // A comment may follow; anything else may not.
    sqlite3_stmt* second = nullptr;
    int const more = sqlite3_prepare_v3(handle_, left.data(), static_cast<int>(left.size()), 0,
                                        &second, nullptr);
    sqlite3_finalize(second);
    if (more != SQLITE_OK || second != nullptr) {
      return errors::make("more than one statement: use exec_script()");
    }
  }
  return made;
}

error sqlite_conn::map_params(sqlite_statement& statement) {
  int const count = sqlite3_bind_parameter_count(statement.handle.get());
  for (int i = 1; i <= count; ++i) {
    char const* const name = sqlite3_bind_parameter_name(statement.handle.get(), i);
    std::string_view const digits = name ? std::string_view(name).substr(1) : std::string_view();
    int number = 0;
    auto const [end, failure] =
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
    bool const whole = failure == std::errc{} && end == digits.data() + digits.size();
    if (name == nullptr || name[0] != '$' || !whole || number < 1) {
      return errors::make("the placeholder {} is not $1, $2, ...", name ? name : "?");
    }
    statement.slots.push_back(number - 1);
    statement.params = std::max(statement.params, static_cast<std::size_t>(number));
  }
  return {};
}

result<sqlite_statement*> sqlite_conn::prepare(std::string_view text, bool controls) {
  if (auto* known = statements_.find(text)) return known;
  auto made = compile(text, nullptr, true, controls);
  if (!made) return std::move(made).error();
  if (error err = map_params(*made)) return err;
  made->reads_only = sqlite3_stmt_readonly(made->handle.get()) != 0;
  made->reprepared = -1;
  while (statements_.full()) statements_.evict();
  return statements_.insert(text, *std::move(made));
}

// The names, and their number, change when the statement was compiled anew after a change of the
// schema.
void sqlite_conn::refresh_names(sqlite_statement& statement) {
  sqlite3_stmt* const handle = statement.handle.get();
  int const reprepared = sqlite3_stmt_status(handle, SQLITE_STMTSTATUS_REPREPARE, 0);
  if (reprepared == statement.reprepared) return;
  auto names = std::make_shared<column_names>();
  int const count = sqlite3_column_count(handle);
  for (int i = 0; i < count; ++i) {
    char const* const name = sqlite3_column_name(handle, i);
    names->emplace_back(name ? name : "");
  }
  statement.names = std::move(names);
  statement.reprepared = reprepared;
}

error sqlite_conn::bind(sqlite_statement& statement, sql_params args, bool copy) {
  if (args.size() != statement.params) {
    return errors::make("the statement takes {} arguments, and {} were given", statement.params,
                        args.size());
  }
  auto const destroy = copy ? SQLITE_TRANSIENT : SQLITE_STATIC;
  sqlite3_stmt* const handle = statement.handle.get();
  for (std::size_t i = 0; i < statement.slots.size(); ++i) {
    sql::param const& arg = args[static_cast<std::size_t>(statement.slots[i])];
    int const at = static_cast<int>(i) + 1;
    // A null pointer would bind NULL.
    char const* const data = arg.data().data() ? arg.data().data() : "";
    int code = SQLITE_OK;
    switch (arg.kind()) {
      case sql::kind::null:
        code = sqlite3_bind_null(handle, at);
        break;
      case sql::kind::boolean:
      case sql::kind::integer:
        code = sqlite3_bind_int64(handle, at, arg.integer());
        break;
      case sql::kind::real:
        code = sqlite3_bind_double(handle, at, arg.real());
        break;
      case sql::kind::text:
        code = sqlite3_bind_text64(handle, at, data, arg.data().size(), destroy, SQLITE_UTF8);
        break;
      case sql::kind::bytes:
        code = sqlite3_bind_blob64(handle, at, data, arg.data().size(), destroy);
        break;
    }
    if (code != SQLITE_OK) return errors::wrap(last_error(code), "argument ${}", at);
  }
  return {};
}

error sqlite_conn::run(sqlite_statement& statement, sql_params args, sqlite_rows* rows,
                       std::int64_t* affected) {
  sqlite3_stmt* const handle = statement.handle.get();
  error err = bind(statement, args, false);
  std::int64_t const before = sqlite3_total_changes64(handle_);
  int code = err ? SQLITE_DONE : sqlite3_step(handle);
  if (rows != nullptr && !err) {
    refresh_names(statement);
    rows->set_names(statement.names);
  }
  while (code == SQLITE_ROW) {
    if (rows != nullptr) rows->append(handle);
    code = sqlite3_step(handle);
  }
  if (code != SQLITE_DONE) err = last_error(code);
  // sqlite3_changes64 keeps its value over a statement that changes no row, such as CREATE TABLE.
  bool const changed = sqlite3_total_changes64(handle_) != before;
  if (affected != nullptr) *affected = changed ? sqlite3_changes64(handle_) : 0;
  reset(statement);
  return err;
}

error sqlite_conn::start(sqlite_statement& statement, sql_params args) {
  error err = bind(statement, args, true);
  if (err) reset(statement);
  return err;
}

error sqlite_conn::step(sqlite_statement& statement, bool first, sqlite_rows& rows, bool& done) {
  done = false;
  bool named = false;
  while (rows.bytes() < batch_bytes) {
    int const code = sqlite3_step(statement.handle.get());
    if (!std::exchange(named, true)) {
      refresh_names(statement);
      rows.set_names(statement.names);
    }
    if (code == SQLITE_ROW) {
      rows.append(statement.handle.get());
      continue;
    }
    done = true;
    error err = code == SQLITE_DONE ? error{} : last_error(code);
    if ((code & 0xff) == SQLITE_BUSY && first && rows.size() == 0) {
      done = false;
      sqlite3_reset(statement.handle.get());  // the arguments stay, for the next attempt
    } else {
      reset(statement);
    }
    return err;
  }
  return {};
}

void sqlite_conn::reset(sqlite_statement& statement) {
  sqlite3_reset(statement.handle.get());
  sqlite3_clear_bindings(statement.handle.get());
}

error sqlite_conn::control(std::string_view text) {
  auto statement = prepare(text, true);
  if (!statement) return std::move(statement).error();
  return run(**statement, {}, nullptr, nullptr);
}

error sqlite_conn::script(std::string_view text) {
  return script_from(text);
}

error sqlite_conn::script_from(std::string_view& rest) {
  if (rest.find('\0') != rest.npos) return errors::make("the script has a NUL byte");
  for (std::string_view after; !blank(rest); rest = after) {
    auto statement = compile(rest, &after, false);
    if (!statement) return std::move(statement).error();
    if (statement->handle == nullptr) continue;  // a comment
    sqlite3_stmt* const handle = statement->handle.get();
    if (sqlite3_bind_parameter_count(handle) > 0) {
      return errors::make("a statement of a script has placeholders: {}", sqlite3_sql(handle));
    }
    int code = sqlite3_step(handle);
    while (code == SQLITE_ROW) code = sqlite3_step(handle);
    if (code != SQLITE_DONE) return last_error(code);
  }
  return {};
}

bool sqlite_conn::autocommit() const {
  return sqlite3_get_autocommit(handle_) != 0;
}

}  // namespace vole::internal
