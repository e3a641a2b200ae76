// SPDX-License-Identifier: Apache-2.0
#pragma once
// What ends a run from outside: Ctrl-C and -timeout. The handlers need no goroutine and no
// processor, so that a benchmark that hangs or hogs is ended all the same.

#include <chrono>
#include <string_view>
#include <sys/types.h>

namespace vole::bench::interrupt {

// at_timeout: valgrind does not bear the dump, which looks at running threads.
enum class at_timeout : unsigned char { dump, end };
// watch has SIGINT and SIGTERM say what is complete and exit with 130 or 143; after timeout, unless
// it is 0, the goroutines are dumped, where asked for, and the status is 2. Once per process.
void watch(std::chrono::nanoseconds timeout, at_timeout then = at_timeout::dump);

// now_doing sets what the handlers say is under way: "BenchmarkX, 3 of 12 benchmarks are complete".
void now_doing(std::string_view text);
// so_far sets what else they say: what is known of a benchmark that is not complete.
void so_far(std::string_view text);
// last_event has them write an event in JSON to standard output before the process ends: of these
// members, the time and the seconds since now.
void last_event(std::string_view members);
// last_event_written: nothing may follow on standard output.
bool last_event_written();
// line_open says that standard output stands within a line; the handler ends it.
void line_open(bool open);

// hold is for a parent that has to clean up: from now on no signal ends this process. Those go to
// the child, or are only noted where there is none.
void hold();
// In a parent of processes: signals go to the child, which says what there is to say; also the one
// that came while it was held and had no child.
void watch_child(pid_t child);  // 0: none
// ended_by is the signal that the parent got, or 0.
int ended_by();

}  // namespace vole::bench::interrupt
