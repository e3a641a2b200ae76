// SPDX-License-Identifier: Apache-2.0
#pragma once
// The sampler: owner of SIGPROF. While somebody captures, each thread of the process is interrupted
// for every 10 ms of processor time it uses, and says where it is. One sampler serves any number of
// captures at the same time; without one there is no timer, no thread and no cost.

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <span>
#include <sys/types.h>

namespace vole::internal::sample {

inline constexpr int cpu_hz = 100;
// Of one sample; what is deeper loses its middle (symbol::frames_left_out).
inline constexpr std::size_t frames_max = 128;

// One place where a thread was found, as given to a capture.
struct cpu_sample {
  std::uint64_t goroutine_id = 0;  // 0: the thread ran no goroutine
  std::uint64_t labels_id = 0;     // of that goroutine, see runtime/labels.h; 0: none
  std::uintptr_t created_by = 0;   // of that goroutine: where its go() returned to; 0: not known
  std::uint64_t weight = 0;        // how many periods it stands for
  // The first is exact, the others are return addresses; valid during the call. Empty: the sample
  // was taken, but there was no room to keep where.
  std::span<std::uintptr_t const> pcs{};
};

// thread_started is called by the runtime on each thread it makes, first: it lets SIGPROF in, and
// the sampler knows its stack and its goroutines at once. Other threads are found by looking,
// within 100 ms as a rule; what they use before is not seen. A thread that blocks SIGPROF is not
// sampled.
void thread_started() noexcept;

// let_sigprof_in has the calling thread sampled although it blocks all other signals.
void let_sigprof_in() noexcept;

// learn_modules keeps up with what is loaded and unloaded: how to walk its code from a signal
// handler, and what it was. A look at the loader's counters when nothing has changed. Blocks: on
// the loader's lock.
void learn_modules() noexcept;

// cpu_clock_of is the kernel's name for the processor-time clock of a thread of this process.
clockid_t cpu_clock_of(pid_t tid) noexcept;

// What a capture could not see.
struct capture_gaps {
  std::size_t threads_unarmed = 0;  // that got no timer, at the look that gave it to the fewest
  bool handler_replaced = false;    // somebody had put in a handler of SIGPROF instead of ours
};

// cpu_capture receives all samples taken between start() and stop().
// Safety: one goroutine or thread at a time.
class cpu_capture {
 public:
  // deliver is called on some thread, never in a signal handler, under the sampler's lock: it must
  // not park, and must not start or stop a capture.
  using deliver_fn = void (*)(void* arg, cpu_sample const& taken);

  cpu_capture(deliver_fn deliver, void* arg) noexcept : deliver_(deliver), arg_(arg) {}
  ~cpu_capture() { stop(); }
  cpu_capture(cpu_capture const&) = delete;
  cpu_capture& operator=(cpu_capture const&) = delete;

  // start returns 0, or an errno: no timer or no thread could be made. Not twice without a stop().
  [[nodiscard]] int start() noexcept;
  // stop delivers what was taken so far, and then nothing more. No effect when not started.
  void stop() noexcept;
  // gaps of one that was stopped.
  capture_gaps gaps() const noexcept { return gaps_; }

 private:
  friend class sampler;

  deliver_fn deliver_;
  void* arg_;
  bool active_ = false;
  capture_gaps gaps_;
  cpu_capture* next_ = nullptr;  // in sampler::captures_
};

struct counters {
  std::uint64_t signals_total = 0;    // SIGPROFs of our timers
  std::uint64_t lost_total = 0;       // of these, without room in the ring
  std::uint64_t foreign_total = 0;    // SIGPROFs of others, passed on to the handler before ours
  std::uint64_t threads_armed = 0;    // threads with a timer now
  std::uint64_t threads_unarmed = 0;  // threads for which the last capture got no timer
};
counters read_counters() noexcept;
// threads_unarmed is that counter alone. Cost: a load.
std::size_t threads_unarmed() noexcept;

}  // namespace vole::internal::sample
