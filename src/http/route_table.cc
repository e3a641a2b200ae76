// SPDX-License-Identifier: Apache-2.0
#include "http/route_table.h"

#include <algorithm>
#include <set>

#include "http/scan.h"
#include "http/url.h"

namespace vole::http::internal {

using kind = pattern_segment::kind;

// walk matches one path against one tree.
struct route_table::walk {
  route_values& values;
  vole::internal::text_arena& arena;

  // decode undoes the percent-coding of a segment. A malformed one, which the server has refused
  // long before, stays as it is.
  std::string_view decode(std::string_view raw) { return decode_path(raw, arena).value_or(raw); }

  // path: what follows the segments that led to `at`, with its slash, or nothing.
  route_entry const* match(node const& at, std::string_view path) {
    if (path.empty()) return at.here;
    if (path == "/" && at.end != nullptr) return at.end;
    if (route_entry const* found = match_segment(at, path)) return found;
    bool const named = at.rest != nullptr && !at.rest->route.segments.back().text.empty();
    if (named) values.emplace_back(std::string_view(), decode(path.substr(1)));
    return at.rest;
  }

  route_entry const* match_segment(node const& at, std::string_view path) {
    std::string_view const raw = path.substr(1, path.find('/', 1) - 1);
    if (raw.empty()) return nullptr;
    std::string_view const behind = path.substr(1 + raw.size());
    std::string_view const segment = decode(raw);
    for (auto const& [text, child] : at.literals) {
      if (text != segment) continue;
      if (route_entry const* found = match(*child, behind)) return found;
      break;
    }
    if (at.single == nullptr) return nullptr;
    std::size_t const kept = values.size();
    values.emplace_back(std::string_view(), segment);
    if (route_entry const* found = match(*at.single, behind)) return found;
    values.resize(kept);
    return nullptr;
  }
};

error route_table::add(std::string_view pattern_text, http::handler run) {
  auto parsed = parse_pattern(pattern_text);
  if (!parsed) return parsed.error();
  if (!run) return errors::make("pattern \"{}\": the handler is empty", pattern_text);
  for (auto const& entry : entries_) {
    if (error err = check_conflict(*parsed, entry->route)) return err;
  }
  entries_.push_back(
      std::make_unique<route_entry>(route_entry{*std::move(parsed), std::move(run)}));
  route_entry const& entry = *entries_.back();

  auto host = std::ranges::find(hosts_, entry.route.host, &host_routes::host);
  if (host == hosts_.end()) {
    host = hosts_.insert(hosts_.end(), std::make_unique<host_routes>());
    (*host)->host = entry.route.host;
  }
  auto& methods = (*host)->methods;
  auto tree = std::ranges::find(methods, entry.route.method, &method_tree::method);
  if (tree == methods.end()) {
    tree = methods.insert(methods.end(), std::make_unique<method_tree>());
    (*tree)->method = entry.route.method;
  }
  attach((*tree)->root, entry);
  return nullptr;
}

void route_table::attach(node& root, route_entry const& entry) {
  node* at = &root;
  for (auto const& segment : entry.route.segments) {
    switch (segment.what) {
      case kind::end:
        at->end = &entry;
        return;
      case kind::rest:
        at->rest = &entry;
        return;
      case kind::single:
        if (at->single == nullptr) at->single = std::make_unique<node>();
        at = at->single.get();
        break;
      case kind::literal: {
        auto child = std::ranges::find(at->literals, segment.text,
                                       [](auto const& pair) -> auto& { return pair.first; });
        if (child == at->literals.end()) {
          child = at->literals.emplace(child, segment.text, std::make_unique<node>());
        }
        at = child->second.get();
        break;
      }
    }
  }
  at->here = &entry;
}

route_table::node const* route_table::host_routes::find(std::string_view method) const {
  for (auto const& tree : methods) {
    if (tree->method == method) return &tree->root;
  }
  return nullptr;
}

route_table::host_routes const* route_table::find_host(std::string_view host) const {
  for (auto const& routes : hosts_) {
    if (equal_fold(routes->host, host)) return routes.get();
  }
  return nullptr;
}

route_entry const* route_table::match(std::string_view host, std::string_view method,
                                      std::string_view raw_path, route_values& values,
                                      vole::internal::text_arena& arena) const {
  walk walker{values, arena};
  // Most specific first: this host before any, this method before GET for HEAD before any.
  for (std::string_view const wanted_host : {host, std::string_view()}) {
    host_routes const* routes = find_host(wanted_host);
    if (routes != nullptr) {
      for (std::string_view const wanted : {method, std::string_view("GET"), std::string_view()}) {
        if (wanted == "GET" && method != "GET" && method != "HEAD") continue;
        node const* root = routes->find(wanted);
        if (root == nullptr) continue;
        values.clear();
        if (route_entry const* found = walker.match(*root, raw_path)) return found;
      }
    }
    if (host.empty()) break;
  }
  values.clear();
  return nullptr;
}

std::string route_table::allowed(std::string_view host, std::string_view raw_path) const {
  std::set<std::string_view> methods;
  route_values values;
  vole::internal::text_arena arena;
  walk walker{values, arena};
  auto const collect = [&](host_routes const* routes, std::string_view path) {
    if (routes == nullptr) return;
    for (auto const& tree : routes->methods) {
      if (!tree->method.empty() && walker.match(tree->root, path)) methods.insert(tree->method);
    }
  };
  std::string const with_slash = std::string(raw_path) + "/";
  for (std::string_view const path : {raw_path, std::string_view(with_slash)}) {
    if (path != raw_path && raw_path.ends_with('/')) continue;
    if (!host.empty()) collect(find_host(host), path);
    collect(find_host(""), path);
  }
  if (methods.contains("GET")) methods.insert("HEAD");
  std::string list;
  for (std::string_view const method : methods) {
    if (!list.empty()) list += ", ";
    list += method;
  }
  return list;
}

}  // namespace vole::http::internal
