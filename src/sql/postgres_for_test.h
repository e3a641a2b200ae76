// SPDX-License-Identifier: Apache-2.0
#pragma once
// The PostgreSQL server of a test program: started by the first test that asks, gone with the
// program.

#include <gtest/gtest.h>
#include <memory>

#include "vole/assert.h"
#include "vole/sql/postgres.h"

#include "sql/testing_postgres.h"

namespace vole::sql_test {

inline testing::postgres_server& server() {
  static std::unique_ptr<testing::postgres_server> const one = [] {
    auto started = testing::postgres_server::start({"max_prepared_transactions=4"});
    if (!started) ADD_FAILURE() << started.error().message();
    return started ? *std::move(started) : nullptr;
  }();
  VOLE_REQUIRE(one != nullptr, "PostgreSQL did not start");
  return *one;
}

}  // namespace vole::sql_test
