// SPDX-License-Identifier: Apache-2.0
// REJECTED  MADV_FREE: who touches the page finds the old bytes or zeroes, whichever; and resident
//           memory does not fall until it is short.
//           mprotect or mmap for each page: two map entries each.
#include "stow.h"

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utility>

namespace small_stacks {
namespace {

// Linux 6.6 and 6.8; the headers here are older.
constexpr std::uint64_t feature_poison = 1 << 14;
constexpr std::uint64_t feature_move = 1 << 16;
struct uffdio_move_request {
  std::uint64_t dst, src, len, mode;
  std::int64_t move;
};
struct uffdio_poison_request {
  uffdio_range range;
  std::uint64_t mode;
  std::int64_t updated;
};
constexpr unsigned long uffdio_move = _IOWR(UFFDIO, 0x05, uffdio_move_request);
constexpr unsigned long uffdio_poison = _IOWR(UFFDIO, 0x08, uffdio_poison_request);

constexpr std::size_t store_bytes = std::size_t{4} << 30;
constexpr std::size_t step = 64;

stower* at_work;  // whom a signal is for

std::uint64_t number(void const* at) {
  return reinterpret_cast<std::uint64_t>(at);
}

}  // namespace

way way_named(std::string_view name) {
  constexpr std::string_view names[] = {"page",  "dontneed_each", "dontneed",
                                        "guard", "uffd_thread",   "uffd_poison"};
  for (std::size_t i = 0; i < std::size(names); ++i) {
    if (names[i] == name) return static_cast<way>(i);
  }
  die("no such way");
}

// --- store --------------------------------------------------------------------------------------

store::store()
    : next_(reserve(store_bytes)),
      end_(next_ + store_bytes),
      free_(page_bytes / step + 1, nullptr) {}

char* store::take(std::size_t bytes) {
  std::size_t const steps = (bytes + step - 1) / step;
  char*& first = free_[steps];
  if (char* const at = first) {
    std::memcpy(&first, at, sizeof first);
    return at;
  }
  char* const at = next_;
  next_ += steps * step;
  if (next_ > end_) die("the store is full");
  return at;
}

void store::give(char* at, std::size_t bytes) {
  char*& first = free_[(bytes + step - 1) / step];
  std::memcpy(at, &first, sizeof first);
  first = at;
}

// --- stower -------------------------------------------------------------------------------------

stower::stower(way how, stacks& all) : how_(how), all_(all) {
  self_ = static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0));
  at_work = this;
  if (how >= way::uffd_thread) listen();
  if (how == way::guard || how == way::uffd_poison) {
    struct sigaction action{};
    action.sa_sigaction = [](int signal, siginfo_t* info, void* context) {
      on_signal(signal, info, context);
    };
    action.sa_flags = SA_SIGINFO;
    ::sigaction(how == way::guard ? SIGSEGV : SIGBUS, &action, nullptr);
  }
}

stower::~stower() {
  if (server_ != 0) {
    ::close(stop_[1]);
    ::pthread_join(server_, nullptr);
    ::close(stop_[0]);
  }
  if (faults_ >= 0) ::close(faults_);
  if (self_ >= 0) ::close(self_);
}

void stower::listen() {
  bool const thread = how_ == way::uffd_thread;
  constexpr int flags = O_CLOEXEC | O_NONBLOCK;
  if (thread) faults_ = static_cast<int>(::syscall(SYS_userfaultfd, flags));
  // Without the privilege: the kernel's own touches of the stacks fail.
  if (faults_ < 0)
    faults_ = static_cast<int>(::syscall(SYS_userfaultfd, flags | UFFD_USER_MODE_ONLY));
  if (faults_ < 0) unable("userfaultfd");
  uffdio_api api{};
  api.api = UFFD_API;
  api.features = feature_move | (thread ? 0 : feature_poison | UFFD_FEATURE_SIGBUS);
  if (::ioctl(faults_, UFFDIO_API, &api) != 0) unable("userfaultfd cannot move pages (Linux 6.8)");
  scratch_ = reserve(batch_max * page_bytes);
  watch(scratch_, batch_max * page_bytes, UFFDIO_REGISTER_MODE_WP);
  watch(all_.low(), all_.bytes(), thread ? UFFDIO_REGISTER_MODE_MISSING : UFFDIO_REGISTER_MODE_WP);
  if (!thread) return;
  if (::pipe2(stop_, O_CLOEXEC) != 0) die("pipe");
  // tidy: std::thread, a program without vole
  if (::pthread_create(&server_, nullptr, serve, this) != 0) die("no thread");
}

void stower::watch(char* at, std::size_t bytes, std::uint64_t mode) {
  uffdio_register request{};
  request.range = {number(at), bytes};
  request.mode = mode;
  if (::ioctl(faults_, UFFDIO_REGISTER, &request) != 0) die("UFFDIO_REGISTER");
}

void stower::put_page(char* page, char const* image) {
  uffdio_copy request{};
  request.dst = number(page);
  request.src = number(image);
  request.len = page_bytes;
  if (::ioctl(faults_, UFFDIO_COPY, &request) != 0) die("UFFDIO_COPY");
}

void stower::prepare(std::size_t i) {
  if (how_ != way::uffd_thread) return;
  put_page(all_.top_page(i), image_);
}

void stower::keep(block& b, char const* page) {
  b.copy = store_.take(b.live_bytes());
  std::memcpy(b.copy, page + (b.sp() - b.page()), b.live_bytes());
}

void stower::advise(std::span<block* const> batch, int advice) {
  iovec pages[batch_max];
  for (std::size_t i = 0; i < batch.size(); ++i) pages[i] = {batch[i]->page(), page_bytes};
  auto const wanted = static_cast<long>(batch.size() * page_bytes);
  if (::syscall(SYS_process_madvise, self_, pages, batch.size(), advice, 0) != wanted)
    unable("process_madvise of oneself (Linux 6.13)");
}

// No write is lost: until the move it is in the page that is moved, and after it traps.
void stower::take_out(block const& b, char* to) {
  bool const poison = how_ == way::uffd_poison;
  if (poison) watch(b.page(), page_bytes, UFFDIO_REGISTER_MODE_MISSING);
  uffdio_move_request move{number(to), number(b.page()), page_bytes, 0, 0};
  if (::ioctl(faults_, uffdio_move, &move) != 0) die("UFFDIO_MOVE");
  if (!poison) return;
  uffdio_poison_request request{{number(b.page()), page_bytes}, 0, 0};
  if (::ioctl(faults_, uffdio_poison, &request) != 0) die("UFFDIO_POISON");
  watch(b.page(), page_bytes, UFFDIO_REGISTER_MODE_WP);
}

void stower::stow(std::span<block* const> batch) {
  if (how_ == way::page) return;
  if (how_ >= way::uffd_thread) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      char* const moved = scratch_ + i * page_bytes;
      take_out(*batch[i], moved);
      keep(*batch[i], moved);
    }
    ::madvise(scratch_, batch.size() * page_bytes, MADV_DONTNEED);
    return;
  }
  for (block* const b : batch) {
    keep(*b, b->page());
    if (how_ == way::dontneed_each && ::madvise(b->page(), page_bytes, MADV_DONTNEED) != 0)
      die("madvise");
  }
  if (how_ == way::dontneed) advise(batch, MADV_DONTNEED);
  if (how_ == way::guard) advise(batch, madv_guard_install);
}

void stower::restore(block& b) {
  if (b.copy == nullptr) return;
  char* const copy = std::exchange(b.copy, nullptr);
  if (how_ >= way::uffd_thread) {
    std::memcpy(image_ + (b.sp() - b.page()), copy, b.live_bytes());
    store_.give(copy, b.live_bytes());
    put_page(b.page(), image_);  // last: who waits for the page goes on
    return;
  }
  if (how_ == way::guard && ::madvise(b.page(), page_bytes, madv_guard_remove) != 0)
    die("MADV_GUARD_REMOVE");
  std::memcpy(b.sp(), copy, b.live_bytes());
  store_.give(copy, b.live_bytes());
}

// Somebody has touched a page that is not there.
void stower::touched(char* page) {
  auto const i = all_.find(page);
  if (!i) die("a fault elsewhere");
  block& b = all_.at(*i);
  if (b.copy == nullptr || b.page() != page) {
    if (how_ != way::uffd_thread) die("a fault on a stack that is there");
    put_page(page, image_);
    return;
  }
  restore(b);
}

void stower::on_signal(int, void* info, void*) {
  auto const at = reinterpret_cast<std::uintptr_t>(static_cast<siginfo_t*>(info)->si_addr);
  at_work->touched(reinterpret_cast<char*>(at & ~(page_bytes - 1)));
}

void* stower::serve(void* self) {
  auto& s = *static_cast<stower*>(self);
  for (;;) {
    pollfd ready[2] = {{s.faults_, POLLIN, 0}, {s.stop_[0], 0, 0}};
    if (::poll(ready, 2, -1) < 0) continue;
    if (ready[1].revents != 0) return nullptr;
    uffd_msg message{};
    if (::read(s.faults_, &message, sizeof message) != sizeof message) continue;
    if (message.event != UFFD_EVENT_PAGEFAULT) continue;
    s.touched(reinterpret_cast<char*>(message.arg.pagefault.address & ~(page_bytes - 1)));
  }
}

}  // namespace small_stacks
