// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

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

int main() {
  return run([] {
    error const err = run_all();
    if (err) fmt::print("{}\n", err);
    return err ? 1 : 0;
  });
}
