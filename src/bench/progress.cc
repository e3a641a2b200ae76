// SPDX-License-Identifier: Apache-2.0
//
// The line of progress. No shared state.

#include "bench/progress.h"

#include "vole/internal/format.h"

#include "bench/interrupt.h"

namespace vole::bench {

progress::progress(std::FILE* log, bool on, std::size_t parts)
    : log_(log), on_(on), parts_(parts), begun_(internal::now()) {}

void progress::begin(std::string_view name, int round, int rounds) {
  std::string const which =
      rounds > 1 ? fmt::format("{} ({}/{})", name, round, rounds) : std::string(name);
  interrupt::now_doing(fmt::format("{}: {} of {} benchmarks are complete", which, done_, parts_));
  if (!on_) return;
  fmt::print(log_, "\r\x1b[K[{}/{}] {}  {}", done_ + 1, parts_, which,
             estimate_text(internal::now() - begun_, done_, parts_));
  std::fflush(log_);
  shown_ = true;
}

void progress::clear() {
  if (!shown_) return;
  shown_ = false;
  fmt::print(log_, "\r\x1b[K");
  std::fflush(log_);
}

std::string estimate_text(duration gone, std::size_t done, std::size_t parts) {
  auto const seconds = std::chrono::duration<double>(gone).count();
  std::string text = fmt::format("{:.0f}s gone", seconds);
  if (done == 0 || done >= parts) return text;
  double const left = seconds / static_cast<double>(done) * static_cast<double>(parts - done);
  return text + fmt::format(", about {:.0f}s to go", left);
}

}  // namespace vole::bench
