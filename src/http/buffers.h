// SPDX-License-Identifier: Apache-2.0
// The two buffers of a connection: what has been read and not yet understood, what has been written
// and not yet sent. No shared state.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "vole/assert.h"
#include "vole/io.h"

namespace vole::http::internal {

// input_buffer is filled at its end and consumed at its front. A head that is pinned stays where it
// is until unpin(), however much comes behind it: the views of its message point there.
//
// INVARIANTS
//  - floor_ <= begin_ <= end_ <= capacity_; [0, floor_) is pinned. Once the pinned block has become
//    too small it stands in retired_, and floor_ is 0.
class input_buffer {
 public:
  static constexpr std::size_t first_bytes = 4096;
  static constexpr std::size_t kept_bytes_max = 16 * 1024;

  std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  void consume(std::size_t bytes) {
    VOLE_ASSERT(bytes <= size(), "{} of {} bytes", bytes, size());
    begin_ += bytes;
  }

  // room returns space for at least `least` bytes behind the content; commit makes it content.
  std::span<std::byte> room(std::size_t least) {
    if (begin_ == end_) begin_ = end_ = floor_;
    if (capacity_ - end_ < least) make_room(least);
    return std::as_writable_bytes(std::span(data_.get() + end_, capacity_ - end_));
  }
  void commit(std::size_t bytes) { end_ += bytes; }

  // consume_pinned consumes `bytes` and keeps them in place until unpin().
  void consume_pinned(std::size_t bytes) {
    consume(bytes);
    floor_ = begin_;
  }
  void unpin() {
    floor_ = 0;
    retired_.reset();
  }

  // reset forgets the content, and what a large message made it grow to.
  void reset() {
    unpin();
    begin_ = end_ = 0;
    if (capacity_ > kept_bytes_max) {
      data_.reset();
      capacity_ = 0;
    }
  }

 private:
  void make_room(std::size_t least) {
    std::size_t const kept = size();
    std::size_t const movable = capacity_ - floor_;
    if (movable >= kept + least && begin_ - floor_ >= movable / 2) {
      std::memmove(data_.get() + floor_, data_.get() + begin_, kept);
      begin_ = floor_;
    } else {
      std::size_t bytes = first_bytes;
      while (bytes < 2 * kept || bytes - kept < least) bytes *= 2;
      auto fresh = std::make_unique_for_overwrite<char[]>(bytes);
      if (kept != 0) std::memcpy(fresh.get(), data_.get() + begin_, kept);
      if (floor_ != 0) retired_ = std::move(data_);
      data_ = std::move(fresh);
      capacity_ = bytes;
      floor_ = begin_ = 0;
    }
    end_ = begin_ + kept;
  }

  std::unique_ptr<char[]> data_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t capacity_ = 0;
  std::size_t floor_ = 0;
  std::unique_ptr<char[]> retired_;
};

// output_buffer grows at its end and is sent as a whole.
class output_buffer {
 public:
  static constexpr std::size_t first_bytes = 4096;
  static constexpr std::size_t kept_bytes_max = 64 * 1024;

  std::size_t size() const { return size_; }
  char* data() { return data_.get(); }
  std::string_view view() const { return {data_.get(), size_}; }

  // reserve makes sure that `more` bytes fit behind the content.
  void reserve(std::size_t more) {
    if (capacity_ - size_ < more) grow(more);
  }
  // The appends count on an earlier reserve.
  void append(std::string_view text) {
    if (text.empty()) return;
    std::memcpy(data_.get() + size_, text.data(), text.size());
    size_ += text.size();
  }
  void resize(std::size_t size) { size_ = size; }
  void clear() { size_ = 0; }

  void reset() {
    size_ = 0;
    if (capacity_ > kept_bytes_max) {
      data_.reset();
      capacity_ = 0;
    }
  }

 private:
  void grow(std::size_t more) {
    std::size_t bytes = first_bytes;
    while (bytes - size_ < more || bytes < size_) bytes *= 2;
    auto fresh = std::make_unique_for_overwrite<char[]>(bytes);
    if (size_ != 0) std::memcpy(fresh.get(), data_.get(), size_);
    data_ = std::move(fresh);
    capacity_ = bytes;
  }

  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace vole::http::internal
