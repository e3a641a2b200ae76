// SPDX-License-Identifier: Apache-2.0
// What an error points to: a small immutable node with a reference count.
//
// INVARIANTS
//   - A node is written before its address is published in an error and never after, except refs
//     and, once refs has reached zero and nobody else can see the node, next_dead.
//   - refs with immortal_bit set is never changed again: sentinels and errno errors are such nodes,
//     in static storage. A count that grows into the bit makes its node immortal too: it leaks, it
//     is never freed early.
// LOCKS none.
#pragma once

#include <cstdint>
#include <string_view>

#include "vole/internal/atomic.h"

namespace vole::errors {
struct typed_base;
}

namespace vole::internal {

enum class error_kind : std::uint32_t {
  sentinel,  // sentinel_node; static storage, text is a view
  text,      // a leaf; the text stands behind the node
  join,      // `size` causes, which stand behind the node
  typed,     // typed_node<T>
  // The links, each a cause_node. attrs and stack are notes: they say more about their cause and
  // are no error of their own.
  wrap,   // the text in front of the cause stands behind the node
  attrs,  // `size` attributes and their texts stand behind the node
  stack,  // `size` return addresses stand behind the node, the innermost first
};
constexpr bool is_link(error_kind kind) noexcept {
  return kind >= error_kind::wrap;
}
constexpr bool is_note(error_kind kind) noexcept {
  return kind >= error_kind::attrs;
}

struct error_node;

// typed_ops knows the type that error_node has forgotten; its address is that type's identity.
struct typed_ops {
  errors::typed_base const& (*value)(error_node const& node);
  void (*destroy)(error_node* node);
};

struct error_node {
  static constexpr std::uint32_t immortal_bit = 1U << 31;
  static constexpr std::uint32_t size_max = (1U << 29) - 1;

  constexpr error_node(error_kind node_kind, std::uint32_t node_size, std::uint32_t first_refs)
      : next_dead(nullptr), refs(first_refs), kind(node_kind), size(node_size) {}
  constexpr error_node(typed_ops const* node_ops, std::uint32_t first_refs)
      : ops(node_ops), refs(first_refs), kind(error_kind::typed), size(0) {}

  union {
    typed_ops const* ops;   // kind typed
    error_node* next_dead;  // the other kinds, while a chain is taken down
  };
  mutable atomic<std::uint32_t> refs;
  error_kind kind : 3;
  std::uint32_t size : 29;  // of what stands behind the node: bytes of text, or a number of things
};
static_assert(sizeof(error_node) == 16);

struct sentinel_node : error_node {
  constexpr explicit sentinel_node(std::string_view sentinel_text)
      : error_node(error_kind::sentinel, 0, immortal_bit), text(sentinel_text) {}

  std::string_view text;
};

struct cause_node : error_node {
  constexpr cause_node(error_kind link, std::uint32_t node_size, error_node const* what)
      : error_node(link, node_size, 1), cause(what) {}

  error_node const* cause;
};

// error_retain takes one more reference.
inline void error_retain(error_node const* node) noexcept {
  // relaxed: whoever copies an error already holds a reference, which keeps the node alive and in
  // sight.
  if ((node->refs.load(memory_order_relaxed) & error_node::immortal_bit) == 0) {
    node->refs.fetch_add(1, memory_order_relaxed);
  }
}

// error_release gives one reference back; the last one frees the node and what only it held.
void error_release(error_node const* node) noexcept;

// stack_wish says which errors get a stack when they are made: 0 none, n about one in n.
extern atomic<std::uint32_t> stack_wish;

// wants_stack says whether this new error does.
bool wants_stack_now() noexcept;
inline bool wants_stack() noexcept {
  return stack_wish.load(memory_order_relaxed) != 0 && wants_stack_now();
}

}  // namespace vole::internal
