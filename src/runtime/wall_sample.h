// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where time goes, waiting included: while somebody captures, a thread looks at the goroutines 99
// times a second and hands what it finds to all captures.
//
// THE RULE that bounds its cost: a look at the goroutines ends after look_max of processor time,
// which is 1.5 % of one processor, and not before it has seen few_goroutines. The next one goes on
// where it ended. What was looked at stands for the rest: one in so many was seen, so each counts
// for so many. A goroutine that is not looked at each time has, on average, the share that it
// deserves.
//
// WHO IS INTERRUPTED  Goroutines that wait (for something, or for a processor) are read where they
//   lie, those inside blocking() where they entered it. A thread is asked by a signal only if it
//   runs a goroutine and has used processor time since it was asked last: what sleeps in the kernel
//   gets one signal at most, and stands where it stood. Inside blocking() it must have used half of
//   the time: nobody's poll() ends early for a profile.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "vole/internal/clock.h"

#include "runtime/sanitizer.h"

namespace vole::internal {
struct worker;
}

namespace vole::internal::wall {

inline constexpr int hz = 99;  // on average; fgprof's
inline constexpr duration period = duration(std::chrono::seconds(1)) / hz;
// A sanitizer makes a look many times as expensive.
inline constexpr duration look_max = std::chrono::microseconds(VOLE_ASAN || VOLE_TSAN ? 5000 : 150);
inline constexpr std::size_t few_goroutines = 32;

// One goroutine at one look.
struct wall_sample {
  std::uint64_t goroutine_id = 0;
  std::uint64_t labels_id = 0;    // see runtime/labels.h; 0: none
  std::uintptr_t created_by = 0;  // where its go() returned to; 0: not known
  char const* reason = "";        // what a dump says of its state; static text
  std::int64_t ns = 0;            // how much time it stands for
  // Innermost first, each inside the call it stands for; valid during the call. Empty: it moved
  // while it was looked at, or its thread has not answered.
  std::span<std::uintptr_t const> pcs{};
};

// wall_capture receives all samples between start() and stop(): of a goroutine that lives all the
// time and is looked at each time, exactly that time.
// Safety: one goroutine or thread at a time.
class wall_capture {
 public:
  // deliver is called on some thread, under the sampler's lock: it must not park, and must not
  // start or stop a capture.
  using deliver_fn = void (*)(void* arg, wall_sample const& taken);

  wall_capture(deliver_fn deliver, void* arg) noexcept : deliver_(deliver), arg_(arg) {}
  ~wall_capture() { stop(); }
  wall_capture(wall_capture const&) = delete;
  wall_capture& operator=(wall_capture const&) = delete;

  // start returns 0, or an errno: there is no thread to be had. Not twice without a stop().
  [[nodiscard]] int start() noexcept;
  // stop looks once more, at all but the caller, and then delivers nothing more. No effect when not
  // started. Blocks: the thread, for up to 10 ms, until the threads that it asked have answered.
  void stop() noexcept;
  // lasted is the time from start() to the last look; of one that was stopped.
  duration lasted() const noexcept { return lasted_; }

 private:
  friend class sampler;

  deliver_fn deliver_;
  void* arg_;
  bool active_ = false;
  time_point begun_{};
  duration lasted_{};
  wall_capture* next_ = nullptr;  // in sampler::captures_
};

struct counters {
  std::uint64_t looks_total = 0;     // at all goroutines, or at a part of them
  std::uint64_t waiting_total = 0;   // goroutines that waited and were read where they lay
  std::uint64_t blocking_total = 0;  // likewise, inside blocking()
  std::uint64_t asked_total = 0;     // signals sent to threads
  std::size_t captures = 0;          // that are active now
};
counters read_counters() noexcept;

// answer writes down what the calling thread, which is w's, does, if it was asked. machine: the
// third argument of the signal handler that calls it. Async-signal-safe.
void answer(worker& w, void const* machine) noexcept;

}  // namespace vole::internal::wall
