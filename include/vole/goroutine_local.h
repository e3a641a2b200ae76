// SPDX-License-Identifier: Apache-2.0
#pragma once
// goroutine_local: a value that each goroutine has for itself. A thread_local belongs to the worker
// thread, which runs another goroutine after the next park.
//
//   goroutine_local<std::string> request_id;   // as a rule a static
//   request_id.set("r-17");
//   log(*request_id);
//
// A plain thread has values of its own. Prefer a parameter, or a context: what a function needs is
// then written where it is called.

#include <concepts>
#include <cstdint>
#include <memory>
#include <utility>

namespace vole {

namespace internal {

// What is done with a value whose type only the template knows. copy null: a child starts without.
struct local_operations {
  void (*destroy)(void* value) noexcept;
  void* (*copy)(void const* value);
};

std::uint64_t new_local_key() noexcept;
// local_find returns the calling goroutine's (or thread's) value, or null.
void* local_find(std::uint64_t key) noexcept;
// local_put takes the value over, in place of the one before.
void local_put(std::uint64_t key, void* value, local_operations const& with);

template <class T>
void destroy_local(void* value) noexcept {
  delete static_cast<T*>(value);
}
template <class T>
void* copy_local(void const* value) {
  return new T(*static_cast<T const*>(value));
}

template <class T, bool Inherited>
inline constexpr local_operations local_operations_of{&destroy_local<T>, nullptr};
template <class T>
inline constexpr local_operations local_operations_of<T, true>{&destroy_local<T>, &copy_local<T>};

}  // namespace internal

// goroutine_local<T> is a key under which each goroutine keeps a T. Values end with their
// goroutine, on its stack, after its function has returned.
// Safety: any goroutine or thread.
// Cost:   a look through the few values that the goroutine has; one allocation for each value.
template <class T, bool Inherited = false>
class goroutine_local {
  static_assert(!Inherited || std::copy_constructible<T>, "an inherited value is copied");

 public:
  goroutine_local() noexcept : key_(internal::new_local_key()) {}
  goroutine_local(goroutine_local const&) = delete;
  goroutine_local& operator=(goroutine_local const&) = delete;

  // find returns the caller's value, or null when it has none yet.
  T* find() noexcept { return static_cast<T*>(internal::local_find(key_)); }

  // The caller's value, T() at first.
  T& operator*()
    requires std::default_initializable<T>
  {
    T* const found = find();
    return found != nullptr ? *found : put(std::make_unique<T>());
  }
  T* operator->()
    requires std::default_initializable<T>
  {
    return &**this;
  }

  void set(T value) {
    if (T* const found = find()) {
      *found = std::move(value);
    } else {
      put(std::make_unique<T>(std::move(value)));
    }
  }

 private:
  T& put(std::unique_ptr<T> value) {
    T& t = *value;
    internal::local_put(key_, value.release(), internal::local_operations_of<T, Inherited>);
    return t;
  }

  std::uint64_t const key_;
};

// inherited_local<T>: a goroutine starts with a copy of the value that its creator had.
template <class T>
using inherited_local = goroutine_local<T, true>;

}  // namespace vole
