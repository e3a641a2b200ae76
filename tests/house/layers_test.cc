// SPDX-License-Identifier: Apache-2.0
// Holds every #include and every DEPENDS against layers.txt. Do not relax that file to fix a build.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "dag.h"
#include "source_file.h"

namespace vole::house {
namespace {

dag const& layers() {
  static dag const read(read_text("layers.txt"));
  return read;
}

// What vole_room() says of one room.
struct room {
  std::set<std::string> depends;
  std::set<std::string> test_depends;
};

std::map<std::string, room> const& rooms() {
  static std::map<std::string, room> const all = [] {
    std::map<std::string, room> found;
    std::set<std::string> const keywords = {"DEPENDS",      "LIBRARIES",  "SOURCES", "TESTS",
                                            "TEST_DEPENDS", "TEST_PROCS", "BENCHES", "EXAMPLES"};
    for (auto const& path : files({"src"}, {"CMakeLists.txt"})) {
      std::string const text = std::regex_replace(read_text(path), std::regex("#[^\n]*"), "");
      std::smatch call;
      if (!std::regex_search(text, call, std::regex(R"(vole_room\(\s*(\w+)([^)]*)\))"))) continue;
      room& made = found[call[1].str()];
      std::istringstream words(call[2].str());
      std::string keyword;
      for (std::string word; words >> word;) {
        if (keywords.contains(word)) {
          keyword = word;
        } else if (keyword == "DEPENDS") {
          made.depends.insert(word);
        } else if (keyword == "TEST_DEPENDS") {
          made.test_depends.insert(word);
        }
      }
    }
    return found;
  }();
  return all;
}

// The room of each public header, by its path under include/vole.
std::map<std::string, std::string> const& header_rooms() {
  static std::map<std::string, std::string> const all = [] {
    std::map<std::string, std::string> found;
    std::istringstream lines(read_text("tests/house/public_headers.txt"));
    for (std::string line; std::getline(lines, line);) {
      std::size_t const colon = line.find(':');
      if (line.starts_with('#') || colon == std::string::npos) continue;
      std::istringstream headers(line.substr(colon + 1));
      for (std::string header; headers >> header;) found[header] = line.substr(0, colon);
    }
    return found;
  }();
  return all;
}

// The node of layers.txt that a file belongs to; none for tests/, which may cross rooms.
std::optional<std::string> node_of(std::string const& path) {
  auto const first_folder = [&](std::size_t from) {
    return path.substr(from, path.find('/', from) - from);
  };
  if (path.starts_with("src/")) return first_folder(4);
  if (path.starts_with("include/vole/")) {
    auto const at = header_rooms().find(path.substr(std::string("include/vole/").size()));
    if (at == header_rooms().end()) return std::nullopt;
    return at->second;
  }
  if (path.starts_with("cmd/")) return "cmd";
  // What compares with Go uses the house as an example does.
  if (path.starts_with("examples/") || path.starts_with("bench/")) return "examples";
  return std::nullopt;
}

struct inclusion {
  std::size_t line;
  std::string target;  // path from the project's root
};

// The project's own headers that a file includes.
std::vector<inclusion> inclusions_of(source_file const& file) {
  static std::regex const include(R"re(^\s*#\s*include\s*"([^"]+)")re");
  std::vector<inclusion> found;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    std::smatch match;
    if (file.lines[i].find('#') == std::string::npos) continue;
    if (!std::regex_search(file.lines[i], match, include)) continue;
    std::string const name = match[1].str();
    // Outside the rooms a plain name is a file of the same folder.
    if (!file.in("src/") && !file.in("include/") && name.find('/') == name.npos) continue;
    found.push_back({i + 1, (name.starts_with("vole/") ? "include/" : "src/") + name});
  }
  return found;
}

// Everything that the files of a room may reach; files beside the code may also reach bench and
// testing.
std::set<std::string> reach_of(std::string const& node, bool beside) {
  std::set<std::string> all = layers().reach(node);
  if (beside) {
    all.merge(layers().reach("bench"));
    all.merge(layers().reach("testing"));
  }
  return all;
}

TEST(layers, file_is_well_formed) {
  std::string text;
  for (auto const& problem : layers().problems()) text += "\n  " + problem;
  EXPECT_TRUE(layers().problems().empty()) << "layers.txt:" << text;
}

TEST(layers, every_room_is_in_the_file) {
  ASSERT_FALSE(rooms().empty());
  for (auto const& [name, room] : rooms()) EXPECT_TRUE(layers().names().contains(name)) << name;
}

TEST(layers, every_public_header_belongs_to_a_room) {
  std::set<std::string> present;
  for (auto const& path : files({"include/vole"}, {".h"})) {
    EXPECT_TRUE(node_of(path)) << path << ": name its room in tests/house/public_headers.txt";
    present.insert(path.substr(std::string("include/vole/").size()));
  }
  for (auto const& [header, room] : header_rooms()) {
    EXPECT_TRUE(present.contains(header))
        << "tests/house/public_headers.txt names " << header << ", which is no file";
    EXPECT_TRUE(layers().names().contains(room))
        << "tests/house/public_headers.txt: no room " << room;
  }
}

TEST(layers, every_include_is_permitted) {
  std::vector<violation> bad;
  for (source_file const& file : cpp_files()) {
    auto const node = node_of(file.path);
    if (!node) continue;
    auto const permitted = reach_of(*node, file.is_beside());
    for (auto const& [line, target] : inclusions_of(file)) {
      auto const other = node_of(target);
      if (!other || !layers().names().contains(*other)) {
        bad.push_back(
            {file.path, line, target + " belongs to no room; a private header is \"room/file.h\""});
      } else if (!permitted.contains(*other)) {
        bad.push_back(
            {file.path, line, fmt::format("{} may not include {} ({})", *node, *other, target)});
      }
    }
  }
  EXPECT_TRUE(bad.empty()) << list(bad);
}

// Only tests share a header, named *_test.h, among themselves.
TEST(layers, nobody_includes_tests_benches_or_examples) {
  std::vector<violation> bad;
  for (source_file const& file : cpp_files()) {
    for (auto const& [line, target] : inclusions_of(file)) {
      if (file.is_beside() && target.ends_with("_test.h")) continue;
      if (parse(target, "").is_beside()) bad.push_back({file.path, line, "includes " + target});
    }
  }
  EXPECT_TRUE(bad.empty()) << list(bad);
}

TEST(layers, every_dependency_is_permitted) {
  for (auto const& [name, room] : rooms()) {
    for (auto const& other : room.depends) {
      EXPECT_TRUE(other != name && layers().may_include(name, other))
          << "src/" << name << "/CMakeLists.txt: " << name << " may not depend on " << other;
    }
    auto const permitted = reach_of(name, true);
    for (auto const& other : room.test_depends) {
      EXPECT_TRUE(permitted.contains(other)) << "src/" << name << "/CMakeLists.txt: the tests of "
                                             << name << " may not depend on " << other;
    }
  }
}

// What a room reaches through its DEPENDS, and theirs.
std::set<std::string> linked_by(std::string const& name) {
  std::set<std::string> seen = {name};
  std::vector<std::string> open = {name};
  while (!open.empty()) {
    auto const at = rooms().find(open.back());
    open.pop_back();
    if (at == rooms().end()) continue;
    for (auto const& other : at->second.depends) {
      if (seen.insert(other).second) open.push_back(other);
    }
  }
  return seen;
}

TEST(layers, every_include_is_a_dependency_too) {
  std::vector<violation> bad;
  for (source_file const& file : cpp_files()) {
    auto const node = node_of(file.path);
    if (!node || !rooms().contains(*node) || file.is_beside()) continue;
    auto const linked = linked_by(*node);
    for (auto const& [line, target] : inclusions_of(file)) {
      auto const other = node_of(target);
      if (other && !linked.contains(*other)) {
        bad.push_back({file.path, line,
                       fmt::format("{} includes {} and does not depend on it", *node, *other)});
      }
    }
  }
  EXPECT_TRUE(bad.empty()) << list(bad);
}

TEST(dag, is_transitive) {
  dag const graph("NONE < a; a < b; b < c, d;  # a comment; with a semicolon\n c !< d;");
  EXPECT_TRUE(graph.problems().empty());
  EXPECT_TRUE(graph.may_include("d", "a"));
  EXPECT_FALSE(graph.may_include("a", "d"));
  EXPECT_FALSE(graph.may_include("d", "c"));
}

TEST(dag, finds_what_is_wrong) {
  EXPECT_FALSE(dag("NONE < a; a < b; b < a;").problems().empty()) << "a circle";
  EXPECT_FALSE(dag("NONE < a; a < b; a !< b;").problems().empty()) << "a forbidden path";
  EXPECT_FALSE(dag("NONE < a; a !< x;").problems().empty()) << "an unknown name";
  EXPECT_FALSE(dag("NONE < a").problems().empty()) << "no semicolon";
  EXPECT_FALSE(dag("a b < c;").problems().empty()) << "two words";
}

}  // namespace
}  // namespace vole::house
