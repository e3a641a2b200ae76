// SPDX-License-Identifier: Apache-2.0
//
// The wall sampler: one thread, the letters it exchanges with the workers, and its captures.
//
// INVARIANTS
//   - While captures_ is not empty there is one thread that looks; otherwise none.
//   - Each look stands for a slice of time, from the look before to this one; the slices of a
//     capture follow each other without a gap, from its start to its stop.
//   - A mail is never freed: a late signal still writes to it. The handler writes only while its
//     state is asked or answering; only the sampler sets asked. What was answered is kept until the
//     next question.
//   - A slice whose mail is not answered yet is added to it: the thread has not run, so it still
//     stands where the answer will say.
// LOCKS  sampler::mu_ guards all but the mails' answers; under it stack_pool::mu_ and the labels'.
//        The handler takes no lock, allocates nothing and calls nothing of the loader's: it walks
//        by the tables that start() and each look publish, what was loaded since by frame pointers.
// REJECTED  interrupting every thread at every look, as setitimer(ITIMER_REAL) profilers do: calls
//           that sleep in the kernel end with EINTR, 99 times a second, and a poll() that is begun
//           anew each time never reaches its end.
//           looking at all goroutines at each look, as fgprof does: at 100,000 goroutines it would
//           take longer than the time between two looks.
//           looking less often when there are many: what runs would be seen as seldom as what
//           waits.
// Source: github.com/felixge/fgprof (what is counted). Differs: above.

#include "runtime/wall_sample.h"

#include <algorithm>
#include <cmath>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <vector>

#include "vole/internal/annotations.h"
#include "vole/internal/raw_mutex.h"

#include "base/futex.h"
#include "base/rand.h"
#include "runtime/dump.h"
#include "runtime/own_stack.h"
#include "runtime/sample.h"
#include "runtime/scheduler.h"
#include "runtime/signal.h"
#include "symbol/unwind.h"

namespace vole::internal::wall {

enum mail_state : int {
  closed,     // the answer, if any, is the sampler's
  asked,      // a signal is on its way
  answering,  // the handler writes
  answered,   // -> closed, by the sampler
};

// What one worker's thread was asked, and what it has answered.
struct mail {
  atomic<int> state{closed};

  // Written by the handler while answering.
  std::uint64_t goroutine_id = 0;  // 0: it ran none
  std::uint64_t labels_id = 0;
  std::uintptr_t created_by = 0;
  char const* reason = "";
  std::int64_t cpu_ns = 0;  // processor time of the thread at the end of the handler
  std::size_t depth = 0;
  std::uintptr_t pcs[sample::frames_max];  // each inside its call

  // The sampler's.
  bool kept = false;  // the answer is of the last question
  time_point from{};  // the slices that the question stands for
  time_point to{};
  std::int64_t pending_ns = 0;
  std::int64_t seen_cpu_ns = 0;  // processor time at the last look
  time_point seen_at{};
};

namespace {

constexpr duration patience = std::chrono::milliseconds(10);
// What the kernel still does for a thread after its answer; one that used no more has not gone on.
constexpr std::int64_t stayed_ns = 20'000;

struct slice {
  time_point from;
  time_point to;
  std::int64_t ns() const { return (to - from).count(); }
};

std::int64_t cpu_ns_of(clockid_t clock) noexcept {
  timespec t{};
  if (::clock_gettime(clock, &t) != 0) return 0;
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

// share_of is the part of `whole`, which stands for a slice, that lies after `begun`.
std::int64_t share_of(std::int64_t whole, slice of, time_point begun) noexcept {
  if (begun <= of.from) return whole;
  if (begun >= of.to) return 0;
  double const part = static_cast<double>((of.to - begun).count()) / static_cast<double>(of.ns());
  return std::llround(static_cast<double>(whole) * part);
}

goroutine_snapshot head_of(goroutine const& g) noexcept {
  goroutine_snapshot s;
  s.state = g.state.load(memory_order_relaxed);
  s.why = g.why.load(memory_order_relaxed);
  return s;
}

// A look that awaits to be weighed: which part of all was seen is known at its end.
struct look {
  wall_sample what;
  std::size_t first = 0;  // in sampler::pcs_
  std::size_t depth = 0;
};

}  // namespace

// --- in the signal handler ---

void answer(worker& w, void const* machine) noexcept {
  mail* const m = w.mail.load(memory_order_acquire);  // pairs with wall_sample.cc:mail_of
  int wanted = asked;
  // pairs with wall_sample.cc:ask
  if (m == nullptr || !m->state.compare_exchange_strong(wanted, answering, memory_order_acq_rel)) {
    return;
  }
  symbol::registers const at = symbol::interrupted(machine);
  goroutine const* const g = w.on_cpu.load(memory_order_relaxed);
  m->goroutine_id = 0;
  m->depth = 0;
  symbol::stack_bounds const bounds = g == nullptr ? symbol::stack_bounds() : bounds_of(*g);
  if (at.sp >= bounds.low && at.sp < bounds.high) {
    m->depth = symbol::unwind_sampled(at, bounds, m->pcs, symbol::too_deep::leave_out_middle);
    for (std::size_t i = 1; i < m->depth; ++i) --m->pcs[i];
  }
  if (g != nullptr) {
    m->goroutine_id = g->id.load(memory_order_relaxed);
    m->labels_id = g->labels_id.load(memory_order_relaxed);
    m->created_by = reinterpret_cast<std::uintptr_t>(g->created_by.load(memory_order_relaxed));
    m->reason = state_text(head_of(*g));
  }
  m->cpu_ns = cpu_ns_of(CLOCK_THREAD_CPUTIME_ID);
  m->state.store(answered, memory_order_release);  // pairs with wall_sample.cc:harvest
  futex_wake(m->state, 1);
}

// --- outside the handler ---

class sampler {
 public:
  int start(wall_capture& capture) noexcept VOLE_EXCLUDES(mu_);
  void stop(wall_capture& capture) noexcept VOLE_EXCLUDES(mu_);
  counters read() noexcept VOLE_EXCLUDES(mu_);

 private:
  static void* thread_main(void* arg) noexcept;
  void run(std::uint32_t generation) noexcept VOLE_EXCLUDES(mu_);
  int start_thread() noexcept VOLE_REQUIRES_LOCK(mu_);
  void end_thread() noexcept VOLE_REQUIRES_LOCK(mu_);

  void look_at_all(goroutine const* except) noexcept VOLE_REQUIRES_LOCK(mu_);
  bool enough() noexcept VOLE_REQUIRES_LOCK(mu_);
  void look_at_threads(slice now) noexcept VOLE_REQUIRES_LOCK(mu_);
  void look_at_thread(worker& w, goroutine& g, slice now) noexcept VOLE_REQUIRES_LOCK(mu_);
  void look_at_stacks(slice now) noexcept VOLE_REQUIRES_LOCK(mu_);
  void look_at_block(goroutine& g) noexcept VOLE_REQUIRES_LOCK(mu_);
  void note(goroutine_snapshot const& s) noexcept VOLE_REQUIRES_LOCK(mu_);
  void note_again(mail const& m) noexcept VOLE_REQUIRES_LOCK(mu_);
  void weigh(slice now, std::size_t seen, std::size_t of) noexcept VOLE_REQUIRES_LOCK(mu_);

  mail& mail_of(worker& w) noexcept VOLE_REQUIRES_LOCK(mu_);
  void ask(worker& w, mail& m, goroutine const& g, slice now) noexcept VOLE_REQUIRES_LOCK(mu_);
  void harvest() noexcept VOLE_REQUIRES_LOCK(mu_);
  void wait_for_answers() noexcept VOLE_REQUIRES_LOCK(mu_);
  void deliver(wall_sample taken, slice of) noexcept VOLE_REQUIRES_LOCK(mu_);

  raw_mutex mu_;
  wall_capture* captures_ VOLE_GUARDED_BY(mu_) = nullptr;
  time_point last_look_ VOLE_GUARDED_BY(mu_){};
  std::vector<mail*> mails_ VOLE_GUARDED_BY(mu_);
  std::vector<worker*> workers_ VOLE_GUARDED_BY(mu_);  // those of this look
  std::size_t next_worker_ VOLE_GUARDED_BY(mu_) = 0;
  block_cursor blocks_ VOLE_GUARDED_BY(mu_);
  goroutine const* except_ VOLE_GUARDED_BY(mu_) = nullptr;
  std::int64_t until_cpu_ns_ VOLE_GUARDED_BY(mu_) = 0;    // of this thread: when the look ends
  unsigned questions_asked_ VOLE_GUARDED_BY(mu_) = 0;     // to enough()
  std::vector<look> looks_ VOLE_GUARDED_BY(mu_);          // of this look,
  std::vector<std::uintptr_t> pcs_ VOLE_GUARDED_BY(mu_);  // with their stacks,
  std::vector<mail*> questions_ VOLE_GUARDED_BY(mu_);     // and those that are not answered yet
  counters counted_ VOLE_GUARDED_BY(mu_);
  // Another value ends the thread that was started with this one.
  atomic<std::uint32_t> generation_{0};
};

namespace {

// Never destroyed: captures may end while static objects are being taken down.
sampler& the_sampler() noexcept {
  static sampler& instance = *new sampler;
  return instance;
}

}  // namespace

// --- what a look yields ---

void sampler::note(goroutine_snapshot const& s) noexcept {
  // The function that switched away from a waiting stack has several exits, which say nothing.
  bool const switched = s.state != goroutine_state::blocking && s.depth > 1;
  look l{.what = {.goroutine_id = s.id,
                  .labels_id = s.labels_id,
                  .created_by = s.created_by,
                  .reason = state_text(s)},
         .first = pcs_.size(),
         .depth = s.depth - (switched ? 1 : 0)};
  for (std::size_t i = switched ? 1 : 0; i < s.depth; ++i) pcs_.push_back(s.pcs[i] - 1);
  looks_.push_back(l);
}

void sampler::note_again(mail const& m) noexcept {
  looks_.push_back({.what = {.goroutine_id = m.goroutine_id,
                             .labels_id = m.labels_id,
                             .created_by = m.created_by,
                             .reason = m.reason},
                    .first = pcs_.size(),
                    .depth = m.depth});
  pcs_.insert(pcs_.end(), m.pcs, m.pcs + m.depth);
}

// weigh delivers what was seen of `seen` places out of `of`, and notes it at the questions.
void sampler::weigh(slice now, std::size_t seen, std::size_t of) noexcept {
  if (seen == 0) return;
  double const scale = static_cast<double>(of) / static_cast<double>(seen);
  std::int64_t const ns = std::llround(static_cast<double>(now.ns()) * scale);
  for (look& l : looks_) {
    l.what.ns = ns;
    l.what.pcs = {pcs_.data() + l.first, l.depth};
    deliver(l.what, now);
  }
  for (mail* const m : questions_) {
    m->pending_ns += ns;
    m->to = now.to;
  }
  looks_.clear();
  pcs_.clear();
  questions_.clear();
}

void sampler::deliver(wall_sample taken, slice of) noexcept {
  std::int64_t const whole = taken.ns;
  for (wall_capture* c = captures_; c != nullptr; c = c->next_) {
    taken.ns = share_of(whole, of, c->begun_);
    if (taken.ns > 0) c->deliver_(c->arg_, taken);
  }
}

// --- threads ---

mail& sampler::mail_of(worker& w) noexcept {
  if (mail* const m = w.mail.load(memory_order_relaxed)) return *m;
  auto* const fresh = new mail;
  mails_.push_back(fresh);
  w.mail.store(fresh, memory_order_release);  // pairs with wall_sample.cc:answer
  return *fresh;
}

void sampler::ask(worker& w, mail& m, goroutine const& g, slice now) noexcept {
  m.kept = false;
  m.from = now.from;
  m.pending_ns = 0;
  m.state.store(asked, memory_order_release);  // pairs with wall_sample.cc:answer
  if (ask_for_wall_sample(w)) {
    ++counted_.asked_total;
    questions_.push_back(&m);
    return;
  }
  m.state.store(closed, memory_order_relaxed);
  looks_.push_back({.what = {.goroutine_id = g.id.load(memory_order_relaxed),
                             .labels_id = g.labels_id.load(memory_order_relaxed),
                             .reason = state_text(head_of(g))}});
}

// harvest delivers what was answered since the last look.
void sampler::harvest() noexcept {
  for (mail* const m : mails_) {
    // pairs with wall_sample.cc:answer
    if (m->state.load(memory_order_acquire) != answered) continue;
    m->state.store(closed, memory_order_relaxed);
    m->kept = m->goroutine_id != 0;
    if (!m->kept) continue;
    deliver({.goroutine_id = m->goroutine_id,
             .labels_id = m->labels_id,
             .created_by = m->created_by,
             .reason = m->reason,
             .ns = m->pending_ns,
             .pcs = {m->pcs, m->depth}},
            {m->from, m->to});
  }
}

void sampler::wait_for_answers() noexcept {
  time_point const deadline = internal::monotonic_now() + patience;
  for (mail* const m : mails_) {
    while (true) {
      // pairs with wall_sample.cc:answer
      int const state = m->state.load(memory_order_acquire);
      if (state == closed || state == answered || internal::monotonic_now() >= deadline) break;
      static_cast<void>(futex_wait(m->state, state, deadline));
    }
  }
}

void sampler::look_at_thread(worker& w, goroutine& g, slice now) noexcept {
  mail& m = mail_of(w);
  if (m.state.load(memory_order_relaxed) != closed) {
    questions_.push_back(&m);
    return;
  }
  goroutine_state const state = g.state.load(memory_order_relaxed);
  bool const blocking = state == goroutine_state::blocking;
  if (!blocking && state != goroutine_state::running) return;  // it leaves: it is seen as waiting
  std::int64_t const cpu_ns = cpu_ns_of(sample::cpu_clock_of(w.tid.load(memory_order_relaxed)));
  std::int64_t const used_ns = cpu_ns - m.seen_cpu_ns;
  bool const computes = m.seen_at != time_point{} && 2 * used_ns >= (now.to - m.seen_at).count();
  m.seen_cpu_ns = cpu_ns;
  m.seen_at = now.to;
  if (blocking && !computes) {
    goroutine_snapshot s;
    if (!look_at_blocking(g, s)) return;
    ++counted_.blocking_total;
    note(s);
    return;
  }
  bool const stayed =
      m.kept && m.goroutine_id == g.id.load(memory_order_relaxed) && cpu_ns - m.cpu_ns < stayed_ns;
  if (stayed) {
    note_again(m);
  } else {
    ask(w, m, g, now);
  }
}

// enough says whether the time of this look is used up. Where there are few goroutines all are
// looked at, whatever it takes: a page fault must not make one of them stand for the others. To
// read the clock takes half as long as to look at one, so it is read now and then.
bool sampler::enough() noexcept {
  constexpr unsigned places_max = 1024;  // that may be empty before the clock counts
  constexpr unsigned per_reading = 8;
  ++questions_asked_;
  bool const few = looks_.size() + questions_.size() < few_goroutines;
  if ((few && questions_asked_ < places_max) || questions_asked_ % per_reading != 0) return false;
  return cpu_ns_of(CLOCK_THREAD_CPUTIME_ID) >= until_cpu_ns_;
}

void sampler::look_at_threads(slice now) noexcept {
  workers_.clear();
  the_scheduler().for_each_worker(
      [](void* arg, worker& w) { static_cast<std::vector<worker*>*>(arg)->push_back(&w); },
      &workers_);
  kept_blocks const kept(the_scheduler().stacks());
  std::size_t seen = 0;
  while (seen < workers_.size()) {
    worker& w = *workers_[next_worker_++ % workers_.size()];
    ++seen;
    goroutine* const g = w.on_cpu.load(memory_order_acquire);  // pairs with scheduler.cc:enter
    if (g == nullptr || g == except_) continue;
    look_at_thread(w, *g, now);
    if (enough()) break;
  }
  weigh(now, seen, workers_.size());
}

// --- stacks of those that wait ---

void sampler::look_at_block(goroutine& g) noexcept {
  goroutine_snapshot s;
  if (&g == except_ || !look_at_waiting(g, s)) return;
  ++counted_.waiting_total;
  note(s);
}

void sampler::look_at_stacks(slice now) noexcept {
  std::size_t const seen = the_scheduler().stacks().walk_on(
      blocks_,
      [](void* self, goroutine& g)
          VOLE_NO_THREAD_SAFETY_ANALYSIS { static_cast<sampler*>(self)->look_at_block(g); },
      [](void* self)
          VOLE_NO_THREAD_SAFETY_ANALYSIS { return static_cast<sampler*>(self)->enough(); },
      this);
  weigh(now, seen, blocks_.slots);
}

void sampler::look_at_all(goroutine const* except) noexcept {
  slice const now{last_look_, internal::monotonic_now()};
  last_look_ = now.to;
  except_ = except;
  ++counted_.looks_total;
  harvest();
  std::int64_t const begun_cpu_ns = cpu_ns_of(CLOCK_THREAD_CPUTIME_ID);
  until_cpu_ns_ = begun_cpu_ns + (look_max / 2).count();
  questions_asked_ = 0;
  look_at_threads(now);
  until_cpu_ns_ = begun_cpu_ns + look_max.count();
  questions_asked_ = 0;
  look_at_stacks(now);
}

// --- captures ---

void* sampler::thread_main(void* arg) noexcept {
  ::pthread_setname_np(::pthread_self(), "vole-wall");
  sample::let_sigprof_in();  // its own work belongs into a CPU profile
  the_sampler().run(static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(arg)));
  return nullptr;
}

void sampler::run(std::uint32_t generation) noexcept {
  time_point next = internal::monotonic_now();
  while (true) {
    // At any moment between a half and one and a half of the period: what happens at a fixed rate
    // is then seen in each of its moments.
    auto const jitter = duration(fast_rand() % static_cast<std::uint64_t>(period.count()));
    next = std::max(next + period / 2 + jitter, internal::monotonic_now());
    while (generation_.load(memory_order_relaxed) == generation &&
           futex_wait(generation_, generation, next)) {
    }
    sample::learn_modules();
    raw_lock const lock(mu_);
    if (generation_.load(memory_order_relaxed) != generation) return;
    look_at_all(nullptr);
  }
}

int sampler::start_thread() noexcept {
  std::uintptr_t const generation = generation_.load(memory_order_relaxed);
  return internal::start_thread(&thread_main, reinterpret_cast<void*>(generation));
}

void sampler::end_thread() noexcept {
  generation_.fetch_add(1, memory_order_relaxed);
  futex_wake(generation_, 1);
}

int sampler::start(wall_capture& capture) noexcept {
  sample::learn_modules();  // before anybody is asked
  raw_lock const lock(mu_);
  if (captures_ == nullptr) {
    if (int const failure = start_thread(); failure != 0) return failure;
    last_look_ = internal::monotonic_now();
    for (mail* const m : mails_) m->kept = false;
  }
  capture.begun_ = internal::monotonic_now();
  capture.active_ = true;
  capture.next_ = captures_;
  captures_ = &capture;
  ++counted_.captures;
  return 0;
}

void sampler::stop(wall_capture& capture) noexcept {
  raw_lock const lock(mu_);
  if (!capture.active_) return;
  look_at_all(current_goroutine());
  capture.lasted_ = last_look_ - capture.begun_;
  wait_for_answers();
  harvest();
  // The others get these answers when they come.
  for (mail* const m : mails_) {
    if (m->state.load(memory_order_relaxed) == closed) continue;
    std::int64_t const ns = share_of(m->pending_ns, {m->from, m->to}, capture.begun_);
    if (ns > 0) capture.deliver_(capture.arg_, {.reason = "running", .ns = ns, .pcs = {}});
  }
  wall_capture** link = &captures_;
  while (*link != &capture) link = &(*link)->next_;
  *link = capture.next_;
  capture.next_ = nullptr;
  capture.active_ = false;
  --counted_.captures;
  if (captures_ == nullptr) end_thread();
}

counters sampler::read() noexcept {
  raw_lock const lock(mu_);
  return counted_;
}

int wall_capture::start() noexcept {
  return the_sampler().start(*this);
}
void wall_capture::stop() noexcept {
  the_sampler().stop(*this);
}
counters read_counters() noexcept {
  return the_sampler().read();
}

}  // namespace vole::internal::wall
