// SPDX-License-Identifier: Apache-2.0
// Holds every C++ file of the project against the rules of the house.
#include <gtest/gtest.h>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "rules.h"
#include "source_file.h"

namespace vole::house {
namespace {

// Files that break rules on purpose.
bool is_specimen(source_file const& file) {
  return file.in("tests/nocompile/");
}

void expect_kept(rule broken_by) {
  std::vector<violation> bad;
  for (source_file const& file : cpp_files()) {
    if (is_specimen(file)) continue;
    for (auto& v : broken_by(file)) bad.push_back(std::move(v));
  }
  EXPECT_TRUE(bad.empty()) << bad.size() << " violations:" << list(bad);
}

TEST(tidy, files_begin_with_their_licence) {
  expect_kept(&missing_spdx);
}
TEST(tidy, headers_have_pragma_once) {
  expect_kept(&missing_pragma_once);
}
TEST(tidy, lines_are_100_columns_wide_at_most) {
  expect_kept(&wide_lines);
}
TEST(tidy, lines_have_no_tabs_and_end_without_blanks) {
  expect_kept(&untidy_blanks);
}
TEST(tidy, files_keep_their_budget_of_lines) {
  expect_kept(&long_file);
}
TEST(tidy, functions_have_70_lines_at_most) {
  expect_kept(&long_functions);
}
TEST(tidy, banned_words_are_not_used) {
  expect_kept(&banned_words);
}
TEST(tidy, nothing_of_ours_throws) {
  expect_kept(&thrown_exceptions);
}
TEST(tidy, nothing_is_left_unfinished) {
  expect_kept(&unfinished_work);
}
TEST(tidy, orderings_name_their_partner) {
  expect_kept(&unpartnered_orders);
}
TEST(tidy, headers_use_no_namespace) {
  expect_kept(&using_namespace_in_header);
}
TEST(tidy, try_stands_alone) {
  expect_kept(&try_in_expression);
}

TEST(tidy, contexts_in_members_say_so) {
  expect_kept(&unsaid_contexts);
}

// "path name" of each context::stored of the product, as stored_contexts.txt lists them with the
// reason.
std::set<std::string> stored_contexts() {
  static std::regex const member(R"(\bcontext::stored(\s+const)?>?\s+(\w+)\s*(=[^;]*)?;)");
  std::set<std::string> found;
  for (source_file const& file : cpp_files()) {
    if (file.is_beside() || file.is_test()) continue;
    for (auto const& line : file.code) {
      std::smatch match;
      if (std::regex_search(line, match, member)) found.insert(file.path + " " + match[2].str());
    }
  }
  return found;
}

TEST(tidy, stored_contexts_are_listed_with_their_reason) {
  std::set<std::string> listed;
  std::istringstream text(read_text("tests/house/stored_contexts.txt"));
  for (std::string line; std::getline(text, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    std::istringstream words(line);
    std::string path;
    std::string name;
    std::string reason;
    words >> path >> name;
    std::getline(words, reason);
    EXPECT_GT(reason.size(), 10U) << line << ": why does an object keep a context?";
    listed.insert(path + " " + name);
  }
  EXPECT_EQ(stored_contexts(), listed) << "an object that keeps a context outlives a call: list it "
                                          "in tests/house/stored_contexts.txt, and why";
}

TEST(tidy, scripts_begin_with_their_licence) {
  std::vector<violation> bad;
  for (auto const& path : files({".ci", "bench", "cmake", "cmd", "examples", "src", "tests"},
                                {"CMakeLists.txt", ".cmake", ".sh", ".awk", ".S"})) {
    std::istringstream text(read_text(path));
    std::string line;
    std::getline(text, line);
    if (line.starts_with("#!")) std::getline(text, line);
    if (line.find("SPDX-License-Identifier: Apache-2.0") == std::string::npos) {
      bad.push_back({path, 1, "the first line names the licence"});
    }
  }
  EXPECT_TRUE(bad.empty()) << list(bad);
}

// The words of all build files, without comments.
std::set<std::string> words_of_build_files() {
  std::set<std::string> words;
  for (auto const& path :
       files({"src", "cmd", "examples", "tests", "bench", "fuzz"}, {"CMakeLists.txt"})) {
    std::string const folder = path.substr(0, path.rfind('/') + 1);
    std::istringstream text(std::regex_replace(read_text(path), std::regex("#[^\n]*|[()\"]"), " "));
    for (std::string word; text >> word;) words.insert(folder + word);
  }
  return words;
}

TEST(tidy, every_source_file_is_built) {
  auto const words = words_of_build_files();
  std::vector<violation> bad;
  for (auto const& path :
       files({"src", "cmd", "examples", "tests", "bench", "fuzz"}, {".cc", ".S"})) {
    if (path.starts_with("tests/nocompile/") || path.starts_with("tests/package/")) continue;
    bool named = words.contains(path);
    // bench/<case>/bench.cc is named by its case.
    if (path.starts_with("bench/"))
      named = named || words.contains(path.substr(0, path.rfind('/')));
    if (!named) bad.push_back({path, 0, "no CMakeLists.txt names it"});
  }
  EXPECT_TRUE(bad.empty()) << list(bad);
}

TEST(tidy, every_private_header_is_included) {
  std::set<std::string> included;
  static std::regex const include(R"re(^\s*#\s*include\s*"([^"]+)")re");
  for (source_file const& file : cpp_files()) {
    for (auto const& line : file.lines) {
      std::smatch match;
      if (line.find('#') == std::string::npos) continue;
      if (std::regex_search(line, match, include)) included.insert("src/" + match[1].str());
    }
  }
  std::vector<violation> bad;
  for (auto const& path : files({"src"}, {".h"})) {
    if (!included.contains(path)) bad.push_back({path, 0, "nobody includes it"});
  }
  EXPECT_TRUE(bad.empty()) << list(bad);
}

}  // namespace
}  // namespace vole::house
