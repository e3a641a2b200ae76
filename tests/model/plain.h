// SPDX-License-Identifier: Apache-2.0
#pragma once
// Plain memory of one execution: who touched which bytes last, to find data
// races; and the arena from which the case allocates, so that addresses are the
// same in each execution and freed memory is not used again. No shared state:
// one execution owns it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "memory.h"

namespace vole::model {

// Whether code of a case runs; see engine.h.
extern constinit bool inside_case;

struct plain_access {
  std::uint8_t thread = 0;
  std::uint8_t mask = 0;  // bytes of the word
  bool writes = false;
  std::uint32_t clock = 0;
  void const* pc = nullptr;
};

class shadow {
 public:
  struct conflict {
    bool found = false;
    bool freed = false;
    plain_access earlier;
  };

  void reset() noexcept;
  // access notes one; the answer says with which earlier one it races.
  conflict access(void const* at, std::size_t bytes, plain_access a, view const& seen);
  void free(void const* at, std::size_t bytes);

 private:
  struct word {
    std::uintptr_t key = 0;
    std::uint32_t round = 0;
    bool freed = false;
    std::uint8_t count = 0;
    std::array<plain_access, 6> last;
  };
  word& at(std::uintptr_t key);

  std::vector<word> words_;
  std::uint32_t round_ = 0;
  std::size_t used_ = 0;
};

}  // namespace vole::model
