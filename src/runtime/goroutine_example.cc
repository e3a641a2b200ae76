// SPDX-License-Identifier: Apache-2.0
// Values of a goroutine's own, a wired thread, a failure to start as a value.
#include <cstdio>
#include <string>

#include "vole/go.h"
#include "vole/goroutine_local.h"
#include "vole/internal/atomic.h"
#include "vole/runtime.h"

namespace {

vole::inherited_local<std::string>& request_id() {
  static vole::inherited_local<std::string> id;
  return id;
}

void log(char const* text) {
  std::printf("[%s] %s\n", request_id()->c_str(), text);
}

int serve() {
  request_id().set("r-17");
  vole::internal::atomic<bool> done{false};
  vole::go([&] {
    log("looked up by a child");  // which has a copy of its parent's value
    request_id().set("child's own");
    done.store(true);
  });
  while (!done.load()) vole::runtime::yield();
  log("answered");

  vole::runtime::lock_thread();  // for a library that keeps state per thread
  log("on a thread of its own");
  vole::runtime::unlock_thread();

  std::errc const failure = vole::try_go({.stack_bytes = 64 << 20}, [] {});
  std::printf("64 MiB of stack: %s\n",
              failure == std::errc::value_too_large ? "too large" : "started");
  return 0;
}

}  // namespace

int main() {
  return vole::run([] { return serve(); });
}

// Output:
// [r-17] looked up by a child
// [r-17] answered
// [r-17] on a thread of its own
// 64 MiB of stack: too large
