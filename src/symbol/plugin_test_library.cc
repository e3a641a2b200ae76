// SPDX-License-Identifier: Apache-2.0
// A library that the tests load and unload: code that keeps no frame pointer, and uses the register
// for something else.

// Calls fn without a frame pointer.
extern "C" [[gnu::visibility("default")]] void vole_plugin_call(void (*fn)()) {
#if defined(__x86_64__)
  asm volatile("movl $1, %%ebp" ::: "rbp");
#endif
  fn();
  asm volatile("" ::: "memory");
}

// The same, from a function that aligns its stack.
extern "C" [[gnu::visibility("default")]] void vole_plugin_call_aligned(void (*fn)()) {
  alignas(64) char room[64];
  asm volatile("" : : "r"(&room) : "memory");
  vole_plugin_call(fn);
  asm volatile("" : : "r"(&room) : "memory");
}
