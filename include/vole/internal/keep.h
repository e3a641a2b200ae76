// SPDX-License-Identifier: Apache-2.0
#pragma once
// keep() and clobber() of vole/bench.h, by themselves: what the optimizer may not throw away.
// No instruction of their own; bench_keep_test holds the machine code of both compilers to that.
// REJECTED one "+r,m" for every type (GCC copies large objects into a register-sized slot first);
//   handing the address to an opaque function (a call, and the object must stand in memory).

#include <type_traits>

namespace vole::bench {

// keep makes the compiler believe that x is read and, when x may be changed, changed here. What
// computes x cannot be thrown away, and what uses x afterwards cannot be computed beforehand. Takes
// variables, constants and temporaries of any type.
// Cost: no instruction for what already stands in a register or in memory; nothing is copied.
template <class T>
[[gnu::always_inline]] inline void keep(T&& x) noexcept {
  using referred = std::remove_reference_t<T>;
  using value = std::remove_cv_t<referred>;
  constexpr bool changeable = std::is_lvalue_reference_v<T> && !std::is_const_v<referred>;
  constexpr bool general =
      std::is_integral_v<value> || std::is_enum_v<value> || std::is_pointer_v<value>;
  constexpr bool floating = std::is_same_v<value, float> || std::is_same_v<value, double>;
  if constexpr (std::is_function_v<referred>) {
    asm volatile("" : : "r"(&x) : "memory");
  } else if constexpr (general && sizeof(x) <= sizeof(void*)) {
    if constexpr (changeable) {
      asm volatile("" : "+r"(x) : : "memory");
    } else {
      asm volatile("" : : "r"(x) : "memory");
    }
  } else if constexpr (floating) {
#if defined(__x86_64__)
    if constexpr (changeable) {
      asm volatile("" : "+x"(x) : : "memory");
    } else {
      asm volatile("" : : "x"(x) : "memory");
    }
#else
    if constexpr (changeable) {
      asm volatile("" : "+w"(x) : : "memory");
    } else {
      asm volatile("" : : "w"(x) : "memory");
    }
#endif
  } else if constexpr (changeable) {
    asm volatile("" : "+m"(x) : : "memory");
  } else {
    asm volatile("" : : "m"(x) : "memory");
  }
}

// clobber makes the compiler believe that all memory that has a name elsewhere is read and changed
// here.
[[gnu::always_inline]] inline void clobber() noexcept {
  asm volatile("" : : : "memory");
}

}  // namespace vole::bench
