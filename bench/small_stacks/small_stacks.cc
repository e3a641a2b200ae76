// SPDX-License-Identifier: Apache-2.0
// What a goroutine that waits costs in memory when its stack is held in one way or another, and
// what that way costs in time. run.sh makes the table.
//
//   bench_small_stacks WAY [-n STACKS] [-r ROUNDS] [-s STRIDE] [-b]
//
// WAY is one of stow.h, or "halves": two stacks share a page, each at an address of its own.
// STRIDE: what a stack takes of the address space, 262144. -b: a second thread computes meanwhile,
// so that the kernel must tell its core of each page that goes.
//
// Ends with 77 where the kernel does not permit it. It prints one line of KEY=VALUE, per stack:
//   live-B           from the stack pointer to the top; the control block (256) not included
//   held-B stowed-B  resident memory and page tables while all wait, and once all are stowed
//   start-ns         to start a fiber, which touches its stack for the first time
//   look-ns          to look at a control block, as whoever seeks those that are idle must
//   stow-ns wake-ns  to stow one; to restore one, run it and have it wait again (in mixed order)
//   touch-ns         to read and write a word on a stowed stack
//   wrong lost       touches whose read found something else, and whose write did not arrive
//   mapped entries-B how many of the halves got a map entry, and the kernel's memory for these
//   kernel           what write(2) from a stowed stack gives: right, wrong or EFAULT
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "parked.h"
#include "stow.h"

using namespace small_stacks;

namespace {

struct wanted {
  std::string_view how;
  std::size_t stacks = 10'000;
  int rounds = 3;
  std::size_t stride = 256 << 10;
  bool beside = false;
};

double now_ns() {
  using namespace std::chrono;
  return duration<double, std::nano>(steady_clock::now().time_since_epoch()).count();
}

// The number behind `key` in a file of /proc, or 0.
long number_in(char const* path, char const* key) {
  long found = 0;
  if (std::FILE* const file = std::fopen(path, "r")) {
    char line[512];
    std::size_t const length = std::strlen(key);
    while (found == 0 && std::fgets(line, sizeof line, file) != nullptr) {
      if (std::strncmp(line, key, length) == 0) found = std::atol(line + length);
    }
    std::fclose(file);
  }
  return found;
}

// Pss, since a page that is mapped twice counts twice in Rss.
double held_bytes() {
  return 1024.0 * static_cast<double>(number_in("/proc/self/smaps_rollup", "Pss:") +
                                      number_in("/proc/self/status", "VmPTE:"));
}

// What the kernel keeps for the map entries of all processes, where it says so.
double map_entry_bytes() {
  double bytes = 0;
  if (std::FILE* const file = std::fopen("/proc/slabinfo", "r")) {
    char line[512];
    while (std::fgets(line, sizeof line, file) != nullptr) {
      char name[64];
      unsigned long active = 0, all = 0, each = 0;
      if (std::sscanf(line, "%63s %lu %lu %lu", name, &active, &all, &each) != 4) continue;
      std::string_view const slab = name;
      if (slab == "vm_area_struct" || slab == "maple_node")
        bytes += static_cast<double>(active) * static_cast<double>(each);
    }
    std::fclose(file);
  }
  return bytes;
}

// beside computes on another core while it lives.
class beside {
 public:
  explicit beside(bool wanted) {
    if (!wanted) return;
    // tidy: std::thread, a program without vole
    other_ = std::thread([this] {
      while (!stop_) sum_ = sum_ + 1;
    });
  }
  ~beside() {
    stop_ = true;
    if (other_.joinable()) other_.join();
  }
  beside(beside const&) = delete;
  beside& operator=(beside const&) = delete;

 private:
  std::atomic<bool> stop_{false};  // tidy: std::atomic, a program without vole
  std::uint64_t volatile sum_ = 0;
  std::thread other_;  // tidy: std::thread, a program without vole
};

// measurement is one process' run.
class measurement {
 public:
  explicit measurement(wanted const& w)
      : w_(w),
        how_(way_named(w.how)),
        all_(w.stacks, w.stride,
             how_ == way::page ? stacks::blocks::on_the_stacks : stacks::blocks::apart),
        stower_(how_, all_) {}

  int run() {
    double const before = held_bytes();
    {
      timed const t(start_ns_);
      for (std::size_t i = 0; i < w_.stacks; ++i) {
        stower_.prepare(i);
        start(all_, i);
      }
    }
    double const held = held_bytes();
    double stowed = 0;
    beside const other(w_.beside);
    for (int round = 0; round < w_.rounds; ++round) {
      // The first one finds no memory in the store: it does not count when there are others.
      if (round == 1) look_ns_ = stow_ns_ = wake_ns_ = touch_ns_ = touched_ = counted_ = 0;
      ++counted_;
      look();
      stow_all();
      if (round == 0) stowed = held_bytes();
      touch_some();
      wake_all();
    }
    std::printf("way=%s stacks=%zu live-B=%zu held-B=%.0f stowed-B=%.0f start-ns=%.0f",
                std::string(w_.how).c_str(), w_.stacks, all_.at(0).live_bytes(),
                (held - before) / stacks_(), (stowed - before) / stacks_(), start_ns_ / stacks_());
    double const each = stacks_() * counted_;
    std::printf(" look-ns=%.1f stow-ns=%.0f wake-ns=%.0f touch-ns=%.0f", look_ns_ / each,
                stow_ns_ / each, wake_ns_ / each, touch_ns_ / touched_);
    std::printf(" wrong=%lu lost=%ld kernel=%s\n", wrong_, lost(), kernel_);
    return sound() ? 0 : 1;
  }

 private:
  struct timed {
    explicit timed(double& to) : sum(to), from(now_ns()) {}
    ~timed() { sum += now_ns() - from; }
    double& sum;
    double from;
  };

  double stacks_() const { return static_cast<double>(w_.stacks); }
  // A different order than that of the addresses; a prime that no number of stacks shares.
  std::size_t mixed(std::size_t i) const { return i * 1'000'003 % w_.stacks; }

  void look() {
    timed const t(look_ns_);
    std::size_t idle = 0;
    for (std::size_t i = 0; i < w_.stacks; ++i) idle += all_.at(i).copy == nullptr ? 1 : 0;
    if (idle != w_.stacks) die("one is stowed already");
  }

  void stow_all() {
    timed const t(stow_ns_);
    std::vector<block*> batch;
    for (std::size_t i = 0; i < w_.stacks; ++i) {
      batch.push_back(&all_.at(i));
      if (batch.size() < stower::batch_max && i + 1 < w_.stacks) continue;
      stower_.stow(batch);
      batch.clear();
    }
  }

  // Others have pointers to a stack: they read what its fiber wrote, and write what it will read.
  void touch_some() {
    std::size_t const every = std::max<std::size_t>(1, w_.stacks / 5000);
    std::vector<block*> touched;
    touched.reserve(w_.stacks / every + 1);
    for (std::size_t i = 0; i < w_.stacks; i += every) touched.push_back(&all_.at(mixed(i)));
    try_kernel(*touched.back());
    touched.pop_back();
    {
      timed const t(touch_ns_);
      for (block* const b : touched) {
        if (*b->written != b->seed) ++wrong_;
        b->received[1] = 1;
      }
    }
    touched_ += static_cast<double>(touched.size());
    written_ += touched.size();
    if (!stower_.traps()) return;
    for (block*& b : touched) stower_.stow({&b, 1});  // as the others are
  }

  void try_kernel(block& b) {
    int fds[2];
    if (::pipe(fds) != 0) die("pipe");
    std::uint64_t found = 0;
    ssize_t const n = ::write(fds[1], const_cast<std::uint64_t const*>(b.written), sizeof found);
    int const error = errno;
    if (n == sizeof found && ::read(fds[0], &found, sizeof found) != n) die("read");
    kernel_ = n == sizeof found ? (found == b.seed ? "right" : "wrong")
                                : (error == EFAULT ? "EFAULT" : "error");
    ::close(fds[0]);
    ::close(fds[1]);
  }

  void wake_all() {
    timed const t(wake_ns_);
    for (std::size_t i = 0; i < w_.stacks; ++i) {
      block& b = all_.at(mixed(i));
      stower_.restore(b);
      b.received[0] = 1;
      resume(b);
      ++woken_;
    }
  }

  std::uint64_t frames() const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < w_.stacks; ++i)
      sum += sum_of_frames(all_.at(i).seed) * static_cast<std::uint64_t>(w_.rounds);
    return sum;
  }

  long lost() const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < w_.stacks; ++i) sum += all_.at(i).sum;
    return static_cast<long>(frames() + woken_ + written_ - sum);
  }

  // Every frame came back as it was; what others wrote did where that is promised.
  bool sound() const {
    bool const promised = how_ == way::page || stower_.traps();
    return promised ? lost() == 0 && wrong_ == 0 : lost() == static_cast<long>(written_);
  }

  wanted const w_;
  way const how_;
  stacks all_;
  stower stower_;
  double start_ns_ = 0, look_ns_ = 0, stow_ns_ = 0, wake_ns_ = 0, touch_ns_ = 0;
  double touched_ = 0, counted_ = 0;
  std::uint64_t wrong_ = 0, written_ = 0, woken_ = 0;
  char const* kernel_ = "?";
};

// Two stacks share a page of a file in memory, mapped where the top of each stack is: the upper
// half of it is one's, the lower half the other's. Says how many the kernel has map entries for.
int measure_halves(wanted const& w) {
  stacks const all(w.stacks, w.stride, stacks::blocks::apart);
  int const file = ::memfd_create("halves", MFD_CLOEXEC);
  std::size_t const pages = (w.stacks + 1) / 2;
  if (file < 0 || ::ftruncate(file, static_cast<off_t>(pages * page_bytes)) != 0) die("memfd");
  double const before = held_bytes();
  double const entries = map_entry_bytes();
  double const begin = now_ns();
  std::size_t mapped = 0;
  for (; mapped < w.stacks; ++mapped) {
    char* const top = all.top_page(mapped);
    auto const at = static_cast<off_t>(mapped / 2 * page_bytes);
    if (::mmap(top, page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, at) ==
        MAP_FAILED)
      break;
    std::memset(top + mapped % 2 * (page_bytes / 2), 1, page_bytes / 2);
  }
  auto const n = static_cast<double>(mapped);
  double const each = (now_ns() - begin) / n;
  std::printf("way=halves stacks=%zu mapped=%zu stowed-B=%.0f entries-B=%.0f stow-ns=%.0f\n",
              w.stacks, mapped, (held_bytes() - before) / n, (map_entry_bytes() - entries) / n,
              each);
  ::close(file);
  return 0;
}

std::size_t count_of(char const* text) {
  long const n = std::atol(text);
  if (n <= 0) die("not a positive number");
  return static_cast<std::size_t>(n);
}

}  // namespace

int main(int argc, char** argv) {
  wanted w;
  for (int flag; (flag = ::getopt(argc, argv, "n:r:s:b")) != -1;) {
    switch (flag) {
      case 'n':
        w.stacks = count_of(optarg);
        break;
      case 'r':
        w.rounds = static_cast<int>(count_of(optarg));
        break;
      case 's':
        w.stride = count_of(optarg);
        break;
      case 'b':
        w.beside = true;
        break;
      default:
        return 2;
    }
  }
  if (optind + 1 != argc) die("want the name of one way");
  w.how = argv[optind];
  if (w.how == "halves") return measure_halves(w);
  return measurement(w).run();
}
