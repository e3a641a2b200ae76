// SPDX-License-Identifier: Apache-2.0
// The stacks of errors: return addresses when they are made, names when they are printed.
//
// INVARIANTS  stack_wish alone says who gets a stack; it orders nothing (relaxed).
// REJECTED
//   - names when the stack is taken: most errors are handled and never printed; a name costs a
//     thousand times what its address does.
//   - one more stack for each goroutine that an error passes through: the words of the wraps say
//     that already, and a page of frames hides the line that matters.
#include "errors/stack.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "vole/errors.h"
#include "vole/internal/format.h"

#include "base/rand.h"
#include "base/stack_host.h"
#include "errors/walk.h"
#include "symbol/symbolize.h"
#include "symbol/unwind.h"

namespace vole {
namespace internal {

constinit atomic<std::uint32_t> stack_wish{0};

namespace {

constexpr std::size_t frames_max = 32;

error_node const* find_stack(error_node const* node) noexcept {
  if (node == nullptr) return nullptr;
  for (error_walk at(node); at.node() != nullptr; at.descend()) {
    if (at.node()->kind == error_kind::stack) return at.node();
  }
  return nullptr;
}

// What shows how an error was made, and how a goroutine was started, tells nobody anything.
bool is_machinery(std::string_view function) {
  function = function.substr(0, function.find_first_of("<("));
  // A template's name has its result in front.
  std::size_t const blank = function.rfind(' ');
  if (blank != std::string_view::npos) function.remove_prefix(blank + 1);
  return function.starts_with("vole::internal::") || function.starts_with("vole::errors::");
}

void append_frames(std::vector<std::string>& to, symbol::symbolized const& call) {
  for (symbol::source_frame const& f : call.frames) {
    if (to.empty() && is_machinery(f.function)) continue;
    to.push_back(f.file.empty() ? f.function
                                : fmt::format("{} ({}:{})", f.function, f.file, f.line));
  }
}

}  // namespace

bool wants_stack_now() noexcept {
  std::uint32_t const one_in = stack_wish.load(memory_order_relaxed);
  return one_in == 1 || (one_in > 1 && fast_rand_below(one_in) == 0);
}

[[gnu::noinline]] error add_stack(error err) {
  std::array<std::uintptr_t, frames_max> pcs;
  stack_range const stack = stack_here();
  std::size_t const depth = symbol::unwind_here({stack.low, stack.high}, pcs);
  auto* const node = make_node<cause_node>(depth * sizeof pcs[0], error_kind::stack,
                                           static_cast<std::uint32_t>(depth), err.node());
  std::memcpy(behind(node), pcs.data(), depth * sizeof pcs[0]);
  static_cast<void>(err.release());
  return error::adopt(node);
}

std::vector<std::string> frames_of(std::span<std::uintptr_t const> pcs) {
  // A return address stands behind its call.
  std::vector<std::uintptr_t> calls(pcs.begin(), pcs.end());
  for (std::uintptr_t& pc : calls) --pc;
  std::vector<std::string> frames;
  for (auto const& call : symbol::symbolize(calls)) append_frames(frames, call);
  while (!frames.empty() && is_machinery(frames.back())) frames.pop_back();
  return frames;
}

}  // namespace internal

namespace errors {

void capture_stacks(stacks when, std::uint32_t one_in) noexcept {
  std::uint32_t wish = 0;
  if (when == stacks::always) wish = 1;
  if (when == stacks::sampled) wish = std::max<std::uint32_t>(one_in, 2);
  internal::stack_wish.store(wish, internal::memory_order_relaxed);
}

stacks capturing_stacks() noexcept {
  std::uint32_t const wish = internal::stack_wish.load(internal::memory_order_relaxed);
  return wish == 0 ? stacks::off : wish == 1 ? stacks::always : stacks::sampled;
}

error with_stack(error err) {
  if (!err || internal::find_stack(err.node()) != nullptr) return err;
  return internal::add_stack(std::move(err));
}

std::vector<std::string> stack_of(error const& err) {
  auto const* const node = internal::find_stack(err.node());
  if (node == nullptr) return {};
  return internal::frames_of(internal::pcs_of(*node));
}

}  // namespace errors
}  // namespace vole
