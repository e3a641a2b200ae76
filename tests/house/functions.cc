// SPDX-License-Identifier: Apache-2.0
#include "functions.h"

#include <cctype>
#include <regex>
#include <string>

namespace vole::house {
namespace {

enum class scope {
  open,
  function,
  other
};  // open: a namespace or type, whose functions are looked at

// What the brace after `head` opens; head is the code since the last ';', '{' or '}' of the same
// scope.
scope scope_after(std::string head) {
  static std::regex const templates(
      R"(template\s*<[^{}]*?>\s*(?=\b(class|struct|union|requires|\w)))");
  static std::regex const access(R"(\b(public|private|protected)\s*:(?!:))");
  static std::regex const open(R"(^\s*((inline|typedef|static|constexpr)\s+)*)"
                               R"(((namespace|class|struct|union)\b|extern\s*"\s*"))");
  static std::regex const other(
      R"(^\s*(enum\b|concept\b|using\b)|(^|[^=!<>+\-*/&|^])=\s*$|\breturn\s*$)");
  head = std::regex_replace(head, access, "");
  head = std::regex_replace(head, templates, "");
  if (std::regex_search(head, other)) return scope::other;
  bool const is_open = std::regex_search(head, open);
  // "struct x f() {" is a function, "struct [[nodiscard]] x : y<decltype(z)> {" is none.
  static std::regex const call(R"(\)\s*(const|noexcept|override|final|mutable|&|->|try|:[^:]|$))");
  static std::regex const attribute(
      R"(\[\[[^\]]*\]\]|__attribute__\s*\(\(.*?\)\)|alignas\s*\([^)]*\)|VOLE_\w+\s*\("\s*"\))");
  std::string const bare = std::regex_replace(head, attribute, "");
  if (is_open && !std::regex_search(bare, call)) return scope::open;
  return bare.find('(') != std::string::npos ? scope::function : scope::other;
}

// Whether the brace after `head` belongs to a member initializer, as in "x::x() : a_{1} {".
bool in_initializer_list(std::string const& head) {
  static std::regex const list(
      R"(\)[\w\s&()]*:[^:].*[\w>]\s*$|\)[\w\s&()]*:[^:].*,\s*[\w:<>]+\s*$)");
  static std::regex const keyword(R"(\b(const|noexcept|override|final|mutable|try)\s*$)");
  return std::regex_search(head, list) && !std::regex_search(head, keyword);
}

class scanner {
 public:
  std::vector<function_body> run(source_file const& file) {
    bool directive = false;
    for (std::size_t i = 0; i < file.code.size(); ++i) {
      std::string const& line = file.code[i];
      // Preprocessor lines, with those that they continue on.
      bool const starts_directive =
          line.find_first_not_of(' ') != line.npos && line[line.find_first_not_of(' ')] == '#';
      directive = directive || starts_directive;
      if (!directive) {
        for (char const c : line) take(c, i + 1);
        take(' ', i + 1);
      }
      if (!line.ends_with('\\')) directive = false;
    }
    return std::move(found_);
  }

 private:
  void take(char c, std::size_t line) {
    if (ignored_braces_ > 0) {
      if (c == '{') ++ignored_braces_;
      if (c == '}') --ignored_braces_;
      if (ignored_braces_ == 0) head_ += "()";  // stands for the braces of a member's initializer
      return;
    }
    if (c == '(') ++parentheses_;
    if (c == ')' && parentheses_ > 0) --parentheses_;
    if (c == '{') {
      open_brace(line);
    } else if (c == '}') {
      close_brace(line);
    } else if (c == ';' && parentheses_ == 0) {
      head_.clear();
    } else {
      head_ += c;
    }
  }

  void open_brace(std::size_t line) {
    bool const inside = !scopes_.empty() && scopes_.back() != scope::open;
    // An argument's or an initializer's braces.
    if (!inside && (parentheses_ > 0 || in_initializer_list(head_))) {
      ignored_braces_ = 1;
      return;
    }
    scope const opened = inside ? scope::other : scope_after(head_);
    if (opened == scope::function) started_ = line;
    scopes_.push_back(opened);
    head_.clear();
  }

  void close_brace(std::size_t line) {
    if (scopes_.empty()) return;
    if (scopes_.back() == scope::function) found_.push_back({started_, line});
    scopes_.pop_back();
    head_.clear();
    if (scopes_.empty() || scopes_.back() == scope::open) parentheses_ = 0;
  }

  std::vector<scope> scopes_;
  std::string head_;
  std::size_t parentheses_ = 0;
  std::size_t ignored_braces_ = 0;
  std::size_t started_ = 0;
  std::vector<function_body> found_;
};

}  // namespace

std::vector<function_body> functions_of(source_file const& file) {
  return scanner().run(file);
}

}  // namespace vole::house
