// SPDX-License-Identifier: Apache-2.0
// A file descriptor that closes itself, and what a text must keep to reach the system whole. No
// shared state.
#pragma once

#include <string_view>
#include <unistd.h>
#include <utility>

namespace vole::os {

// has_zero_byte tells of a text that the system would take to end early, and so for another one.
inline bool has_zero_byte(std::string_view text) noexcept {
  return text.find('\0') != text.npos;
}

class descriptor {
 public:
  descriptor() noexcept = default;
  explicit descriptor(int fd) noexcept : fd_(fd) {}
  descriptor(descriptor&& other) noexcept : fd_(other.take()) {}
  descriptor& operator=(descriptor&& other) noexcept {
    descriptor old(std::move(*this));
    fd_ = other.take();
    return *this;
  }
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  bool good() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }
  int take() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

}  // namespace vole::os
