// SPDX-License-Identifier: Apache-2.0
// What profiles cost a process with 100,000 goroutines, and how long they make others wait.

#include <algorithm>
#include <cstdint>
#include <time.h>
#include <vector>

#include "vole/bench.h"
#include "vole/chan.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/internal/clock.h"
#include "vole/pprof.h"
#include "vole/runtime.h"
#include "vole/sync.h"
#include "vole/time.h"

#include "runtime/sanitizer.h"
#include "runtime/wall_sample.h"

using namespace vole;

namespace {

// TSan ends at 8,128.
constexpr std::size_t many = VOLE_TSAN ? 4'000 : 100'000;

class parked_goroutines {
 public:
  explicit parked_goroutines(std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      come_.add(1);
      ended_.go([this] {
        come_.done();
        gate_.recv();
      });
    }
    come_.wait();
  }
  ~parked_goroutines() {
    gate_.close();
    ended_.wait();
  }

 private:
  sync::wait_group come_;
  chan<int> gate_{0};
  sync::wait_group ended_;
};

// A goroutine that does what others do all the time: it starts one, lets it run, and notes for how
// long it did not get on.
class heartbeat {
 public:
  heartbeat() {
    ended_.go([this] { beat(); });
  }
  ~heartbeat() {
    stop_.store(true);
    ended_.wait();
  }
  // longest is the longest pause since the last call.
  duration longest() { return duration(longest_ns_.exchange(0)); }

 private:
  void beat() {
    time_point last = internal::now();
    while (!stop_.load()) {
      go([] {});
      runtime::yield();
      time_point const t = internal::now();
      longest_ns_.store(std::max(longest_ns_.load(), (t - last).count()));
      last = t;
    }
  }

  internal::atomic<bool> stop_{false};
  internal::atomic<std::int64_t> longest_ns_{0};
  sync::wait_group ended_;
};

double middle(std::vector<double> all) {
  std::ranges::sort(all);
  return all.empty() ? 0 : all[all.size() / 2];
}

// How long others wait while fn runs, and without it for as long: the machine has pauses of its
// own.
template <class Fn>
void with_heartbeat(bench::benchmark& b, Fn fn) {
  heartbeat beats;
  std::vector<double> with;
  std::vector<double> without;
  while (b.loop()) {
    beats.longest();
    time_point const from = internal::now();
    fn();
    duration const took = internal::now() - from;
    with.push_back(static_cast<double>(beats.longest().count()));
    b.stop_timer();
    time::sleep(took);
    without.push_back(static_cast<double>(beats.longest().count()));
    b.start_timer();
  }
  b.report_metric(middle(with), "pause-ns");
  b.report_metric(middle(without), "pause-without-ns");
}

VOLE_BENCH(goroutine_profile_of_100000) {
  parked_goroutines const all(many);
  std::size_t bytes = 0;
  with_heartbeat(b, [&] { bytes += pprof::lookup("goroutine")->write(0).size(); });
  bench::keep(bytes);
}

VOLE_BENCH(goroutine_dump_of_100000) {
  parked_goroutines const all(many);
  std::size_t bytes = 0;
  with_heartbeat(b, [&] {
    std::string text = pprof::lookup("goroutine")->write(2);
    bytes += text.size();
    blocking([&text] { std::string().swap(text); });  // as the server does
  });
  bench::keep(bytes);
}

double process_cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// One op is half a second of capture; what the process uses meanwhile is the capture's.
void wall_capture_over(bench::benchmark& b, std::size_t goroutines) {
  parked_goroutines const all(goroutines);
  double used = 0;
  double passed = 0;
  auto const before = internal::wall::read_counters();
  while (b.loop()) {
    auto wall = pprof::start_wall();
    if (!wall) return b.fail("{}", wall.error());
    double const cpu = process_cpu_seconds();
    time_point const from = internal::now();
    time::sleep(std::chrono::milliseconds(500));
    passed += std::chrono::duration<double>(internal::now() - from).count();
    used += process_cpu_seconds() - cpu;
    b.stop_timer();
    bench::keep(wall->stop());
    b.start_timer();
  }
  auto const after = internal::wall::read_counters();
  b.report_metric(100 * used / passed, "%cpu");
  b.report_metric(static_cast<double>(after.waiting_total - before.waiting_total) /
                      static_cast<double>(after.looks_total - before.looks_total),
                  "goroutines/look");
}

VOLE_BENCH(wall_capture_of_10) {
  wall_capture_over(b, 10);
}
VOLE_BENCH(wall_capture_of_100000) {
  wall_capture_over(b, many);
}

}  // namespace
