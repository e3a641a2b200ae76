// SPDX-License-Identifier: Apache-2.0
// What the server says, as values: errors and cells. No shared state.
#include <charconv>
#include <string>

#include "sql/postgres_conn.h"

namespace vole::postgres {

std::string pg_error::message() const {
  return code.empty() ? text : fmt::format("{} (SQLSTATE {})", text, code);
}

}  // namespace vole::postgres

namespace vole::internal {
namespace {

// Object ids of the types that have a kind of their own; fixed in pg_type.dat for ever.
constexpr Oid oid_bool = 16, oid_bytea = 17, oid_int8 = 20, oid_int2 = 21, oid_int4 = 23,
              oid_oid = 26, oid_float4 = 700, oid_float8 = 701, oid_numeric = 1700;

std::string field(PGresult const* result, int which) {
  char const* const text = PQresultErrorField(result, which);
  return text ? text : "";
}

int number(PGresult const* result, int which) {
  std::string const text = field(result, which);
  int parsed = 0;
  std::from_chars(text.data(), text.data() + text.size(), parsed);
  return parsed;
}

}  // namespace

std::string first_line_of(char const* message) {
  std::string_view text = message ? message : "";
  text = text.substr(0, text.find('\n'));
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r')) text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  if (text.empty()) return "the connection failed without a message";
  std::string line(text);
  // "FATAL", "SSL": words in capitals stay.
  bool const capitals = line.size() > 1 && line[1] >= 'A' && line[1] <= 'Z';
  if (!capitals && line[0] >= 'A' && line[0] <= 'Z') line[0] = static_cast<char>(line[0] + 32);
  return line;
}

error pg_error_of(PGresult const* result) {
  postgres::pg_error made;
  made.severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  made.code = field(result, PG_DIAG_SQLSTATE);
  made.text = field(result, PG_DIAG_MESSAGE_PRIMARY);
  if (made.text.empty()) made.text = first_line_of(PQresultErrorMessage(result));
  made.detail = field(result, PG_DIAG_MESSAGE_DETAIL);
  made.hint = field(result, PG_DIAG_MESSAGE_HINT);
  made.position = number(result, PG_DIAG_STATEMENT_POSITION);
  made.internal_position = number(result, PG_DIAG_INTERNAL_POSITION);
  made.internal_query = field(result, PG_DIAG_INTERNAL_QUERY);
  made.where = field(result, PG_DIAG_CONTEXT);
  made.schema = field(result, PG_DIAG_SCHEMA_NAME);
  made.table = field(result, PG_DIAG_TABLE_NAME);
  made.column = field(result, PG_DIAG_COLUMN_NAME);
  made.datatype = field(result, PG_DIAG_DATATYPE_NAME);
  made.constraint = field(result, PG_DIAG_CONSTRAINT_NAME);
  made.file = field(result, PG_DIAG_SOURCE_FILE);
  made.line = number(result, PG_DIAG_SOURCE_LINE);
  made.routine = field(result, PG_DIAG_SOURCE_FUNCTION);
  return errors::make_typed<postgres::pg_error>(std::move(made));
}

sql_cell pg_cell(PGresult const* result, int row, int column) {
  sql_cell out;
  if (PQgetisnull(result, row, column) != 0) return out;
  out.data = {PQgetvalue(result, row, column),
              static_cast<std::size_t>(PQgetlength(result, row, column))};
  char const* const end = out.data.data() + out.data.size();
  switch (PQftype(result, column)) {
    case oid_bool:
      out.kind = sql::kind::boolean;
      out.integer = out.data == "t" ? 1 : 0;
      break;
    case oid_int2:
    case oid_int4:
    case oid_int8:
    case oid_oid:
      out.kind = sql::kind::integer;
      std::from_chars(out.data.data(), end, out.integer);
      break;
    case oid_float4:
    case oid_float8:
      out.kind = sql::kind::real;
      std::from_chars(out.data.data(), end, out.real);
      break;
    case oid_bytea:
      out.kind = sql::kind::bytes;
      out.hex = true;
      break;
    case oid_numeric:
      out.kind = sql::kind::text;
      out.decimal = true;
      break;
    default:
      out.kind = sql::kind::text;
      break;
  }
  return out;
}

}  // namespace vole::internal
