// SPDX-License-Identifier: Apache-2.0
#pragma once
// What was said in the name of a benchmark. Goroutines of its own may speak as well as its body:
// Go allows Error and Log in the bodies of RunParallel.
//
// LOCKS mu_ guards the lines. ORDERING all relaxed: the flags are single words that order nothing.

#include <string>
#include <utility>
#include <vector>

#include "vole/internal/annotations.h"
#include "vole/internal/atomic.h"
#include "vole/internal/raw_mutex.h"

namespace vole::bench {

// Safety: any goroutine.
class remarks {
 public:
  void log(std::string line) {
    internal::raw_lock const lock(mu_);
    lines_.push_back(std::move(line));
  }
  void fail(std::string line) {
    log(std::move(line));
    fail();
  }
  void fail() { set(failed_); }  // a part of it has said why
  void skip(std::string line) {
    log(std::move(line));
    set(skipped_);
  }
  // end: the next loop() is false, and so is next() of run_parallel's bodies, soon.
  void end() { set(ended_); }

  [[nodiscard]] bool failed() const { return is(failed_); }
  [[nodiscard]] bool skipped() const { return is(skipped_); }
  [[nodiscard]] bool over() const { return failed() || skipped(); }
  [[nodiscard]] bool ended() const { return is(ended_); }
  [[nodiscard]] std::vector<std::string> lines() const {
    internal::raw_lock const lock(mu_);
    return lines_;
  }

 private:
  using flag = internal::atomic<bool>;
  // relaxed, no partner: see ORDERING.
  static void set(flag& of) { of.store(true, internal::memory_order_relaxed); }
  static bool is(flag const& of) { return of.load(internal::memory_order_relaxed); }

  mutable internal::raw_mutex mu_;
  std::vector<std::string> lines_ VOLE_GUARDED_BY(mu_);
  flag failed_{false};
  flag skipped_{false};
  flag ended_{false};
};

}  // namespace vole::bench
