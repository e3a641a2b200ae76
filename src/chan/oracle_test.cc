// SPDX-License-Identifier: Apache-2.0
// Channels and selects against what the Go specification says of them, executed one step at a time.
//
// Sequential: one goroutine does random operations that do not wait, and a model of a few lines
// must give the same answers. Concurrent: a few goroutines do random operations on two channels;
// each notes when it began and ended and what came of it. The history is accepted if there is an
// order of the operations, in which none stands before one that had ended when it began, that the
// model explains. That is the definition of linearizability (Herlihy and Wing), and the search is
// theirs with visited states remembered (Lowe). On an unbuffered channel a send and its receive are
// one step.
#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <gtest/gtest.h>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "vole/chan.h"
#include "vole/go.h"
#include "vole/internal/atomic.h"
#include "vole/internal/format.h"
#include "vole/runtime.h"
#include "vole/select.h"
#include "vole/sync.h"
#include "vole/time.h"

namespace vole {
namespace {

using namespace std::chrono_literals;

// What one channel holds, as the specification sees it.
struct model {
  std::size_t capacity = 0;
  bool closed = false;
  std::deque<int> buffer;

  bool can_send() const { return !closed && buffer.size() < capacity; }
  bool empty() const { return buffer.empty(); }
  auto operator<=>(model const&) const = default;
};

enum class step : std::uint8_t {
  send,        // value went into channel
  recv,        // value came out of channel
  recv_ended,  // the channel was closed and drained
  close,
  send_full,   // a send that does not wait found no room
  recv_empty,  // a receive that does not wait found nothing
  none_ready,  // a select with a default took it: recv on channel 0, send on channel 1
};

struct operation {
  step what{};
  std::size_t channel = 0;
  int value = 0;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

using channels = std::array<model, 2>;

// Does one operation on the model; false: it could not have gone like that now.
bool apply(operation const& op, channels& cs) {
  model& c = cs.at(op.channel);
  switch (op.what) {
    case step::send:
      if (!c.can_send()) return false;
      c.buffer.push_back(op.value);
      return true;
    case step::recv:
      if (c.empty() || c.buffer.front() != op.value) return false;
      c.buffer.pop_front();
      return true;
    case step::recv_ended:
      return c.closed && c.empty();
    case step::close:
      return !std::exchange(c.closed, true);
    case step::send_full:  // on an unbuffered channel: nobody waited just then
      return !c.closed && !c.can_send();
    case step::recv_empty:
      return !c.closed && c.empty();
    case step::none_ready:
      return !cs[0].closed && cs[0].empty() && !cs[1].closed && !cs[1].can_send();
  }
  return false;
}

// Whether some order of the history is one the model explains.
class search {
 public:
  explicit search(std::vector<operation> const& history) : history_(history) {}
  bool explain(channels const& start) { return explain((1U << history_.size()) - 1, start); }

 private:
  bool explain(std::uint32_t left, channels const& cs) {
    if (left == 0) return true;
    if (!seen_.emplace(left, cs).second) return false;
    std::uint64_t first_end = UINT64_MAX;
    for_each(left, [&](std::size_t i) { first_end = std::min(first_end, history_[i].end); });
    bool found = false;
    for_each(left, [&](std::size_t i) {
      operation const& op = history_[i];
      if (found || op.begin > first_end) return;
      channels next = cs;
      if (apply(op, next)) found = explain(left & ~(1U << i), next);
      if (op.what != step::send || cs.at(op.channel).capacity != 0 || cs.at(op.channel).closed) {
        return;
      }
      for_each(left, [&](std::size_t k) {  // its receiver, which meets it here
        operation const& partner = history_[k];
        if (found || partner.begin > first_end || partner.what != step::recv ||
            partner.channel != op.channel || partner.value != op.value) {
          return;
        }
        found = explain(left & ~(1U << i) & ~(1U << k), cs);
      });
    });
    return found;
  }

  template <class Fn>
  static void for_each(std::uint32_t set, Fn&& fn) {
    for (std::size_t i = 0; set != 0; ++i, set >>= 1) {
      if ((set & 1) != 0) fn(i);
    }
  }

  std::vector<operation> const& history_;
  std::set<std::pair<std::uint32_t, channels>> seen_;
};

std::string to_text(std::vector<operation> const& history) {
  constexpr std::array<char const*, 7> names{"send",      "recv",       "recv ended", "close",
                                             "send full", "recv empty", "none ready"};
  std::string text;
  for (auto const& op : history) {
    text += fmt::format("  [{:3}..{:3}] {} c{} {}\n", op.begin, op.end,
                        names.at(static_cast<std::size_t>(op.what)), op.channel, op.value);
  }
  return text;
}

// One goroutine's part in a history. Channel 0 has one sender, which closes it; channel 1 has
// several and stays open.
class player {
 public:
  player(std::array<chan<int>, 2> const& cs, internal::atomic<std::uint64_t>& clock, unsigned seed,
         int number, int operations)
      : cs_(cs), clock_(clock), random_(seed), number_(number), operations_(operations) {}

  void play() {
    for (int i = 0; i < operations_; ++i) {
      if (random_() % 4 == 0) runtime::yield();
      one();
    }
    if (owner()) {
      started_ = ++clock_;
      cs_[0].close();
      note({.what = step::close, .channel = 0});
    }
  }
  std::vector<operation> const& notes() const { return notes_; }

 private:
  bool owner() const { return number_ == 0; }
  bool coin() { return random_() % 2 == 0; }
  internal::park_limit patience() {
    return {.deadline = time::now() + std::chrono::microseconds(random_() % 100)};
  }
  void note(operation op) {
    op.begin = started_;
    op.end = ++clock_;
    notes_.push_back(op);
  }

  void one() {
    int const v = number_ * 100 + next_value_++;
    std::size_t const to = owner() && coin() ? 0 : 1;
    std::size_t const from = coin() ? 0 : 1;
    started_ = ++clock_;
    switch (random_() % 6) {
      case 0:
        if (cs_[to].send_until(v, patience()) == internal::chan_outcome::ok) {
          note({.what = step::send, .channel = to, .value = v});
        }
        break;
      case 1: {
        auto const got = cs_[from].recv_until(patience());
        if (got.value.has_value()) {
          note({.what = step::recv, .channel = from, .value = *got.value});
        } else if (got.outcome == internal::chan_outcome::closed) {
          note({.what = step::recv_ended, .channel = from});
        }
        break;
      }
      case 2:
        note({.what = cs_[to].try_send(v) ? step::send : step::send_full,
              .channel = to,
              .value = v});
        break;
      case 3:
        nonblocking_recv(from);
        break;
      case 4:
        waiting_select(v, to);
        break;
      default:
        select_with_default(v);
    }
  }

  void nonblocking_recv(std::size_t from) {
    int got = 0;
    bool ok = false;
    if (select(recv(cs_[from], &got, &ok), otherwise()) == 1) {
      note({.what = step::recv_empty, .channel = from});
    } else {
      note({.what = ok ? step::recv : step::recv_ended, .channel = from, .value = got});
    }
  }

  void waiting_select(int v, std::size_t to) {
    int got = 0;
    bool ok = false;
    switch (int const which = select_until(patience(), recv(cs_[0], &got, &ok), send(cs_[to], v),
                                           recv(cs_[1], &got, &ok))) {
      case 1:
        note({.what = step::send, .channel = to, .value = v});
        break;
      case 0:
      case 2:
        note({.what = ok ? step::recv : step::recv_ended,
              .channel = which == 0 ? 0U : 1U,
              .value = got});
        break;
      default:  // neither came in time: nothing has happened
        break;
    }
  }

  void select_with_default(int v) {
    int got = 0;
    bool ok = false;
    switch (select(recv(cs_[0], &got, &ok), send(cs_[1], v), otherwise())) {
      case 0:
        note({.what = ok ? step::recv : step::recv_ended, .channel = 0, .value = got});
        break;
      case 1:
        note({.what = step::send, .channel = 1, .value = v});
        break;
      default:
        note({.what = step::none_ready});
    }
  }

  std::array<chan<int>, 2> const cs_;
  internal::atomic<std::uint64_t>& clock_;
  std::mt19937 random_;
  int const number_;
  int const operations_;
  int next_value_ = 1;
  std::uint64_t started_ = 0;
  std::vector<operation> notes_;
};

TEST(chan_oracle, histories_of_several_goroutines_can_be_explained) {
  constexpr int rounds = 1500;
  constexpr int players = 4;
  for (unsigned round = 0; round < rounds; ++round) {
    std::array<std::size_t, 2> const capacity{round % 3, round / 3 % 3};
    std::array<chan<int>, 2> const cs{chan<int>(capacity[0]), chan<int>(capacity[1])};
    internal::atomic<std::uint64_t> clock{0};
    std::deque<player> all;
    for (int p = 0; p < players; ++p) {
      all.emplace_back(cs, clock, round * players + static_cast<unsigned>(p), p, 5);
    }
    sync::wait_group wg;
    for (auto& p : all) wg.go([&p] { p.play(); });
    wg.wait();
    std::vector<operation> history;
    for (auto const& p : all) {
      history.insert(history.end(), p.notes().begin(), p.notes().end());
    }
    channels start;
    for (std::size_t c = 0; c < 2; ++c) start[c].capacity = capacity[c];
    ASSERT_TRUE(search(history).explain(start))
        << "capacities " << capacity[0] << " and " << capacity[1] << ", round " << round << ":\n"
        << to_text(history);
  }
}

// The search does refuse what cannot be: else the test above says nothing.
TEST(chan_oracle, search_refuses_impossible_histories) {
  channels start;
  start[0].capacity = 1;
  operation const sent{.what = step::send, .value = 1, .begin = 1, .end = 2};
  operation const sent_again{.what = step::send, .value = 2, .begin = 3, .end = 4};
  operation const got_second{.what = step::recv, .value = 2, .begin = 5, .end = 6};
  operation const got_first{.what = step::recv, .value = 1, .begin = 3, .end = 8};
  EXPECT_TRUE(search({sent, sent_again, got_first, got_second}).explain(start));
  EXPECT_FALSE(search({sent, sent_again, got_second}).explain(start)) << "overtaken";
  EXPECT_FALSE(search({got_first, sent, got_first}).explain(start)) << "received twice";
  operation const empty{.what = step::recv_empty, .begin = 3, .end = 4};
  EXPECT_FALSE(search({sent, empty}).explain(start)) << "lost";
  start[0].capacity = 0;
  EXPECT_FALSE(search({sent, got_first}).explain(start)) << "a send that did not wait";
}

TEST(chan_oracle, operations_that_do_not_wait_agree_with_the_model) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::size_t const capacity = random() % 5;
    chan<int> c(capacity);
    model m;
    m.capacity = capacity;
    for (int i = 0; i < 200; ++i) {
      switch (random() % 8) {
        case 0:
        case 1:
        case 2:
          if (m.closed) break;  // it would panic
          ASSERT_EQ(select(send(c, i), otherwise()) == 0, m.can_send());
          if (m.can_send()) m.buffer.push_back(i);
          break;
        case 3:
        case 4: {
          int v = -1;
          bool ok = false;
          bool const taken = select(recv(c, &v, &ok), otherwise()) == 0;
          ASSERT_EQ(taken, m.closed || !m.empty());
          ASSERT_EQ(ok, !m.empty());
          if (!m.empty()) {
            ASSERT_EQ(v, m.buffer.front());
            m.buffer.pop_front();
          }
          break;
        }
        case 5: {
          auto const v = c.try_recv();
          ASSERT_EQ(v.has_value(), !m.empty());
          if (!m.empty()) {
            ASSERT_EQ(*v, m.buffer.front());
            m.buffer.pop_front();
          }
          break;
        }
        case 6:
          if (!m.closed && random() % 32 == 0) {
            c.close();
            m.closed = true;
          }
          break;
        default:
          ASSERT_EQ(c.len(), m.buffer.size());
      }
    }
  }
}

}  // namespace
}  // namespace vole
