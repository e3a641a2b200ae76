// SPDX-License-Identifier: Apache-2.0
// INVARIANTS  one capture at a time (capture_mu); the handler writes into the request only while it
//             is wanted of its thread, and a requester that gave up closes the request before it
//             returns: a late handler finds it closed, or wanted of another thread.
//             A handler that is not ours is neither replaced nor called by the dump's signal.

#include "runtime/signal.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "vole/assert.h"

#include "base/futex.h"
#include "runtime/dump.h"
#include "runtime/env.h"
#include "runtime/labels.h"
#include "runtime/monitor.h"
#include "runtime/own_stack.h"
#include "runtime/sanitizer.h"
#include "runtime/scheduler.h"
#include "runtime/thread_stack.h"
#include "runtime/wall_sample.h"
#include "symbol/symbolize.h"
#include "symbol/unwind.h"

namespace vole::internal {
namespace {

constexpr std::size_t alternate_stack_bytes =
    1 << 20;  // libdw alone takes 200 KiB; touched only in a report

// Where a request stands, with the thread that is asked: a signal that comes late to another thread
// is no answer.
enum class stage : int { wanted = 1, being_written = 2, written = 3 };
constexpr int closed = 0;
constexpr int at_stage(int tid, stage s) noexcept {
  return tid << 2 | static_cast<int>(s);
}

struct capture_request {
  atomic<int> state{closed};
  std::uint64_t goroutine_id = 0;
  std::uintptr_t* pcs = nullptr;
  std::size_t most = 0;
  std::size_t count = 0;
};

constinit raw_mutex capture_mu;
constinit capture_request capture;
constinit struct sigaction previous_segv{};
constinit struct sigaction previous_bus{};
constinit sigset_t starters_mask{};  // written once, before the first worker is made

constinit atomic<int> chosen_signal{0};  // 0: nobody has chosen
constinit int our_signal = 0;            // written once, before the first worker is made

void answer_dump(void const* context) {
  worker* const w = current_worker();
  if (w == nullptr) return;
  int const tid = w->tid.load(memory_order_relaxed);
  int expected = at_stage(tid, stage::wanted);
  // pairs with signal.cc:capture_running
  if (!capture.state.compare_exchange_strong(expected, at_stage(tid, stage::being_written),
                                             memory_order_acq_rel)) {
    return;
  }
  goroutine* const g = w->on_cpu.load(memory_order_relaxed);
  capture.count = 0;
  if (g != nullptr && g->id.load(memory_order_relaxed) == capture.goroutine_id) {
    capture.count =
        symbol::unwind_interrupted(symbol::interrupted(context), bounds_of(*g),
                                   {capture.pcs, capture.most}, symbol::too_deep::leave_out_middle);
  }
  // pairs with signal.cc:capture_running
  capture.state.store(at_stage(tid, stage::written), memory_order_release);
  futex_wake(capture.state, 1);
}

void on_capture(int, siginfo_t* info, void* context) {
  int const saved = errno;
  worker* const w = current_worker();
  if (info->si_code != SI_QUEUE) {
    answer_dump(context);
  } else if (w != nullptr) {
    wall::answer(*w, context);
  }
  errno = saved;
}

void on_quit(int, siginfo_t*, void*) {
  int const saved = errno;
  monitor::request_dump();
  errno = saved;
}

void forward(int signal, siginfo_t* info, void* context, struct sigaction const& previous) {
  if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction != nullptr) {
    previous.sa_sigaction(signal, info, context);
    return;
  }
  if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
    return;
  }
  // Back to the default; the faulting instruction runs again and ends the process with a core.
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  ::sigaction(signal, &standard, nullptr);
}

// The labels of the goroutine on this thread: its own set needs no lock.
std::string own_labels(goroutine const& g) {
  labels::set const* const own = labels::set_of(g);
  return own == nullptr ? std::string() : labels_text(labels::pairs_of(*own));
}

// The overflow report may allocate and take locks: the process ends with it, and the goroutine that
// overflowed was in
// its own code, seldom inside malloc.
[[noreturn]] void report_overflow(goroutine& g, void* context) {
  std::uintptr_t pcs[dump_depth_max];
  std::size_t const depth = symbol::unwind_interrupted(symbol::interrupted(context), bounds_of(g),
                                                       pcs, symbol::too_deep::leave_out_middle);
  std::string text = fmt::format(
      "panic: stack overflow: goroutine {} used up its {} KiB; spawn_options::stack_bytes asks for "
      "more\n\n"
      "goroutine {} [running{}]:\n",
      g.id.load(memory_order_relaxed), stack_class_bytes[g.size_class] >> 10,
      g.id.load(memory_order_relaxed), own_labels(g));
  append_frames(text, pcs, depth);
  append_creator(text, reinterpret_cast<std::uintptr_t>(g.created_by.load(memory_order_relaxed)),
                 g.parent_id.load(memory_order_relaxed));
  write_all(STDERR_FILENO, text);
  std::abort();
}

void on_fault(int signal, siginfo_t* info, void* context) {
  worker* const w = current_worker();
  goroutine* const g = w == nullptr ? nullptr : w->on_cpu.load(memory_order_relaxed);
  if (g != nullptr) {
    auto const at = reinterpret_cast<std::uintptr_t>(info->si_addr);
    auto const low = reinterpret_cast<std::uintptr_t>(g->stack_low);
    // The guard page, or a large frame that jumped past it into the neighbour's top.
    if (at < low && at >= low - 64 * 1024) report_overflow(*g, context);
  }
  forward(signal, info, context, signal == SIGSEGV ? previous_segv : previous_bus);
}

// Takes no lock of the scheduler's, which the panic may have come from, and little of the stack.
void dump_at_panic() {
  std::vector<goroutine_snapshot> all = all_goroutines();
  run_on_thread_stack(
      [](void* arg) {
        auto& found = *static_cast<std::vector<goroutine_snapshot>*>(arg);
        write_all(STDERR_FILENO, dump_text(std::move(found)));
      },
      &all);
}

void install(int signal, void (*handler)(int, siginfo_t*, void*), int flags,
             struct sigaction* previous) {
  struct sigaction action{};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK | flags;
  sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, previous);
}

bool has_no_handler(int signal, bool or_ignored) {
  struct sigaction now{};
  return ::sigaction(signal, nullptr, &now) == 0 && (now.sa_flags & SA_SIGINFO) == 0 &&
         (now.sa_handler == SIG_DFL || (or_ignored && now.sa_handler == SIG_IGN));
}
bool left_to_default(int signal) {
  return has_no_handler(signal, false);
}

// free_signal is the real-time signal that is wanted, or else the next one without a handler.
int free_signal(int wanted) {
  int const count = SIGRTMAX - SIGRTMIN + 1;
  for (int i = 0; i < count; ++i) {
    int const signal = SIGRTMIN + (wanted - SIGRTMIN + i) % count;
    if (!has_no_handler(signal, true)) continue;
    if (i == 0) return signal;
    std::fprintf(stderr,
                 "vole: signal %d (SIGRTMIN+%d) has a handler already: dumps use signal %d; "
                 "VOLE_DUMPSIGNAL=<n> and runtime::set_dump_signal choose\n",
                 wanted, wanted - SIGRTMIN, signal);
    return signal;
  }
  std::fputs(
      "vole: every real-time signal has a handler already: dumps are without the stacks of running "
      "goroutines\n",
      stderr);
  return 0;
}

// still_ours: the program has not taken the signal for itself since.
bool still_ours(int signal) noexcept {
  struct sigaction now{};
  if (signal == 0 || ::sigaction(signal, nullptr, &now) != 0) return false;
  if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == &on_capture) return true;
  static constinit atomic<bool> said{false};
  if (!said.exchange(true)) {
    std::fprintf(
        stderr,
        "vole: signal %d (SIGRTMIN+%d) has another handler now: dumps are without the stacks "
        "of running goroutines; VOLE_DUMPSIGNAL=<n> and runtime::set_dump_signal choose "
        "another\n",
        signal, signal - SIGRTMIN);
  }
  return false;
}

}  // namespace

void choose_dump_signal(int signal) noexcept {
  VOLE_REQUIRE(signal >= SIGRTMIN && signal <= SIGRTMAX,
               "set_dump_signal: {} is no real-time signal ({} to {})", signal, SIGRTMIN, SIGRTMAX);
  VOLE_REQUIRE(!the_scheduler().started(),
               "set_dump_signal comes before the first goroutine is started");
  chosen_signal.store(signal);
}

int capture_signal() noexcept {
  return our_signal;
}

bool ask_for_wall_sample(worker& w) noexcept {
  if (!still_ours(capture_signal())) return false;
  siginfo_t info{};
  info.si_signo = capture_signal();
  info.si_code = SI_QUEUE;  // the dump's has another
  info.si_pid = ::getpid();
  info.si_uid = ::getuid();
  int const tid = w.tid.load(memory_order_relaxed);
  return ::syscall(SYS_rt_tgsigqueueinfo, info.si_pid, tid, info.si_signo, &info) == 0;
}

void write_all(int fd, std::string_view text) noexcept {
  while (!text.empty()) {
    ssize_t const n = ::write(fd, text.data(), text.size());
    if (n <= 0 && errno != EINTR) return;
    if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
  }
}

void install_signal_handlers() noexcept {
  ::pthread_sigmask(SIG_SETMASK, nullptr, &starters_mask);
  int const chosen = chosen_signal.load();
  our_signal = free_signal(dump_signal_from_environment(chosen != 0 ? chosen : SIGRTMIN + 6));
  if (our_signal != 0) install(our_signal, &on_capture, 0, nullptr);
  if (left_to_default(SIGQUIT)) install(SIGQUIT, &on_quit, 0, nullptr);
  // The sanitizers explain faults themselves.
  if (!VOLE_ASAN && !VOLE_TSAN) {
    install(SIGSEGV, &on_fault, 0, &previous_segv);
    install(SIGBUS, &on_fault, 0, &previous_bus);
  }
  // A peer that went away is an error of write(), not the end of the process.
  // By a handler, not SIG_IGN: a program that is started from here finds the default again.
  if (left_to_default(SIGPIPE)) install(SIGPIPE, [](int, siginfo_t*, void*) {}, 0, nullptr);
  set_panic_hook(&dump_at_panic);
}

void leave_quit_to_parent() noexcept {
  struct sigaction now{};
  bool const known = ::sigaction(SIGQUIT, nullptr, &now) == 0;
  if (known && now.sa_sigaction == &on_quit) ::signal(SIGQUIT, SIG_DFL);
}

void prepare_thread_for_signals() noexcept {
  // A worker takes the mask of the thread that started the runtime: a program that a goroutine
  // starts inherits it, and
  // must not find its signals blocked. Faults, the profiler's clock and the dump's question come
  // through in any case.
  ::pthread_sigmask(SIG_SETMASK, &starters_mask, nullptr);
  sigset_t own;
  sigemptyset(&own);
  for (int const signal :
       {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF, capture_signal()}) {
    sigaddset(&own, signal);
  }
  ::pthread_sigmask(SIG_UNBLOCK, &own, nullptr);
  if (VOLE_ASAN || VOLE_TSAN) return;
  void* const at = ::mmap(nullptr, alternate_stack_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return;
  stack_t alternate{};
  alternate.ss_sp = at;
  alternate.ss_size = alternate_stack_bytes;
  ::sigaltstack(&alternate, nullptr);
}

int start_thread(void* (*main)(void*), void* arg) noexcept {
  pthread_attr_t attr;
  ::pthread_attr_init(&attr);
  ::pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  std::size_t stack_bytes = 0;
  ::pthread_attr_getstacksize(&attr, &stack_bytes);
  if (stack_bytes < thread_stack_bytes_min) {  // ulimit -s
    ::pthread_attr_setstacksize(&attr, thread_stack_bytes_min);
  }
  sigset_t all;
  sigset_t outer;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &outer);
  pthread_t thread{};
  int const failure = ::pthread_create(&thread, &attr, main, arg);
  ::pthread_sigmask(SIG_SETMASK, &outer, nullptr);
  ::pthread_attr_destroy(&attr);
  return failure;
}

std::size_t capture_running(worker& w, std::uint64_t goroutine_id, std::uintptr_t* pcs,
                            std::size_t most) noexcept {
  if (!still_ours(capture_signal())) return 0;
  raw_lock const lock(capture_mu);
  capture.goroutine_id = goroutine_id;
  capture.pcs = pcs;
  capture.most = most;
  int const tid = w.tid.load(memory_order_relaxed);
  int const wanted = at_stage(tid, stage::wanted);
  capture.state.store(wanted, memory_order_release);  // pairs with signal.cc:answer_dump
  if (::syscall(SYS_tgkill, ::getpid(), tid, capture_signal()) != 0) {
    capture.state.store(closed);
    return 0;
  }
  time_point const deadline = internal::monotonic_now() + std::chrono::milliseconds(100);
  while (true) {
    int state = capture.state.load(memory_order_acquire);  // pairs with signal.cc:answer_dump
    if (state == at_stage(tid, stage::written)) break;
    if (state == wanted && internal::monotonic_now() >= deadline &&
        capture.state.compare_exchange_strong(state, closed))
      return 0;
    futex_wait(capture.state, state, state == wanted ? deadline : never);
  }
  capture.state.store(closed, memory_order_relaxed);
  return capture.count;
}

}  // namespace vole::internal
