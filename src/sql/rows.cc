// SPDX-License-Identifier: Apache-2.0
// Values, rows, and the conversion of cells. No shared state.
#include "vole/sql/rows.h"

#include <charconv>
#include <system_error>

#include "vole/assert.h"

namespace vole {
namespace {

using internal::sql_cell;

error wrong_kind(sql_cell const& cell, std::string_view wanted) {
  if (cell.kind == sql::kind::null) return errors::make("is null");
  return errors::make("is {}, not {}", cell.decimal ? "numeric" : sql::name_of(cell.kind), wanted);
}

template <class T>
bool parse_whole(std::string_view text, T& to) {
  char const* const end = text.data() + text.size();
  auto const [at, failure] = std::from_chars(text.data(), end, to);
  return failure == std::errc{} && at == end;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// PostgreSQL's text form of bytea: \x and two digits for each byte.
error decode_hex(std::string_view text, std::vector<std::byte>& to) {
  if (!text.starts_with("\\x") || text.size() % 2 != 0) {
    return errors::make("is bytes in a form other than hex: set bytea_output to hex");
  }
  to.resize(text.size() / 2 - 1);
  for (std::size_t i = 0; i < to.size(); ++i) {
    int const high = hex_digit(text[2 * i + 2]);
    int const low = hex_digit(text[2 * i + 3]);
    if (high < 0 || low < 0) return errors::make("is bytes with a digit that is not hex");
    to[i] = static_cast<std::byte>(high * 16 + low);
  }
  return {};
}

}  // namespace

namespace sql {

std::string_view name_of(sql::kind k) {
  switch (k) {
    case kind::null:
      return "null";
    case kind::boolean:
      return "boolean";
    case kind::integer:
      return "integer";
    case kind::real:
      return "real";
    case kind::text:
      return "text";
    case kind::bytes:
      return "bytes";
  }
  return "unknown";
}

param::param(value const& v) : kind_(v.kind()) {
  if (auto const* b = v.boolean()) integer_ = *b;
  if (auto const* i = v.integer()) integer_ = *i;
  if (auto const* r = v.real()) real_ = *r;
  if (auto const* t = v.text()) data_ = *t;
  if (auto const* b = v.bytes()) *this = param(std::span<std::byte const>(*b));
}

sql::kind row::kind(std::size_t column) const {
  return column < size() ? batch_->cell(at_, column).kind : sql::kind::null;
}

std::size_t row::find(std::string_view name) const {
  std::size_t column = 0;
  while (column < size() && batch_->column_name(column) != name) ++column;
  return column;
}

error row::no_column(std::size_t column, std::string_view wanted) const {
  if (!wanted.empty()) return errors::make("the row has no column {}", wanted);
  return errors::make("the row has {} columns, and none with index {}", size(), column);
}

error row::in_column(error err, std::size_t column) const {
  return errors::make("column {} ({}) {}", column, name(column), err);
}

error row::wrong_count(std::size_t wanted) const {
  return errors::make("the row has {} columns, and {} are read", size(), wanted);
}

rows::rows() = default;
rows::rows(std::unique_ptr<internal::sql_batch> all) : batch_(std::move(all)) {}
rows::rows(std::unique_ptr<internal::sql_batch> first, std::unique_ptr<internal::sql_source> more)
    : batch_(std::move(first)), more_(std::move(more)), streamed_(true) {}
rows::rows(rows&&) noexcept = default;
rows& rows::operator=(rows&&) noexcept = default;
rows::~rows() = default;

bool rows::next(context const& ctx) {
  while (batch_ == nullptr || next_ == batch_->size()) {
    if (more_ == nullptr) return false;
    auto fetched = more_->fetch(ctx);
    if (!fetched || *fetched == nullptr) {
      if (!fetched) err_ = fetched.error();
      more_.reset();
      return false;
    }
    batch_ = *std::move(fetched);
    next_ = 0;
  }
  ++next_;
  return true;
}

sql::row rows::row() const {
  VOLE_REQUIRE(next_ > 0, "rows::row() before next() was true");
  return {batch_.get(), next_ - 1};
}

std::size_t rows::columns() const {
  return batch_ ? batch_->columns() : 0;
}
std::string_view rows::column_name(std::size_t column) const {
  return column < columns() ? batch_->column_name(column) : std::string_view();
}

std::size_t rows::size() const {
  VOLE_REQUIRE(!streamed_, "a streamed row set is read with next() or each()");
  return batch_ ? batch_->size() : 0;
}
sql::row rows::operator[](std::size_t at) const {
  VOLE_REQUIRE(at < size(), "row {} of {}", at, size());
  return {batch_.get(), at};
}

}  // namespace sql

namespace internal {

error sql_decode(sql_cell const& cell, bool& to) {
  bool const as_integer = cell.kind == sql::kind::integer && (cell.integer & ~1) == 0;
  if (cell.kind != sql::kind::boolean && !as_integer) return wrong_kind(cell, "boolean");
  to = cell.integer != 0;
  return {};
}

error sql_decode(sql_cell const& cell, std::int64_t& to) {
  if (cell.decimal) {
    if (parse_whole(cell.data, to)) return {};
    return errors::make("is {}, which is no 64-bit integer", cell.data);
  }
  if (cell.kind != sql::kind::integer) return wrong_kind(cell, "integer");
  to = cell.integer;
  return {};
}

error sql_decode(sql_cell const& cell, double& to) {
  if (cell.kind == sql::kind::real) return to = cell.real, error{};
  if (cell.kind == sql::kind::integer) return to = static_cast<double>(cell.integer), error{};
  if (cell.decimal && parse_whole(cell.data, to)) return {};
  return wrong_kind(cell, "real");
}

error sql_decode(sql_cell const& cell, std::string_view& to) {
  if (cell.kind != sql::kind::text) return wrong_kind(cell, "text");
  to = cell.data;
  return {};
}

error sql_decode(sql_cell const& cell, std::string& to) {
  if (cell.kind != sql::kind::text) return wrong_kind(cell, "text");
  to = cell.data;
  return {};
}

error sql_decode(sql_cell const& cell, std::vector<std::byte>& to) {
  if (cell.kind != sql::kind::bytes) return wrong_kind(cell, "bytes");
  if (cell.hex) return decode_hex(cell.data, to);
  auto const* first = reinterpret_cast<std::byte const*>(cell.data.data());
  to.assign(first, first + cell.data.size());
  return {};
}

error sql_decode(sql_cell const& cell, sql::value& to) {
  switch (cell.kind) {
    case sql::kind::null:
      to = sql::value();
      break;
    case sql::kind::boolean:
      to = sql::value(cell.integer != 0);
      break;
    case sql::kind::integer:
      to = sql::value(cell.integer);
      break;
    case sql::kind::real:
      to = sql::value(cell.real);
      break;
    case sql::kind::text:
      to = sql::value(cell.data);
      break;
    case sql::kind::bytes: {
      sql::value::bytes_type bytes;
      if (error err = sql_decode(cell, bytes)) return err;
      to = sql::value(std::move(bytes));
    }
  }
  return {};
}

error sql_out_of_range(std::int64_t got, std::size_t bits, bool is_signed) {
  return errors::make("is {}, which does not fit {} {} bits", got,
                      is_signed ? "into" : "into unsigned", bits);
}

}  // namespace internal
}  // namespace vole
