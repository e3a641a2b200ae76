// SPDX-License-Identifier: Apache-2.0
// Making, asking and freeing errors. INVARIANTS: vole/internal/error_node.h.
// REJECTED
//   - std::shared_ptr<node>: two words, two counts, and a sentinel would need an allocation.
//   - a virtual destructor per node: sentinels in static storage would be destroyed at exit, before
//     the last error.
//   - recursion over causes: a goroutine's stack is small and a chain may be as long as a retry
//     loop is patient.
#include "vole/errors.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "vole/assert.h"
#include "vole/internal/format.h"
#include "vole/result.h"

#include "errors/walk.h"

namespace vole {
namespace internal {
namespace {

std::uint32_t clamp_size(std::size_t size) {
  return static_cast<std::uint32_t>(std::min<std::size_t>(size, error_node::size_max));
}

error make_text(std::string_view text) {
  std::uint32_t const size = clamp_size(text.size());
  auto* const node = make_node<error_node>(size, error_kind::text, size, 1U);
  std::memcpy(behind(node), text.data(), size);
  error made = error::adopt(node);
  return wants_stack() ? add_stack(std::move(made)) : made;
}

// give_up drops one reference and says whether it was the last.
bool give_up(error_node const* node) noexcept {
  // acquire: pairs with errors.cc:give_up in another thread, whose last use of the node comes
  // before ours.
  std::uint32_t const refs = node->refs.load(memory_order_acquire);
  if ((refs & error_node::immortal_bit) != 0) return false;
  if (refs == 1) return true;  // nobody else can add one
  // acq_rel: pairs with errors.cc:give_up in the other holders.
  return node->refs.fetch_sub(1, memory_order_acq_rel) == 1;
}

// bury frees a typed node at once and puts any other on the list, whose causes are still to be
// given up.
void bury(error_node const* node, error_node** dead) noexcept {
  auto* const mine = const_cast<error_node*>(node);
  if (mine->kind == error_kind::typed) {
    mine->ops->destroy(mine);
    return;
  }
  mine->next_dead = *dead;
  *dead = mine;
}

}  // namespace

void error_release(error_node const* node) noexcept {
  if (!give_up(node)) return;
  error_node* dead = nullptr;
  bury(node, &dead);
  while (dead != nullptr) {
    error_node* const gone = dead;
    dead = gone->next_dead;
    if (is_link(gone->kind)) {
      error_node const* const cause = cause_of(*gone);
      if (give_up(cause)) bury(cause, &dead);
    } else if (gone->kind == error_kind::join) {
      for (std::uint32_t i = 0; i < gone->size; ++i) {
        error_node const* const cause = causes_of(*gone)[i];
        if (give_up(cause)) bury(cause, &dead);
      }
    }
    ::operator delete(gone);
  }
}

error make_formatted(fmt::string_view format, fmt::format_args args) {
  fmt::memory_buffer text;
  fmt::vformat_to(std::back_inserter(text), format, args);
  return make_text({text.data(), text.size()});
}

error wrap_formatted(error cause, fmt::string_view format, fmt::format_args args) {
  fmt::memory_buffer text;
  fmt::vformat_to(std::back_inserter(text), format, args);
  std::uint32_t const size = clamp_size(text.size());
  bool const began_here =
      (cause.node()->refs.load(memory_order_relaxed) & error_node::immortal_bit) != 0;
  auto* const node = make_node<cause_node>(size, error_kind::wrap, size, cause.node());
  std::memcpy(behind(node), text.data(), size);
  // The wrap has taken over the reference that cause held.
  static_cast<void>(cause.release());
  error made = error::adopt(node);
  return began_here && wants_stack() ? add_stack(std::move(made)) : made;
}

// Plain wraps, the usual chain, are passed without the walker's bookkeeping.

bool is_below(error_node const* node, error_node const* target) {
  target = bare(target);
  for (; is_link(node->kind); node = cause_of(*node)) {
    if (node == target) return true;
  }
  if (node == target) return true;
  if (node->kind != error_kind::typed && node->kind != error_kind::join) return false;
  error const wanted = share(target);
  for (error_walk at(node); at.node() != nullptr; at.descend()) {
    if (at.node() == target) return true;
    if (at.node()->kind == error_kind::typed && typed_of(*at.node()).is(wanted)) return true;
  }
  return false;
}

error_node const* find_typed(error_node const* node, typed_ops const* ops) noexcept {
  if (node == nullptr) return nullptr;
  while (is_link(node->kind)) node = cause_of(*node);
  if (node->kind == error_kind::typed && node->ops == ops) return node;
  if (node->kind != error_kind::typed && node->kind != error_kind::join) return nullptr;
  for (error_walk at(node); at.node() != nullptr; at.descend()) {
    if (at.node()->kind == error_kind::typed && at.node()->ops == ops) return at.node();
  }
  return nullptr;
}

void panic_no_value(error const& err) {
  panic(fmt::format("the value of a failed result was used: {}", err));
}
void panic_no_error() {
  panic("a result was made from a null error: it has neither value nor error");
}

}  // namespace internal

namespace errors {

error make(std::string_view text) {
  return internal::make_text(text);
}

error join(std::span<error const> errs) {
  auto const is_error = [](error const& err) { return static_cast<bool>(err); };
  auto const count = static_cast<std::size_t>(std::ranges::count_if(errs, is_error));
  if (count == 0) return nullptr;
  if (count == 1) return *std::ranges::find_if(errs, is_error);
  VOLE_REQUIRE(count <= internal::error_node::size_max, "{} errors are too many to join", count);
  auto const size = static_cast<std::uint32_t>(count);
  auto* const node = internal::make_node<internal::error_node>(
      count * sizeof(internal::error_node const*), internal::error_kind::join, size, 1U);
  auto** causes = static_cast<internal::error_node const**>(internal::behind(node));
  for (error const& err : errs) {
    if (err) *causes++ = error(err).release();
  }
  return error::adopt(node);
}

error unwrap(error const& err) {
  internal::error_node const* const node = internal::bare(err.node());
  if (node == nullptr) return nullptr;
  if (node->kind == internal::error_kind::typed) return internal::typed_of(*node).unwrap();
  if (node->kind != internal::error_kind::wrap) return nullptr;
  return internal::share(internal::cause_of(*node));
}

}  // namespace errors
}  // namespace vole
