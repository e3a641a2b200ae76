# SPDX-License-Identifier: Apache-2.0
# Which tests of the programs are run, and how.
set(vole_not_emulated
  # They start a program that nobody emulates.
  seed.*
  # A thread of qemu's own could wake somebody: no deadlock is certain.
  *_death.a_deadlock_is_reported* *_death.deadlock_is_reported*
  # Lines come from libdw.
  dump.names_the_lines_of_a_stack runtime_death.a_panic_with_little_stack_left_is_reported_with_its_stack
  # See docs/internals/platforms.md: a walk from inside a signal handler.
  unwind_tables.a_walk_passes_the_frame_of_a_signal
  # The emulator's own memory, threads and system calls would count.
  sample.a_capture_leaves_no_memory_behind_for_the_threads_it_saw idle.with_nothing_to_do_*
  # 100,000 goroutines, each with guards by mprotect.
  many.*)

# vole_emulated_groups(prefix tree properties...): adds them as tests. tree: that of the preset aarch64.
function(vole_emulated_groups prefix tree)
  list(JOIN vole_not_emulated ":" without)
  macro(group name program filter)
    add_test(NAME ${prefix}${name} COMMAND ${tree}/emulate_${program} --gtest_filter=${filter}-${without})
    set_tests_properties(${prefix}${name} PROPERTIES TIMEOUT 300 ${ARGN})
  endmacro()
  group(plain plain "*" ${ARGN})
  group(core core "*" ${ARGN})
  # Only these: with pages other than its own, qemu loses track of the first thread's stack and of the
  # loader's data, which whatever walks a stack asks for.
  set(of_stacks "stack.*:go.*:try_go.*:park.*:switching.*")
  group(pages_of_16_kib plain ${of_stacks} ${ARGN} ENVIRONMENT "VOLE_EMULATOR_OPTIONS=-p 16384")
  group(pages_of_64_kib plain ${of_stacks} ${ARGN} ENVIRONMENT "VOLE_EMULATOR_OPTIONS=-p 65536")
endfunction()
