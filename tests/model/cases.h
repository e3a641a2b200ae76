// SPDX-License-Identifier: Apache-2.0
#pragma once
// The cases: small programs over the product's own code. Each holds as the
// product stands
// (<part>_test.cc), and fails under the faults that it is there to find
// (faults_test.cc).

#include "model_case.h"

namespace vole::internal {
class timer_heap;
}

namespace vole::model {

// use_timers has the timers of this execution armed in that heap.
void use_timers(internal::timer_heap& heap) noexcept;

namespace cases {

// run_queue_cases.cc
extern model_case const owner_and_thief;
extern model_case const two_thieves;
extern model_case const next_and_thief;
extern model_case const overflow_and_thief;

// eviction_cases.cc
extern model_case const evicted_by_exchange;
extern model_case const evicted_by_barrier;
extern model_case const evicted_by_exchange_comes_back;
extern model_case const evicted_by_barrier_comes_back;

// park_cases.cc
extern model_case const goroutine_and_waker;
extern model_case const thread_and_waker;
extern model_case const two_wakers;
extern model_case const park_holding_a_lock;
extern model_case const cancel_and_waker;
extern model_case const park_twice;
extern model_case const deadline_and_waker;
extern model_case const timer_armed_by_two;

// sync_cases.cc
extern model_case const raw_mutex_three;
extern model_case const mutex_two;
extern model_case const mutex_three;
extern model_case const mutex_mixed;
extern model_case const mutex_starving;
extern model_case const mutex_late;
extern model_case const mutex_word_woken;
extern model_case const mutex_cancel;
extern model_case const mutex_cancel_and_queue;
extern model_case const mutex_ends;

// chan_cases.cc
extern model_case const chan_lock_two;
extern model_case const unbuffered;
extern model_case const unbuffered_two_senders;
extern model_case const buffered;
extern model_case const close_wakes_receivers;
extern model_case const close_after_send;
extern model_case const look_without_lock;
extern model_case const last_handle;
extern model_case const closed_by_reference;

// wait_cases.cc
extern model_case const rw_mutex_two_readers;
extern model_case const rw_mutex_biased;
extern model_case const rw_mutex_bias_begins;
extern model_case const wait_group_ends;
extern model_case const wait_group_ends_early;
extern model_case const cond_ends;
extern model_case const semaphore_three;

// container_cases.cc
extern model_case const pool_trimmed;
extern model_case const pool_shared;
extern model_case const map_load_and_store;
extern model_case const map_grows;
extern model_case const map_two_store_first;
extern model_case const map_gives_back_under_goroutine;
extern model_case const map_gives_back_under_thread;

// select_cases.cc
extern model_case const select_two_receives;
extern model_case const select_facing_select;
extern model_case const select_send_or_receive;
extern model_case const select_and_close;

}  // namespace cases
}  // namespace vole::model
