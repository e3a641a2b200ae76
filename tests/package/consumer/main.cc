// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <string_view>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/http/mux.h"
#include "vole/http/test.h"
#include "vole/result.h"

vole::http::mux routes();

using namespace vole;

static result<int> sum_to(int n) {
  if (n < 0) return errors::make("cannot sum to {}", n);
  chan<int> numbers(0);
  go([numbers, n]() mutable {
    for (int i = 1; i <= n; ++i) numbers.send(i);
    numbers.close();
  });
  int sum = 0;
  while (auto const number = numbers.recv()) sum += *number;
  return sum;
}

static error serve_one() {
  http::test::recorder res;
  auto const req = http::test::make_request("GET", "/hello/ann");
  http::handler const handler = routes();
  handler(res, *req);
  if (res.body() != "hello, ann\n") return errors::make("the handler says '{}'", res.body());
  return nullptr;
}

static error run_all() {
  VOLE_TRY(serve_one(), "serve one request");
  auto const sum = VOLE_TRY(sum_to(100), "sum");
  fmt::print("sum {}\n", sum);
  return nullptr;
}

extern "C" void touch_far_below_in_c(void);

[[gnu::noinline]] static void touch_far_below() {
  volatile char frame[96 << 10];
  frame[0] = 1;
}

// The stack of the goroutine that waits lies below the other's, whose frame must not reach it.
static int overflow(void (*touch)()) {
  constexpr spawn_options small{.stack_bytes = 64 << 10};
  chan<int> never(0);
  chan<int> ended(0);
  go(small, [never] { never.recv(); });
  go(small, [ended, touch] {
    touch();
    ended.send(1);
  });
  ended.recv();
  fmt::print("stepped over the guard\n");
  return 0;
}

int main(int argc, char** argv) {
  return run([argc, argv] {
    std::string_view const what = argc > 1 ? argv[1] : "";
    if (what == "overflow") return overflow(&touch_far_below);
    if (what == "overflow_in_c") return overflow(&touch_far_below_in_c);
    error const err = run_all();
    if (err) fmt::print("{}\n", err);
    return err ? 1 : 0;
  });
}
