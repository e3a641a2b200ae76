// SPDX-License-Identifier: Apache-2.0
#pragma once
// The thread_locals of the code under test. All threads of a case are one thread of the machine, so
// the program's block of them is exchanged at each switch. No shared state.

#include <cstddef>
#include <utility>
#include <vector>

namespace vole::model {

class thread_locals {
 public:
  thread_locals();

  // A block as a new thread has it.
  std::vector<char> fresh() const { return initial_; }
  void exchange(std::vector<char>& leaving, std::vector<char> const& coming) const;
  // has says whether that is a thread_local, of whatever library: no two threads share it.
  bool has(void const* at) const noexcept;

 private:
  char* block_ = nullptr;  // of this program
  std::vector<char> initial_;
  std::vector<std::pair<char const*, std::size_t>> all_;
};

}  // namespace vole::model
