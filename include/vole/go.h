// SPDX-License-Identifier: Apache-2.0
#pragma once
// Goroutines: go() starts one, run() makes the first, blocking() marks a call that stops its
// thread.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include "vole/assert.h"

namespace vole {

// scheduling_class says who goes first where goroutines wait for a processor.
//   foreground  as a rule: requests, and what answers them
//   background  runs when nothing in the foreground is runnable, and else for a tenth of the time;
//               never on the last processor that is left, unless there is one only. A turn is not
//               cut short: yield in long loops.
//   inherited   as the goroutine that starts it; a plain thread starts in the foreground
// What a background goroutine starts is background too: its pools and groups cannot crowd out
// requests either, nor can what it asks for later (time::after_func, context::after_func).
// Something that serves all, started on first use, says foreground.
enum class scheduling_class : std::uint8_t { inherited, foreground, background };

// spawn_options bound one goroutine.
struct spawn_options {
  // Stack reservation in bytes, rounded up to 64 KiB, 256 KiB, 1 MiB or 8 MiB; memory is committed
  // as it is touched.
  // 0: 256 KiB. A closure lies on the stack too.
  std::size_t stack_bytes = 0;
  // What an exception that leaves fn is given to, in the goroutine, whose frames are gone; the
  // goroutine then ends. Null: it ends the process with a dump, its frames included.
  void (*on_exception)(std::exception_ptr thrown) = nullptr;
  scheduling_class scheduling = scheduling_class::inherited;

  static constexpr std::size_t stack_bytes_max = std::size_t{8} << 20;
};

// member_options are those of each goroutine that an errgroup or a scope starts. There is no hook
// among them: somebody waits for what the members make.
struct member_options {
  std::size_t stack_bytes = 0;  // as spawn_options::stack_bytes
};

namespace internal {

struct goroutine;

struct spawn_slot {
  goroutine* g = nullptr;
  void* closure = nullptr;  // where the caller constructs its function object
  std::errc failure{};
};

// spawn_begin takes a stack with room for a closure; spawn_commit makes the goroutine runnable.
spawn_slot spawn_begin(spawn_options const& options, std::size_t closure_bytes, std::size_t align,
                       void (*invoke)(void*)) noexcept;
void spawn_commit(goroutine* g) noexcept;
[[noreturn, gnu::cold]] void spawn_failed(std::errc why, std::size_t stack_bytes);

// run_main starts the runtime, runs the function as main goroutine and returns its exit code.
int run_main(int (*invoke)(void*), void* fn);

void blocking_begin() noexcept;
void blocking_end() noexcept;

struct blocking_section {
  blocking_section() noexcept { blocking_begin(); }
  ~blocking_section() { blocking_end(); }
  blocking_section(blocking_section const&) = delete;
  blocking_section& operator=(blocking_section const&) = delete;
};

template <class F>
void invoke_closure(void* at) {
  F& fn = *static_cast<F*>(at);
  struct destroyer {
    F& fn;
    ~destroyer() { fn.~F(); }
  } const destroy{fn};
  fn();
}

// called_once is a function that is gone, with all that it captured, once it was called, however
// that ends. A move of it would not do: what a lambda captured as const is copied.
template <class F>
class called_once {
 public:
  template <class Fn>
  explicit called_once(std::in_place_t, Fn&& fn) : held_(std::forward<Fn>(fn)) {}

  template <class... Args>
    requires std::invocable<F&, Args...>
  decltype(auto) operator()(Args&&... args) {
    struct end {
      std::optional<F>& held;
      ~end() { held.reset(); }
    } const at_end{held_};
    return (*held_)(std::forward<Args>(args)...);
  }

 private:
  std::optional<F> held_;
};
template <class Fn>
called_once<std::decay_t<Fn>> call_once(Fn&& fn) {
  return called_once<std::decay_t<Fn>>(std::in_place, std::forward<Fn>(fn));
}

}  // namespace internal

// try_go is go() for callers that can go on without: the failure comes back as a value.
// Errors: not_enough_memory: no address space, memory or map entries left for a stack;
//         resource_unavailable_try_again: runtime::set_max_goroutines bounds them;
//         value_too_large: stack_bytes above 8 MiB, or a closure that does not fit the stack.
template <class Fn>
[[nodiscard, gnu::always_inline]] inline std::errc try_go(spawn_options const& options, Fn&& fn) {
  using F = std::decay_t<Fn>;
  static_assert(std::is_invocable_v<F&>, "go() takes a function object without parameters");
  internal::spawn_slot const slot =
      internal::spawn_begin(options, sizeof(F), alignof(F), &internal::invoke_closure<F>);
  if (slot.g == nullptr) return slot.failure;
  ::new (slot.closure) F(std::forward<Fn>(fn));
  internal::spawn_commit(slot.g);
  return {};
}

// go runs fn concurrently on a stack of its own and returns at once.
// Blocks:  no. Cancels: no; pass a context.   Errors: none; panics when no stack can be had (see
// try_go).
// Safety:  any goroutine or thread; starts the runtime when needed.
// Memory:  one page of 4 KiB while its frames fit; the closure lies on its stack, nothing else is
// allocated.
// Cost:    about 50 ns from a pooled stack; a fresh one takes a system call and a page fault.
// Source:  Go spec "Go statements". Differs: captures are spelled out; an exception that escapes fn
// is a panic.
template <class Fn>
[[gnu::always_inline]] inline void go(spawn_options const& options, Fn&& fn) {
  if (std::errc const failure = try_go(options, std::forward<Fn>(fn)); failure != std::errc{}) {
    internal::spawn_failed(failure, options.stack_bytes);
  }
}
template <class Fn>
[[gnu::always_inline]] inline void go(Fn&& fn) {
  go(spawn_options{}, std::forward<Fn>(fn));
}

// run starts the runtime and calls fn as the main goroutine; returns fn's int, or 0 where it
// returns void.
// As in Go, the others do not hold the process: when main returns, the caller goes on. While exit()
// destroys static objects, goroutines are held back: see "Ending" in docs/guide/goroutines.md.
// Blocks:  the calling thread.   Panics: called from a goroutine.
// When every goroutine is parked and nothing outside can wake one, it reports a deadlock and exits
// with 2.
template <class Fn>
int run(Fn&& fn) {
  using F = std::remove_reference_t<Fn>;
  F* call = std::addressof(fn);
  return internal::run_main(
      [](void* p) -> int {
        F& f = **static_cast<F**>(p);
        if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
          f();
          return 0;
        } else {
          return f();
        }
      },
      &call);
}

// blocking runs fn, which may stop its thread (a system call, a foreign library), and returns its
// result.
// The processor goes to another worker at entry, so that no other goroutine waits for it.
// Cost: about 100 ns when nothing else is runnable, a thread wake-up otherwise.   Safety: any
// goroutine or thread.
template <class Fn>
decltype(auto) blocking(Fn&& fn) {
  internal::blocking_section const section;
  return std::forward<Fn>(fn)();
}

}  // namespace vole
