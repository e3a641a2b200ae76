// SPDX-License-Identifier: Apache-2.0
// What keep_test.cc compiles with both compilers and reads as machine code: one function for each
// kind of argument. Also part of the test program, so that the build's own compiler sees it.

#include "vole/bench.h"
#include "vole/internal/keep.h"

struct big {
  long words[512];
};
struct pair_of_longs {
  long a;
  long b;
};

extern "C" {

// Weak: the compiler may not look inside.
[[gnu::weak]] big make_big() noexcept {
  return {};
}

// The control: without keep there is nothing left of it.
void dropped_scalar(long x) noexcept {
  [[maybe_unused]] long const y = x * 12345 + 7;
}
void kept_scalar(long x) noexcept {
  long y = x * 12345 + 7;
  vole::bench::keep(y);
}
void kept_scalar_temporary(long x) noexcept {
  vole::bench::keep(x * 12345 + 7);
}
void kept_scalar_const(long x) noexcept {
  long const y = x * 12345 + 7;
  vole::bench::keep(y);
}
void kept_double(double x) noexcept {
  double y = x * 1.5;
  vole::bench::keep(y);
}
void kept_double_temporary(double x) noexcept {
  vole::bench::keep(x * 1.5);
}
void kept_big(big& x) noexcept {
  vole::bench::keep(x);
}
void kept_big_const(big const& x) noexcept {
  vole::bench::keep(x);
}
void kept_big_temporary() noexcept {
  vole::bench::keep(make_big());
}
void kept_pair(long x) noexcept {
  pair_of_longs y{x * 12345, x};
  vole::bench::keep(y);
}
// What is kept may have changed: the second product is not known from the first.
long changed_by_keep() noexcept {
  long x = 2;
  vole::bench::keep(x);
  return x * 12345;
}
// The first store is seen by clobber, so that it is not dead.
void clobbered(long* to) noexcept {
  *to = 1;
  vole::bench::clobber();
  *to = 2;
}
void not_clobbered(long* to) noexcept {
  *to = 1;
  *to = 2;
}
// A loop whose body is kept does its work in each turn.
void kept_loop(long n) noexcept {
  for (long i = 0; i < n; ++i) vole::bench::keep(i * i * 12345);
}
// loop(body) keeps what its body returns, and takes its input for changed in each turn.
void kept_by_loop(vole::bench::benchmark& b, long x) {
  b.loop([&] { return x * 12345; });
}
// Without keep, the while form of the same is an empty loop.
void dropped_by_while(vole::bench::benchmark& b, long x) {
  while (b.loop()) {
    [[maybe_unused]] long const y = x * 12345;
  }
}
void dropped_loop(long n) noexcept {
  [[maybe_unused]] long sum = 0;
  for (long i = 0; i < n; ++i) sum += i * i * 12345;
}
}
