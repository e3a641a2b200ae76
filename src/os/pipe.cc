// SPDX-License-Identifier: Apache-2.0
// Pipes to children, without ever stopping a worker. No shared state.
#include <algorithm>
#include <cerrno>
#include <fcntl.h>

#include "vole/os.h"

#include "os/polled.h"

namespace vole::os {
namespace {

// The system calls, a failure minus errno. Never inlined: a compiler may keep the address of errno
// over a wait, after which the goroutine runs on another thread.
[[gnu::noinline]] ssize_t read_some(int fd, std::span<std::byte> to) {
  for (;;) {
    ssize_t const got = ::read(fd, to.data(), to.size());
    if (got >= 0) return got;
    if (errno != EINTR) return -errno;
  }
}

[[gnu::noinline]] ssize_t write_some(int fd, std::span<std::byte const> from) {
  for (;;) {
    ssize_t const sent = ::write(fd, from.data(), from.size());
    if (sent >= 0) return sent;
    if (errno != EINTR) return -errno;
  }
}

}  // namespace

error polled::open(descriptor fd) {
  close();
  if (int const code = internal::poll_handle::open(fd.fd(), &poll_); code != 0) {
    poll_ = nullptr;
    return errors::from_errno(code);
  }
  fd_ = std::move(fd);
  return nullptr;
}

void polled::close() noexcept {
  if (poll_ == nullptr) return;
  poll_->close();
  std::exchange(poll_, nullptr)->release();
  fd_ = descriptor();
}

error polled::wait(internal::poll_mode mode, context const& ctx) {
  switch (poll_->wait(mode, ctx)) {
    case internal::poll_result::ready:
      return nullptr;
    case internal::poll_result::closed:
      return errors::from_errno(EBADF);
    case internal::poll_result::deadline:
    case internal::poll_result::canceled:
      break;
  }
  return internal::context_error(ctx);
}

pipe_end::pipe_end() noexcept = default;
pipe_end::pipe_end(pipe_end&&) noexcept = default;
pipe_end& pipe_end::operator=(pipe_end&&) noexcept = default;
pipe_end::~pipe_end() = default;
pipe_end::pipe_end(std::unique_ptr<polled> end) noexcept : end_(std::move(end)) {}

void pipe_end::close() {
  end_.reset();
}

result<std::size_t> pipe_end::read(context const& ctx, std::span<std::byte> to) {
  if (end_ == nullptr) return errors::make("read from a child: the pipe is closed");
  if (error ended = ctx.err()) return errors::wrap(std::move(ended), "read from a child");
  while (true) {
    ssize_t const got = read_some(end_->fd(), to);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (got != -EAGAIN) return errors::from_errno(static_cast<int>(-got), "read from a child");
    if (error err = end_->wait(internal::poll_mode::read, ctx)) {
      return errors::wrap(err, "read from a child");
    }
  }
}

result<std::string> pipe_end::read_all(context const& ctx, std::size_t bytes_max) {
  std::string all;
  while (true) {
    std::size_t const have = all.size();
    all.resize(have + std::max<std::size_t>(have, 4096));
    result<std::size_t> const got = read(ctx, std::as_writable_bytes(std::span(all).subspan(have)));
    if (!got) return got.error();
    all.resize(have + *got);
    if (*got == 0) return all;
    if (all.size() > bytes_max)
      return errors::make("read from a child: more than {} bytes", bytes_max);
  }
}

error pipe_end::write(context const& ctx, std::span<std::byte const> from) {
  if (end_ == nullptr) return errors::make("write to a child: the pipe is closed");
  while (!from.empty()) {
    if (error ended = ctx.err()) return errors::wrap(std::move(ended), "write to a child");
    ssize_t const sent = write_some(end_->fd(), from);
    if (sent >= 0) {
      from = from.subspan(static_cast<std::size_t>(sent));
      continue;
    }
    if (sent != -EAGAIN) return errors::from_errno(static_cast<int>(-sent), "write to a child");
    if (error err = end_->wait(internal::poll_mode::write, ctx)) {
      return errors::wrap(err, "write to a child");
    }
  }
  return nullptr;
}

}  // namespace vole::os
