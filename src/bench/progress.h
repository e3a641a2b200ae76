// SPDX-License-Identifier: Apache-2.0
#pragma once
// What is under way: a line on a terminal, overwritten again and again, and the words of an
// interruption. One goroutine's, but for the thread that overwrites the line while one measures.
//
// LOCKS mu_ guards what the line says and whether it is there.

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>

#include "vole/internal/annotations.h"
#include "vole/internal/atomic.h"
#include "vole/internal/clock.h"
#include "vole/internal/raw_mutex.h"

namespace vole::bench {

// workload is what a run has to do, and how far it is.
struct workload {
  std::size_t parts = 0;  // of about equal size: benchmarks
  int rounds = 1;         // of -count, in each part and in each of its sub-benchmarks
  duration round_time{};  // what a round takes, roughly; 0: not known

  std::size_t parts_done = 0;
  std::size_t rounds_done = 0;     // in all parts
  std::size_t rounds_in_done = 0;  // of them, in the parts that are done
  int round = 1;                   // that is under way
  duration gone{};
  duration gone_in_round{};
};

// estimate_text is "12s gone, about 40s to go", or "12s gone" while nothing is known.
std::string estimate_text(workload const& of);

// fitted is head, name and tail in so many columns at the most; the name loses what is too much,
// and then the whole. 0 columns: no limit.
std::string fitted(std::string_view head, std::string_view name, std::string_view tail,
                   std::size_t columns);
// terminal_columns is how wide the terminal is; 0: it does not say.
std::size_t terminal_columns(int fd);

class progress {
 public:
  // on: log is a terminal. ticks: a thread keeps the line up to date; else tick() does. counts: an
  // interruption says how many parts are complete.
  struct how {
    bool on = false;
    bool ticks = false;
    bool counts = true;
  };
  progress(std::FILE* log, how with, workload all);
  ~progress();
  progress(progress const&) = delete;
  progress& operator=(progress const&) = delete;

  // begin says what is measured now.
  void begin(std::string_view name, int round);
  // show is for after a clear, when the same goes on.
  void show();
  // tick brings the line up to date, if it is there.
  void tick();
  // clear takes the line away, before something else is printed.
  void clear();
  void round_done();
  void part_done();
  [[nodiscard]] std::size_t parts_done() const;

 private:
  void draw() VOLE_REQUIRES_LOCK(mu_);
  void keep_ticking();

  std::FILE* log_;
  how how_;
  mutable internal::raw_mutex mu_;
  workload work_ VOLE_GUARDED_BY(mu_);
  std::string name_ VOLE_GUARDED_BY(mu_);
  bool shown_ VOLE_GUARDED_BY(mu_) = false;
  time_point begun_ VOLE_GUARDED_BY(mu_);
  time_point round_begun_ VOLE_GUARDED_BY(mu_);
  internal::atomic<int> ending_{0};
  // tidy: std::thread, a goroutine would take part in what is measured
  std::thread ticker_;
};

}  // namespace vole::bench
