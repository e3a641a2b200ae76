// SPDX-License-Identifier: Apache-2.0
// Holds the C++ in the documentation against code that is compiled and run: every ```cpp block of
// README.md and docs/guide/ stands, line for line, in a file under examples/ or in an *_example.cc;
// only the indentation of the whole may differ.
#include <algorithm>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sstream>
#include <string>
#include <vector>

#include "source_file.h"

namespace vole::house {
namespace {

using text_lines = std::vector<std::string>;

struct block {
  std::string path;
  std::size_t line = 0;  // of the fence
  text_lines text;
};

bool is_blank(std::string const& line) {
  return line.find_first_not_of(" \t") == std::string::npos;
}

// Takes the common indentation off, and blanks off blank lines.
text_lines dedented(text_lines lines) {
  std::size_t indent = std::string::npos;
  for (auto const& line : lines) {
    if (!is_blank(line)) indent = std::min(indent, line.find_first_not_of(' '));
  }
  for (auto& line : lines) line = is_blank(line) ? "" : line.substr(indent);
  return lines;
}

text_lines lines_of(std::string const& text) {
  text_lines lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<block> cpp_blocks(std::string const& path, std::string const& text) {
  std::vector<block> blocks;
  bool inside = false;
  bool kept = false;
  std::size_t number = 0;
  for (auto const& line : lines_of(text)) {
    ++number;
    std::size_t const at = line.find_first_not_of(' ');
    bool const fence = at != std::string::npos && line.compare(at, 3, "```") == 0;
    if (fence && !inside) {
      std::string const language = line.substr(at + 3, line.find_first_of(" \r", at + 3) - at - 3);
      kept = language == "cpp" || language == "c++" || language == "cc";
      if (kept) blocks.push_back({path, number, {}});
    } else if (!fence && inside && kept) {
      blocks.back().text.push_back(line);
    }
    if (fence) inside = !inside;
  }
  return blocks;
}

bool stands_in(text_lines const& wanted, text_lines const& file) {
  for (std::size_t i = 0; i + wanted.size() <= file.size(); ++i) {
    auto const from = file.begin() + static_cast<std::ptrdiff_t>(i);
    if (dedented({from, from + static_cast<std::ptrdiff_t>(wanted.size())}) == wanted) return true;
  }
  return false;
}

TEST(docs, every_cpp_block_is_quoted_from_code_that_runs) {
  std::vector<text_lines> examples;
  for (auto const& path : files({"examples", "src"}, {".cc", ".h"})) {
    if (path.starts_with("src/") && !path.ends_with("_example.cc")) continue;
    examples.push_back(lines_of(read_text(path)));
  }
  auto pages = files({"docs/guide"}, {".md"});
  pages.push_back("README.md");
  std::vector<violation> bad;
  for (auto const& page : pages) {
    for (auto const& quoted : cpp_blocks(page, read_text(page))) {
      auto const wanted = dedented(quoted.text);
      auto const has_it = [&](text_lines const& file) { return stands_in(wanted, file); };
      if (wanted.empty() || std::ranges::any_of(examples, has_it)) continue;
      bad.push_back({page, quoted.line, fmt::format("stands in no example: {}", wanted.front())});
    }
  }
  EXPECT_TRUE(bad.empty()) << list(bad);
}

TEST(docs_rule, finds_blocks_by_their_language) {
  auto const blocks = cpp_blocks(
      "x.md", "text\n```cpp\nint a;\n```\n```go\nvar b\n```\n  ```cpp\n  int c;\n  ```\n");
  ASSERT_EQ(blocks.size(), 2U);
  EXPECT_EQ(blocks[0].line, 2U);
  EXPECT_EQ(blocks[1].text, text_lines{"  int c;"});
}

TEST(docs_rule, forgives_indentation_of_the_whole_only) {
  text_lines const file = {"int main() {", "  if (a) {", "    b();", "  }", "}"};
  EXPECT_TRUE(stands_in({"if (a) {", "  b();", "}"}, file));
  EXPECT_FALSE(stands_in({"if (a) {", "b();", "}"}, file));
  EXPECT_FALSE(stands_in({"if (a) {", "}"}, file));
}

}  // namespace
}  // namespace vole::house
