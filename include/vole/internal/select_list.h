// SPDX-License-Identifier: Apache-2.0
#pragma once
// The cases of a select_list: those of a select, with an owner of their own each and the type of
// the element forgotten. See select_case.h for what a case is.
//
// INVARIANTS  a case in a list holds a reference to its channel; its place in the list is the index
//             it is known by, and never changes.
// LOCKS       none: a list belongs to one goroutine.

#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "vole/internal/select_case.h"

namespace vole::internal {

// listed_case holds one case of forgotten type.
struct listed_case {
  explicit listed_case(chan_handle channel) noexcept : held(std::move(channel)) {}
  listed_case(listed_case const&) = delete;
  listed_case& operator=(listed_case const&) = delete;
  virtual ~listed_case() = default;

  virtual select_case& base() noexcept = 0;
  // complete hands the element to the user, and makes the case ready for the next select.
  virtual void complete() = 0;

  chan_handle held;
};

template <class T, class To>
struct listed_recv final : listed_case {
  listed_recv(chan_handle channel, To* to, bool* ok)
      : listed_case(std::move(channel)), own(chan_access::core(held), to, ok) {}
  select_case& base() noexcept override { return own; }
  void complete() override { own.complete(); }
  recv_case<T, To> own;
};

template <class T>
struct listed_send final : listed_case {
  template <class V>
  listed_send(chan_handle channel, V&& v)
      : listed_case(std::move(channel)), own(chan_access::core(held), std::forward<V>(v)) {}
  select_case& base() noexcept override { return own; }
  void complete() override { own.switch_off(); }  // its element is gone
  send_copy_case<T> own;
};

struct listed_otherwise final : listed_case {
  listed_otherwise() noexcept : listed_case(chan_handle()) {}
  select_case& base() noexcept override { return own; }
  void complete() override {}
  otherwise_case own;
};

// select_cases is what a select_list keeps: the cases, and the working memory of select_run.
class select_cases {
 public:
  int add(std::unique_ptr<listed_case> c);
  // Panics: there is none at that index (caller's bug).
  void switch_off(int index);
  void clear() noexcept { cases_.clear(); }
  std::size_t size() const noexcept { return cases_.size(); }

  int run(park_limit const& limit);

 private:
  std::vector<std::unique_ptr<listed_case>> cases_;
  std::vector<select_case*> order_;  // twice as many as there are cases
  std::vector<chan_waiter> waiters_;
};

}  // namespace vole::internal
