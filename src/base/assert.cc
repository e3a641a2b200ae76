// SPDX-License-Identifier: Apache-2.0
// Panics and assertions. The first panic prints, dumps and aborts. One that strikes meanwhile on
// another thread prints and waits for that; one within the dump aborts at once.

#include "vole/assert.h"

#include <chrono>
#include <cstdlib>
#include <iterator>
#include <unistd.h>

#include "vole/internal/atomic.h"
#include "vole/internal/clock.h"
#include "vole/internal/format.h"

#include "base/futex.h"

namespace vole {
namespace internal {
namespace {

constinit atomic<void (*)()> panic_hook{nullptr};
constinit atomic<int> panicking{0};  // the thread that panicked first; 0: none has

// A dump that has stopped does not keep the process for longer than this.
constexpr std::chrono::seconds dump_patience{10};

void write_stderr(std::string_view text) {
  while (!text.empty()) {
    ssize_t const n = ::write(STDERR_FILENO, text.data(), text.size());
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

// await_abort gives the thread that panicked first the time to print its dump and abort.
void await_abort(int first) {
  time_point const until = monotonic_now() + dump_patience;
  while (futex_wait(panicking, first, until)) continue;
}

[[noreturn]] void die(std::string_view report) {
  int const me = ::gettid();
  int first = 0;
  if (panicking.compare_exchange_strong(first, me)) {
    write_stderr(report);
    if (auto* dump = panic_hook.load(std::memory_order_relaxed)) dump();
  } else if (first == me) {
    write_stderr("while dumping: ");
    write_stderr(report);
  } else {
    write_stderr("on another thread meanwhile: ");
    write_stderr(report);
    await_abort(first);
  }
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
