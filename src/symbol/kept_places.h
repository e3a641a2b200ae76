// SPDX-License-Identifier: Apache-2.0
#pragma once
// What was found out about places in files, packed: each text is there once, and nothing is a block
// of malloc's by itself. What is kept is made while DWARF is read, which takes and frees a lot:
// small blocks between would hold the pages of all that.
//
// No shared state: one thread at a time.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "symbol/symbolize.h"

namespace vole::symbol {

// index_table finds the entries of a vector by a hash: open addressing, at most half full.
class index_table {
 public:
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  // find returns the first entry with this hash for which is_it holds, or none.
  template <class IsIt>
  std::uint32_t find(std::uint64_t hash, IsIt&& is_it) const {
    if (slots_.empty()) return none;
    std::size_t const mask = slots_.size() - 1;
    for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
      if (slots_[i] == none || is_it(slots_[i])) return slots_[i];
    }
  }
  // enter adds the next entry of the vector. hash_of(index) is the hash of any entry up to it.
  template <class HashOf>
  void enter(HashOf&& hash_of) {
    if (2 * (std::size_t{used_} + 1) > slots_.size()) {
      slots_.assign(slots_.empty() ? slots_at_first : 2 * slots_.size(), none);
      for (std::uint32_t i = 0; i < used_; ++i) place(hash_of(i), i);
    }
    place(hash_of(used_), used_);
    ++used_;
  }
  std::size_t bytes() const { return slots_.capacity() * sizeof(std::uint32_t); }

 private:
  static constexpr std::size_t slots_at_first = 256;

  void place(std::uint64_t hash, std::uint32_t index) {
    std::size_t const mask = slots_.size() - 1;
    std::size_t i = hash & mask;
    while (slots_[i] != none) i = (i + 1) & mask;
    slots_[i] = index;
  }

  std::vector<std::uint32_t> slots_;  // a power of two of them
  std::uint32_t used_ = 0;
};

// text_pool keeps each text once.
class text_pool {
 public:
  std::uint32_t id_of(std::string_view text);
  std::string_view text(std::uint32_t id) const { return texts_[id]; }
  std::size_t bytes() const;

 private:
  static constexpr std::size_t chunk_bytes = std::size_t{64} << 10;

  std::string_view store(std::string_view text);

  std::vector<std::unique_ptr<char[]>> chunks_;
  std::size_t chunk_used_ = chunk_bytes;  // of the last one
  std::size_t bytes_of_chunks_ = 0;
  std::vector<std::string_view> texts_;
  index_table by_text_;
};

// kept_places remembers what symbolize has found, by file and address in it, up to bytes_max: what
// would take more makes it forget all.
class kept_places {
 public:
  explicit kept_places(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // get writes what is known of the address; false: nothing. file: the build id, or else the path.
  // The addresses in *to are those in the file.
  bool get(std::string_view file, std::uint64_t address, symbolized* to) const;
  void put(std::string_view file, std::uint64_t address, symbolized const& found);
  void clear();
  // bytes is the memory that all of it takes; never above bytes_max after a put.
  std::size_t bytes() const;

 private:
  struct frame {
    std::uint32_t function = 0;  // of texts
    std::uint32_t mangled = 0;
    std::uint32_t file = 0;
    int line = 0;
    bool inlined = false;
  };
  struct place {
    std::uint64_t file_hash = 0;
    std::uint64_t address = 0;
    std::uint64_t function_start = 0;
    std::uint32_t file = 0;  // of texts
    std::uint32_t first_frame = 0;
    std::uint32_t frame_count = 0;
  };
  struct contents {
    text_pool texts;
    std::vector<frame> frames;
    std::vector<place> places;
    index_table by_place;
  };

  std::size_t const bytes_max_;
  contents all_;
};

}  // namespace vole::symbol
