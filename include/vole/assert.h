// SPDX-License-Identifier: Apache-2.0
#pragma once
// A bug crashes, a failure is a value: VOLE_ASSERT for our bugs, VOLE_REQUIRE for the caller's,
// panic for both.

#include <fmt/core.h>
#include <string>
#include <string_view>

namespace vole {

// panic reports a bug: prints "panic: <message>", dumps all goroutines and aborts the process.
// Blocks: ends the process.  Source: Go's panic without recover. Differs: nothing of ours unwinds.
[[noreturn]] void panic(std::string_view message);

namespace internal {

[[noreturn, gnu::cold, gnu::noinline]] void assert_failed(char const* kind, char const* condition,
                                                          char const* file, int line,
                                                          std::string const& message = {});

// The runtime sets it: writes the dump of all goroutines to standard error.
void set_panic_hook(void (*dump)()) noexcept;

}  // namespace internal
}  // namespace vole

// VOLE_ASSERT(condition, "format", args...): an invariant of vole itself. Stays on in release
// builds.
#define VOLE_ASSERT(condition, ...)                                                \
  (static_cast<bool>(condition)                                                    \
       ? void(0)                                                                   \
       : ::vole::internal::assert_failed("assertion failed", #condition, __FILE__, \
                                         __LINE__ __VA_OPT__(, ::fmt::format(__VA_ARGS__))))

// VOLE_REQUIRE(condition, "format", args...): what the caller must keep. Stays on in release
// builds.
#define VOLE_REQUIRE(condition, ...)                                     \
  (static_cast<bool>(condition)                                          \
       ? void(0)                                                         \
       : ::vole::internal::assert_failed("misuse", #condition, __FILE__, \
                                         __LINE__ __VA_OPT__(, ::fmt::format(__VA_ARGS__))))
