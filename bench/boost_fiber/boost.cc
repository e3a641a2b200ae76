// SPDX-License-Identifier: Apache-2.0
// The cases of bench/ that Boost.Fiber has too: the same work and the same check/op, in Go's
// benchmark format. run.sh holds vole beside it.
//
//   bench_boost_fiber -bench=CASE [-benchtime=300ms|1x] [-config=WORD+WORD...]
//
// The words: round_robin (one thread; unless said otherwise), work_stealing, shared_work (two
// threads); suspend (a thread without work sleeps, where it would spin otherwise); small (stacks of
// 16 KiB, not of 128), pooled (stacks from Boost's pool, for one thread only: it has no lock);
// dispatch (a new fiber runs at once and its parent waits in the queue, not the other way round).
#include <array>
#include <atomic>
#include <boost/fiber/all.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

namespace {

namespace fibers = boost::fibers;
using fibers::channel_op_status;
using counter = std::atomic<std::int64_t>;  // tidy: std::atomic, a program without vole

constexpr std::size_t small_stack_bytes = 16 << 10;
constexpr unsigned threads_sharing = 2;

using stacks = std::variant<fibers::fixedsize_stack, fibers::pooled_fixedsize_stack>;

struct config {
  enum class algorithm { round_robin, work_stealing, shared_work };
  algorithm algo = algorithm::round_robin;
  bool suspend = false;
  bool small = false;
  bool pooled = false;
  fibers::launch launch = fibers::launch::post;
  stacks from;

  unsigned threads() const { return algo == algorithm::round_robin ? 1 : threads_sharing; }
};

// Where the cases find how fibers are started; set once, before any thread or fiber is.
config chosen;

template <class Fn>
fibers::fiber start(Fn&& fn) {
  return std::visit(
      [&](auto stack) {  // a copy: it shares the pool
        return fibers::fiber(chosen.launch, std::allocator_arg, stack, std::forward<Fn>(fn));
      },
      chosen.from);
}

std::int64_t share(std::int64_t n, int of, int which) {
  return n / of + (which < n % of ? 1 : 0);
}

// --- the cases: each does n operations and returns what check/op is to be, times n --------------

std::int64_t spawn_join(std::int64_t n) {
  std::int64_t ran = 0;
  for (std::int64_t i = 0; i < n; ++i) start([&] { ++ran; }).join();
  return ran;
}

std::int64_t spawn_1000(std::int64_t n) {
  counter ran{0};
  std::vector<fibers::fiber> all;
  all.reserve(1000);
  for (std::int64_t i = 0; i < n; ++i) {
    for (int f = 0; f < 1000; ++f) all.push_back(start([&] { ran.fetch_add(1); }));
    for (auto& each : all) each.join();
    all.clear();
  }
  return ran.load();
}

std::int64_t yield(std::int64_t n) {
  int const fibers_all = 32 * static_cast<int>(chosen.threads());
  counter yields{0};
  std::vector<fibers::fiber> all;
  for (int f = 0; f < fibers_all; ++f) {
    all.push_back(start([&yields, turns = share(n, fibers_all, f)] {
      std::int64_t own = 0;
      for (; own < turns; ++own) boost::this_fiber::yield();
      yields.fetch_add(own);
    }));
  }
  for (auto& each : all) each.join();
  return yields.load();
}

std::int64_t chan_pingpong(std::int64_t n) {
  fibers::unbuffered_channel<int> ping;
  fibers::unbuffered_channel<int> pong;
  auto partner = start([&] {
    for (int v = 0; ping.pop(v) == channel_op_status::success;) pong.push(v);
  });
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    ping.push(1);
    sum += pong.value_pop();
  }
  ping.close();
  partner.join();
  return sum;
}

template <class Channel>
std::int64_t stream(Channel& c, std::int64_t n) {
  auto sender = start([&] {
    for (std::int64_t i = 0; i < n; ++i) c.push(1);
    c.close();
  });
  std::int64_t sum = 0;
  for (int v = 0; c.pop(v) == channel_op_status::success;) sum += v;
  sender.join();
  return sum;
}

std::int64_t chan_stream_unbuffered(std::int64_t n) {
  fibers::unbuffered_channel<int> c;
  return stream(c, n);
}

std::int64_t chan_buffered_100(std::int64_t n) {
  fibers::buffered_channel<int> c(128);  // a power of two is wanted; 127 fit
  return stream(c, n);
}

std::int64_t chan_same_goroutine(std::int64_t n) {
  fibers::buffered_channel<int> c(2);  // one fits
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    c.push(1);
    sum += c.value_pop();
  }
  return sum;
}

std::int64_t mutex_uncontended(std::int64_t n) {
  fibers::mutex mu;
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    mu.lock();
    ++sum;
    mu.unlock();
  }
  return sum;
}

template <int count>
std::int64_t mutex_contended(std::int64_t n) {
  fibers::mutex mu;
  std::int64_t sum = 0;
  std::vector<fibers::fiber> all;
  for (int f = 0; f < count; ++f) {
    all.push_back(start([&, turns = share(n, count, f)] {
      for (std::int64_t i = 0; i < turns; ++i) {
        mu.lock();
        ++sum;
        mu.unlock();
      }
    }));
  }
  for (auto& each : all) each.join();
  return sum;
}

// A channel with room for all ten, and new fibers first, so that few exist at once: as in Boost's
// own benchmark. The other way round a million stacks would be there at once.
using up = fibers::buffered_channel<std::int64_t>;
void skynet_below(up& to, std::int64_t number, std::int64_t size) {
  if (size == 1) {
    to.push(number);
    return;
  }
  up c(16);
  std::array<fibers::fiber, 10> all;
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::int64_t const from = number + static_cast<std::int64_t>(i) * (size / 10);
    all[i] = start([&c, from, size] { skynet_below(c, from, size / 10); });
  }
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < all.size(); ++i) sum += c.value_pop();
  for (auto& each : all) each.join();
  to.push(sum);
}

std::int64_t skynet(std::int64_t n) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    up c(2);
    auto root = start([&] { skynet_below(c, 0, 1'000'000); });
    sum += c.value_pop();
    root.join();
  }
  return sum;
}

struct bench_case {
  std::string_view name;  // of the folder under bench/
  std::string_view printed;
  std::int64_t (*run)(std::int64_t n);
};
constexpr bench_case cases[] = {
    {"spawn_join", "SpawnJoin", spawn_join},
    {"spawn_1000", "Spawn1000", spawn_1000},
    {"yield", "Yield", yield},
    {"chan_pingpong", "ChanPingpong", chan_pingpong},
    {"chan_stream_unbuffered", "ChanStreamUnbuffered", chan_stream_unbuffered},
    {"chan_buffered_100", "ChanBuffered100", chan_buffered_100},
    {"chan_same_goroutine", "ChanSameGoroutine", chan_same_goroutine},
    {"mutex_uncontended", "MutexUncontended", mutex_uncontended},
    {"mutex_contended", "MutexContended/2", mutex_contended<2>},
    {"mutex_contended", "MutexContended/8", mutex_contended<8>},
    {"mutex_contended", "MutexContended/1000", mutex_contended<1000>},
    {"skynet", "Skynet", skynet},
};

// --- the measurement ----------------------------------------------------------------------------

using steady = std::chrono::steady_clock;

// Runs with more and more operations, as Go does, until the time is long enough.
void measure(bench_case const& c, std::chrono::nanoseconds benchtime, bool once) {
  std::int64_t n = 1;
  std::int64_t check = 0;
  std::chrono::nanoseconds took{};
  while (true) {
    auto const begin = steady::now();
    check = c.run(n);
    took = steady::now() - begin;
    if (once || took >= benchtime || n >= 1'000'000'000) break;
    double const wanted = 1.2 * static_cast<double>(n) * static_cast<double>(benchtime.count()) /
                          static_cast<double>(std::max<std::int64_t>(took.count(), 1));
    n = std::clamp(static_cast<std::int64_t>(wanted), n + 1, 100 * n);
  }
  auto const each = [n](auto all) { return static_cast<double>(all) / static_cast<double>(n); };
  std::string name = "Benchmark" + std::string(c.printed);
  if (chosen.threads() > 1) name += "-" + std::to_string(chosen.threads());
  std::printf("%s %lld %.4g ns/op %.8g check/op\n", name.c_str(), static_cast<long long>(n),
              each(took.count()), each(check));
}

void use_algorithm() {
  switch (chosen.algo) {
    case config::algorithm::round_robin:
      return;  // what a thread has unless told otherwise
    case config::algorithm::work_stealing:
      return fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(threads_sharing,
                                                                           chosen.suspend);
    case config::algorithm::shared_work:
      return fibers::use_scheduling_algorithm<fibers::algo::shared_work>(chosen.suspend);
  }
}

// Runs fn in a fiber that may move, on as many threads as the configuration has.
void run_in_fiber(std::function<void()> const& fn) {
  fibers::mutex mu;
  fibers::condition_variable ended;
  bool done = false;
  std::optional<std::thread> other;  // tidy: std::thread, Boost has a scheduler for each
  if (chosen.threads() > 1) {
    other.emplace([&] {
      use_algorithm();
      std::unique_lock lock(mu);
      ended.wait(lock, [&] { return done; });
    });
  }
  use_algorithm();
  fibers::fiber(fibers::launch::post, fn).join();
  {
    std::unique_lock const lock(mu);
    done = true;
  }
  ended.notify_all();
  if (other) other->join();
}

[[noreturn]] void die(char const* what, std::string_view which) {
  std::fprintf(stderr, "bench_boost_fiber: %s: %.*s\n", what, static_cast<int>(which.size()),
               which.data());
  std::exit(2);
}

void read_config(std::string_view words) {
  while (!words.empty()) {
    std::string_view const word = words.substr(0, words.find('+'));
    words.remove_prefix(std::min(word.size() + 1, words.size()));
    if (word == "round_robin") {
      chosen.algo = config::algorithm::round_robin;
    } else if (word == "work_stealing") {
      chosen.algo = config::algorithm::work_stealing;
    } else if (word == "shared_work") {
      chosen.algo = config::algorithm::shared_work;
    } else if (word == "suspend") {
      chosen.suspend = true;
    } else if (word == "small") {
      chosen.small = true;
    } else if (word == "pooled") {
      chosen.pooled = true;
    } else if (word == "dispatch") {
      chosen.launch = fibers::launch::dispatch;
    } else {
      die("no such word in -config", word);
    }
  }
  if (chosen.pooled && chosen.threads() > 1) die("-config", "the pool of stacks has no lock");
  std::size_t const bytes =
      chosen.small ? small_stack_bytes : fibers::fixedsize_stack::traits_type::default_size();
  if (chosen.pooled) {
    chosen.from = fibers::pooled_fixedsize_stack(bytes);
  } else {
    chosen.from = fibers::fixedsize_stack(bytes);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string_view wanted;
  std::string_view words;
  std::chrono::nanoseconds benchtime = std::chrono::milliseconds(300);
  bool once = false;
  for (int i = 1; i < argc; ++i) {
    std::string_view const flag = argv[i];
    if (flag.starts_with("-bench=")) {
      wanted = flag.substr(7);
    } else if (flag.starts_with("-config=")) {
      words = flag.substr(8);
    } else if (flag == "-benchtime=1x") {
      once = true;
    } else if (flag.starts_with("-benchtime=") && flag.ends_with("ms")) {
      benchtime = std::chrono::milliseconds(std::atol(argv[i] + std::strlen("-benchtime=")));
    } else {
      die("no such flag", flag);
    }
  }
  read_config(words);
  bool found = false;
  run_in_fiber([&] {
    for (bench_case const& c : cases) {
      if (!wanted.empty() && c.name != wanted) continue;
      // A million stacks at once are not what this case is about.
      if (c.name == "skynet") chosen.launch = fibers::launch::dispatch;
      measure(c, benchtime, once);
      found = true;
    }
  });
  if (!found) die("no such case", wanted);
  return 0;
}
