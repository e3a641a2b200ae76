// SPDX-License-Identifier: Apache-2.0
#pragma once
// One SQLite connection and the rows it reads. Everything here may touch the disk: call it in
// blocking().
//
// A statement ends when its limit does: SQLite asks every 1,000 steps of its machine (some 10 us).
// sqlite3_interrupt is not used: it would hit whatever statement runs when it arrives.
// Statements run on the caller's stack, so SQLite's limits on recursion are set for goroutine
// stacks. No shared state: a connection belongs to the session that holds it.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vole/internal/park.h"
#include "vole/sql/sqlite.h"

#include "sql/driver.h"
#include "sql/statement_cache.h"

struct sqlite3;
struct sqlite3_stmt;

namespace vole::internal {

using column_names = std::vector<std::string>;

// Rows copied out of SQLite: one array of cells, one of bytes.
class sqlite_rows final : public sql_batch {
 public:
  std::size_t size() const override { return rows_; }
  std::size_t columns() const override { return names_ ? names_->size() : 0; }
  std::string_view column_name(std::size_t column) const override { return (*names_)[column]; }
  sql_cell cell(std::size_t row, std::size_t column) const override;

  void set_names(std::shared_ptr<column_names const> names) { names_ = std::move(names); }
  void append(sqlite3_stmt* statement);  // the row it stands on
  std::size_t bytes() const { return data_.size() + cells_.size() * sizeof(packed); }

 private:
  struct packed {
    std::int64_t bits;   // the integer, the double's bits, or where in data_ it starts
    std::uint32_t size;  // of text and bytes; SQLite's limit is below 2^31
    sql::kind kind;
  };

  std::shared_ptr<column_names const> names_;
  std::vector<packed> cells_;
  std::string data_;
  std::size_t rows_ = 0;
};

struct finalize_statement {
  void operator()(sqlite3_stmt* statement) const noexcept;
};

// sqlite_statement is prepared: its placeholders are $1..$n in any order.
struct sqlite_statement {
  std::unique_ptr<sqlite3_stmt, finalize_statement> handle;
  std::vector<int> slots;  // SQLite's parameter i+1 takes argument slots[i]
  std::size_t params = 0;  // n
  std::shared_ptr<column_names const> names;
  int reprepared = 0;  // SQLite's count when names were read
  bool reads_only = false;
};

class sqlite_conn {
 public:
  enum class role : std::uint8_t { writer, reader };

  static result<std::unique_ptr<sqlite_conn>> open(std::string const& path, role as,
                                                   sqlite::options const& options);
  ~sqlite_conn();
  sqlite_conn(sqlite_conn const&) = delete;
  sqlite_conn& operator=(sqlite_conn const&) = delete;

  // prepare finds the statement in the cache or prepares it. It refuses what begins or ends a
  // transaction or a savepoint; that is control's.
  result<sqlite_statement*> prepare(std::string_view text) { return prepare(text, false); }

  // run binds, steps to the end and resets. rows: where they go; null drops them.
  error run(sqlite_statement& statement, sql_params args, sqlite_rows* rows,
            std::int64_t* affected);
  // start binds copies of the arguments; then step gives some rows at a time, until `done`. The
  // first may be repeated while the database is busy.
  error start(sqlite_statement& statement, sql_params args);
  error step(sqlite_statement& statement, bool first, sqlite_rows& rows, bool& done);
  void reset(sqlite_statement& statement);

  // control runs BEGIN, COMMIT and the like.
  error control(std::string_view text);
  // script runs any number of statements and drops their rows.
  error script(std::string_view text);
  // script_from takes away what has run: after an error the rest begins with what failed.
  error script_from(std::string_view& rest);

  // True outside of a transaction; also after SQLite has rolled one back by itself.
  bool autocommit() const;

  // Statements end with SQLITE_INTERRUPT when the limit has passed; null: none.
  void set_limit(park_limit const* limit) { limit_ = limit; }

 private:
  explicit sqlite_conn(sqlite3* handle, std::size_t statements_max);

  static int on_progress(void* self);
  static int on_authorize(void* self, int action, char const*, char const*, char const*,
                          char const*);
  result<sqlite_statement*> prepare(std::string_view text, bool controls);
  error set_up(role as, sqlite::options const& options);
  error expect_pragma(char const* pragma, std::string_view wanted);
  result<sqlite_statement> compile(std::string_view text, std::string_view* rest, bool keep,
                                   bool controls = false);
  error map_params(sqlite_statement& statement);
  error bind(sqlite_statement& statement, sql_params args, bool copy);
  void refresh_names(sqlite_statement& statement);
  error last_error(int code) const;

  sqlite3* const handle_;
  statement_cache<sqlite_statement> statements_;
  park_limit const* limit_ = nullptr;
  bool refuses_transactions_ = false;  // while it compiles a caller's statement
};

// What SQLite's primary code in err is; 0: err is none of SQLite's.
int sqlite_code(error const& err);

}  // namespace vole::internal
