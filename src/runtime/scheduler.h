// SPDX-License-Identifier: Apache-2.0
#pragma once
// The scheduler: goroutines on processors on workers, with stealing. See scheduler.cc for the wake
// protocol.

#include <cstddef>
#include <cstdint>
#include <string>

#include "vole/go.h"
#include "vole/runtime.h"

#include "base/immortal.h"
#include "runtime/processor.h"
#include "runtime/stack.h"

namespace vole::internal {

class scheduler {
 public:
  constexpr scheduler() noexcept = default;

  static constexpr std::uint32_t processors_max = 4096;
  static constexpr std::uint32_t workers_max = 32'768;
  static constexpr std::uint32_t workers_default_max = 10'000;

  // start makes the processors and the monitor, once; later calls return at once. From any thread.
  void start() noexcept;
  bool started() const noexcept {
    return started_.load(memory_order_acquire);  // pairs with scheduler.cc:start
  }

  // ready makes g runnable, next on this processor when the caller has one.
  void ready(goroutine* g) noexcept;
  // ready_all makes a chain runnable behind what is there already.
  void ready_all(goroutine_chain& chain) noexcept;
  // requeue makes the goroutine that just left this worker runnable again, behind the others.
  void requeue(goroutine* g) noexcept;
  // spawned is ready() for a goroutine that has never run.
  void spawned(goroutine* g) noexcept;

  // switch_away leaves the current goroutine; after(worker, arg) runs once its stack is free of us.
  // Returns when it has been made ready and scheduled again, perhaps on another worker.
  void switch_away(goroutine& self, void (*after)(worker&, void*), void* arg) noexcept;
  void yield() noexcept;
  [[noreturn]] void end_goroutine(goroutine& self) noexcept;

  // wire binds the goroutine to its worker until unwire was called as often: each wire() makes the
  // worker run nobody else.
  void wire(goroutine& self) noexcept;
  void unwire(goroutine& self) noexcept;

  void enter_blocking(goroutine& self) noexcept;
  void leave_blocking(goroutine& self) noexcept;

  // timer_changed wakes the poller when a timer was armed that is due before it would look.
  void timer_changed(time_point when) noexcept;
  // wake_unless_caller_looks sees to it that somebody comes to wait for what a plain thread, or a
  // goroutine that is in blocking() or stuck, has armed or opened.
  void wake_unless_caller_looks() noexcept;
  timer_heap& timers_for_caller() noexcept;

  goroutine* take_block(int size_class, std::errc* why) noexcept;
  void give_block(goroutine* g) noexcept;

  // What blocks outside, so that no deadlock is reported: plain threads in primitives, signal
  // channels, blocking calls.
  void external_waker(int delta) noexcept { external_wakers_.fetch_add(delta); }
  // While some run() waits for its main goroutine, a process in which all sleep for ever is
  // reported and ended.
  void expect_progress(int delta) noexcept { mains_.fetch_add(delta); }

  void check_deadlock() noexcept;

  // forked is called in a child of fork: whoever started the runtime, its threads are not there.
  void forked() noexcept;
  bool is_forked() const noexcept { return forked_; }
  // refuse_if_forked panics in such a child: what is asked for would never be done, or waits for a
  // lock that nobody will let go.
  void refuse_if_forked() const noexcept {
    if (forked_) [[unlikely]]
      refuse_in_child();
  }

  // seeded: what runs next is drawn from the global queue by the generator of VOLE_SEED, and every
  // goroutine goes over that queue.
  bool seeded() const noexcept { return (modes_.load(memory_order_relaxed) & mode_seeded) != 0; }
  // expect_background: there are background goroutines from now on. False: the schedule is seeded,
  // and there are none.
  bool expect_background() noexcept {
    std::uint8_t const modes = modes_.load(memory_order_relaxed);
    if ((modes & mode_seeded) != 0) return false;
    if ((modes & mode_background) == 0) modes_.fetch_or(mode_background);
    return true;
  }
  // queued_apart: g goes to a queue of all processors, never into a ring.
  bool queued_apart(goroutine const& g) const noexcept {
    std::uint8_t const modes = modes_.load(memory_order_relaxed);
    return modes != 0 && ((modes & mode_seeded) != 0 || g.background.load(memory_order_relaxed));
  }
  // check_switches has check called with each goroutine that is about to leave its worker, at its
  // end too. It may spawn, but not wait. Costs nothing until then, once.
  void check_switches(void (*check)(goroutine&) noexcept) noexcept;

  // hold_back has the workers take no further goroutine, since the process ends: see exit_hold.cc.
  void hold_back() noexcept;
  bool held() const noexcept {
    // seq_cst: pairs with exit_hold.cc:hold_back
    return (modes_.load() & mode_held) != 0;
  }
  // thread_waits: a plain thread is about to wait for what a goroutine may do.
  void thread_waits() noexcept {
    if (held()) [[unlikely]]
      let_on_if_exiting();
  }

  int max_procs() const noexcept { return max_procs_.load(memory_order_relaxed); }
  bool spinning_pays() const noexcept;
  int set_max_procs(int n) noexcept;
  std::uint32_t set_max_threads(std::uint32_t n) noexcept;
  std::size_t live() noexcept;
  runtime::stats stats() noexcept;
  runtime::latency_histogram latency() noexcept;
  // One line as Go's schedtrace.
  std::string trace_line(duration since_start) noexcept;
  stack_pool& stacks() noexcept { return stacks_; }
  time_point coarse_now() const noexcept {
    return time_point(duration(coarse_now_.load(memory_order_relaxed)));
  }
  std::uint64_t next_id(processor* p) noexcept;

  // request_dump has the monitor print all goroutines and exit; async-signal-safe.
  void request_dump() noexcept;

  // for_each_worker visits all workers that exist; they are never freed.
  void for_each_worker(void (*visit)(void*, worker&), void* arg) noexcept;

 private:
  friend class monitor;

  [[noreturn, gnu::cold]] static void refuse_in_child() noexcept;
  static void* worker_main(void* arg) noexcept;
  [[noreturn]] void loop(worker& w) noexcept;
  void execute(worker& w, goroutine* g) noexcept;
  goroutine* next_local(worker& w) noexcept;
  bool goes_over_loop(worker& w) noexcept;
  // The end of the process: see exit_hold.cc.
  bool all_stand_still() noexcept;
  void wait_while_held() noexcept;
  void let_on() noexcept;
  void let_on_if_exiting() noexcept;
  // The background: see background.cc.
  bool background_has_room() const noexcept;
  bool background_may_run() const noexcept {
    // seq_cst: pairs with scheduler.cc:overflow_to_global
    return background_size_.load() != 0 && background_has_room();
  }
  bool background_is_due(processor const& p) const noexcept {
    return background_may_run() && internal::monotonic_now() >= p.background_due;
  }
  bool background_goes_first(processor& p) noexcept;
  void begin_background_turn(processor& p) noexcept VOLE_REQUIRES_LOCK(mu_);
  time_point end_background_turn(processor& p) noexcept;
  void leave_turn(processor& p) noexcept;
  void excuse_turn(processor& p) noexcept;
  void count_turn(processor& p) noexcept;
  goroutine* take_background(processor& p) noexcept VOLE_REQUIRES_LOCK(mu_);
  goroutine* take_due_background(processor& p) noexcept;
  goroutine* take_wired_background(processor& p) noexcept VOLE_REQUIRES_LOCK(mu_);
  void put_background_apart(goroutine_chain& chain) noexcept;
  goroutine* find_runnable(worker& w) noexcept;
  goroutine* find_here(worker& w) noexcept;
  goroutine* steal(worker& w) noexcept;
  goroutine* take_global(processor& p, std::size_t most) noexcept VOLE_REQUIRES_LOCK(mu_);
  goroutine* poll_net(worker& w) noexcept;
  goroutine* wait_for_net(worker& w) noexcept;
  goroutine* let_go(worker& w) noexcept;
  goroutine* stop_spinning(worker& w, goroutine* g) noexcept;
  bool any_ring_filled() noexcept;
  bool falls_asleep() noexcept VOLE_REQUIRES_LOCK(mu_);
  bool looks_deadlocked() noexcept VOLE_REQUIRES_LOCK(mu_);
  bool poller_waits_in_vain() noexcept VOLE_REQUIRES_LOCK(mu_);
  bool nothing_can_come() noexcept VOLE_REQUIRES_LOCK(mu_);
  void report_deadlock() noexcept;
  goroutine* adopt(worker& w, goroutine_chain& chain) noexcept;
  time_point next_timer() noexcept;
  void stop_worker(worker& w) noexcept;
  void wait_for_processor(worker& w) noexcept;
  void overflow_to_global(goroutine_chain& chain) noexcept;
  void queue_for_all(goroutine* g, bool wake = true) noexcept;
  void push_local(processor& p, goroutine* g) noexcept;
  void note_slice(processor& p) noexcept;
  void note_time(time_point t) noexcept;
  void wait_wired(worker& w) noexcept;
  void pass_processor(worker& from, worker& to) noexcept;
  bool retire_if_surplus(worker& w) noexcept;
  void release_spare(processor* p) noexcept VOLE_EXCLUDES(mu_);

  void wake_one() noexcept;
  void hand_over(processor* p) noexcept;
  void start_worker(processor* p, bool spinning) noexcept VOLE_REQUIRES_LOCK(mu_);
  void give_processor(processor* p, worker& to, bool spinning) noexcept;
  goroutine* take_first_wired(goroutine_chain& from) noexcept VOLE_REQUIRES_LOCK(mu_);
  goroutine* take_wired(processor& p) noexcept VOLE_REQUIRES_LOCK(mu_);
  void make_spares(int count) noexcept VOLE_REQUIRES_LOCK(mu_);
  worker* new_worker() noexcept VOLE_REQUIRES_LOCK(mu_);
  void put_idle(processor* p) noexcept VOLE_REQUIRES_LOCK(mu_);
  void take_from_stuck(processor& p) noexcept;
  void empty_to_global(processor& p) noexcept VOLE_REQUIRES_LOCK(mu_);
  processor* take_idle() noexcept VOLE_REQUIRES_LOCK(mu_);
  processor* take_free() noexcept VOLE_REQUIRES_LOCK(mu_);
  void hold(worker& w, processor* p) noexcept;
  processor* unhold(worker& w) noexcept;
  void run_after(worker& w) noexcept;

  std::uint64_t draw() noexcept VOLE_REQUIRES_LOCK(mu_);

  raw_mutex mu_;
  // What makes a switch another one than usual: one load tells that nothing does.
  enum : std::uint8_t { mode_seeded = 1, mode_checked = 2, mode_background = 4, mode_held = 8 };
  atomic<std::uint8_t> modes_{0};
  atomic<void (*)(goroutine&) noexcept> switch_check_{nullptr};
  std::uint64_t seed_state_ VOLE_GUARDED_BY(mu_) = 0;
  goroutine_chain global_ VOLE_GUARDED_BY(mu_);
  atomic<std::size_t> global_size_{0};
  goroutine_chain background_ VOLE_GUARDED_BY(mu_);  // of scheduling_class::background
  atomic<std::size_t> background_size_{0};
  atomic<int> background_running_{0};                // processors in a turn that counts
  atomic<duration::rep> background_waits_since_{0};  // when background_ was last empty; under mu_
  atomic<std::uint64_t> background_turns_{0};
  processor* idle_ VOLE_GUARDED_BY(mu_) = nullptr;
  processor* free_ VOLE_GUARDED_BY(mu_) = nullptr;
  intrusive_list<worker, &worker::idle_link> idle_workers_ VOLE_GUARDED_BY(mu_);
  std::uint32_t idle_worker_count_ VOLE_GUARDED_BY(mu_) = 0;
  std::uint32_t idle_count_locked_ VOLE_GUARDED_BY(mu_) = 0;
  std::uint32_t wired_waiting_ VOLE_GUARDED_BY(mu_) = 0;  // workers whose goroutine is parked
  std::uint32_t held_workers_ VOLE_GUARDED_BY(mu_) = 0;

  atomic<std::uint32_t> idle_count_{0};  // processors in idle_
  atomic<std::uint32_t> spinning_{0};    // workers that look for work
  atomic<std::uint32_t> processor_count_{0};
  atomic<std::uint32_t> worker_count_{0};
  // Written under mu_.
  atomic<std::uint32_t> spares_{0};     // spare processors in use or idle
  atomic<std::uint32_t> surplus_{0};    // of these, how many shall go
  atomic<bool> poller_blocked_{false};  // a worker sleeps in epoll
  atomic<duration::rep> poll_until_{0};
  atomic<duration::rep> last_poll_{0};
  atomic<duration::rep> coarse_now_{0};
  // The last start of a worker failed. Nothing may be runnable meanwhile, and yet nobody be there
  // for timers and descriptors: the monitor tries again. Written under mu_.
  atomic<bool> lacks_thread_{false};
  atomic<std::uint64_t> handoffs_{0};
  atomic<std::uint32_t> blocking_calls_{0};
  atomic<int> external_wakers_{0};
  atomic<std::uint64_t> foreign_created_{0};  // by callers without a processor
  atomic<std::uint64_t> foreign_ended_{0};
  atomic<std::uint64_t> ids_{0};
  atomic<int> mains_{0};
  atomic<bool> started_{false};
  bool forked_ = false;  // written by the only thread of a child
  raw_mutex start_mu_;
  atomic<int> max_procs_{1};  // written under start_mu_
  atomic<std::uint32_t> workers_limit_{workers_default_max};
  atomic<std::uint64_t> stalls_{0};
  atomic<int> hold_word_{0};  // 1: held; 2: and hold_until_ says for how long
  atomic<duration::rep> hold_until_{0};
  atomic<int> exiting_thread_{0};  // that called exit(); its goroutine:
  atomic<goroutine*> exiting_{nullptr};
  stack_pool stacks_;
  atomic<processor*> processors_[processors_max] = {};
  atomic<worker*> workers_[workers_max] = {};
};

// The only process-wide object of vole.
[[gnu::visibility("hidden")]] extern constinit immortal<scheduler> scheduler_instance;

inline scheduler& the_scheduler() noexcept {
  return scheduler_instance.value;
}

}  // namespace vole::internal
