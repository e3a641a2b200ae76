// SPDX-License-Identifier: Apache-2.0
// The conformance tests on PostgreSQL: one server for the program, a schema for each test.
#include "sql/conformance.h"
#include "sql/postgres_for_test.h"

namespace vole::sql_test {
namespace {

int schemas = 0;

std::string url_of_schema() {
  return server().url() + "?options=-csearch_path%3Dt" + std::to_string(schemas);
}

}  // namespace

std::string why_not() {
  return testing::postgres_server::missing();
}
result<sql::db> open_empty(sql::hooks hooks) {
  ++schemas;
  auto admin = postgres::open({}, server().url());
  if (!admin) return admin.error();
  auto const made = admin->exec({}, "create schema t" + std::to_string(schemas));
  if (error err = admin->close({})) return err;
  if (!made) return made.error();
  postgres::pool_options options;
  options.hooks = std::move(hooks);
  return postgres::open({}, url_of_schema(), std::move(options));
}
result<sql::db> open_again() {
  return postgres::open({}, url_of_schema());
}

}  // namespace vole::sql_test
