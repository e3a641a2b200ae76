// SPDX-License-Identifier: Apache-2.0
#pragma once
// A walk over an error and its causes, depth first, each error before its causes, without
// recursion: a chain may be a million wraps deep. No shared state.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "vole/errors.h"

namespace vole::internal {

// What stands behind the header of each kind of node.
struct wrap_node : error_node {
  wrap_node(std::uint32_t text_size, error_node const* what)
      : error_node(error_kind::wrap, text_size, 1), cause(what) {}

  error_node const* cause;
};

inline std::string_view text_of(error_node const& node) {
  switch (node.kind) {
    case error_kind::sentinel:
      return static_cast<sentinel_node const&>(node).text;
    case error_kind::text:
      return {reinterpret_cast<char const*>(&node + 1), node.size};
    case error_kind::wrap:
      return {reinterpret_cast<char const*>(&static_cast<wrap_node const&>(node) + 1), node.size};
    default:
      return {};
  }
}

// The causes of a join stand behind it, each with a reference of its own.
inline error_node const* const* causes_of(error_node const& node) {
  return reinterpret_cast<error_node const* const*>(&node + 1);
}

inline errors::typed_base const& typed_of(error_node const& node) {
  return node.ops->value(node);
}

// itself is the T that err is, its causes not asked.
template <class T>
T const* itself(error const& err) {
  error_node const* const node = err.node();
  if (node == nullptr || node->kind != error_kind::typed || node->ops != &typed_ops_of<T>) {
    return nullptr;
  }
  return &static_cast<typed_node<T> const*>(node)->value;
}

class error_walk {
 public:
  explicit error_walk(error_node const* start) : node_(start) {}

  error_node const* node() const { return node_; }  // null at the end
  std::size_t depth() const { return depth_; }
  bool more_branches() const { return !pending_.empty(); }

  // descend goes to the causes of the present error; skip passes them by.
  void descend() {
    switch (node_->kind) {
      case error_kind::wrap:
        node_ = static_cast<wrap_node const*>(node_)->cause;
        ++depth_;
        return;
      case error_kind::join:
        for (std::uint32_t i = node_->size; i > 1; --i) {
          pending_.push_back({causes_of(*node_)[i - 1], depth_ + 1});
        }
        node_ = causes_of(*node_)[0];
        ++depth_;
        return;
      case error_kind::typed:
        if (error cause = typed_of(*node_).unwrap()) {
          held_.push_back(std::move(cause));
          node_ = held_.back().node();
          ++depth_;
          return;
        }
        return skip();
      case error_kind::sentinel:
      case error_kind::text:
        return skip();
    }
  }
  void skip() {
    if (pending_.empty()) {
      node_ = nullptr;
      return;
    }
    node_ = pending_.back().node;
    depth_ = pending_.back().depth;
    pending_.pop_back();
  }

 private:
  struct branch {
    error_node const* node;
    std::size_t depth;
  };

  error_node const* node_;
  std::size_t depth_ = 0;
  std::vector<branch> pending_;  // the branches of joins still to be seen
  std::vector<error> held_;      // causes that typed errors gave out by value
};

}  // namespace vole::internal
