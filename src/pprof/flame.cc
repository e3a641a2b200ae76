// SPDX-License-Identifier: Apache-2.0
// No shared state. The page is flame_page.html; here it gets its data, as JSON that cannot end the
// element it stands in.
#include "pprof/flame.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/chrono.h>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "vole/internal/format.h"

#include "pprof/call_tree.h"
#include "pprof/flame_page.h"
#include "pprof/measure.h"

namespace vole::pprof {
namespace {

void append_json(std::string& to, std::string_view text) {
  to += '"';
  for (char const c : text) {
    auto const byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      to += '\\';
      to += c;
    } else if (byte < 0x20 || c == '<' || c == '>' || c == '&') {
      fmt::format_to(std::back_inserter(to), "\\u{:04x}", byte);
    } else {
      to += c;
    }
  }
  to += '"';
}

// Each text of the page once.
class text_table {
 public:
  std::size_t place(std::string_view text) {
    auto const [at, fresh] = places_.try_emplace(text, texts_.size());
    if (fresh) texts_.push_back(text);
    return at->second;
  }
  std::vector<std::string_view> const& texts() const { return texts_; }

 private:
  std::map<std::string_view, std::size_t> places_;
  std::vector<std::string_view> texts_;
};

// push_reversed puts nodes on a stack of those that are to be visited, so that they come in order.
using node_list = std::vector<call_tree_node const*>;
void push_reversed(node_list& to, node_list const& below) {
  to.insert(to.end(), below.rbegin(), below.rend());
}

node_list children_of(call_tree_node const& node) {
  node_list children;
  for (auto const& [name, child] : node.children) children.push_back(child);
  return children;
}

// [name, file, depth, self...] in preorder.
void append_rows(std::string& to, call_tree const& tree, text_table& texts) {
  node_list next;
  push_reversed(next, children_of(tree.root()));
  while (!next.empty()) {
    call_tree_node const& node = *next.back();
    next.pop_back();
    std::size_t const name_place = texts.place(node.name);
    std::size_t const file_place = texts.place(node.file);
    fmt::format_to(std::back_inserter(to), "{}[{},{},{}", to.ends_with('[') ? "" : ",\n",
                   name_place, file_place, node.depth - 1);
    for (std::int64_t const v : node.self) fmt::format_to(std::back_inserter(to), ",{}", v);
    to += ']';
    push_reversed(next, children_of(node));
  }
}

std::string about(parsed_profile const& profile) {
  std::string text;
  auto const add = [&text](std::string const& words) {
    text += (text.empty() ? "" : ", ") + words;
  };
  if (!profile.mappings.empty() && !profile.mappings[0].file.empty()) {
    add(std::string(base_name(profile.mappings[0].file)));
  }
  if (profile.time_ns != 0) {
    std::time_t const seconds = profile.time_ns / 1'000'000'000;
    add(fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(seconds)));
  }
  if (profile.duration_ns != 0) add("over " + auto_measure(profile.duration_ns, "nanoseconds"));
  return text;
}

std::string page_data(parsed_profile const& profile, std::string_view title, std::size_t type,
                      parsed_profile const* base) {
  std::string json = R"({"title":)";
  append_json(json, title);
  json += R"(,"about":)";
  append_json(json, about(profile));
  fmt::format_to(std::back_inserter(json), R"(,"type":{},"diff":{},"types":[)", type,
                 base != nullptr);
  for (std::size_t i = 0; i < profile.types.size(); ++i) {
    json += i == 0 ? R"({"type":)" : R"(,{"type":)";
    append_json(json, profile.types[i].type);
    json += R"(,"unit":)";
    append_json(json, profile.types[i].unit);
    json += '}';
  }
  json += "],\n\"nodes\":[";
  text_table texts;
  append_rows(json, call_tree(profile, base), texts);
  json += "],\n\"texts\":[";
  for (std::size_t i = 0; i < texts.texts().size(); ++i) {
    if (i != 0) json += ',';
    append_json(json, texts.texts()[i]);
  }
  return json + "]}";
}

void append_calls(std::string& to, call_tree const& tree, std::size_t type, std::int64_t whole,
                  std::string_view unit) {
  constexpr std::int64_t smallest_share = 200;  // one in so many
  constexpr std::size_t indented_max = 100;     // deeper ones stand below each other
  std::vector<std::int64_t> const totals = tree.totals(type);
  auto const size = [&](call_tree_node const* node) { return std::abs(totals[node->place]); };
  auto const shown_children = [&](call_tree_node const& node) {
    node_list shown = children_of(node);
    std::erase_if(shown, [&](call_tree_node const* child) {
      return size(child) == 0 || size(child) < whole / smallest_share;
    });
    std::ranges::sort(shown, {}, [&](call_tree_node const* child) {
      return std::pair(-size(child), child->name);
    });
    return shown;
  };
  node_list next;
  push_reversed(next, shown_children(tree.root()));
  while (!next.empty()) {
    call_tree_node const& node = *next.back();
    next.pop_back();
    std::int64_t const total = totals[node.place];
    fmt::format_to(std::back_inserter(to), "{:>10} {}  {:{}}{}\n", auto_measure(total, unit),
                   percentage(total, whole), "", 2 * std::min(node.depth - 1, indented_max),
                   node.name);
    push_reversed(next, shown_children(node));
  }
}

}  // namespace

std::string flame_page(parsed_profile const& profile, std::string_view title, std::size_t type,
                       parsed_profile const* base) {
  constexpr std::string_view place = "VOLE_FLAME_DATA";
  std::size_t const at = flame_page_html.find(place);
  std::string page(flame_page_html.substr(0, at));
  page += page_data(profile, title, type, base);
  page += flame_page_html.substr(at + place.size());
  return page;
}

std::string flame_text(parsed_profile const& profile, std::size_t type) {
  std::int64_t whole = 0;
  for (parsed_sample const& s : profile.samples) whole += std::abs(s.values[type]);
  std::string_view const unit = profile.types[type].unit;
  std::string text = fmt::format("Type: {}, total {}; below each call, what it calls\n",
                                 profile.types[type].type, auto_measure(whole, unit));
  append_calls(text, call_tree(profile, nullptr), type, whole, unit);
  return text;
}

}  // namespace vole::pprof
