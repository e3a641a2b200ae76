// SPDX-License-Identifier: Apache-2.0
// Where lines go.
// INVARIANTS  the lines of one sink never mix: a line is written whole under mu_, in one write(2)
//             unless the kernel takes less.
// LOCKS       fd_sink::mu_ is held over write(2), so it is a sync::mutex: when the reader of a pipe
//             stalls, one thread waits in the kernel and the other goroutines park.
// REJECTED    writing without a lock: a stalled reader then stops a thread for each line, and lines
//             longer than PIPE_BUF mix.
#include <cerrno>
#include <fcntl.h>
#include <mutex>
#include <poll.h>
#include <unistd.h>

#include "vole/log.h"
#include "vole/sync.h"

namespace vole::log {
namespace {

// write_all writes the whole line, or says that it could not.
bool write_all(int fd, std::string_view line) noexcept {
  while (!line.empty()) {
    ssize_t const n = ::write(fd, line.data(), line.size());
    if (n >= 0) {
      line.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {  // somebody made the terminal or pipe non-blocking
      pollfd wait{fd, POLLOUT, 0};
      if (::poll(&wait, 1, -1) < 0 && errno != EINTR) return false;
      if ((wait.revents & (POLLERR | POLLNVAL)) != 0) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

class fd_sink final : public sink {
 public:
  explicit fd_sink(int fd) noexcept : fd_(fd) {}

  void write(std::string_view line) override {
    std::lock_guard const hold(mu_);
    if (!write_all(fd_, line)) lines_lost_.fetch_add(1, internal::memory_order_relaxed);
  }
  std::uint64_t lines_lost() const override {
    return lines_lost_.load(internal::memory_order_relaxed);
  }

 private:
  int const fd_;
  sync::mutex mu_;
  internal::atomic<std::uint64_t> lines_lost_{0};
};

}  // namespace

std::shared_ptr<sink> to_fd(int fd) {
  return std::make_shared<fd_sink>(fd);
}
std::shared_ptr<sink> to_stderr() {
  return to_fd(STDERR_FILENO);
}

void memory_sink::write(std::string_view line) {
  internal::raw_lock const hold(mu_);
  text_ += line;
}

std::string memory_sink::text() const {
  internal::raw_lock const hold(mu_);
  return text_;
}

std::vector<std::string> memory_sink::lines() const {
  std::vector<std::string> out;
  std::string const all = text();
  for (std::size_t at = 0; at < all.size();) {
    std::size_t const end = all.find('\n', at);
    out.push_back(all.substr(at, end - at));
    at = end == std::string::npos ? all.size() : end + 1;
  }
  return out;
}

void memory_sink::clear() {
  internal::raw_lock const hold(mu_);
  text_.clear();
}

}  // namespace vole::log
