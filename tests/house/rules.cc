// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <fmt/format.h>
#include <regex>
#include <string>
#include <string_view>
#include <utility>

#include "functions.h"

namespace vole::house {
namespace {

constexpr std::size_t columns_max = 100;
constexpr std::size_t header_lines_max = 400;
constexpr std::size_t source_lines_max = 600;
constexpr std::size_t test_lines_max = 800;
constexpr std::size_t function_lines_max = 70;

bool blank(std::string_view text) {
  return text.find_first_not_of(' ') == std::string_view::npos;
}

// Whether "// tidy: <what>, <reason>" stands in line i or the one above.
bool waived(source_file const& file, std::size_t i, std::string const& what) {
  for (std::size_t const at : {i, i == 0 ? i : i - 1}) {
    std::size_t const found = file.comments[at].find("tidy: " + what + ", ");
    if (found != std::string::npos) return true;
  }
  return false;
}

struct ban {
  char const* what;
  std::regex pattern;
  std::vector<char const*> allowed;  // beginnings and ends of paths
  char const* instead;
};

std::vector<ban> const& bans() {
  static std::vector<char const*> const below = {"src/runtime/", "src/base/"};
  static std::vector<ban> const all = {
      {"std::mutex",
       std::regex(R"(\bstd::(recursive_|shared_|timed_)*mutex\b|\bpthread_(mutex|rwlock)_)"), below,
       "sync::mutex"},
      {"std::condition_variable", std::regex(R"(\bstd::condition_variable|\bpthread_cond_)"), below,
       "sync::cond or a channel"},
      // Tests prove that plain threads may use the primitives.
      {"std::thread",
       std::regex(R"(\bstd::j?thread\b|\bpthread_create\b)"),
       {"src/runtime/", "src/base/", "_test.cc"},
       "go()"},
      {"thread_local", std::regex(R"(\bthread_local\b|\b__thread\b)"), below,
       "a value in the context"},
      {"std::async", std::regex(R"(\bstd::(async|future|promise|packaged_task|shared_future)\b)"),
       below, "task<T>"},
      {"std::semaphore",
       std::regex(
           R"(\bstd::(counting_semaphore|binary_semaphore|latch|barrier|call_once|once_flag)\b)"),
       below, "sync::"},
      {"sleep",
       std::regex(
           R"((^|[^\w:])::sleep\s*\(|\bsleep\s*\(\s*\d+\s*\)|\b(u|nano|clock_nano)sleep\s*\()"
           R"(|\bthis_thread::(sleep_|yield))"),
       below, "time::sleep"},
      {"std::atomic",
       std::regex(R"(\bstd::(atomic|memory_order)|\b__atomic_\w+|\b__sync_\w+)"),
       {"src/base/", "include/vole/internal/atomic.h"},
       "internal::atomic"},
      // GoogleTest keeps its traces per thread, and a goroutine may go on on another.
      {"SCOPED_TRACE",
       std::regex(R"(\bSCOPED_TRACE\b)"),
       {"tests/house/"},
       "words behind << at the expectation"},
      // In a test the closure ends before the test does: the leak check sees to that.
      {"[=]", std::regex(R"(\[=[,\]])"), {"_test.cc", "_bench.cc"}, "captures spelled out"},
  };
  return all;
}

// Most lines hold nothing that any ban could match: a cheap look spares them the patterns.
bool suspicious(std::string const& line) {
  static std::vector<std::string_view> const signs = {
      "mutex", "thread", "async",  "future", "promise", "task", "semaphore", "latch", "barrier",
      "once",  "sleep",  "atomic", "order",  "cond",    "__",   "[=",        "TRACE"};
  return std::ranges::any_of(signs, [&](auto sign) { return line.find(sign) != line.npos; });
}

bool allowed_in(ban const& b, source_file const& file) {
  return std::ranges::any_of(
      b.allowed, [&](char const* part) { return file.in(part) || file.path.ends_with(part); });
}

// Whether a comment in line i, or in the lines above it up to a blank one, names a partner.
bool names_partner(source_file const& file, std::size_t i) {
  constexpr std::size_t lines_above = 6;
  for (std::size_t up = 0; up <= lines_above && up <= i; ++up) {
    if (up > 0 && blank(file.lines[i - up])) return false;
    if (file.comments[i - up].find("pairs with") != std::string::npos) return true;
  }
  return false;
}

// The end of the parentheses that open at `from`, one past the closing one; npos when they do not
// close.
std::size_t after_parentheses(std::string const& text, std::size_t from) {
  std::size_t depth = 0;
  for (std::size_t i = from; i < text.size(); ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')' && --depth == 0) return i + 1;
  }
  return std::string::npos;
}

// What stands between the last end of a statement and `at`, without a leading "if (...)", "else" or
// label.
std::string statement_before(std::string const& text, std::size_t at) {
  std::size_t from = text.find_last_of(";{}", at == 0 ? 0 : at - 1);
  from = from == std::string::npos ? 0 : from + 1;
  // A for loop's semicolons do not end a statement; its head has an open parenthesis, which the
  // caller refuses.
  std::string head = text.substr(from, at - from);
  static std::regex const prefix(
      R"(^\s*(else\b|do\b|case\s[^:]*:(?!:)|default\s*:|(if|while|for)\b(\s+constexpr)?\s*\())");
  for (std::smatch match; std::regex_search(head, match, prefix);) {
    std::size_t end = static_cast<std::size_t>(match.length());
    if (head[end - 1] == '(') end = after_parentheses(head, end - 1);
    if (end == std::string::npos) break;
    head.erase(0, end);
  }
  return head;
}

}  // namespace

std::vector<violation> missing_spdx(source_file const& file) {
  if (!file.lines.empty() && file.lines[0] == "// SPDX-License-Identifier: Apache-2.0") return {};
  return {{file.path, 1, "the first line is \"// SPDX-License-Identifier: Apache-2.0\""}};
}

std::vector<violation> missing_pragma_once(source_file const& file) {
  if (!file.is_header() || std::ranges::count(file.lines, "#pragma once") == 1) return {};
  return {{file.path, 0, "a header has #pragma once"}};
}

std::vector<violation> wide_lines(source_file const& file) {
  std::vector<violation> bad;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    auto const starts_character = [](char c) {
      return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    };
    auto const columns =
        static_cast<std::size_t>(std::ranges::count_if(file.lines[i], starts_character));
    // An address in a comment cannot be broken.
    bool const address = file.comments[i].find("https://") != std::string::npos;
    if (columns > columns_max && !address)
      bad.push_back({file.path, i + 1, fmt::format("{} columns", columns)});
  }
  return bad;
}

std::vector<violation> untidy_blanks(source_file const& file) {
  std::vector<violation> bad;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    if (file.lines[i].ends_with(' ')) bad.push_back({file.path, i + 1, "blanks at the end"});
    if (file.lines[i].find_first_of("\t\r") != std::string::npos)
      bad.push_back({file.path, i + 1, "a tab or \\r"});
  }
  return bad;
}

std::vector<violation> long_file(source_file const& file) {
  std::size_t max = source_lines_max;
  if (file.is_header()) max = header_lines_max;
  if (file.is_test()) max = test_lines_max;
  if (file.lines.size() <= max) return {};
  return {{file.path, 0, fmt::format("{} lines, {} at most", file.lines.size(), max)}};
}

std::vector<violation> long_functions(source_file const& file) {
  std::vector<violation> bad;
  for (auto const& body : functions_of(file)) {
    std::size_t const lines = body.last_line - body.first_line + 1;
    if (lines <= function_lines_max) continue;
    bool excused = false;
    // The waiver stands above the function's head or in its first line.
    for (std::size_t i = body.first_line; i > 0 && i + 8 > body.first_line; --i) {
      excused = excused || waived(file, i - 1, "long function");
    }
    if (!excused) {
      bad.push_back({file.path, body.first_line,
                     fmt::format("a function of {} lines, {} at most", lines, function_lines_max)});
    }
  }
  return bad;
}

std::vector<violation> banned_words(source_file const& file) {
  std::vector<violation> bad;
  for (std::size_t i = 0; i < file.code.size(); ++i) {
    std::string const& line = file.code[i];
    if (!suspicious(line)) continue;
    for (ban const& b : bans()) {
      if (allowed_in(b, file) || !std::regex_search(line, b.pattern) || waived(file, i, b.what)) {
        continue;
      }
      bad.push_back({file.path, i + 1, fmt::format("{}: use {}", b.what, b.instead)});
    }
  }
  return bad;
}

std::vector<violation> thrown_exceptions(source_file const& file) {
  static std::regex const word(R"(\bthrow\b(?!\s*;))");
  std::vector<violation> bad;
  if (file.is_beside() || !(file.in("src/") || file.in("include/"))) return bad;
  for (std::size_t i = 0; i < file.code.size(); ++i) {
    bool const has_it = file.code[i].find("throw") != std::string::npos;
    if (has_it && std::regex_search(file.code[i], word) && !waived(file, i, "throw")) {
      bad.push_back({file.path, i + 1, "throw: return an error"});
    }
  }
  return bad;
}

std::vector<violation> unfinished_work(source_file const& file) {
  static std::regex const words(
      "\\b(FIX"
      "ME|TO"
      "DO|X"
      "XX|HA"
      "CK)\\b");
  std::vector<violation> bad;
  for (std::size_t i = 0; i < file.comments.size(); ++i) {
    if (std::regex_search(file.comments[i], words))
      bad.push_back({file.path, i + 1, "unfinished work"});
  }
  return bad;
}

std::vector<violation> unpartnered_orders(source_file const& file) {
  static std::regex const order(
      R"(^(?!\s*using\b).*\bmemory_order(_|::)(acquire|release|acq_rel|seq_cst|consume)\b)");
  std::vector<violation> bad;
  if (file.path == "include/vole/internal/atomic.h") return bad;  // declares them
  for (std::size_t i = 0; i < file.code.size(); ++i) {
    bool const ordered = file.code[i].find("memory_order") != std::string::npos &&
                         std::regex_search(file.code[i], order);
    if (ordered && !names_partner(file, i)) {
      bad.push_back({file.path, i + 1, "an ordering that does not say what it \"pairs with\""});
    }
  }
  return bad;
}

std::vector<violation> using_namespace_in_header(source_file const& file) {
  std::vector<violation> bad;
  if (!file.is_header()) return bad;
  static std::regex const words(R"(\busing\s+namespace\b)");
  for (std::size_t i = 0; i < file.code.size(); ++i) {
    if (file.code[i].find("using") == std::string::npos) continue;
    if (std::regex_search(file.code[i], words)) {
      bad.push_back({file.path, i + 1, "using namespace in a header"});
    }
  }
  return bad;
}

std::vector<violation> unsaid_contexts(source_file const& file) {
  // A fixture lives as long as its test.
  if (file.is_beside() || file.is_test() || file.in("bench/")) return {};
  static std::regex const member(
      R"(^\s*((mutable|static|inline|const)\s+)*([\w:]+<\s*)?(vole::)?context(\s+const)?\s*[>&*]*)"
      R"((\s+const)?\s+\w+\s*(=[^;]*|\{[^;]*\})?;)");
  std::vector<function_body> bodies;
  bool read = false;
  std::vector<violation> bad;
  for (std::size_t i = 0; i < file.code.size(); ++i) {
    if (file.code[i].find("context") == std::string::npos) continue;
    if (!std::regex_search(file.code[i], member) || waived(file, i, "stored context")) continue;
    // The last line of a declaration's parameters.
    if (std::ranges::count(file.code[i], ')') > std::ranges::count(file.code[i], '(')) continue;
    if (!std::exchange(read, true)) bodies = functions_of(file);
    bool const local = std::ranges::any_of(bodies, [&](function_body const& body) {
      return body.first_line < i + 1 && i + 1 <= body.last_line;
    });
    if (!local) {
      bad.push_back({file.path, i + 1, "a context is kept in a member: say so by context::stored"});
    }
  }
  return bad;
}

std::vector<violation> try_in_expression(source_file const& file) {
  static std::regex const statement(R"(\s*)");
  static std::regex const initializer(R"([^(]*[^=!<>(]=\s*)");
  std::vector<violation> bad;
  std::string text;
  for (auto const& line : file.code) {
    bool const directive =
        line.find_first_not_of(' ') != line.npos && line[line.find_first_not_of(' ')] == '#';
    text += directive ? std::string(line.size(), ' ') : line;
    text += '\n';
  }
  constexpr std::string_view macro = "VOLE_TRY(";
  for (std::size_t at = text.find(macro); at != std::string::npos; at = text.find(macro, at + 1)) {
    std::size_t const end = after_parentheses(text, at + macro.size() - 1);
    std::size_t const next = end == std::string::npos ? end : text.find_first_not_of(" \n", end);
    bool const ends = next != std::string::npos && text[next] == ';';
    std::string const before = statement_before(text, at);
    if (ends && (std::regex_match(before, statement) || std::regex_match(before, initializer)))
      continue;
    auto const line = static_cast<std::size_t>(
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
    bad.push_back({file.path, line + 1, "VOLE_TRY is a whole statement or a whole initializer"});
  }
  return bad;
}

}  // namespace vole::house
