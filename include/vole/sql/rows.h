// SPDX-License-Identifier: Apache-2.0
// The values of a SQL statement: what goes in (param), what comes out (row, rows), what may be kept
// (value).
//
// A row set made by query() is read in full before query() returns: it holds no connection,
// iterating it cannot block and cannot fail. A row set made by stream() holds its connection until
// the last row was read or the set is destroyed; next(ctx) fetches, and err() says how it ended. No
// shared state: a rows object belongs to one goroutine at a time.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "vole/context.h"
#include "vole/errors.h"
#include "vole/result.h"

namespace vole::sql {

// kind is what a value is, in the words both databases share. A type of PostgreSQL that has no word
// here (numeric, uuid, timestamptz, jsonb, ...) is read as text, in the text PostgreSQL prints for
// it.
enum class kind : std::uint8_t { null, boolean, integer, real, text, bytes };

std::string_view name_of(kind k);

// value is an owned SQL value.
class value {
 public:
  using bytes_type = std::vector<std::byte>;

  value() = default;
  value(std::nullptr_t) {}
  value(bool v) : held_(v) {}
  template <std::integral T>
    requires(!std::same_as<T, bool> && !std::same_as<T, char> && sizeof(T) < 8)
  value(T v) : held_(static_cast<std::int64_t>(v)) {}
  value(std::int64_t v) : held_(v) {}
  value(double v) : held_(v) {}
  value(std::string v) : held_(std::move(v)) {}
  value(std::string_view v) : held_(std::string(v)) {}
  value(char const* v) : held_(std::string(v)) {}
  value(bytes_type v) : held_(std::move(v)) {}

  sql::kind kind() const { return static_cast<sql::kind>(held_.index()); }
  bool is_null() const { return held_.index() == 0; }

  // The held value, or null when the value is of another kind.
  bool const* boolean() const { return std::get_if<bool>(&held_); }
  std::int64_t const* integer() const { return std::get_if<std::int64_t>(&held_); }
  double const* real() const { return std::get_if<double>(&held_); }
  std::string const* text() const { return std::get_if<std::string>(&held_); }
  bytes_type const* bytes() const { return std::get_if<bytes_type>(&held_); }

  friend bool operator==(value const&, value const&) = default;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, bytes_type> held_;
};

// param is one argument of a statement: a view, made at the call and gone after it.
// An unsigned 64-bit integer does not fit the databases' bigint and is refused at compile time:
// cast it, after checking its range. A char is refused too: it is neither a number nor a text.
class param {
 public:
  param(std::nullptr_t) {}
  param(std::nullopt_t) {}
  template <std::same_as<bool> T>
  param(T v) : kind_(sql::kind::boolean), integer_(v) {}
  template <std::integral T>
    requires(!std::same_as<T, bool> && !std::same_as<T, char> &&
             (sizeof(T) < 8 || std::signed_integral<T>))
  param(T v) : kind_(sql::kind::integer), integer_(static_cast<std::int64_t>(v)) {}
  template <std::floating_point T>
  param(T v) : kind_(sql::kind::real), real_(static_cast<double>(v)) {}
  param(std::string_view v) : kind_(sql::kind::text), data_(v) {}
  param(std::string const& v) : kind_(sql::kind::text), data_(v) {}
  param(char const* v) : kind_(sql::kind::text), data_(v) {}
  param(std::span<std::byte const> v)
      : kind_(sql::kind::bytes), data_(reinterpret_cast<char const*>(v.data()), v.size()) {}
  param(std::vector<std::byte> const& v) : param(std::span<std::byte const>(v)) {}
  template <class T>
  param(std::optional<T> const& v) : param(v ? param(*v) : param(nullptr)) {}
  param(value const& v);

  sql::kind kind() const { return kind_; }
  std::int64_t integer() const { return integer_; }  // boolean: 0 or 1
  double real() const { return real_; }
  std::string_view data() const { return data_; }  // text and bytes

 private:
  sql::kind kind_ = sql::kind::null;
  std::int64_t integer_ = 0;
  double real_ = 0;
  std::string_view data_;
};

}  // namespace vole::sql

namespace vole::internal {

// One cell as a driver hands it out. Views live as long as the batch.
struct sql_cell {
  sql::kind kind = sql::kind::null;
  bool decimal = false;  // text that is a number of arbitrary precision (PostgreSQL's numeric)
  bool hex = false;      // bytes in PostgreSQL's text form \x0123
  std::int64_t integer = 0;
  double real = 0;
  std::string_view data;
};

// Some rows in memory. Immutable once made.
class sql_batch {
 public:
  virtual ~sql_batch() = default;
  virtual std::size_t size() const = 0;
  virtual std::size_t columns() const = 0;
  virtual std::string_view column_name(std::size_t column) const = 0;
  virtual sql_cell cell(std::size_t row, std::size_t column) const = 0;
};

// Where a streamed row set gets its next batch; its destructor gives the connection back.
class sql_source {
 public:
  virtual ~sql_source() = default;
  // The next batch; an empty pointer at the end.
  virtual result<std::unique_ptr<sql_batch>> fetch(context const& ctx) = 0;
};

error sql_decode(sql_cell const& cell, bool& to);
error sql_decode(sql_cell const& cell, std::int64_t& to);
error sql_decode(sql_cell const& cell, double& to);
error sql_decode(sql_cell const& cell, std::string& to);
error sql_decode(sql_cell const& cell, std::string_view& to);
error sql_decode(sql_cell const& cell, std::vector<std::byte>& to);
error sql_decode(sql_cell const& cell, sql::value& to);
error sql_out_of_range(std::int64_t got, std::size_t bits, bool is_signed);

template <std::integral T>
  requires(!std::same_as<T, bool> && !std::same_as<T, char> && sizeof(T) < 8)
error sql_decode(sql_cell const& cell, T& to) {
  std::int64_t wide = 0;
  if (error err = sql_decode(cell, wide)) return err;
  if (!std::in_range<T>(wide)) return sql_out_of_range(wide, sizeof(T) * 8, std::is_signed_v<T>);
  to = static_cast<T>(wide);
  return {};
}

template <class T>
error sql_decode(sql_cell const& cell, std::optional<T>& to) {
  to.reset();
  return cell.kind == sql::kind::null ? error{} : sql_decode(cell, to.emplace());
}

}  // namespace vole::internal

namespace vole::sql {

// row is a view of one row: valid as long as its rows object is neither moved on nor destroyed.
class row {
 public:
  row(vole::internal::sql_batch const* batch, std::size_t at) : batch_(batch), at_(at) {}

  std::size_t size() const { return batch_->columns(); }
  std::string_view name(std::size_t column) const { return batch_->column_name(column); }
  // The kind of a cell; null for a column that is not there.
  sql::kind kind(std::size_t column) const;
  bool is_null(std::size_t column) const { return kind(column) == sql::kind::null; }

  // get reads a column. T: bool, an integer up to std::int64_t (range checked), double,
  // std::string, std::string_view (a view into the row), std::vector<std::byte>, sql::value, or
  // std::optional of one of them for a column that may be null. Errors:  null into a T that is no
  // optional, another kind, out of range, no such column; the text names
  //          the column: "column 2 (qty_micro) is null". An integer column reads as bool when it is
  //          0 or 1 and as double; a numeric one as an integer when it has no fraction.
  template <class T>
  result<T> get(std::size_t column) const {
    T to{};
    if (error err = read(column, to)) return err;
    return to;
  }
  // The same by name: the first column of that name.
  template <class T>
  result<T> get(std::string_view column) const {
    T to{};
    if (error err = read(find(column), to, column)) return err;
    return to;
  }

  // scan reads all columns, in order, into the variables; their number must be the number of
  // columns.
  template <class... T>
  error scan(T&... to) const {
    if (size() != sizeof...(T)) return wrong_count(sizeof...(T));
    error err;
    std::size_t column = 0;
    static_cast<void>(((err = read(column++, to), !err) && ...));
    return err;
  }

 private:
  template <class T>
  error read(std::size_t column, T& to, std::string_view wanted = {}) const {
    if (column >= size()) return no_column(column, wanted);
    error err = vole::internal::sql_decode(batch_->cell(at_, column), to);
    return err ? in_column(std::move(err), column) : err;
  }
  std::size_t find(std::string_view name) const;
  error no_column(std::size_t column, std::string_view wanted) const;
  error in_column(error err, std::size_t column) const;
  error wrong_count(std::size_t wanted) const;

  vole::internal::sql_batch const* batch_;
  std::size_t at_;
};

// rows is what a statement gave back. Move-only.
//
//   for (sql::row row : rows) { ... }                 a set made by query()
//   while (rows.next(ctx)) { rows.row() ... }         any set; then ask err()
//   error err = rows.each(ctx, [&](sql::row row) -> error { ... });    any set, nothing to forget
class [[nodiscard]] rows {
 public:
  rows();
  rows(std::unique_ptr<vole::internal::sql_batch> all);
  rows(std::unique_ptr<vole::internal::sql_batch> first,
       std::unique_ptr<vole::internal::sql_source> more);
  rows(rows&&) noexcept;
  rows& operator=(rows&&) noexcept;
  ~rows();

  // next moves to the next row; the first call moves to the first one.
  // Blocks:  only in a streamed set, for the next batch.   Cancels: with ctx.
  // Returns: false after the last row or on an error: ask err().
  bool next(context const& ctx);
  error const& err() const { return err_; }
  // The row next() moved to.
  sql::row row() const;
  template <class T>
  result<T> get(std::size_t column) const {
    return row().get<T>(column);
  }

  // each calls fn(row) for every row that is left; fn returns an error (which ends the loop) or
  // nothing.
  template <class Fn>
  error each(context const& ctx, Fn&& fn) {
    while (next(ctx)) {
      if constexpr (std::is_void_v<std::invoke_result_t<Fn&, sql::row>>) {
        fn(row());
      } else {
        if (error err = fn(row())) return err;
      }
    }
    return err_;
  }

  std::size_t columns() const;
  std::string_view column_name(std::size_t column) const;

  // A set made by query() is a container. Panics: on a streamed set (caller's bug).
  std::size_t size() const;
  bool empty() const { return size() == 0; }
  sql::row operator[](std::size_t at) const;
  class iterator;
  iterator begin() const;
  iterator end() const;

 private:
  std::unique_ptr<vole::internal::sql_batch> batch_;
  std::unique_ptr<vole::internal::sql_source> more_;
  std::size_t next_ = 0;  // index of the row that next() will move to, in batch_
  bool streamed_ = false;
  error err_;
};

class rows::iterator {
 public:
  using value_type = sql::row;
  using difference_type = std::ptrdiff_t;
  iterator() = default;
  iterator(vole::internal::sql_batch const* batch, std::size_t at) : batch_(batch), at_(at) {}
  sql::row operator*() const { return {batch_, at_}; }
  iterator& operator++() { return ++at_, *this; }
  iterator operator++(int) { return {batch_, at_++}; }
  friend bool operator==(iterator const&, iterator const&) = default;

 private:
  vole::internal::sql_batch const* batch_ = nullptr;
  std::size_t at_ = 0;
};

inline rows::iterator rows::begin() const {
  return {size() ? batch_.get() : nullptr, 0};
}
inline rows::iterator rows::end() const {
  return {size() ? batch_.get() : nullptr, size()};
}

// What query_one<T...> and query_all<T...> give per row: T itself for one column, else a tuple.
template <class... T>
using row_of =
    typename std::conditional_t<sizeof...(T) == 1, std::tuple_element<0, std::tuple<T..., void>>,
                                std::type_identity<std::tuple<T...>>>::type;

}  // namespace vole::sql
