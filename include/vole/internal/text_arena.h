// SPDX-License-Identifier: Apache-2.0
// text_arena: copies of short texts that stay where they are until clear().
// No shared state: one owner at a time.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace vole::internal {

// text_arena hands out text that neither moves nor dies before clear(). clear() keeps the first
// block, so an arena that is used again and again allocates nothing.
class text_arena {
 public:
  text_arena() = default;
  text_arena(text_arena&& other) noexcept
      : blocks_(std::move(other.blocks_)),
        at_(std::exchange(other.at_, nullptr)),
        end_(std::exchange(other.end_, nullptr)) {
    other.blocks_.clear();
  }
  text_arena& operator=(text_arena&& other) noexcept {
    blocks_ = std::move(other.blocks_);
    other.blocks_.clear();
    at_ = std::exchange(other.at_, nullptr);
    end_ = std::exchange(other.end_, nullptr);
    return *this;
  }

  // allocate returns room for `bytes` characters.
  char* allocate(std::size_t bytes) {
    if (static_cast<std::size_t>(end_ - at_) < bytes) grow(bytes);
    return std::exchange(at_, at_ + bytes);
  }

  // copy returns a view of a copy of text.
  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    char* to = allocate(text.size());
    std::memcpy(to, text.data(), text.size());
    return {to, text.size()};
  }

  // clear makes all views invalid and keeps one block of block_bytes for the next user.
  void clear() {
    if (blocks_.empty()) return;
    blocks_.resize(1);
    at_ = blocks_.front().get();
    end_ = at_ + block_bytes;
  }

 private:
  static constexpr std::size_t block_bytes = 512;

  void grow(std::size_t bytes) {
    std::size_t size = blocks_.empty() ? block_bytes : 4 * block_bytes;
    if (bytes > size) {
      if (blocks_.empty()) grow(0);  // the first block always has block_bytes: clear() counts on it
      size = bytes;
    }
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
    at_ = blocks_.back().get();
    end_ = at_ + size;
  }

  std::vector<std::unique_ptr<char[]>> blocks_;
  char* at_ = nullptr;
  char* end_ = nullptr;
};

}  // namespace vole::internal
