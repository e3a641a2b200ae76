# SPDX-License-Identifier: Apache-2.0
# How many instructions the hooks add to a malloc and a free: BENCH under callgrind, through the hooks
# and straight from libc. Of a tight loop's time they are the part that no noise hides.
set(more_max 22)
find_program(valgrind valgrind)
if(NOT valgrind)
  message("skipped: no 'valgrind' on the PATH")
  return()
endif()
execute_process(COMMAND ${BENCH} -bench=^MallocFree\(Libc|Hooked\)$ -callgrind
                RESULT_VARIABLE status OUTPUT_VARIABLE text ERROR_VARIABLE errors)
foreach(name IN ITEMS Libc Hooked)
  if(NOT text MATCHES "BenchmarkMallocFree${name}[^\n]*[\t ]([0-9]+)[.0-9]* instructions/op")
    message(FATAL_ERROR "no count for ${name}: ${status}\n${text}\n${errors}")
  endif()
  set(${name} ${CMAKE_MATCH_1})
endforeach()
math(EXPR more "${Hooked} - ${Libc}")
message("libc ${Libc}, hooked ${Hooked}: ${more} instructions more")
if(more GREATER more_max)
  message(FATAL_ERROR "the hooks take ${more} instructions more than libc alone; they may take ${more_max}")
endif()
