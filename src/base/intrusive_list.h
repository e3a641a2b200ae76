// SPDX-License-Identifier: Apache-2.0
#pragma once
// A doubly linked list through a member of its elements. No shared state: the owner's lock guards
// it.

#include <cstddef>

namespace vole::internal {

struct list_link {
  list_link* prev = nullptr;
  list_link* next = nullptr;

  constexpr list_link() noexcept = default;
  list_link(list_link const&) = delete;
  list_link& operator=(list_link const&) = delete;

  bool linked() const noexcept { return next != nullptr; }
  void unlink() noexcept {
    prev->next = next;
    next->prev = prev;
    prev = next = nullptr;
  }
};

// intrusive_list<T, &T::link> never owns its elements; push, pop and remove are O(1).
template <class T, list_link T::* Link>
class intrusive_list {
 public:
  constexpr intrusive_list() noexcept { head_.prev = head_.next = &head_; }

  bool empty() const noexcept { return head_.next == &head_; }
  T* front() noexcept { return empty() ? nullptr : element(head_.next); }
  void push_back(T& t) noexcept { insert_before(head_, t.*Link); }
  void push_front(T& t) noexcept { insert_before(*head_.next, t.*Link); }
  T* pop_front() noexcept {
    T* t = front();
    if (t != nullptr) (t->*Link).unlink();
    return t;
  }
  static void remove(T& t) noexcept { (t.*Link).unlink(); }
  T* next(T& t) noexcept {
    list_link* n = (t.*Link).next;
    return n == &head_ ? nullptr : element(n);
  }

 private:
  static void insert_before(list_link& at, list_link& l) noexcept {
    l.prev = at.prev;
    l.next = &at;
    at.prev->next = &l;
    at.prev = &l;
  }
  static T* element(list_link* l) noexcept {
    auto const offset = reinterpret_cast<std::ptrdiff_t>(&(static_cast<T*>(nullptr)->*Link));
    return reinterpret_cast<T*>(reinterpret_cast<char*>(l) - offset);
  }

  list_link head_;
};

}  // namespace vole::internal
