// SPDX-License-Identifier: Apache-2.0
// A program that is nothing but what is compiled for a shadow stack; the linker marks it so, unless
// it is given something that is not.
extern "C" void _start() {}
