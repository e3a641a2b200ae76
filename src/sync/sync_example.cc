// SPDX-License-Identifier: Apache-2.0
// The primitives of vole/sync.h, each where it belongs. Quoted by docs/guide/sync.md.
#include <map>
#include <memory>
#include <queue>
#include <string>

#include "vole/go.h"
#include "vole/internal/format.h"
#include "vole/sync.h"

using namespace vole;

namespace {

// [mutex]
// Several fields that must change together, for a moment: a mutex.
class account {
 public:
  void deposit(long amount) {
    sync::lock_guard const lock(mu_);
    balance_ += amount;
    ++entries_;
  }
  std::string report() {
    sync::lock_guard const lock(mu_);
    return fmt::format("{} in {} entries", balance_, entries_);
  }

 private:
  sync::mutex mu_;
  long balance_ VOLE_GUARDED_BY(mu_) = 0;
  long entries_ VOLE_GUARDED_BY(mu_) = 0;
};
// [mutex]

void wait_for_all() {
  // [wait_group]
  account savings;
  sync::wait_group wg;
  for (int i = 1; i <= 10; ++i) {
    wg.go([&savings, i] { savings.deposit(i); });
  }
  wg.wait();
  fmt::print("{}\n", savings.report());
  // [wait_group]
}

// [once_value]
std::map<std::string, int> const& rates() {
  static sync::once_value all = [] {
    fmt::print("rates are read\n");
    return std::map<std::string, int>{{"EUR", 108}, {"USD", 100}};
  };
  return all.get();
}
// [once_value]

void bounded() {
  // [semaphore]
  sync::semaphore disk(2);  // two at a time
  sync::wait_group wg;
  sync::map<int, int> sizes;
  for (int i = 0; i < 6; ++i) {
    wg.go([&, i] {
      disk.acquire();
      sizes.store(i, i * 100);
      disk.release();
    });
  }
  wg.wait();
  int total = 0;
  sizes.range([&](int, int size) { total += size; });
  fmt::print("{} bytes\n", total);
  // [semaphore]
}

void reused() {
  // [pool]
  sync::pool<std::string> buffers;
  {
    auto line = buffers.get();
    line->clear();  // it comes as the last user left it
    *line += "a line";
    fmt::print("{}\n", *line);
  }  // and goes back here
  // [pool]
}

// [atomic_value]
// Read by every request, replaced now and then: a value that readers copy without a lock.
struct settings {
  int page_size = 20;
};
sync::atomic_value<std::shared_ptr<settings const>> current_settings(
    std::make_shared<settings const>());

int page_size() {
  return (*current_settings.load())->page_size;
}
void reload() {
  current_settings.store(std::make_shared<settings const>(settings{.page_size = 50}));
}
// [atomic_value]

// [rw_mutex]
// Read at length and by many, changed seldom: readers stay together inside.
class directory {
 public:
  std::size_t count_longer_than(std::size_t length) {
    sync::read_guard const lock(mu_);
    std::size_t n = 0;
    for (auto const& [name, address] : entries_) n += name.size() > length ? 1 : 0;
    return n;
  }
  void add(std::string name, std::string address) {
    sync::write_guard const lock(mu_);
    entries_.emplace(std::move(name), std::move(address));
  }

 private:
  sync::rw_mutex mu_;
  std::map<std::string, std::string> entries_ VOLE_GUARDED_BY(mu_);
};
// [rw_mutex]

// [cond]
// Waiting for a state that only looking at the data can tell: a condition.
class inbox {
 public:
  void put(std::string letter) {
    sync::lock_guard const lock(mu_);
    letters_.push(std::move(letter));
    changed_.signal();
  }
  std::string take() {
    sync::lock_guard const lock(mu_);
    changed_.wait([this] { return !letters_.empty(); });
    std::string letter = std::move(letters_.front());
    letters_.pop();
    return letter;
  }

 private:
  sync::mutex mu_;
  sync::cond changed_{mu_};
  std::queue<std::string> letters_;
};
// [cond]

void told() {
  directory people;
  people.add("Ada", "London");
  people.add("Grace", "New York");
  inbox letters;
  go([&] { letters.put("dear " + std::to_string(people.count_longer_than(3))); });
  fmt::print("{}\n", letters.take());
  int const before = page_size();
  reload();
  fmt::print("{} then {} on a page\n", before, page_size());
}

}  // namespace

int main() {
  return run([] {
    wait_for_all();
    fmt::print("{} {}\n", rates().at("EUR"), rates().at("USD"));
    bounded();
    reused();
    told();
  });
}

// Output:
// 55 in 10 entries
// rates are read
// 108 100
// 1500 bytes
// a line
// dear 1
// 20 then 50 on a page
