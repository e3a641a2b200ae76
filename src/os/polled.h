// SPDX-License-Identifier: Apache-2.0
// A descriptor that goroutines can wait for. No shared state of its own; see runtime/netpoller.h.
#pragma once

#include "vole/context.h"
#include "vole/errors.h"

#include "os/descriptor.h"
#include "runtime/netpoller.h"

namespace vole::os {

class polled {
 public:
  polled() noexcept = default;
  polled(polled&& other) noexcept
      : fd_(std::move(other.fd_)), poll_(std::exchange(other.poll_, nullptr)) {}
  polled& operator=(polled&& other) noexcept {
    close();
    fd_ = std::move(other.fd_);
    poll_ = std::exchange(other.poll_, nullptr);
    return *this;
  }
  ~polled() { close(); }

  // open takes the descriptor over and registers it.
  error open(descriptor fd);
  void close() noexcept;

  bool good() const noexcept { return poll_ != nullptr; }
  int fd() const noexcept { return fd_.fd(); }

  // wait returns null when the system call may be tried again, else why it need not be.
  error wait(internal::poll_mode mode, context const& ctx);

 private:
  descriptor fd_;
  internal::poll_handle* poll_ = nullptr;  // null: closed
};

}  // namespace vole::os
