// SPDX-License-Identifier: Apache-2.0
// No shared state. The page is flame_page.html; here it gets its data, as JSON that cannot end the
// element it stands in.
#include "pprof/flame.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/chrono.h>
#include <iterator>
#include <map>
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

// [name, file, depth, self...] in preorder.
void append_rows(std::string& to, call_tree_node const& node, std::size_t depth,
                 text_table& texts) {
  for (auto const& [name, child] : node.children) {
    std::size_t const name_place = texts.place(name);
    std::size_t const file_place = texts.place(child->file);
    fmt::format_to(std::back_inserter(to), "{}[{},{},{}", to.ends_with('[') ? "" : ",\n",
                   name_place, file_place, depth);
    for (std::int64_t const v : child->self) fmt::format_to(std::back_inserter(to), ",{}", v);
    to += ']';
    append_rows(to, *child, depth + 1, texts);
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
  call_tree_node const root = call_tree(profile, base);
  append_rows(json, root, 0, texts);
  json += "],\n\"texts\":[";
  for (std::size_t i = 0; i < texts.texts().size(); ++i) {
    if (i != 0) json += ',';
    append_json(json, texts.texts()[i]);
  }
  return json + "]}";
}

struct weighed {
  call_tree_node const* node;
  std::int64_t total;
};

void append_calls(std::string& to, call_tree_node const& node, std::size_t type, std::int64_t whole,
                  std::string_view unit, std::size_t depth) {
  constexpr std::int64_t smallest_share = 200;  // one in so many
  std::vector<weighed> order;
  for (auto const& [name, child] : node.children)
    order.push_back({child.get(), child->total(type)});
  std::sort(order.begin(), order.end(), [](weighed const& a, weighed const& b) {
    std::int64_t const x = std::abs(a.total);
    std::int64_t const y = std::abs(b.total);
    return x != y ? x > y : a.node->name < b.node->name;
  });
  for (auto const& [child, total] : order) {
    if (total == 0 || std::abs(total) < whole / smallest_share) continue;
    fmt::format_to(std::back_inserter(to), "{:>10} {}  {:{}}{}\n", auto_measure(total, unit),
                   percentage(total, whole), "", 2 * depth, child->name);
    append_calls(to, *child, type, whole, unit, depth + 1);
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
  append_calls(text, call_tree(profile, nullptr), type, whole, unit, 0);
  return text;
}

}  // namespace vole::pprof
