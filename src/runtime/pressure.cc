// SPDX-License-Identifier: Apache-2.0
// Pressure stall information, read once per second by the monitor. Locks: runtime/pressure.h.

#include "runtime/pressure.h"

#include <charconv>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

#include "vole/go.h"
#include "vole/internal/raw_mutex.h"

namespace vole::internal {
namespace {

constexpr duration rest = std::chrono::seconds(10);
constexpr int stall_share = 20;  // pressure: stalled for more than 1/20 of the time

constinit raw_mutex list_mu;
constinit atomic<reclaimer*> first{nullptr};  // written under list_mu
constinit std::uint64_t rounds = 0;           // of relief; under list_mu

// Returns what was read, without a null at the end; empty: no such file.
std::string_view read_file(char const* path, char* to, std::size_t size) noexcept {
  int const fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd == -1) return {};
  ssize_t const n = ::read(fd, to, size);
  ::close(fd);
  return {to, n > 0 ? static_cast<std::size_t>(n) : 0};
}

}  // namespace

reclaimer::reclaimer(void* owner, collect_fn collect) noexcept : owner_(owner), collect_(collect) {
  raw_lock const lock(list_mu);
  next_ = first.load(memory_order_relaxed);
  if (next_ != nullptr) next_->link_ = &next_;
  first.store(this, memory_order_relaxed);
}

reclaimer::~reclaimer() {
  park_ticket relieved;
  {
    raw_lock const lock(list_mu);
    if (link_ == nullptr) {
      first.store(next_, memory_order_relaxed);
    } else {
      *link_ = next_;
    }
    if (next_ != nullptr) next_->link_ = link_;
    if (!relieving_) return;
    ending_ = &relieved;
  }
  static_cast<void>(relieved.park(wait_reason::pool_wait, {}));
}

void relieve_memory(relief need) noexcept {
  std::uint64_t round = 0;
  for (;;) {
    reclaimer* r = nullptr;
    std::vector<garbage> idle;
    {
      raw_lock const lock(list_mu);
      if (round == 0) round = ++rounds;
      r = first.load(memory_order_relaxed);
      while (r != nullptr && (r->asked_ >= round || r->relieving_)) r = r->next_;
      if (r == nullptr) return;
      r->asked_ = round;
      r->relieving_ = true;
      r->collect_(r->owner_, need, idle);
    }
    for (garbage const& g : idle) g.destroy(g.object);
    park_ticket* ending = nullptr;
    {
      raw_lock const lock(list_mu);
      r->relieving_ = false;
      ending = r->ending_;
    }
    if (ending != nullptr && ending->try_claim()) ending->finish();
  }
}

bool pressure_watched() noexcept {
  return first.load(memory_order_relaxed) != nullptr;
}

bool something_is_kept() noexcept {
  raw_lock const lock(list_mu);
  reclaimer const* r = first.load(memory_order_relaxed);
  while (r != nullptr && !r->keeps_.load(memory_order_relaxed)) r = r->next_;
  return r != nullptr;
}

std::uint64_t memory_stall_us(std::string_view text) noexcept {
  if (!text.starts_with("some ")) return 0;
  std::string_view const line = text.substr(0, text.find('\n'));
  std::size_t const at = line.find("total=");
  if (at == std::string_view::npos) return 0;
  std::uint64_t us = 0;
  std::from_chars(line.data() + at + 6, line.data() + line.size(), us);
  return us;
}

void pressure_path(std::string_view cgroup, char* to, std::size_t size) noexcept {
  // Version 2 has one line, "0::/path"; in a hybrid set-up it stands among others.
  std::size_t at = cgroup.starts_with("0::/") ? 0 : cgroup.find("\n0::/");
  if (at != std::string_view::npos) {
    if (cgroup[at] == '\n') ++at;
    std::string_view path = cgroup.substr(at + 3);
    path = path.substr(0, path.find('\n'));
    if (path.size() > 1) {
      std::snprintf(to, size, "/sys/fs/cgroup%.*s/memory.pressure", static_cast<int>(path.size()),
                    path.data());
      if (::access(to, R_OK) == 0) return;
    }
  }
  std::snprintf(to, size, "/proc/pressure/memory");
}

void look_at_pressure(time_point t) noexcept {
  static constinit char path[256] = "";
  static constinit std::uint64_t stalled_us = 0;
  static constinit time_point looked{};
  static constinit time_point relieved{};
  if (!pressure_watched()) return;
  char text[512];
  if (path[0] == '\0') {
    pressure_path(read_file("/proc/self/cgroup", text, sizeof text), path, sizeof path);
  }
  std::uint64_t const now_us = memory_stall_us(read_file(path, text, sizeof text));
  auto const stall = std::chrono::microseconds(now_us - stalled_us);
  bool const short_of_memory =
      looked != time_point{} && now_us > stalled_us && stall * stall_share > t - looked;
  stalled_us = now_us;
  looked = t;
  if (relieved != time_point{} && t - relieved < rest) return;
  if (!short_of_memory && !something_is_kept()) return;
  relieved = t;
  relief const need = short_of_memory ? relief::all : relief::unused;
  // Not here: destructors are the user's code, and may wait. No stack to be had: no relief now.
  static_cast<void>(
      try_go({.scheduling = scheduling_class::foreground}, [need] { relieve_memory(need); }));
}

}  // namespace vole::internal
