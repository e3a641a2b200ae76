// SPDX-License-Identifier: Apache-2.0
// profiled cpu FILE: takes a CPU profile of itself at work.
// profiled heap FILE: takes a heap profile, and says which allocator has served it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <dlfcn.h>
#include <fmt/format.h>
#include <fstream>
#include <string>
#include <string_view>

#include "vole/go.h"
#include "vole/pprof.h"
#include "vole/result.h"
#include "vole/runtime.h"
#include "vole/sync.h"

#include "load.h"

using namespace vole;

extern "C" {
[[gnu::weak]] int mallctl(char const*, void*, std::size_t*, void*, std::size_t);
[[gnu::weak]] bool mi_is_in_heap_region(void const*);
}

namespace {

void write_file(std::string const& path, std::string const& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

using mallctl_fn = int (*)(char const*, void*, std::size_t*, void*, std::size_t);
using is_mine_fn = bool (*)(void const*);

// find is a function of an allocator that is linked, or else preloaded; null if it is neither.
template <class Fn>
Fn find(Fn linked, char const* name) {
  return linked != nullptr ? linked : reinterpret_cast<Fn>(::dlsym(RTLD_DEFAULT, name));
}

// allocator_in_use asks the allocators that could be there whether a block is theirs.
std::string_view allocator_in_use() {
  auto* const ask_jemalloc = find<mallctl_fn>(&mallctl, "mallctl");
  auto* const ask_mimalloc = find<is_mine_fn>(&mi_is_in_heap_region, "mi_is_in_heap_region");
  auto const taken_from_jemalloc = [&] {
    std::uint64_t bytes = 0;
    std::size_t size = sizeof bytes;
    if (ask_jemalloc != nullptr) ask_jemalloc("thread.allocated", &bytes, &size, nullptr, 0);
    return bytes;
  };
  std::uint64_t const before = taken_from_jemalloc();
  void* const block = std::malloc(1 << 20);
  asm volatile("" : : "r"(block) : "memory");
  bool const of_jemalloc = taken_from_jemalloc() >= before + (1 << 20);
  bool const of_mimalloc = ask_mimalloc != nullptr && ask_mimalloc(block);
  std::free(block);
  return of_jemalloc ? "jemalloc" : of_mimalloc ? "mimalloc" : "glibc";
}

error take_cpu(std::string const& path) {
  // Processor time, so that a busy machine takes as many samples as an idle one.
  std::clock_t const enough = std::clock() + 4 * CLOCKS_PER_SEC;
  auto cpu = VOLE_TRY(pprof::start_cpu(), "start a CPU profile");
  sync::wait_group ended;
  auto const loads = all_loads();
  for (load const& work : loads) {
    ended.go([&work = work.run, enough] {
      while (std::clock() < enough) {
        work();
        runtime::yield();
      }
    });
  }
  ended.wait();
  write_file(path, cpu.stop());
  return nullptr;
}

void take_heap(std::string const& path) {
  pprof::set_heap_rate(1);
  with_allocations([&] {
    pprof::set_heap_rate(0);
    write_file(path, pprof::lookup("heap")->write(0));
  });
  fmt::print("allocator {}\n", allocator_in_use());
}

}  // namespace

int main(int argc, char** argv) {
  return run([&] {
    std::string_view const what = argc == 3 ? argv[1] : "";
    if (what == "cpu") {
      if (error const err = take_cpu(argv[2])) {
        fmt::print(stderr, "{}\n", err);
        return 1;
      }
      return 0;
    }
    if (what == "heap") {
      take_heap(argv[2]);
      return 0;
    }
    fmt::print(stderr, "usage: profiled cpu|heap FILE\n");
    return 2;
  });
}
