// SPDX-License-Identifier: Apache-2.0
#pragma once
// The cases of the scheduler: each runs the product's scheduler, workers, timers and netpoller over
// the kernel of kernel_model.cc.

#include "model_case.h"

namespace vole::model::cases {

// wake_cases.cc: one adds, another gives its processor up.
extern model_case const plain_adds;
extern model_case const plain_adds_to_one_processor;
extern model_case const plain_adds_before_epoll;
extern model_case const two_add_at_rest;
extern model_case const two_add_to_who_polls;
extern model_case const worker_fills_its_ring;
extern model_case const ring_is_stolen;
extern model_case const stuck_makes_ready;
extern model_case const stuck_arms_a_timer;
extern model_case const plain_arms_a_timer;
extern model_case const plain_arms_with_one_processor;
extern model_case const plain_arms_an_earlier_timer;
extern model_case const worker_arms_an_earlier_timer;
extern model_case const plain_opens_a_descriptor;
extern model_case const descriptor_becomes_ready;
extern model_case const all_asleep_is_reported;
extern model_case const sleeper_is_no_deadlock;

// blocking_cases.cc: a processor is handed over.
extern model_case const work_for_who_blocks;
extern model_case const timer_while_the_last_blocks;
extern model_case const descriptor_while_the_last_blocks;
extern model_case const two_leave_blocking;
extern model_case const wired_is_woken;
extern model_case const processors_are_added;

}  // namespace vole::model::cases
