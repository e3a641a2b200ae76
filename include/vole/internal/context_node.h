// SPDX-License-Identifier: Apache-2.0
// What a context points to: an immutable chain of reference-counted nodes. Users see only
// vole/context.h.
//
// INVARIANTS
//   - A node is written before its address is published in a context; of a value node nothing
//   changes after
//     but refs. What changes in a cancel node stands in src/context/cancel_node.h.
//   - parent is a reference; canceler and values point into the parent chain (or to the node
//   itself), which
//     that reference keeps alive.
//   - Null stands for the background context.
// LOCKS none.
#pragma once

#include <cstdint>
#include <utility>

#include "vole/internal/atomic.h"

namespace vole {
enum class scheduling_class : std::uint8_t;  // see vole/go.h
}

namespace vole::internal {

struct cancel_node;
struct value_node;

enum class context_kind : std::uint8_t {
  cancel,          // cancel_node: may end by a cancel, by its deadline or with its parent
  value,           // value_node
  without_cancel,  // keeps its parent's values and drops its end
};

struct context_node {
  context_node(context_kind node_kind, context_node* node_parent) noexcept
      : kind(node_kind), parent(node_parent) {}

  atomic<std::uint32_t> refs{1};
  context_kind const kind;
  atomic<std::uint8_t> state{0};    // a cancel node's; here, where it takes no room
  context_node* const parent;       // counted; null: background
  cancel_node* canceler = nullptr;  // nearest at or above: who ends this context; null: never ends
  value_node* values = nullptr;     // nearest at or above: where a look-up starts
};

struct value_node : context_node {
  using destroy_function = void (*)(value_node*);

  value_node(context_node* node_parent, void const* node_key,
             destroy_function node_destroy) noexcept
      : context_node(context_kind::value, node_parent), key(node_key), destroy(node_destroy) {}

  void const* const key;
  destroy_function const destroy;
  void const* value = nullptr;
  value_node const* outer = nullptr;  // the next one above: where a look-up goes on
};

// The address of a key's tag is its identity.
template <class Key>
inline constexpr char context_key_tag = 0;

template <class Key>
struct typed_value_node : value_node {
  typed_value_node(context_node* node_parent, typename Key::value_type&& held)
      : value_node(node_parent, &context_key_tag<Key>,
                   [](value_node* node) { delete static_cast<typed_value_node*>(node); }),
        data(std::move(held)) {
    value = &data;
  }

  typename Key::value_type const data;
};

inline void context_retain(context_node* node) noexcept {
  // relaxed, no partner: whoever copies a context holds a reference already, which keeps the node
  // alive.
  if (node != nullptr) node->refs.fetch_add(1, memory_order_relaxed);
}

// context_release gives one reference back; the last one frees the node and what only it held, in a
// loop.
void context_release(context_node* node) noexcept;

// context_link_value completes a new value node: fills what it inherits and takes the reference on
// its parent.
void context_link_value(value_node* node) noexcept;

// A function to be run once, when a context ends.
struct after_func_node {
  using function = void (*)(after_func_node*);

  explicit after_func_node(function node_run, function node_destroy) noexcept
      : run(node_run), destroy(node_destroy) {}

  atomic<std::uint32_t> refs{1};
  function const run;
  function const destroy;
  scheduling_class scheduling{};  // of who asked
  bool linked = false;  // guarded by the lock of the cancel node it waits for, as are the links
  after_func_node* previous = nullptr;
  after_func_node* next = nullptr;
};

template <class Fn>
struct typed_after_func_node : after_func_node {
  template <class F>
  explicit typed_after_func_node(F&& held)
      : after_func_node(
            [](after_func_node* node) { static_cast<typed_after_func_node*>(node)->fn(); },
            [](after_func_node* node) { delete static_cast<typed_after_func_node*>(node); }),
        fn(std::forward<F>(held)) {}

  Fn fn;
};

void after_func_release(after_func_node* node) noexcept;

}  // namespace vole::internal
