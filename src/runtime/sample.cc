// SPDX-License-Identifier: Apache-2.0
//
// The sampler: a timer on the processor time of each thread, a signal handler that walks the stack
// it finds, and a collector that hands the samples to all captures.
//
// INVARIANTS
//   - While captures_ is not empty, every known thread has a timer (or is counted in unarmed), and
//     one collector thread lives; otherwise there is neither. The handler stays installed for ever
//     after the first capture: a signal may come late. A library may put its own in its place;
//     that is looked for at each start and with each look of the collector, and undone: what came
//     meanwhile is lost, and a default action would end the process.
//   - A record belongs to one thread, tid, from add() to forget(). Records and their rings are
//     never freed, since a late signal still names them; a record may be given to another thread,
//     so the handler holds tid against its own. Between captures no memory lies behind the rings.
//   - The handler reads memory only from the red zone below the interrupted stack pointer, where an
//     epilogue's rules look, to the end of the stack it belongs to: that of the goroutine on this
//     worker, or of the thread, or what can be read of one that is not the runtime's. On a worker a
//     stack pointer in neither (between two fibers, on a foreign stack) gives a sample of one
//     frame.
//   - The unwind tables that the handler reads are refreshed before the first timer is armed and
//     then with every look of the collector: code that was loaded since is walked by frame
//     pointers.
// LOCKS  sampler::mu_ (leaf) guards all but the records' atomics. The handler takes no lock,
//        allocates nothing, calls neither loader nor libgcc and touches no thread-local variable
//        but errno and passing_on, which needs no making.
// ORDERING a record's atomics are written before the timer is armed; the kernel orders that with
//        the handler. In the ring: sample_ring.h.
// REJECTED  setitimer: one timer for all threads gives up to 80/20 between two that work equally
//           (go#14434), and less than half of the truth on many processors (go#35057).
//           perf_event_open: closed to containers by default.
//           libunwind or libgcc in the handler: they take the loader's lock.
//           looking for new threads every 10 ms: 0.5 % of a processor, and no help to threads that
//           live shorter than that.
// Source: Go runtime/signal_unix.go, os_linux.go (setThreadCPUProfiler); timer_create(2). Differs:
//   any number of captures.

#include "runtime/sample.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <unordered_map>
#include <vector>

#include "vole/internal/annotations.h"
#include "vole/internal/raw_mutex.h"

#include "base/futex.h"
#include "base/rand.h"
#include "runtime/own_stack.h"
#include "runtime/processor.h"
#include "runtime/sample_ring.h"
#include "runtime/signal.h"
#include "runtime/thread_stack.h"
#include "symbol/modules.h"
#include "symbol/unwind.h"
#include "symbol/unwind_tables.h"

#if !defined(sigev_notify_thread_id)  // glibc before 2.39 does not name it
#define sigev_notify_thread_id _sigev_un._tid
#endif

namespace vole::internal::sample {
namespace {

constexpr std::uint64_t period_ns = 1'000'000'000 / cpu_hz;
constexpr duration collect_interval = std::chrono::milliseconds(100);
constexpr std::size_t records_max = 16'384;

// One thread, as the handler needs it.
struct record {
  // Written under sampler::mu_, read by the handler.
  atomic<pid_t> tid{0};            // 0: free
  atomic<worker*> owner{nullptr};  // null: not a thread of the runtime
  atomic<std::uintptr_t> stack_low{0};
  atomic<std::uintptr_t> stack_high{0};  // 0: not known
  atomic<bool> armed{false};

  // Written by the handler.
  atomic<std::uint64_t> lost{0};  // samples without room, since the last drain

  // Prepared and drained under sampler::mu_, filled by the handler.
  ring samples;

  // Under sampler::mu_.
  timer_t timer{};
};

constinit record records[records_max];

// Counted in the handler.
constinit atomic<std::uint64_t> signals_total{0};
constinit atomic<std::uint64_t> lost_total{0};
constinit atomic<std::uint64_t> foreign_total{0};
// Threads without a timer at the last look. Written under sampler::mu_.
constinit atomic<std::size_t> unarmed{0};

// Those whose place ours took, each once: what is known is never changed, the handler reads it.
constexpr std::size_t previous_max = 8;
constinit struct sigaction previous_actions[previous_max] = {};
constinit atomic<struct sigaction const*> previous_action{&previous_actions[0]};

[[gnu::tls_model("initial-exec")]] constinit thread_local bool passing_on = false;

// --- the handler: async-signal-safe from here ---

record* record_of(siginfo_t const* info) noexcept {
  if (info->si_code != SI_TIMER) return nullptr;
  auto const at = reinterpret_cast<std::uintptr_t>(info->si_value.sival_ptr);
  auto const first = reinterpret_cast<std::uintptr_t>(&records[0]);
  if (at < first || at >= first + sizeof records || (at - first) % sizeof(record) != 0) {
    return nullptr;
  }
  return &records[(at - first) / sizeof(record)];
}

// The one that stood here before, if it is a library's that came after our first capture, may pass
// on to the one that it has found: to ours.
void pass_on(int signal, siginfo_t* info, void* machine) noexcept {
  if (passing_on) return;
  passing_on = true;
  foreign_total.fetch_add(1, memory_order_relaxed);
  // pairs with sample.cc:remember_previous
  struct sigaction const& to = *previous_action.load(memory_order_acquire);
  if ((to.sa_flags & SA_SIGINFO) != 0) {
    to.sa_sigaction(signal, info, machine);
  } else if (to.sa_handler != SIG_DFL && to.sa_handler != SIG_IGN) {
    to.sa_handler(signal);
  }
  passing_on = false;
}

bool within(std::uintptr_t at, std::uintptr_t low, std::uintptr_t high) noexcept {
  return at >= low && at < high;
}

// What lies below the stack pointer is the interrupted function's, too: a signal leaves it.
constexpr std::uintptr_t red_zone_bytes = 128;

symbol::stack_bounds from_red_zone(std::uintptr_t sp, std::uintptr_t low,
                                   std::uintptr_t high) noexcept {
  return {sp - low > red_zone_bytes ? sp - red_zone_bytes : low, high};
}

void take_sample(record& r, std::uint64_t weight, void const* machine) noexcept {
  symbol::registers const at = symbol::interrupted(machine);
  symbol::stack_bounds bounds{};
  cpu_sample taken{.weight = weight};
  worker* const w = r.owner.load(memory_order_relaxed);
  goroutine* const g = w == nullptr ? nullptr : w->on_cpu.load(memory_order_relaxed);
  symbol::stack_bounds const own = g == nullptr ? symbol::stack_bounds() : bounds_of(*g);
  if (within(at.sp, own.low, own.high)) {
    bounds = from_red_zone(at.sp, own.low, own.high);
    taken.goroutine_id = g->id.load(memory_order_relaxed);
    taken.labels_id = g->labels_id.load(memory_order_relaxed);
    taken.created_by = reinterpret_cast<std::uintptr_t>(g->created_by.load(memory_order_relaxed));
  } else if (within(at.sp, r.stack_low.load(memory_order_relaxed),
                    r.stack_high.load(memory_order_relaxed))) {
    bounds = from_red_zone(at.sp, r.stack_low.load(memory_order_relaxed),
                           r.stack_high.load(memory_order_relaxed));
  } else if (w == nullptr) {
    bounds = foreign_stack(at.sp - red_zone_bytes);
  }
  std::uintptr_t pcs[frames_max];
  taken.pcs = {pcs, symbol::unwind_sampled(at, bounds, pcs, symbol::too_deep::leave_out_middle)};
  if (!r.samples.push(taken)) {
    r.lost.fetch_add(weight, memory_order_relaxed);
    lost_total.fetch_add(weight, memory_order_relaxed);
  }
}

void on_sigprof(int signal, siginfo_t* info, void* machine) noexcept {
  int const saved_errno = errno;
  record* const r = record_of(info);
  if (r == nullptr) {
    pass_on(signal, info, machine);
  } else if (r->armed.load(memory_order_acquire) &&  // pairs with sample.cc:arm
             r->tid.load(memory_order_relaxed) == static_cast<pid_t>(::syscall(SYS_gettid))) {
    std::uint64_t const weight = 1 + static_cast<std::uint64_t>(std::max(info->si_overrun, 0));
    signals_total.fetch_add(weight, memory_order_relaxed);
    take_sample(*r, weight, machine);
  }
  errno = saved_errno;
}

// --- outside the handler ---

}  // namespace

clockid_t cpu_clock_of(pid_t tid) noexcept {
  constexpr unsigned per_thread_sched = 6;
  return static_cast<clockid_t>((~static_cast<unsigned>(tid) << 3) | per_thread_sched);
}

class sampler {
 public:
  void add_this_thread() noexcept;
  int start(cpu_capture& capture) noexcept;
  void stop(cpu_capture& capture) noexcept;
  counters read() noexcept;

 private:
  static void* collector_main(void* arg) noexcept;
  void collect(std::uint32_t generation) noexcept;
  int start_collector() noexcept VOLE_REQUIRES_LOCK(mu_);
  void end_collector() noexcept VOLE_REQUIRES_LOCK(mu_);
  void remember_previous(struct sigaction const& action) noexcept VOLE_REQUIRES_LOCK(mu_);
  int install_handler() noexcept VOLE_REQUIRES_LOCK(mu_);
  void note_unarmed(std::size_t threads) noexcept VOLE_REQUIRES_LOCK(mu_);

  record* add(pid_t tid) noexcept VOLE_REQUIRES_LOCK(mu_);
  void forget(record& r) noexcept VOLE_REQUIRES_LOCK(mu_);
  static bool has_ended(record const& r) noexcept;
  int list_threads(std::size_t& without_record) noexcept VOLE_REQUIRES_LOCK(mu_);
  int look_for_threads() noexcept VOLE_REQUIRES_LOCK(mu_);
  int arm(record& r) noexcept VOLE_REQUIRES_LOCK(mu_);
  void disarm(record& r) noexcept VOLE_REQUIRES_LOCK(mu_);
  bool timer_has_died(record const& r) noexcept VOLE_REQUIRES_LOCK(mu_);
  bool any_armed() const noexcept VOLE_REQUIRES_LOCK(mu_);
  void drain(record& r) noexcept VOLE_REQUIRES_LOCK(mu_);
  void drain_all() noexcept VOLE_REQUIRES_LOCK(mu_);
  void deliver(cpu_sample const& taken) noexcept VOLE_REQUIRES_LOCK(mu_);

  raw_mutex mu_;
  cpu_capture* captures_ VOLE_GUARDED_BY(mu_) = nullptr;
  std::unordered_map<pid_t, record*> threads_ VOLE_GUARDED_BY(mu_);
  std::vector<record*> free_ VOLE_GUARDED_BY(mu_);
  std::size_t records_used_ VOLE_GUARDED_BY(mu_) = 0;
  std::size_t previous_known_ VOLE_GUARDED_BY(mu_) = 0;    // 0: ours was never installed
  std::uint64_t replaced_total_ VOLE_GUARDED_BY(mu_) = 0;  // times that another stood there
  // Another value ends the collector that was started with this one.
  atomic<std::uint32_t> generation_{0};
};

namespace {

// Never destroyed: threads end after static destructors have run.
sampler& the_sampler() noexcept {
  static sampler& instance = *new sampler;
  return instance;
}

pid_t this_tid() noexcept {
  return static_cast<pid_t>(::syscall(SYS_gettid));
}

}  // namespace

void learn_modules() noexcept {
  symbol::refresh_unwind_tables();
  symbol::note_modules();
}

void let_sigprof_in() noexcept {
  sigset_t only_ours;
  ::sigemptyset(&only_ours);
  ::sigaddset(&only_ours, SIGPROF);
  ::pthread_sigmask(SIG_UNBLOCK, &only_ours, nullptr);
}

record* sampler::add(pid_t tid) noexcept {
  record* r = nullptr;
  if (!free_.empty()) {
    r = free_.back();
    free_.pop_back();
  } else if (records_used_ < records_max) {
    r = &records[records_used_++];
  } else {
    return nullptr;
  }
  r->owner.store(nullptr, memory_order_relaxed);
  r->stack_low.store(0, memory_order_relaxed);
  r->stack_high.store(0, memory_order_relaxed);
  r->tid.store(tid, memory_order_relaxed);
  threads_[tid] = r;
  return r;
}

void sampler::forget(record& r) noexcept {
  disarm(r);
  if (captures_ != nullptr) drain(r);  // else there is nothing but what came late
  r.samples.give_back();
  threads_.erase(r.tid.load(memory_order_relaxed));
  r.tid.store(0, memory_order_relaxed);
  free_.push_back(&r);
}

void sampler::add_this_thread() noexcept {
  let_sigprof_in();
  pid_t const tid = this_tid();
  thread_stack const stack = this_thread_stack();
  announce_own_stack(stack);
  raw_lock const lock(mu_);
  auto const known = threads_.find(tid);
  record* const r = known != threads_.end() ? known->second : add(tid);
  if (r == nullptr) return;
  r->stack_low.store(stack.low, memory_order_relaxed);
  r->stack_high.store(stack.high, memory_order_relaxed);
  r->owner.store(current_worker(), memory_order_relaxed);
  if (captures_ != nullptr && !r->armed.load(memory_order_relaxed) && arm(*r) != 0) {
    note_unarmed(unarmed.load(memory_order_relaxed) + 1);
  }
}

int sampler::arm(record& r) noexcept {
  if (!r.samples.prepare()) return ENOMEM;
  r.samples.discard();
  r.lost.store(0, memory_order_relaxed);
  pid_t const tid = r.tid.load(memory_order_relaxed);
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGPROF;
  event.sigev_value.sival_ptr = &r;
  event.sigev_notify_thread_id = tid;
  if (::timer_create(cpu_clock_of(tid), &event, &r.timer) != 0) return errno;
  r.armed.store(true, memory_order_release);  // pairs with sample.cc:on_sigprof
  // The first expiry anywhere in (0, period]: threads that live shorter than a period are counted
  // as often as they deserve.
  std::uint64_t const first = 1 + fast_rand() % period_ns;
  itimerspec const when{.it_interval = {.tv_sec = 0, .tv_nsec = period_ns},
                        .it_value = {.tv_sec = 0, .tv_nsec = static_cast<long>(first)}};
  ::timer_settime(r.timer, 0, &when, nullptr);
  return 0;
}

void sampler::disarm(record& r) noexcept {
  if (!r.armed.load(memory_order_relaxed)) return;
  r.armed.store(false, memory_order_relaxed);
  ::timer_delete(r.timer);
}

// timer_has_died: the thread has ended, and another one has got its number.
bool sampler::timer_has_died(record const& r) noexcept {
  itimerspec left{};
  return ::timer_gettime(r.timer, &left) != 0 ||
         (left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0);
}

bool sampler::any_armed() const noexcept {
  return std::ranges::any_of(
      threads_, [](auto const& t) { return t.second->armed.load(memory_order_relaxed); });
}

// has_ended: the kernel knows no such thread of this process.
bool sampler::has_ended(record const& r) noexcept {
  pid_t const tid = r.tid.load(memory_order_relaxed);
  return ::syscall(SYS_tgkill, ::getpid(), tid, 0) != 0 && errno == ESRCH;
}

// list_threads adds those that nobody announced, and counts those that find no record. The kernel's
// list may leave out one that lives, when the one before it ends meanwhile, and there is none
// without a descriptor: so it decides nothing about those that are known. Returns 0, or an errno.
int sampler::list_threads(std::size_t& without_record) noexcept {
  DIR* const tasks = ::opendir("/proc/self/task");
  if (tasks == nullptr) return errno;
  while (dirent const* const entry = ::readdir(tasks)) {
    pid_t tid = 0;
    char const* const end = entry->d_name + std::strlen(entry->d_name);
    if (std::from_chars(entry->d_name, end, tid).ptr != end || tid <= 0) continue;
    if (!threads_.contains(tid) && add(tid) == nullptr) ++without_record;
  }
  ::closedir(tasks);
  return 0;
}

// look_for_threads arms all that live, and forgets those that are gone. Returns 0, or why one
// could not be armed or found.
int sampler::look_for_threads() noexcept {
  std::size_t without_timer = 0;
  int failure = list_threads(without_timer);
  std::vector<record*> gone;
  for (auto const& [tid, r] : threads_) {
    if (has_ended(*r)) {
      gone.push_back(r);
      continue;
    }
    if (r->armed.load(memory_order_relaxed) && timer_has_died(*r)) disarm(*r);
    if (r->armed.load(memory_order_relaxed)) continue;
    if (int const why = arm(*r); why != 0) {
      failure = why;
      ++without_timer;
    }
  }
  for (record* const r : gone) forget(*r);
  note_unarmed(without_timer);
  return failure;
}

void sampler::note_unarmed(std::size_t threads) noexcept {
  unarmed.store(threads, memory_order_relaxed);
  for (cpu_capture* c = captures_; c != nullptr; c = c->next_) {
    c->gaps_.threads_unarmed = std::max(c->gaps_.threads_unarmed, threads);
  }
}

void sampler::deliver(cpu_sample const& taken) noexcept {
  for (cpu_capture* c = captures_; c != nullptr; c = c->next_) c->deliver_(c->arg_, taken);
}

void sampler::drain(record& r) noexcept {
  r.samples.drain([this](cpu_sample const& taken)
                      VOLE_NO_THREAD_SAFETY_ANALYSIS { deliver(taken); });
  if (std::uint64_t const lost = r.lost.exchange(0, memory_order_relaxed); lost > 0) {
    deliver({.goroutine_id = 0, .weight = lost, .pcs = {}});
  }
}

void sampler::drain_all() noexcept {
  for (auto const& [tid, r] : threads_) drain(*r);
}

bool is_same_handler(struct sigaction const& a, struct sigaction const& b) noexcept {
  // One place holds either kind of pointer.
  return a.sa_handler == b.sa_handler && (a.sa_flags & SA_SIGINFO) == (b.sa_flags & SA_SIGINFO);
}

void sampler::remember_previous(struct sigaction const& action) noexcept {
  std::size_t at = 0;
  while (at < previous_known_ && !is_same_handler(previous_actions[at], action)) ++at;
  if (at == previous_max) return;  // its signals go to the one before
  if (at == previous_known_) previous_actions[previous_known_++] = action;
  previous_action.store(&previous_actions[at],
                        memory_order_release);  // pairs with sample.cc:pass_on
}

// install_handler puts ours in, the first time or again where another one stands. 0, or an errno.
int sampler::install_handler() noexcept {
  struct sigaction action{};
  action.sa_sigaction = &on_sigprof;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  ::sigemptyset(&action.sa_mask);
  struct sigaction found{};
  if (::sigaction(SIGPROF, nullptr, &found) != 0) return errno;
  if (is_same_handler(found, action)) return 0;
  if (previous_known_ > 0) {
    ++replaced_total_;
    for (cpu_capture* c = captures_; c != nullptr; c = c->next_) c->gaps_.handler_replaced = true;
  }
  remember_previous(found);  // first: a foreign signal may come as soon as ours stands
  if (::sigaction(SIGPROF, &action, nullptr) != 0) return errno;
  return 0;
}

int sampler::start_collector() noexcept {
  std::uintptr_t const generation = generation_.load(memory_order_relaxed);
  return internal::start_thread(&collector_main, reinterpret_cast<void*>(generation));
}

void sampler::end_collector() noexcept {
  generation_.fetch_add(1, memory_order_relaxed);
  futex_wake(generation_, 1);
}

void* sampler::collector_main(void* arg) noexcept {
  ::pthread_setname_np(::pthread_self(), "vole-sampler");
  let_sigprof_in();  // its own work belongs into the profile; all other signals stay blocked
  the_sampler().collect(static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(arg)));
  return nullptr;
}

void sampler::collect(std::uint32_t generation) noexcept {
  while (true) {
    static_cast<void>(
        futex_wait(generation_, generation, internal::monotonic_now() + collect_interval));
    learn_modules();
    raw_lock const lock(mu_);
    if (generation_.load(memory_order_relaxed) != generation) return;
    drain_all();
    static_cast<void>(install_handler());
    static_cast<void>(look_for_threads());
  }
}

int sampler::start(cpu_capture& capture) noexcept {
  learn_modules();
  raw_lock const lock(mu_);
  std::uint64_t const replaced = replaced_total_;
  if (int const failure = install_handler(); failure != 0) return failure;
  if (captures_ == nullptr) {
    if (int const failure = start_collector(); failure != 0) return failure;
    int const failure = look_for_threads();
    if (!any_armed()) {
      end_collector();
      return failure != 0 ? failure : EAGAIN;
    }
  } else {
    drain_all();  // what was taken before belongs to the others
  }
  capture.active_ = true;
  capture.gaps_ = {.threads_unarmed = unarmed.load(memory_order_relaxed),
                   .handler_replaced = replaced_total_ != replaced};
  capture.next_ = captures_;
  captures_ = &capture;
  return 0;
}

void sampler::stop(cpu_capture& capture) noexcept {
  raw_lock const lock(mu_);
  if (!capture.active_) return;
  bool const last = captures_ == &capture && capture.next_ == nullptr;
  if (last) {
    for (auto const& [tid, r] : threads_) disarm(*r);
  }
  drain_all();
  cpu_capture** link = &captures_;
  while (*link != &capture) link = &(*link)->next_;
  *link = capture.next_;
  capture.next_ = nullptr;
  capture.active_ = false;
  if (!last) return;
  end_collector();
  for (auto const& [tid, r] : threads_) r->samples.give_back();
}

counters sampler::read() noexcept {
  raw_lock const lock(mu_);
  counters now;
  // relaxed, no partner: counters.
  now.signals_total = signals_total.load(memory_order_relaxed);
  now.lost_total = lost_total.load(memory_order_relaxed);
  now.foreign_total = foreign_total.load(memory_order_relaxed);
  for (auto const& [tid, r] : threads_) {
    now.threads_armed += r->armed.load(memory_order_relaxed) ? 1 : 0;
  }
  now.threads_unarmed = threads_unarmed();
  return now;
}

void thread_started() noexcept {
  the_sampler().add_this_thread();
}
int cpu_capture::start() noexcept {
  return the_sampler().start(*this);
}
void cpu_capture::stop() noexcept {
  the_sampler().stop(*this);
}
counters read_counters() noexcept {
  return the_sampler().read();
}
std::size_t threads_unarmed() noexcept {
  return unarmed.load(memory_order_relaxed);
}

}  // namespace vole::internal::sample
