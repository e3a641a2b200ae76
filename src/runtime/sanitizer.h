// SPDX-License-Identifier: Apache-2.0
#pragma once
// What AddressSanitizer and ThreadSanitizer must be told about fibers. GCC 12's runtime exports the
// TSan fiber calls,
// its header does not declare them.

#if defined(__SANITIZE_ADDRESS__)
#define VOLE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define VOLE_ASAN 1
#endif
#endif
#ifndef VOLE_ASAN
#define VOLE_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__)
#define VOLE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define VOLE_TSAN 1
#endif
#endif
#ifndef VOLE_TSAN
#define VOLE_TSAN 0
#endif

#if VOLE_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

#if VOLE_TSAN
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
}
#endif
