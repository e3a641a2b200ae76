// SPDX-License-Identifier: Apache-2.0
// Errors as text: the chain in one line, and the tree. No shared state.
#include <algorithm>
#include <fmt/chrono.h>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "vole/attr.h"
#include "vole/errors.h"
#include "vole/internal/format.h"

#include "errors/attrs.h"
#include "errors/stack.h"
#include "errors/walk.h"

namespace vole {
namespace internal {
namespace {

constexpr std::string_view no_error_text = "no error";
constexpr std::size_t tree_depth_max = 32;  // deeper errors are indented no further

bool is_bare_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '{' && c != '}' && c != '\\';
  });
}

void append_duration(std::string& to, std::chrono::nanoseconds d) {
  auto out = std::back_inserter(to);
  auto const ns = d.count();
  if (ns % 1'000'000'000 == 0) {
    fmt::format_to(out, "{}s", ns / 1'000'000'000);
  } else if (ns % 1'000'000 == 0) {
    fmt::format_to(out, "{}ms", ns / 1'000'000);
  } else if (ns % 1'000 == 0) {
    fmt::format_to(out, "{}us", ns / 1'000);
  } else {
    fmt::format_to(out, "{}ns", ns);
  }
}

void append_value(std::string& to, attr_value const& v) {
  auto out = std::back_inserter(to);
  switch (v.kind()) {
    case attr_value::kind::boolean:
      to.append(v.as_bool() ? "true" : "false");
      return;
    case attr_value::kind::int64:
      fmt::format_to(out, "{}", v.as_int64());
      return;
    case attr_value::kind::uint64:
      fmt::format_to(out, "{}", v.as_uint64());
      return;
    case attr_value::kind::float64:
      fmt::format_to(out, "{}", v.as_float64());
      return;
    case attr_value::kind::duration:
      return append_duration(to, v.as_duration());
    case attr_value::kind::time:
      fmt::format_to(out, "{:%FT%TZ}", fmt::gmtime(v.as_time().count() / 1'000'000'000));
      return;
    case attr_value::kind::text:
      if (is_bare_word(v.as_text())) {
        to.append(v.as_text());
      } else {
        fmt::format_to(out, "{:?}", v.as_text());
      }
      return;
    default:
      to.append("null");  // errors, groups and printed things have been made texts when stored
      return;
  }
}

// own_text is what node says itself: a typed error's message without its cause's, which follows.
std::string own_text(error_node const& node) {
  if (node.kind == error_kind::join) return fmt::format("{} errors", node.size);
  if (node.kind != error_kind::typed) return std::string(text_of(node));
  errors::typed_base const& typed = typed_of(node);
  std::string text = typed.message();
  if (error const cause = typed.unwrap()) {
    std::string const tail = ": " + cause.message();
    if (text.size() > tail.size() && text.ends_with(tail)) text.resize(text.size() - tail.size());
  }
  return text;
}

class tree_printer {
 public:
  std::string print(error_node const* from) {
    for (error_walk at(from); at.node() != nullptr; at.descend()) {
      error_node const& node = *at.node();
      if (is_note(node.kind)) {
        notes_.push_back(&node);  // its line comes when its error does
      } else {
        put_line(node, 2 * std::min(at.depth(), tree_depth_max));
      }
    }
    return std::move(text_);
  }

 private:
  void put_line(error_node const& node, std::size_t indent) {
    if (!text_.empty()) text_.push_back('\n');
    text_.append(indent, ' ').append(own_text(node));
    put_attrs();
    for (error_node const* const note : notes_) {
      if (note->kind == error_kind::stack) put_stack(*note, indent + 4);
    }
    notes_.clear();
  }
  void put_attrs() {
    char before = '{';
    for (error_node const* const note : notes_) {
      if (note->kind != error_kind::attrs) continue;
      for (attr const& a : stored_attrs(*note)) {
        if (before == '{') text_.push_back(' ');
        text_.push_back(std::exchange(before, ' '));
        text_.append(a.key).push_back('=');
        append_value(text_, a.value);
      }
    }
    if (before != '{') text_.push_back('}');
  }
  void put_stack(error_node const& note, std::size_t indent) {
    for (std::string const& frame : frames_of(pcs_of(note))) {
      text_.append("\n").append(indent, ' ').append("at ").append(frame);
    }
  }

  std::string text_;
  std::vector<error_node const*> notes_;  // of the error that comes next
};

}  // namespace
}  // namespace internal

std::string error::message() const {
  using internal::error_kind;
  if (node_ == nullptr) return std::string(internal::no_error_text);
  std::string text;
  for (internal::error_walk at(node_); at.node() != nullptr;) {
    internal::error_node const& node = *at.node();
    if (node.kind == error_kind::join || is_link(node.kind)) {
      if (node.kind == error_kind::wrap) text.append(internal::text_of(node)).append(": ");
      at.descend();
      continue;
    }
    // A typed error tells its causes itself.
    if (node.kind == error_kind::typed) {
      text.append(internal::typed_of(node).message());
    } else {
      text.append(internal::text_of(node));
    }
    if (at.more_branches()) text.append("; ");
    at.skip();
  }
  return text;
}

std::string error::tree() const {
  if (node_ == nullptr) return std::string(internal::no_error_text);
  return internal::tree_printer().print(node_);
}

}  // namespace vole
