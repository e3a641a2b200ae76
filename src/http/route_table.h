// SPDX-License-Identifier: Apache-2.0
// The routing tree: host, then method, then the path segment by segment. Since conflicting patterns
// are refused, the first match in the order literal, {x}, {x...} is the most specific one.
//
// INVARIANTS
//  - Built by add() before serving; afterwards only read, by any number of goroutines. No locks.
//  - Every entry hangs in exactly one node.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vole/errors.h"
#include "vole/http/message.h"

#include "http/message_access.h"
#include "http/pattern.h"

namespace vole::http::internal {

struct route_entry {
  pattern route;
  http::handler run;
};

// Values of wildcards, in the order of the pattern.
using route_values = message_access::path_values_type;

class route_table {
 public:
  error add(std::string_view pattern_text, http::handler run);

  // match finds the entry for a request; null: none. host: without port. raw_path: clean, still
  // percent-encoded. Decoded values go into `arena`.
  route_entry const* match(std::string_view host, std::string_view method,
                           std::string_view raw_path, route_values& values,
                           vole::internal::text_arena& arena) const;

  // allowed lists the methods that match host and path, sorted: "GET, HEAD, POST"; "" for none.
  std::string allowed(std::string_view host, std::string_view raw_path) const;

 private:
  struct node {
    std::vector<std::pair<std::string, std::unique_ptr<node>>> literals;
    std::unique_ptr<node> single;
    route_entry const* here = nullptr;  // a pattern ends with this segment
    route_entry const* end = nullptr;   // ... with {$} behind it
    route_entry const* rest = nullptr;  // ... with {x...} or a slash behind it
  };
  struct method_tree {
    std::string method;
    node root;
  };
  struct host_routes {
    std::string host;
    std::vector<std::unique_ptr<method_tree>> methods;
    node const* find(std::string_view method) const;
  };
  struct walk;

  static void attach(node& root, route_entry const& entry);
  host_routes const* find_host(std::string_view host) const;

  std::vector<std::unique_ptr<route_entry>> entries_;
  std::vector<std::unique_ptr<host_routes>> hosts_;
};

}  // namespace vole::http::internal
