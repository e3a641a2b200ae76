// SPDX-License-Identifier: Apache-2.0
#pragma once
// What stands behind vole/internal/atomic.h in a model build: each access is a
// step of the explorer.
//
// INVARIANTS
//   - Outside an execution an atomic is its value_. In one, its history is the
//   explorer's, begins
//     with value_ at the first access, and is forgotten with the execution.
//   - An atomic that is destroyed in an execution may not be touched again: the
//   explorer says so.
// Included by vole/internal/atomic.h only.

#include <cstdint>
#include <source_location>
#include <type_traits>

namespace vole::model {

using internal::memory_order;

inline constexpr memory_order by_default = memory_order::seq_cst;  // pairs with: as std::atomic

enum class op : std::uint8_t {
  load,
  store,
  exchange,
  compare_exchange,
  fetch_add,
  fetch_sub,
  fetch_and,
  fetch_or,
  fetch_xor,
  fence,
  wait,  // of a futex
  wake,
};

// cell is one access's word: where it lies and what it held before the
// execution.
struct cell {
  void const* at;
  std::uint64_t initial;
  std::uint32_t bytes;
};

std::uint64_t read(cell const& c, memory_order order, std::source_location const& where) noexcept;
void write(cell const& c, std::uint64_t value, memory_order order,
           std::source_location const& where) noexcept;
std::uint64_t modify(op kind, cell const& c, std::uint64_t operand, memory_order order,
                     std::source_location const& where) noexcept;
bool compare(cell const& c, std::uint64_t& expected, std::uint64_t desired, memory_order success,
             memory_order failure, std::source_location const& where) noexcept;
void fence(memory_order order,
           std::source_location where = std::source_location::current()) noexcept;
// barrier is membarrier(2): a full fence in every thread.
void barrier(std::source_location where = std::source_location::current()) noexcept;
void begin_life(void const* at) noexcept;
void end_life(void const* at) noexcept;
void pause(std::source_location where = std::source_location::current()) noexcept;
// running says whether the caller is a thread of an execution.
bool running() noexcept;

// pairs with: as std::atomic's, whose failure order this is
constexpr memory_order failure_of(memory_order order) noexcept {
  if (order == memory_order::acq_rel) return memory_order::acquire;
  return order == memory_order::release ? memory_order::relaxed : order;
}

template <class T>
class atomic {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  using source = std::source_location;

 public:
  constexpr atomic() noexcept : atomic(T{}) {}
  constexpr atomic(T value) noexcept : value_(value) {
    if (!std::is_constant_evaluated()) begin_life(this);
  }
  constexpr ~atomic() {
    if (!std::is_constant_evaluated()) end_life(this);
  }
  atomic(atomic const&) = delete;
  atomic& operator=(atomic const&) = delete;

  T load(memory_order order = by_default, source where = source::current()) const noexcept {
    return running() ? from_bits(read(here(), order, where)) : value_;
  }
  void store(T value, memory_order order = by_default, source where = source::current()) noexcept {
    running() ? write(here(), to_bits(value), order, where) : void(value_ = value);
  }
  T exchange(T value, memory_order order = by_default, source where = source::current()) noexcept {
    return change(op::exchange, value, order, where, [](T, T to) { return to; });
  }
  bool compare_exchange_strong(T& expected, T desired, memory_order success, memory_order failure,
                               source where = source::current()) noexcept {
    if (!running()) {
      if (to_bits(value_) != to_bits(expected)) {
        expected = value_;
        return false;
      }
      value_ = desired;
      return true;
    }
    std::uint64_t seen = to_bits(expected);
    bool const done = compare(here(), seen, to_bits(desired), success, failure, where);
    if (!done) expected = from_bits(seen);
    return done;
  }
  bool compare_exchange_strong(T& expected, T desired, memory_order order = by_default,
                               source where = source::current()) noexcept {
    return compare_exchange_strong(expected, desired, order, failure_of(order), where);
  }
  bool compare_exchange_weak(T& expected, T desired, memory_order success, memory_order failure,
                             source where = source::current()) noexcept {
    return compare_exchange_strong(expected, desired, success, failure, where);
  }
  bool compare_exchange_weak(T& expected, T desired, memory_order order = by_default,
                             source where = source::current()) noexcept {
    return compare_exchange_strong(expected, desired, order, failure_of(order), where);
  }
  T fetch_add(T by, memory_order order = by_default, source where = source::current()) noexcept {
    return change(op::fetch_add, by, order, where, [](T a, T b) { return static_cast<T>(a + b); });
  }
  T fetch_sub(T by, memory_order order = by_default, source where = source::current()) noexcept {
    return change(op::fetch_sub, by, order, where, [](T a, T b) { return static_cast<T>(a - b); });
  }
  T fetch_and(T by, memory_order order = by_default, source where = source::current()) noexcept {
    return change(op::fetch_and, by, order, where, [](T a, T b) { return static_cast<T>(a & b); });
  }
  T fetch_or(T by, memory_order order = by_default, source where = source::current()) noexcept {
    return change(op::fetch_or, by, order, where, [](T a, T b) { return static_cast<T>(a | b); });
  }
  T fetch_xor(T by, memory_order order = by_default, source where = source::current()) noexcept {
    return change(op::fetch_xor, by, order, where, [](T a, T b) { return static_cast<T>(a ^ b); });
  }

 private:
  static std::uint64_t to_bits(T value) noexcept {
    std::uint64_t bits = 0;
    __builtin_memcpy(&bits, &value, sizeof value);
    return bits;
  }
  static T from_bits(std::uint64_t bits) noexcept {
    T value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
  }
  cell here() const noexcept { return {this, to_bits(value_), sizeof(T)}; }

  template <class Fn>
  T change(op kind, T by, memory_order order, source const& where, Fn fn) noexcept {
    if (running()) return from_bits(modify(kind, here(), to_bits(by), order, where));
    T const before = value_;
    value_ = fn(before, by);
    return before;
  }

  T value_;
};

}  // namespace vole::model

namespace vole::internal {

template <class T>
using atomic = model::atomic<T>;

inline void spin_pause() noexcept {
  model::pause();
}

}  // namespace vole::internal
