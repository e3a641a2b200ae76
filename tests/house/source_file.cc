// SPDX-License-Identifier: Apache-2.0
#include "source_file.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <utility>

namespace vole::house {
namespace {

namespace fs = std::filesystem;

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

std::vector<std::string> split(std::string const& text) {
  std::vector<std::string> lines;
  std::size_t from = 0;
  while (from < text.size()) {
    std::size_t const end = std::min(text.find('\n', from), text.size());
    lines.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return lines;
}

// Walks a text once and puts each character into the code view, the comment view or neither.
class splitter {
 public:
  explicit splitter(std::string const& text) : text_(text), code_(text), comments_(text) {
    for (std::size_t i = 0; i < text_.size(); ++i) {
      if (text_[i] != '\n') comments_[i] = ' ';
    }
  }

  std::pair<std::string, std::string> run() {
    while (at_ < text_.size()) {
      if (starts("//")) {
        comment(text_.find('\n', at_));
      } else if (starts("/*")) {
        std::size_t const end = text_.find("*/", at_ + 2);
        comment(end == std::string::npos ? end : end + 2);
      } else if (text_[at_] == '"') {
        raw_prefix() ? raw_literal() : literal('"');
      } else if (text_[at_] == '\'' && !digit_separator()) {
        literal('\'');
      } else {
        ++at_;
      }
    }
    return {std::move(code_), std::move(comments_)};
  }

 private:
  bool starts(std::string_view what) const { return text_.compare(at_, what.size(), what) == 0; }
  bool digit_separator() const { return at_ > 0 && is_word(text_[at_ - 1]); }
  bool raw_prefix() const {
    return at_ > 0 && text_[at_ - 1] == 'R' && (at_ < 2 || !is_word(text_[at_ - 2]));
  }
  void blank_code(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      if (text_[i] != '\n') code_[i] = ' ';
    }
  }
  void comment(std::size_t end) {
    end = std::min(end, text_.size());
    for (std::size_t i = at_; i < end; ++i) comments_[i] = text_[i];
    blank_code(at_, end);
    at_ = end;
  }
  // A literal keeps its quotes in the code view and loses what is between them.
  void literal(char quote) {
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote && text_[end] != '\n')
      end += text_[end] == '\\' ? 2 : 1;
    end = std::min(end, text_.size());
    blank_code(at_ + 1, end);
    at_ = end + 1;
  }
  void raw_literal() {
    std::size_t const open = text_.find('(', at_);
    std::string const close = ")" + text_.substr(at_ + 1, open - at_ - 1) + "\"";
    std::size_t const end =
        std::min(text_.find(close, at_), text_.size() - close.size()) + close.size();
    blank_code(at_ + 1, end - 1);
    at_ = end;
  }

  std::string const& text_;
  std::string code_;
  std::string comments_;
  std::size_t at_ = 0;
};

}  // namespace

bool source_file::is_test() const {
  return path.ends_with("_test.cc") || in("tests/");
}

bool source_file::is_beside() const {
  auto const ends = [&](std::string_view ending) { return path.ends_with(ending); };
  return ends("_test.cc") || ends("_test.h") || ends("_bench.cc") || ends("_example.cc");
}

source_file parse(std::string path, std::string const& text) {
  auto const [code, comments] = splitter(text).run();
  return {std::move(path), split(text), split(code), split(comments)};
}

std::string const& project_root() {
  static std::string const root = VOLE_SOURCE_DIR;
  return root;
}

std::string read_text(std::string const& path) {
  std::ifstream file(project_root() + "/" + path, std::ios::binary);
  if (!file) {
    ADD_FAILURE() << path << ": cannot be read";
    return {};
  }
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::string> files(std::vector<std::string> const& folders,
                               std::vector<std::string> const& endings) {
  std::vector<std::string> found;
  for (std::string const& folder : folders) {
    fs::path const top = fs::path(project_root()) / folder;
    if (!fs::is_directory(top)) continue;
    for (auto const& entry : fs::recursive_directory_iterator(top)) {
      if (!entry.is_regular_file()) continue;
      std::string path = entry.path().lexically_relative(project_root()).string();
      auto const ends = [&](std::string const& ending) { return path.ends_with(ending); };
      if (std::ranges::any_of(endings, ends)) found.push_back(std::move(path));
    }
  }
  std::ranges::sort(found);
  return found;
}

std::vector<source_file> const& cpp_files() {
  static std::vector<source_file> const all = [] {
    std::vector<source_file> parsed;
    for (std::string const& path :
         files({"include", "src", "cmd", "examples", "tests", "bench", "fuzz"}, {".h", ".cc"})) {
      parsed.push_back(parse(path, read_text(path)));
    }
    return parsed;
  }();
  return all;
}

std::string list(std::vector<violation> const& violations) {
  std::string text;
  for (auto const& v : violations) {
    text += v.line == 0 ? fmt::format("\n  {}: {}", v.path, v.what)
                        : fmt::format("\n  {}:{}: {}", v.path, v.line, v.what);
  }
  return text;
}

}  // namespace vole::house
