// SPDX-License-Identifier: Apache-2.0
// The conformance tests on SQLite.
#include <filesystem>
#include <stdlib.h>

#include "vole/sql/sqlite.h"

#include "sql/conformance.h"

namespace vole::sql_test {
namespace {

// The folder of the running test; the last one goes with the program.
struct test_folder {
  ~test_folder() {
    std::error_code ignored;
    if (!path.empty()) std::filesystem::remove_all(path, ignored);
  }
  std::string path;
};

std::string file_of_test(bool fresh) {
  static test_folder folder;
  if (fresh) {
    folder = {};
    std::string made = (std::filesystem::temp_directory_path() / "vole-sql-XXXXXX").string();
    if (::mkdtemp(made.data()) != nullptr) folder.path = made;
  }
  return folder.path + "/test.db";
}

}  // namespace

std::string why_not() {
  return {};
}
result<sql::db> open_empty(sql::hooks hooks) {
  return sqlite::open({}, file_of_test(true), {.hooks = std::move(hooks)});
}
result<sql::db> open_again() {
  return sqlite::open({}, file_of_test(false));
}

}  // namespace vole::sql_test
