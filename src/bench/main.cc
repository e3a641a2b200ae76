// SPDX-License-Identifier: Apache-2.0
//
// What makes a benchmark program of a set of benchmarks (library vole_bench_main): main(), and the
// malloc family of the C library with a counter in front. operator new of libstdc++ stands on
// malloc, and so do C libraries; free() is glibc's own. In one file, so that who gets main() gets
// the counters. No shared state.
// Source: glibc manual, "Replacing malloc"; the __libc_* names are glibc's exported doors to its
//   allocator.

#include <cerrno>
#include <cstddef>

#include "vole/bench.h"

#include "runtime/malloc_count.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

using vole::internal::malloc_count::add;

extern "C" {

void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* block, std::size_t bytes);
void* __libc_memalign(std::size_t align, std::size_t bytes);

void* malloc(std::size_t bytes) {
  add(bytes);
  return __libc_malloc(bytes);
}

void* calloc(std::size_t count, std::size_t bytes) {
  add(count * bytes);
  return __libc_calloc(count, bytes);
}

void* realloc(void* block, std::size_t bytes) {
  add(bytes);
  return __libc_realloc(block, bytes);
}

void* memalign(std::size_t align, std::size_t bytes) {
  add(bytes);
  return __libc_memalign(align, bytes);
}

void* aligned_alloc(std::size_t align, std::size_t bytes) {
  add(bytes);
  return __libc_memalign(align, bytes);
}

int posix_memalign(void** block, std::size_t align, std::size_t bytes) {
  if (align < sizeof(void*) || (align & (align - 1)) != 0) return EINVAL;
  add(bytes);
  int const saved = errno;
  void* const got = __libc_memalign(align, bytes);
  errno = saved;
  if (got == nullptr) return ENOMEM;
  *block = got;
  return 0;
}

}  // extern "C"

#endif

int main(int argc, char** argv) {
  return vole::bench::main(argc, argv);
}
