// SPDX-License-Identifier: Apache-2.0
// What a thread of a case does in one step. The model of memory: memory.h;
// faults: explorer.h.

#include <bit>
#include <cstring>
#include <utility>

#include "engine.h"

namespace vole::model {
namespace {

constexpr std::uint32_t same_reads_max = 2;   // of a store that is not the last, in a row
constexpr std::uint32_t spins_out_max = 128;  // more than any loop of the product has

std::uint64_t mask_of(std::uint32_t bytes) noexcept {
  return bytes >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * bytes)) - 1;
}

std::uint64_t applied(op kind, std::uint64_t before, std::uint64_t operand) noexcept {
  switch (kind) {
    case op::fetch_add:
      return before + operand;
    case op::fetch_sub:
      return before - operand;
    case op::fetch_and:
      return before & operand;
    case op::fetch_or:
      return before | operand;
    case op::fetch_xor:
      return before ^ operand;
    default:
      return operand;
  }
}

}  // namespace

// A step on a word that several threads use: another thread may come first.
void engine::point(void const* at) {
  catch_up(false);
  self().spins_out = 0;
  if (live_ > 1 && shared_.contains(at)) schedule(true);
}
void engine::any_point() {
  catch_up(false);
  self().spins_out = 0;
  if (live_ > 1) schedule(true);
}

location& engine::reach(cell const& c, std::source_location const& where, bool writes) {
  location* const l = memory_.find(c);
  if (l == nullptr) {
    note("touches an atomic that is no more", -1, where);
    fail("an atomic is used after its end: " + place_of(c.at));
  }
  auto const me = static_cast<std::size_t>(current_);
  if (l->made_here && self().memory.seen.clock[l->made_by] < l->made_clock) {
    note("touches an atomic whose construction it has not seen", -1, where);
    fail("a data race with the construction of an atomic: " + place_of(c.at));
  }
  l->last_use[me] = clock();
  if (live_ > 1) {
    l->users |= 1U << me;
    l->written = l->written || writes;
    if (l->written && std::popcount(l->users) > 1 && shared_.insert(c.at).second) restart_ = true;
  }
  return *l;
}

bool engine::breaks(fault::effect what, op kind, memory_order order,
                    std::source_location const& where) {
  fault const& f = with_.broken;
  if (f.function == nullptr || f.what != what || f.kind != kind || f.order != order ||
      std::strstr(where.function_name(), f.function) == nullptr) {
    return false;
  }
  ++report_.fault_hits;
  return true;
}

void engine::defer(cell const& c, op kind, std::uint64_t operand, memory_order order,
                   std::source_location const& where) {
  note("puts off what comes next in the source: FAULT SEEDED HERE", -1, where);
  self().late.push_back({c, kind, operand, order, where, with_.broken.steps});
}

void engine::catch_up(bool all) {
  auto& late = self().late;
  if (late.empty()) return;
  for (std::size_t i = 0; i < late.size();) {
    if (!all && late[i].steps_left-- > 0) {
      ++i;
      continue;
    }
    deferred const d = late[i];
    late.erase(late.begin() + static_cast<std::ptrdiff_t>(i));
    catching_up_ = true;
    if (d.kind == op::store) {
      store(d.word, d.operand, d.order, d.where);
    } else {
      modify(d.kind, d.word, d.operand, d.order, d.where);
    }
  }
}

step& engine::record(op action, memory_order order, location* l,
                     std::source_location const& where) {
  step s;
  s.thread = static_cast<std::uint8_t>(current_);
  s.action = action;
  s.order = order;
  s.where = where;
  s.alone = live_ <= 1;
  if (l != nullptr) s.location = memory_.id_of(*l);
  trace_.push_back(s);
  return trace_.back();
}

std::uint32_t engine::choose_store(location& l, memory_order order, std::uint64_t const* unlike) {
  auto const last = static_cast<std::uint32_t>(l.history.size() - 1);
  if (stale_left_ == 0) return last;
  std::uint32_t const id = memory_.id_of(l);
  std::uint32_t first = memory_.first_visible(self().memory, l, order);
  for (seen_read const& r : self().reads) {
    if (r.location == id && r.times >= same_reads_max && r.index >= first) first = r.index + 1;
  }
  std::uint32_t candidates[8] = {last};
  std::uint32_t n = 1;
  for (std::uint32_t i = last; i > first && n < 8; --i) {
    if (unlike == nullptr || l.history[i - 1].value != *unlike) candidates[n++] = i - 1;
  }
  std::uint32_t const chosen = choose(n);
  if (chosen != 0 && stale_left_ > 0) --stale_left_;
  return candidates[chosen];
}

void engine::remember_read(std::uint32_t id, std::uint32_t index) {
  for (seen_read& r : self().reads) {
    if (r.location != id) continue;
    r.times = r.index == index ? r.times + 1 : 1;
    r.index = index;
    return;
  }
  self().reads.push_back({id, index, 1});
}

// Those who spin on the word look again.
void engine::stored(location& l) {
  std::uint32_t const id = memory_.id_of(l);
  idle_rounds_ = 0;
  for (int i = 0; i < used_; ++i) {
    model_thread& t = thread_at(i);
    if (t.state != thread_state::yielded) continue;
    for (seen_read const& r : t.reads) {
      if (r.location == id) t.state = thread_state::runnable;
    }
  }
}

std::uint64_t engine::load(cell const& c, memory_order order, std::source_location const& where) {
  bool const spins = self().spins_out > 0;
  if (!spins) point(c.at);
  location& l = reach(c, where, false);
  bool const weak = breaks(fault::effect::weaken, op::load, order, where);
  bool const blind = breaks(fault::effect::blind, op::load, order, where);
  if (weak) order = memory_order::relaxed;
  std::uint32_t const index =
      spins ? memory_.last_of(memory_.id_of(l)) : choose_store(l, order, nullptr);
  step& s = record(op::load, order, &l, where);
  s.faulty = weak || blind;
  s.before = blind ? 0 : l.history[index].value;
  s.latest = l.history.back().value;
  s.stale = index + 1 != l.history.size();
  memory_.do_read(self().memory, l, index, order);
  remember_read(memory_.id_of(l), index);
  ++clock();
  return blind ? 0 : l.history[index].value;
}

void engine::store(cell const& c, std::uint64_t value, memory_order order,
                   std::source_location const& where) {
  bool const caught_up = std::exchange(catching_up_, false);
  if (!caught_up && breaks(fault::effect::late, op::store, order, where)) {
    return defer(c, op::store, value, order, where);
  }
  point(c.at);
  location& l = reach(c, where, true);
  bool const weak = breaks(fault::effect::weaken, op::store, order, where);
  bool const dropped = breaks(fault::effect::drop, op::store, order, where);
  if (weak) order = memory_order::relaxed;
  step& s = record(op::store, order, &l, where);
  s.faulty = weak || dropped || caught_up;
  s.before = l.history.back().value;
  s.after = dropped ? s.before : value;
  if (!dropped) {
    memory_.do_write(self().memory, l, value, order, nullptr, 0);
    stored(l);
  }
  ++clock();
}

std::uint64_t engine::modify(op kind, cell const& c, std::uint64_t operand, memory_order order,
                             std::source_location const& where) {
  bool const caught_up = std::exchange(catching_up_, false);
  if (!caught_up && breaks(fault::effect::late, kind, order, where)) {
    defer(c, kind, operand, order, where);
    return reach(c, where, true).history.back().value;
  }
  point(c.at);
  location* l = &reach(c, where, true);
  bool const weak = breaks(fault::effect::weaken, kind, order, where);
  bool const split = breaks(fault::effect::split, kind, order, where);
  bool const dropped = breaks(fault::effect::drop, kind, order, where);
  if (weak) order = memory_order::relaxed;
  auto const last = static_cast<std::uint32_t>(l->history.size() - 1);
  std::uint64_t const before = l->history[last].value;
  std::uint64_t const after = applied(kind, before, operand) & mask_of(c.bytes);
  memory_.do_read(self().memory, *l, last, order);
  if (split) {
    record(op::load, order, l, where).before = before;
    any_point();
    l = &reach(c, where, true);
  }
  step& s = record(kind, order, l, where);
  s.faulty = weak || split || dropped || caught_up;
  s.before = before;
  s.after = dropped ? before : after;
  if (!dropped) {
    memory_.do_write(self().memory, *l, after, order, split ? nullptr : &last, 0);
    stored(*l);
  }
  ++clock();
  return before;
}

bool engine::compare(cell const& c, std::uint64_t& expected, std::uint64_t desired,
                     memory_order success, memory_order failure,
                     std::source_location const& where) {
  point(c.at);
  location* l = &reach(c, where, true);
  bool const weak = breaks(fault::effect::weaken, op::compare_exchange, success, where);
  bool const split = breaks(fault::effect::split, op::compare_exchange, success, where);
  if (weak) success = memory_order::relaxed;
  std::uint32_t const index = choose_store(*l, failure, &expected);
  std::uint64_t const seen = l->history[index].value;
  bool const done = seen == expected;  // then it is the last one
  memory_order const order = done ? success : failure;
  memory_.do_read(self().memory, *l, index, order);
  if (done && split) {
    record(op::load, order, l, where).before = seen;
    any_point();
    l = &reach(c, where, true);
  }
  step& s = record(op::compare_exchange, order, l, where);
  s.faulty = weak || split;
  s.failed = !done;
  s.before = seen;
  s.after = done ? desired : expected;
  s.stale = !done && index + 1 != l->history.size();
  s.latest = l->history.back().value;
  if (done) {
    memory_.do_write(self().memory, *l, desired, order, split ? nullptr : &index, 0);
    stored(*l);
  } else {
    remember_read(memory_.id_of(*l), index);
  }
  expected = seen;
  ++clock();
  return done;
}

void engine::fence(memory_order order, std::source_location const& where) {
  any_point();
  bool const dropped = breaks(fault::effect::drop, op::fence, order, where);
  record(op::fence, order, nullptr, where).faulty = dropped;
  if (!dropped) memory_.do_fence(self().memory, order);
  ++clock();
}

void engine::barrier(std::source_location const& where) {
  constexpr memory_order full = by_default;
  any_point();
  bool const dropped = breaks(fault::effect::drop, op::fence, full, where);
  record(op::fence, full, nullptr, where).faulty = dropped;
  if (!dropped) {
    memory_.do_fence(self().memory, full);
    // Each at a moment of its own: it may go on, before it and after, while others have theirs.
    for (int i = 0; i < used_; ++i) {
      if (i == current_) continue;
      if (thread_at(i).state == thread_state::runnable) any_point();
      memory_.do_fence(thread_at(i).memory, full);
    }
    memory_.do_fence(self().memory, full);
  }
  ++clock();
}

// A step of a spin loop: until something that it has read changes, the others
// go on. What it has read and was overwritten since it sees now.
void engine::pause(std::source_location const& where) {
  auto& reads = self().reads;
  if (reads.empty()) return;
  bool changed = false;
  for (seen_read const& r : reads) {
    std::uint32_t const last = memory_.last_of(r.location);
    changed = changed || r.index < last;
    self().memory.seen.raise(r.location, last);
  }
  if (self().spins_out > 0) {
    --self().spins_out;
  } else if (!changed && preemptions_left_ != 0 && live_ > 1 && choose(2) == 1) {
    // Those it waits for have lost their CPU for longer than it spins.
    --preemptions_left_;
    note("spins to the end of its patience", -1, where);
    self().spins_out = spins_out_max;
  } else if (!changed) {
    note("spins", -1, where);
    self().state = thread_state::yielded;
    schedule(false);
  }
  reads.clear();
}

bool engine::sleep_on(cell const& c, std::uint64_t expected, bool has_deadline,
                      std::source_location const& where) {
  catch_up(true);
  point(c.at);
  location& l = reach(c, where, false);
  step& s = record(op::wait, memory_order::relaxed, &l, where);
  s.before = l.history.back().value;
  s.after = expected;
  s.failed = s.before != expected;
  if (s.failed) return true;
  model_thread& t = self();
  t.state = thread_state::asleep;
  t.timed = has_deadline;
  t.timed_out = false;
  t.sleeps_on = c.at;
  schedule(false);
  t.sleeps_on = nullptr;
  return !t.timed_out;
}

// The word may be gone: only its address is looked at.
void engine::wake(void const* at, int count, std::source_location const& where) {
  any_point();
  bool const dropped = breaks(fault::effect::drop, op::wake, memory_order::relaxed, where);
  if (dropped) note("wakes nobody: FAULT SEEDED HERE", -1, where);
  for (; count > 0 && !dropped; --count) {
    std::uint32_t who[threads_max];
    std::uint32_t n = 0;
    for (int i = 0; i < used_; ++i) {
      model_thread const& t = thread_at(i);
      if (t.state == thread_state::asleep && t.sleeps_on == at) {
        who[n++] = static_cast<std::uint32_t>(i);
      }
    }
    if (n == 0) break;
    auto const chosen = static_cast<int>(who[choose(n)]);
    thread_at(chosen).state = thread_state::runnable;
    thread_at(chosen).sleeps_on = nullptr;
    note("wakes", chosen, where);
  }
}

void engine::begin_life(void const* at) {
  if (live_ == 1 && !memory_.knows(at)) return;  // nobody else can have an old view of it
  memory_.construct(at, current_, clock());
}

void engine::end_life(void const* at) {
  location const* const l = memory_.destroy(at);
  if (l == nullptr) return;
  for (std::size_t i = 0; i < threads_max; ++i) {
    if (i == static_cast<std::size_t>(current_)) continue;
    if (self().memory.seen.clock[i] >= l->last_use[i]) continue;
    note("ends the life of an atomic that is in use by", static_cast<int>(i), {});
    fail("an atomic ends while another thread may be at it: " + place_of(at));
  }
}

void engine::plain(void const* at, std::size_t bytes, bool writes, void const* pc) {
  guard const g;
  if (locals_.has(at)) return;
  plain_access a;
  a.thread = static_cast<std::uint8_t>(current_);
  a.writes = writes;
  a.clock = clock();
  a.pc = pc;
  shadow::conflict const with = shadow_.access(at, bytes, a, self().memory.seen);
  if (!with.found) return;
  if (with.freed) {
    note("touches freed memory", -1, {});
    fail("memory is used after it was freed: " + place_of(at) + ", by " + symbol_of(pc));
  }
  note(writes ? "writes plainly, in a race with" : "reads plainly, in a race with",
       with.earlier.thread, {});
  fail("a data race on " + place_of(at) + ": " + (with.earlier.writes ? "written" : "read") +
       " by " + symbol_of(with.earlier.pc) + ", " + (writes ? "written" : "read") + " by " +
       symbol_of(pc));
}

void engine::freed(void const* at, std::size_t bytes) {
  guard const g;
  plain_access a;
  a.thread = static_cast<std::uint8_t>(current_);
  a.writes = true;
  a.clock = clock();
  if (bytes <= 1024 && shadow_.access(at, bytes, a, self().memory.seen).found) {
    note("frees memory that another thread may be at", -1, {});
    fail("memory is freed while another thread may be at it: " + place_of(at));
  }
  shadow_.free(at, bytes);
}

// --- what the atomics call

std::uint64_t read(cell const& c, memory_order order, std::source_location const& where) noexcept {
  engine::guard const g;
  return the_engine().load(c, order, where);
}
void write(cell const& c, std::uint64_t value, memory_order order,
           std::source_location const& where) noexcept {
  engine::guard const g;
  the_engine().store(c, value, order, where);
}
std::uint64_t modify(op kind, cell const& c, std::uint64_t operand, memory_order order,
                     std::source_location const& where) noexcept {
  engine::guard const g;
  return the_engine().modify(kind, c, operand, order, where);
}
bool compare(cell const& c, std::uint64_t& expected, std::uint64_t desired, memory_order success,
             memory_order failure, std::source_location const& where) noexcept {
  engine::guard const g;
  return the_engine().compare(c, expected, desired, success, failure, where);
}
void fence(memory_order order, std::source_location where) noexcept {
  engine::guard const g;
  the_engine().fence(order, where);
}
void barrier(std::source_location where) noexcept {
  engine::guard const g;
  the_engine().barrier(where);
}
void begin_life(void const* at) noexcept {
  engine::guard const g;
  if (running()) the_engine().begin_life(at);
}
void end_life(void const* at) noexcept {
  engine::guard const g;
  if (running()) the_engine().end_life(at);
}
void pause(std::source_location where) noexcept {
  engine::guard const g;
  if (running()) the_engine().pause(where);
}
bool sleep_on(cell const& word, std::uint64_t expected, bool has_deadline,
              std::source_location where) noexcept {
  engine::guard const g;
  return the_engine().sleep_on(word, expected, has_deadline, where);
}
void wake(void const* at, int count, std::source_location where) noexcept {
  engine::guard const g;
  the_engine().wake(at, count, where);
}
void touch(void const* at, std::size_t bytes, bool writes, std::source_location) noexcept {
  the_engine().plain(at, bytes, writes, __builtin_return_address(0));
}

}  // namespace vole::model
