// SPDX-License-Identifier: Apache-2.0
#pragma once
// The parts of an error, and a walk over it and its causes: depth first, each error before its
// causes, without recursion, since a chain may be a million wraps deep. No shared state.

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "vole/errors.h"

namespace vole::internal {

inline error_node const* cause_of(error_node const& link) {
  return static_cast<cause_node const&>(link).cause;
}

// bare is the error behind its notes.
inline error_node const* bare(error_node const* node) {
  while (node != nullptr && is_note(node->kind)) node = cause_of(*node);
  return node;
}

// share is one more reference to node, as an error.
inline error share(error_node const* node) {
  if (node != nullptr) error_retain(node);
  return error::adopt(node);
}

// make_node allocates Node and tail_bytes behind it.
template <class Node, class... A>
Node* make_node(std::size_t tail_bytes, A&&... args) {
  void* const memory = ::operator new(sizeof(Node) + tail_bytes);
  return ::new (memory) Node(std::forward<A>(args)...);
}

// What stands behind the header of each kind of node.
inline void* behind(error_node* node) {
  return node + 1;
}
inline void* behind(cause_node* link) {
  return link + 1;
}
inline void const* behind_link(error_node const& link) {
  return &static_cast<cause_node const&>(link) + 1;
}

inline std::span<std::uintptr_t const> pcs_of(error_node const& stack) {
  return {static_cast<std::uintptr_t const*>(behind_link(stack)), stack.size};
}

inline std::string_view text_of(error_node const& node) {
  switch (node.kind) {
    case error_kind::sentinel:
      return static_cast<sentinel_node const&>(node).text;
    case error_kind::text:
      return {reinterpret_cast<char const*>(&node + 1), node.size};
    case error_kind::wrap:
      return {static_cast<char const*>(behind_link(node)), node.size};
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
  error_node const* const node = bare(err.node());
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

  // descend goes to the causes of the present error, from a note to what it says more about; skip
  // passes them by.
  void descend() {
    switch (node_->kind) {
      case error_kind::wrap:
        ++depth_;
        [[fallthrough]];
      case error_kind::attrs:
      case error_kind::stack:
        node_ = cause_of(*node_);
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
