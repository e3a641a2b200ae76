// SPDX-License-Identifier: Apache-2.0
#pragma once
// sync::atomic_value: a value of any type that is read far more often than it is replaced, such as
// a configuration.
//
// INVARIANTS  current_ is null until the first store, then points to an immutable T; one that was
//             replaced is in limbo
//             until no reader can see it.
// LOCKS       none for readers; limbo's own for writers.

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>

#include "vole/internal/epoch.h"

namespace vole::sync {

// Readers write nothing that other readers look at, so they do not slow each other down.
// Safety:  any goroutine or thread; T's copy constructor must not park.     Cost: load a few ns and
// a copy of T.
// Source:  Go atomic.Value. Differs: typed; load yields a copy (store a std::shared_ptr to const
// for large values).
template <std::copy_constructible T>
class atomic_value {
 public:
  atomic_value() = default;
  explicit atomic_value(T first) : current_(new T(std::move(first))) {}
  ~atomic_value() { delete current_.load(internal::memory_order_relaxed); }
  atomic_value(atomic_value const&) = delete;
  atomic_value& operator=(atomic_value const&) = delete;

  // load copies the current value; empty: none was stored yet.
  std::optional<T> load() const {
    internal::read_pin const pin;
    T const* const value = current_.load(internal::memory_order_acquire);  // pairs with swap_in
    return value == nullptr ? std::optional<T>() : std::optional<T>(*value);
  }

  void store(T value) { retire(swap_in(new T(std::move(value)))); }

  // swap stores a value and returns the one before.
  std::optional<T> swap(T value) {
    T const* const before = swap_in(new T(std::move(value)));
    if (before == nullptr) return std::nullopt;
    std::optional<T> copy(*before);
    retire(before);
    return copy;
  }

  // compare_and_swap stores desired if the current value equals expected.
  bool compare_and_swap(T const& expected, T desired)
    requires std::equality_comparable<T>
  {
    T const* fresh = nullptr;
    T const* replaced = nullptr;
    {
      internal::read_pin const pin;
      T const* seen = current_.load(internal::memory_order_acquire);  // pairs with swap_in
      while (seen != nullptr && *seen == expected) {
        if (fresh == nullptr) fresh = new T(std::move(desired));
        // pairs with load
        if (current_.compare_exchange_strong(seen, fresh, internal::memory_order_acq_rel)) {
          replaced = seen;
          break;
        }
      }
    }
    if (replaced == nullptr) {
      delete fresh;
      return false;
    }
    retire(replaced);
    return true;
  }

 private:
  T const* swap_in(T const* fresh) noexcept {
    return current_.exchange(fresh, internal::memory_order_acq_rel);  // pairs with load
  }
  void retire(T const* old) {
    if (old == nullptr) return;
    limbo_.retire(const_cast<T*>(old), [](void* p) { delete static_cast<T*>(p); });
  }

  internal::atomic<T const*> current_{nullptr};
  internal::limbo limbo_{1};
};

}  // namespace vole::sync
