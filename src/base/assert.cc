// SPDX-License-Identifier: Apache-2.0
// Panics and assertions. The first panic prints and aborts; one that strikes meanwhile on another
// thread waits for that.

#include "vole/assert.h"

#include <cstdlib>
#include <iterator>
#include <unistd.h>

#include "vole/internal/atomic.h"
#include "vole/internal/format.h"

namespace vole {
namespace internal {
namespace {

constinit atomic<void (*)()> panic_hook{nullptr};
constinit atomic<bool> panicking{false};

void write_stderr(std::string_view text) {
  while (!text.empty()) {
    ssize_t const n = ::write(STDERR_FILENO, text.data(), text.size());
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

[[noreturn]] void die(std::string_view report) {
  if (!panicking.exchange(true)) {
    write_stderr(report);
    if (auto* dump = panic_hook.load(std::memory_order_relaxed)) dump();
    std::abort();
  }
  write_stderr("while dumping: ");
  write_stderr(report);
  std::abort();
}

}  // namespace

void set_panic_hook(void (*dump)()) noexcept {
  panic_hook.store(dump, std::memory_order_relaxed);
}

void assert_failed(char const* kind, char const* condition, char const* file, int line,
                   std::string const& message) {
  die(fmt::format("panic: {}: {}{}{}\n\t{}:{}\n\n", kind, message, message.empty() ? "" : ": ",
                  condition, file, line));
}

}  // namespace internal

void panic(std::string_view message) {
  fmt::memory_buffer report;  // on the stack while it is short: memory may have ended
  fmt::format_to(std::back_inserter(report), "panic: {}\n\n", message);
  internal::die({report.data(), report.size()});
}

}  // namespace vole
