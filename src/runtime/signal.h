// SPDX-License-Identifier: Apache-2.0
#pragma once
// The runtime's signals: SIGQUIT (dump and exit), SIGSEGV and SIGBUS on a guard page (overflow
// report), and one real-time signal with which a dump, or the wall sampler, asks a worker for the
// stack that it runs on. The profiler's SIGPROF belongs to sample.

#include <cstddef>
#include <cstdint>
#include <signal.h>
#include <string_view>

namespace vole::internal {

struct worker;

void install_signal_handlers() noexcept;

// choose_dump_signal is runtime::set_dump_signal.
void choose_dump_signal(int signal) noexcept;
// capture_signal is the one with which workers are asked; 0: there was none without a handler.
int capture_signal() noexcept;
// leave_quit_to_parent has SIGQUIT end a forked child, which has nobody to write the dump.
void leave_quit_to_parent() noexcept;

// Each worker's own alternate stack: an overflow leaves no room on the goroutine's.
void prepare_thread_for_signals() noexcept;

// start_thread starts a detached thread with all signals blocked: a foreign handler must not start
// there by chance. It has thread_stack_bytes_min of stack at least. Returns 0, or an errno.
int start_thread(void* (*main)(void*), void* arg) noexcept;

// write_all writes the whole text, or what the descriptor takes. Async-signal-safe.
void write_all(int fd, std::string_view text) noexcept;

// ask_for_wall_sample has the worker's thread call wall::answer; false: it cannot be asked.
bool ask_for_wall_sample(worker& w) noexcept;

// capture_running has the worker's thread write down the stack of the goroutine that it runs.
// Returns how many pcs;
// 0 when it does not answer within 100 ms, has gone on to another goroutine, or cannot be asked.
std::size_t capture_running(worker& w, std::uint64_t goroutine_id, std::uintptr_t* pcs,
                            std::size_t most) noexcept;

}  // namespace vole::internal
