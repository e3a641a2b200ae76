// SPDX-License-Identifier: Apache-2.0
#pragma once
// The library that tests load and unload. No shared state.

extern "C" {

// Calls fn without a frame pointer.
void vole_plugin_call(void (*fn)());
// The same, from a function that aligns its stack.
void vole_plugin_call_aligned(void (*fn)());
}
