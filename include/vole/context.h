// SPDX-License-Identifier: Apache-2.0
// context: how long work may take, whether its result is still wanted, and what belongs to its
// request.
//
// A context is the first parameter, `context const& ctx`, of everything that may wait; it is never
// kept in a member. Every wait of vole takes one and returns when it ends: the deadline and the
// cancellation are carried into the park itself, so a context costs no goroutine, and no timer
// until somebody asks for done().
//
//   auto [ctx, cancel] = context::with_timeout(parent, 2s);
//   auto rows = VOLE_TRY(db.query(ctx, "select ..."), "load portfolio for user {}", id);
//
// INVARIANTS
//   - A context is immutable; what may change is whether it has ended, once, and then err() stays.
//   - A context ends no later than its parent (unless made by without_cancel).
//   - A context that can end has a cancel_handle, and ends at the latest when that is destroyed:
//     what Go's vet looks for, a lost cancel, cannot be written.
//   - A member that is a context says so by its type, context::stored; the house test lists them.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <source_location>
#include <span>
#include <type_traits>
#include <utility>

#include "vole/errors.h"
#include "vole/internal/clock.h"
#include "vole/internal/context_node.h"
#include "vole/result.h"

namespace vole {

template <class T>
class recv_chan;
struct unit;
class cancel_handle;
class stop_handle;

namespace internal {
struct park_limit;

// Told of every background() and todo() while it is set; service::observe finds those of handlers.
using background_probe = void (*)(std::source_location const& at) noexcept;
inline constinit atomic<background_probe> probe_background{nullptr};
}  // namespace internal

// A context key is a type that names the type of its value; the value is found by that type alone:
//   struct request_id { using value_type = std::string; };
//   auto ctx = context::with_value<request_id>(parent, "req-17");      if (auto* id =
//   ctx.value<request_id>()) ...
template <class Key>
concept context_key =
    requires { typename Key::value_type; } && std::is_object_v<typename Key::value_type>;

// Safety:  as a std::shared_ptr: distinct copies from any goroutine or thread.
// Cost:    one word; a copy is one atomic increment (none for background), each with_ call one
//          allocation. A context is linked to those above it when it is first waited under.
// Source:  Go's package context. Differs: keys are types; Err is non-null as soon as the deadline
//          has passed; AfterFunc's function is disarmed when its handle goes; cancel runs when its
//          handle goes.
class context {
 public:
  class stored;

  // What err() is: ended by a cancel, or by its deadline. errors::is(err, context::canceled)
  static inline constinit errors::sentinel const canceled{"context canceled"};
  static inline constinit errors::sentinel const deadline_exceeded{"context deadline exceeded"};

  // A context that never ends and holds no value: background() where it is meant, below a request
  // too.
  constexpr context() noexcept = default;
  context(context const& other) noexcept : node_(other.node_) { internal::context_retain(node_); }
  context(context&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  context& operator=(context other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~context() {
    if (node_ != nullptr) internal::context_release(node_);
  }

  // background is the root of all contexts: main's, and a test's. It never ends.
  static context background(
      std::source_location const& at = std::source_location::current()) noexcept {
    return root(at);
  }
  // todo is background where it is not yet clear which context belongs there.
  static context todo(std::source_location const& at = std::source_location::current()) noexcept {
    return root(at);
  }

  // with_cancel is a child of parent that also ends when its handle is called or destroyed.
  [[nodiscard]] static std::pair<context, cancel_handle> with_cancel(context const& parent);
  // with_cancel_cause is with_cancel by the name it has in Go: every handle takes a cause.
  [[nodiscard]] static std::pair<context, cancel_handle> with_cancel_cause(context const& parent);
  // with_deadline is a child of parent that also ends at `deadline`, then with `cause` if one is
  // given.
  [[nodiscard]] static std::pair<context, cancel_handle> with_deadline(context const& parent,
                                                                       time_point deadline,
                                                                       error cause = {});
  // with_timeout is with_deadline(parent, now + timeout).
  [[nodiscard]] static std::pair<context, cancel_handle> with_timeout(context const& parent,
                                                                      duration timeout,
                                                                      error cause = {});
  // with_value is a child of parent in which value<Key>() is `value`.
  template <context_key Key>
  static context with_value(context const& parent, typename Key::value_type value);
  // without_cancel keeps parent's values and none of its ends: for what must be finished after the
  // answer.
  static context without_cancel(context const& parent);

  // merge is a child of first that also ends when one of the others does, with its error and cause:
  // the first of them to end. Its deadline is the earliest; its values are those of first.
  // Cost: it is linked to all of them at once.
  template <std::same_as<context>... Others>
  [[nodiscard]] static std::pair<context, cancel_handle> merge(context const& first,
                                                               Others const&... others);

  // after_func runs fn once, in a goroutine of its own, when ctx ends; at once if it has ended.
  // Keep the handle: its destructor disarms, and fn is not run then.
  template <class Fn>
    requires std::invocable<std::decay_t<Fn>&>
  static stop_handle after_func(context const& ctx, Fn&& fn);

  // err is null while the context lives, then canceled or deadline_exceeded, for good.
  // Cost:    1 load, and 1 for each context above that can end; with a deadline 1 reading of the
  //          clock more. Allocates nothing.
  error err() const;
  // cause is why it ended: what the canceler gave, else err(). Null while it lives.
  error cause() const;
  // deadline is when it ends at the latest, its parents' deadlines included.
  std::optional<time_point> deadline() const noexcept;
  // done is closed when the context ends: for select. Of background it is the nil channel, which
  // never is. Include vole/chan.h to use it.
  // Cost:    the first call for a context makes the channel and, with a deadline, arms one timer.
  //          Waits that take a context do not need it.
  recv_chan<unit> done() const;

  // value is what the nearest with_value<Key> above gave, or null. The pointer is good while a
  // context holds it. Cost:    a walk over the values above.
  template <context_key Key>
  typename Key::value_type const* value() const noexcept;

  // The limit of a park: how every wait of vole honours this context. It is good while the context
  // is held.
  operator internal::park_limit() const noexcept;

  // The same context, not one that ends at the same time.
  friend bool operator==(context const& a, context const& b) noexcept { return a.node_ == b.node_; }

 private:
  friend class cancel_handle;
  friend class stop_handle;

  explicit context(internal::context_node* adopted) noexcept : node_(adopted) {}

  static context root(std::source_location const& at) noexcept {
    // relaxed, no partner: a debug check that is switched on before requests are served.
    if (auto const probe = internal::probe_background.load(internal::memory_order_relaxed)) {
      probe(at);
    }
    return {};
  }
  static std::pair<context, cancel_handle> make_cancel(context const& parent, time_point deadline,
                                                       error cause);
  static std::pair<context, cancel_handle> make_merged(context const& first,
                                                       std::span<context const* const> others);
  static bool watch(context const& ctx, internal::after_func_node* node);

  internal::context_node* node_ = nullptr;
};
static_assert(sizeof(context) == sizeof(void*));

// stored is a context that an object keeps: said so, because one that outlives its call is how a
// cancellation gets lost. The object's own life may be one; a request's never is.
class context::stored {
 public:
  stored() noexcept = default;
  stored(context ctx) noexcept : ctx_(std::move(ctx)) {}
  stored& operator=(context ctx) noexcept {
    ctx_ = std::move(ctx);
    return *this;
  }

  context const& get() const noexcept { return ctx_; }
  operator context const&() const noexcept { return ctx_; }

 private:
  context ctx_;  // tidy: stored context, this is the type that says so
};

// cancel_handle ends the context it came with: when called, at the latest when destroyed. Later
// calls do nothing. Blocks:  never.       Safety: any goroutine may call; moving and destroying
// belong to one.
class [[nodiscard]] cancel_handle {
 public:
  cancel_handle() noexcept = default;
  cancel_handle(cancel_handle&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  cancel_handle& operator=(cancel_handle&& other) noexcept;
  ~cancel_handle();

  void operator()() const { cancel(nullptr); }
  // With a cause: what ctx.cause() says from now on. err() stays context::canceled.
  void operator()(error cause) const { cancel(std::move(cause)); }

 private:
  friend class context;

  explicit cancel_handle(internal::cancel_node* counted) noexcept : node_(counted) {}
  void cancel(error cause) const;

  internal::cancel_node* node_ = nullptr;  // counted
};

// stop_handle disarms a function given to after_func.
class [[nodiscard]] stop_handle {
 public:
  stop_handle() noexcept = default;
  stop_handle(stop_handle&& other) noexcept
      : ctx_(std::move(other.ctx_)), node_(std::exchange(other.node_, nullptr)) {}
  stop_handle& operator=(stop_handle&& other) noexcept;
  ~stop_handle() { stop(); }

  // Disarms: true if the function will now never run, false if it has begun, or was disarmed
  // before.
  bool operator()() { return stop(); }
  // detach leaves the function armed for good.
  void detach() noexcept;

 private:
  friend class context;

  stop_handle(context ctx, internal::after_func_node* counted) noexcept
      : ctx_(std::move(ctx)), node_(counted) {}
  bool stop() noexcept;

  context::stored ctx_;
  internal::after_func_node* node_ = nullptr;  // counted
};

template <std::same_as<context>... Others>
std::pair<context, cancel_handle> context::merge(context const& first, Others const&... others) {
  std::array<context const*, sizeof...(Others)> const all{&others...};
  return make_merged(first, all);
}

inline std::pair<context, cancel_handle> context::with_cancel_cause(context const& parent) {
  return with_cancel(parent);
}

template <context_key Key>
context context::with_value(context const& parent, typename Key::value_type value) {
  auto* node = new internal::typed_value_node<Key>(parent.node_, std::move(value));
  internal::context_link_value(node);
  return context(node);
}

template <context_key Key>
typename Key::value_type const* context::value() const noexcept {
  if (node_ == nullptr) return nullptr;
  for (internal::value_node const* at = node_->values; at != nullptr; at = at->outer) {
    if (at->key == &internal::context_key_tag<Key>) {
      return static_cast<typename Key::value_type const*>(at->value);
    }
  }
  return nullptr;
}

template <class Fn>
  requires std::invocable<std::decay_t<Fn>&>
stop_handle context::after_func(context const& ctx, Fn&& fn) {
  auto* node = new internal::typed_after_func_node<std::decay_t<Fn>>(std::forward<Fn>(fn));
  return watch(ctx, node) ? stop_handle(ctx, node) : stop_handle();
}

namespace time {
// sleep waits for d: null after it, ctx.err() if the context ends first.
error sleep(context const& ctx, duration d);
}  // namespace time

}  // namespace vole

#include "vole/internal/context_waits.h"
