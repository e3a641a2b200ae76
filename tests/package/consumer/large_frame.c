// SPDX-License-Identifier: Apache-2.0
void touch_far_below_in_c(void);

// The low end of a frame that is larger than the smallest stack is touched, and nothing above it.
void touch_far_below_in_c(void) {
  volatile char frame[96 << 10];
  frame[0] = 1;
}
