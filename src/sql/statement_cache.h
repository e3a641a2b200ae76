// SPDX-License-Identifier: Apache-2.0
#pragma once
// Prepared statements of one connection, by text, least recently used first out. No shared state:
// it belongs to whoever holds the connection.

#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace vole::internal {

template <class V>
class statement_cache {
 public:
  explicit statement_cache(std::size_t max) : max_(max == 0 ? 1 : max) {}

  // find returns the statement and makes it the most recently used one; null: not there.
  V* find(std::string_view text) {
    auto const at = index_.find(text);
    if (at == index_.end()) return nullptr;
    order_.splice(order_.begin(), order_, at->second);
    return &at->second->value;
  }

  // insert adds a statement that is not there. Pointers to others stay good.
  V* insert(std::string_view text, V value) {
    order_.push_front({std::string(text), std::move(value)});
    index_.emplace(order_.front().text, order_.begin());
    return &order_.front().value;
  }

  bool full() const { return order_.size() >= max_; }

  // evict takes out the least recently used statement.
  std::optional<V> evict() {
    if (order_.empty()) return std::nullopt;
    std::optional<V> out(std::move(order_.back().value));
    index_.erase(order_.back().text);
    order_.pop_back();
    return out;
  }

  std::optional<V> erase(std::string_view text) {
    auto const at = index_.find(text);
    if (at == index_.end()) return std::nullopt;
    auto const node = at->second;
    std::optional<V> out(std::move(node->value));
    index_.erase(at);
    order_.erase(node);
    return out;
  }

  std::size_t size() const { return order_.size(); }

 private:
  struct node {
    std::string text;
    V value;
  };

  std::size_t const max_;
  std::list<node> order_;  // most recently used first
  std::unordered_map<std::string_view, typename std::list<node>::iterator> index_;
};

}  // namespace vole::internal
