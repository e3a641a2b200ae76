// SPDX-License-Identifier: Apache-2.0
// The primitives of vole/sync.h, each where it belongs. Quoted by docs/guide/channels.md.
#include <fmt/format.h>
#include <map>
#include <string>

#include "vole/go.h"
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

}  // namespace

int main() {
  return run([] {
    wait_for_all();
    fmt::print("{} {}\n", rates().at("EUR"), rates().at("USD"));
    bounded();
    reused();
  });
}

// Output:
// 55 in 10 entries
// rates are read
// 108 100
// 1500 bytes
// a line
