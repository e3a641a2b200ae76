// SPDX-License-Identifier: Apache-2.0
#pragma once
// The sampler: owner of SIGPROF. While somebody captures, each thread of the process is interrupted
// for every 10 ms of processor time it uses, and says where it is. One sampler serves any number of
// captures at the same time; without one there is no timer, no thread and no cost.

#include <cstdint>
#include <span>

namespace vole::internal::sample {

inline constexpr int cpu_hz = 100;
inline constexpr std::size_t frames_max = 128;  // of one sample; the outer ones are dropped

// One place where a thread was found, as given to a capture.
struct cpu_sample {
  std::uint64_t goroutine_id = 0;  // 0: the thread ran no goroutine
  std::uint64_t weight = 0;        // how many periods it stands for
  bool lost = false;               // taken, but there was no room to keep the stack: pcs is empty
  std::span<std::uintptr_t const>
      pcs;  // the first is exact, the others are return addresses; valid during the call
};

// Called by the runtime on each thread it makes, first and last; both allow the sampler to know its
// stack at once. Other threads are found by looking: they are sampled from at most 100 ms after
// their start.
void thread_started() noexcept;
void thread_ending() noexcept;

// cpu_capture receives all samples taken between start() and stop().
class cpu_capture {
 public:
  // deliver is called on some thread, never in a signal handler, under the sampler's lock: it must
  // not wait, and must not start or stop a capture.
  using deliver_fn = void (*)(void* arg, cpu_sample const& taken);

  cpu_capture(deliver_fn deliver, void* arg) noexcept : deliver_(deliver), arg_(arg) {}
  ~cpu_capture() { stop(); }
  cpu_capture(cpu_capture const&) = delete;
  cpu_capture& operator=(cpu_capture const&) = delete;

  // start returns 0, or an errno: no timer or no thread could be made.
  [[nodiscard]] int start() noexcept;
  // stop delivers what was taken so far, and then nothing more. No effect when not started.
  void stop() noexcept;

 private:
  friend class sampler;

  deliver_fn deliver_;
  void* arg_;
  bool active_ = false;
  cpu_capture* next_ = nullptr;
};

// counters of the sampler, for tests and for /metrics.
struct counters {
  std::uint64_t signals_total = 0;  // SIGPROFs of our timers
  std::uint64_t lost_total = 0;     // of these, without room in the ring
  std::uint64_t foreign_total = 0;  // SIGPROFs that were not ours and went to the handler before us
  std::uint64_t threads_unsampled = 0;  // threads that could not get a timer
  std::uint64_t threads_armed = 0;      // threads with a timer now
};
counters read_counters() noexcept;

}  // namespace vole::internal::sample
