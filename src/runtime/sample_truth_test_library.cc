// SPDX-License-Identifier: Apache-2.0
// A library that a test loads and unloads while it is sampled, built without frame pointers: only
// its unwind tables say who called it.

extern "C" [[gnu::visibility("default")]] unsigned long vole_test_library_call(
    unsigned long (*back)(unsigned long), unsigned long value) {
  unsigned long const got = back(value);
  return got + 1;
}
