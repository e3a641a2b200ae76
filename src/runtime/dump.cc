// SPDX-License-Identifier: Apache-2.0
// The text of a dump follows Go's: what reads Go's dumps reads these.

#include "runtime/dump.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string_view>
#include <time.h>
#include <unistd.h>
#include <unordered_map>
#include <utility>
#include <vector>

#include "vole/internal/format.h"

#include "runtime/own_stack.h"
#include "runtime/scheduler.h"
#include "runtime/signal.h"
#include "symbol/unwind.h"

namespace vole::internal {
namespace {

worker* worker_running(goroutine const& g) {
  struct search {
    goroutine const* wanted;
    worker* found;
  } s{&g, nullptr};
  the_scheduler().for_each_worker(
      [](void* arg, worker& w) {
        auto& look = *static_cast<search*>(arg);
        if (w.on_cpu.load(memory_order_relaxed) == look.wanted) look.found = &w;
      },
      &s);
  return s.found;
}

bool is_waiting(goroutine_state state) noexcept {
  return state == goroutine_state::parked || state == goroutine_state::runnable;
}

// The stack pointer that g's thread has left behind; null: it is on the way from or to the stack.
[[gnu::no_sanitize_address, gnu::no_sanitize_thread]] void* left_at(goroutine const& g) noexcept {
  return const_cast<void* const volatile&>(g.context.sp);
}

// A thread may lose its core on the way.
void await_departure(goroutine const& g) noexcept {
  timespec const pause{0, 200'000};
  for (int i = 0; i < 10 && left_at(g) == nullptr; ++i) ::nanosleep(&pause, nullptr);
}

// A parked stack is copied word by word while it may start to run: whoever moves it changes
// `switches`.
[[gnu::no_sanitize_address, gnu::no_sanitize_thread]] std::size_t walk_parked(goroutine& g,
                                                                              std::uintptr_t* pcs) {
  std::uint32_t const before =
      g.switches.load(memory_order_acquire);  // pairs with fiber.h:vole_fiber_switch
  void* const sp = left_at(g);
  auto const low = reinterpret_cast<std::uintptr_t>(g.stack_low);
  auto const high = reinterpret_cast<std::uintptr_t>(g.stack_high);
  auto const at = reinterpret_cast<std::uintptr_t>(sp);
  if (at < low || at + 64 > high) return 0;
  saved_frame const frame = fiber_saved_frame(sp);
  symbol::registers const from{reinterpret_cast<std::uintptr_t>(frame.pc),
                               reinterpret_cast<std::uintptr_t>(frame.sp),
                               reinterpret_cast<std::uintptr_t>(frame.fp)};
  std::size_t const depth = symbol::unwind_saved(from, {low, high}, {pcs, dump_depth_max},
                                                 symbol::too_deep::leave_out_middle);
  bool const still = is_waiting(g.state.load(memory_order_relaxed)) && left_at(g) == sp;
  // pairs with fiber.h:vole_fiber_switch: a stack pointer that was set again has been counted, and
  // one that was taken away was so before its stack changed
  // tidy: std::atomic, a fence has no name behind the door yet
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  return still && g.switches.load(memory_order_relaxed) == before ? depth : 0;
}

// How often a goroutine is looked at that moves meanwhile.
constexpr int look_attempts = 3;

struct visitor {
  void (*visit)(void*, goroutine_snapshot const&);
  void* arg;
  goroutine_filter wanted;
  goroutine* self;
};

// read_block fills in what the control block says; false: nobody lives there.
bool read_block(goroutine const& g, goroutine_snapshot& s) noexcept {
  s.id = g.id.load(memory_order_relaxed);
  s.state = g.state.load(memory_order_relaxed);
  if (s.state == goroutine_state::dead || s.id == 0) return false;
  s.parent_id = g.parent_id.load(memory_order_relaxed);
  s.why = g.why.load(memory_order_relaxed);
  s.created_by = reinterpret_cast<std::uintptr_t>(g.created_by.load(memory_order_relaxed));
  s.labels_id = g.labels_id.load(memory_order_relaxed);
  s.background = g.background.load(memory_order_relaxed);
  return true;
}

// walk_blocking finds the stack from where g entered blocking(); 0: it has left meanwhile.
std::size_t walk_blocking(goroutine const& g, std::uintptr_t* pcs) noexcept {
  auto const place = [&g] {
    return symbol::registers{.pc = g.blocking_pc.load(memory_order_relaxed),
                             .sp = g.blocking_sp.load(memory_order_relaxed),
                             .fp = g.blocking_fp.load(memory_order_relaxed),
                             .sp_known = blocking_sp_is_exact};
  };
  symbol::registers const from = place();
  std::size_t const depth = symbol::unwind_saved(from, bounds_of(g), {pcs, dump_depth_max},
                                                 symbol::too_deep::leave_out_middle);
  symbol::registers const now = place();
  bool const stayed = g.state.load(memory_order_relaxed) == goroutine_state::blocking &&
                      now.pc == from.pc && now.sp == from.sp && now.fp == from.fp;
  return stayed ? depth : 0;
}

// stack_of copies the stack of the goroutine that s tells of; 0: it moved meanwhile.
std::size_t stack_of(visitor const& v, goroutine& g, goroutine_snapshot& s) noexcept {
  if (&g == v.self)
    return symbol::unwind_here(bounds_of(g), s.pcs, symbol::too_deep::leave_out_middle);
  if (is_waiting(s.state)) {
    await_departure(g);
    return walk_parked(g, s.pcs);
  }
  if (s.state == goroutine_state::blocking) return walk_blocking(g, s.pcs);
  worker* const w = worker_running(g);
  return w == nullptr ? 0 : capture_running(*w, s.id, s.pcs, dump_depth_max);
}

duration age_of(goroutine const& g, goroutine_state state) noexcept {
  if (state != goroutine_state::parked && state != goroutine_state::blocking) return {};
  duration const since(g.since.load(memory_order_relaxed));
  return std::max(duration::zero(), internal::monotonic_now().time_since_epoch() - since);
}

void look(visitor const& v, goroutine& g) {
  goroutine_snapshot s;
  for (int attempt = 0; attempt < look_attempts && s.depth == 0; ++attempt) {
    if (!read_block(g, s)) return;
    if (&g == v.self) s.state = goroutine_state::running;
    s.waiting = age_of(g, s.state);
    if (!v.wanted(s)) return;
    s.depth = stack_of(v, g, s);
  }
  v.visit(v.arg, s);
}

std::string age(duration waiting) {
  auto const minutes = std::chrono::duration_cast<std::chrono::minutes>(waiting).count();
  return minutes >= 1 ? fmt::format(", {} minutes", minutes) : std::string();
}

}  // namespace

char const* state_text(goroutine_snapshot const& g) {
  switch (g.state) {
    case goroutine_state::runnable:
      return "runnable";
    case goroutine_state::running:
      return "running";
    case goroutine_state::parked:
      return to_text(g.why);
    case goroutine_state::blocking:
      return "blocking call";
    case goroutine_state::dead:
      break;
  }
  return "dead";
}

bool stands_still(goroutine const& g) noexcept {
  return g.state.load(memory_order_relaxed) == goroutine_state::parked && left_at(g) != nullptr;
}

bool look_at_waiting(goroutine& g, goroutine_snapshot& to) noexcept {
  if (!read_block(g, to) || !is_waiting(to.state)) return false;
  for (int i = 0; i < look_attempts; ++i) {
    wait_reason const why = g.why.load(memory_order_relaxed);
    goroutine_state const state = g.state.load(memory_order_relaxed);
    to.depth = walk_parked(g, to.pcs);
    if (to.depth == 0) continue;
    if (is_waiting(state)) to.state = state;
    to.why = why;
    break;
  }
  return true;
}

bool look_at_blocking(goroutine& g, goroutine_snapshot& to) noexcept {
  if (!read_block(g, to) || to.state != goroutine_state::blocking) return false;
  to.depth = walk_blocking(g, to.pcs);
  return true;
}

bool any_goroutine(goroutine_snapshot const&) noexcept {
  return true;
}

void for_each_goroutine(void (*visit)(void*, goroutine_snapshot const&), void* arg,
                        goroutine_filter wanted) noexcept {
  visitor v{visit, arg, wanted, current_goroutine()};
  the_scheduler().stacks().for_each_block(
      [](void* p, goroutine& g) { look(*static_cast<visitor*>(p), g); }, &v);
}

std::vector<goroutine_snapshot> all_goroutines() {
  std::vector<goroutine_snapshot> all;
  for_each_goroutine(
      [](void* arg, goroutine_snapshot const& g) {
        static_cast<std::vector<goroutine_snapshot>*>(arg)->push_back(g);
      },
      &all);
  return all;
}

symbol::source_frame const& creator_among(std::span<symbol::source_frame const> frames) {
  // By file as well: little debug information means names without their namespaces.
  auto const is_go = [](symbol::source_frame const& f) {
    std::string_view name = std::string_view(f.function).substr(0, f.function.find('<'));
    name = name.substr(name.find_last_of(" :") + 1);
    return (name == "go" || name == "try_go") && f.file.find("include/vole/") != f.file.npos;
  };
  std::size_t i = 0;
  while (i + 1 < frames.size() && is_go(frames[i])) ++i;
  return frames[i];
}

namespace {

// call_at is where the i-th frame stands: a return address stands behind the call that it belongs
// to.
std::uintptr_t call_at(std::uintptr_t const* pcs, std::size_t i, bool first_is_exact) noexcept {
  return i == 0 && first_is_exact ? pcs[0] : pcs[i] - 1;
}

void append_named(std::string& to, symbol::pc_names const& names, std::uintptr_t const* pcs,
                  std::size_t depth, bool first_is_exact) {
  if (depth == 0) {
    to += "\t(it moved while it was looked at)\n";
    return;
  }
  for (std::size_t i = 0; i < depth; ++i) {
    if (pcs[i] == symbol::frames_left_out) {
      to += "...additional frames elided...\n";  // Go's words: readers of dumps know them
      continue;
    }
    symbol::symbolized const& s = names.of(call_at(pcs, i, first_is_exact));
    for (symbol::source_frame const& f : s.frames) {
      to += fmt::format("{}\n\t{}:{}", f.function, f.file.empty() ? "?" : f.file, f.line);
      to += f.inlined || s.function_start == 0
                ? "\n"
                : fmt::format(" +{:#x}\n", pcs[i] - s.function_start);
    }
  }
}

void append_named_creator(std::string& to, symbol::symbolized const& call,
                          std::uint64_t parent_id) {
  symbol::source_frame const& f = creator_among(call.frames);
  to += fmt::format("created by {}", f.function);
  if (parent_id != 0) to += fmt::format(" in goroutine {}", parent_id);
  to += fmt::format("\n\t{}:{}\n", f.file.empty() ? "?" : f.file, f.line);
}

// A stack that was interrupted begins with no return address, nor does one that has not begun.
bool begins_exactly(goroutine_snapshot const& g) noexcept {
  return g.state == goroutine_state::running ||
         g.pcs[0] == reinterpret_cast<std::uintptr_t>(&vole_fiber_entry);
}

}  // namespace

void append_frames(std::string& to, std::uintptr_t const* pcs, std::size_t depth) {
  std::vector<std::uintptr_t> calls;
  for (std::size_t i = 0; i < depth; ++i) calls.push_back(call_at(pcs, i, true));
  append_named(to, symbol::pc_names(std::move(calls)), pcs, depth, true);
}

void append_creator(std::string& to, std::uintptr_t created_by, std::uint64_t parent_id) {
  if (created_by == 0) return;
  append_named_creator(to, symbol::symbolize(created_by - 1), parent_id);
}

namespace {

void append_quoted(std::string& to, std::string_view text) {
  to += '"';
  for (char const c : text) {
    auto const byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      to += '\\';
      to += c;
    } else if (byte < 0x20 || byte == 0x7f || c == ']') {
      to += fmt::format("\\x{:02x}", byte);
    } else {
      to += c;
    }
  }
  to += '"';
}

// The text of each set of labels among these goroutines.
std::unordered_map<std::uint64_t, std::string> labels_of(
    std::vector<goroutine_snapshot> const& all) {
  std::vector<std::uint64_t> ids;
  for (goroutine_snapshot const& g : all) {
    if (g.labels_id != 0) ids.push_back(g.labels_id);
  }
  std::unordered_map<std::uint64_t, std::string> texts;
  if (ids.empty()) return texts;
  for (auto const& [id, pairs] : labels::find_at_panic(ids)) texts[id] = labels_text(pairs);
  return texts;
}

}  // namespace

std::string labels_text(labels::pair_list const& pairs) {
  if (pairs.empty()) return {};
  std::string text = " labels:{";
  for (auto const& [key, value] : pairs) {
    if (text.back() != '{') text += ", ";
    append_quoted(text, key);
    text += ": ";
    append_quoted(text, value);
  }
  return text += '}';
}

std::string dump_text(std::vector<goroutine_snapshot> all, std::size_t bytes_max) {
  std::sort(all.begin(), all.end(), [](auto const& a, auto const& b) { return a.id < b.id; });
  std::vector<std::uintptr_t> calls;
  for (goroutine_snapshot const& g : all) {
    for (std::size_t i = 0; i < g.depth; ++i) {
      calls.push_back(call_at(g.pcs, i, begins_exactly(g)));
    }
    if (g.created_by != 0) calls.push_back(g.created_by - 1);
  }
  symbol::pc_names const names(std::move(calls));
  auto label_texts = labels_of(all);
  std::string text;
  for (goroutine_snapshot const& g : all) {
    if (text.size() >= bytes_max) {
      text += "... further goroutines left out\n";
      break;
    }
    text += fmt::format("goroutine {} [{}{}{}{}]:\n", g.id, state_text(g), age(g.waiting),
                        g.background ? ", background" : "", label_texts[g.labels_id]);
    append_named(text, names, g.pcs, g.depth, begins_exactly(g));
    if (g.created_by != 0) append_named_creator(text, names.of(g.created_by - 1), g.parent_id);
    text += '\n';
  }
  return text;
}

void report_no_thread(unsigned workers, unsigned limit) noexcept {
  static constinit atomic<std::int64_t> said{0};
  std::int64_t const now = internal::monotonic_now().time_since_epoch().count();
  std::int64_t last = said.load(memory_order_relaxed);
  constexpr std::int64_t minute = 60'000'000'000;
  if ((last != 0 && now - last < minute) || !said.compare_exchange_strong(last, now)) return;
  fmt::memory_buffer text;  // on the stack: memory may have ended too
  fmt::format_to(
      std::back_inserter(text),
      "vole: no further worker thread: {} exist, {}; goroutines wait until a worker is free\n",
      workers,
      workers >= limit ? "which is the limit (VOLE_MAXTHREADS, runtime::set_max_threads)"
                       : "and the system refuses one (ulimit -u, ulimit -v, cgroup pids.max)");
  write_all(STDERR_FILENO, {text.data(), text.size()});
}

}  // namespace vole::internal

namespace vole::runtime {

std::string dump_goroutines() {
  return internal::dump_text(internal::all_goroutines());
}

}  // namespace vole::runtime
