# SPDX-License-Identifier: Apache-2.0
# READELF must find MARKED marked for shadow stacks, and none of UNMARKED.
function(notes_of program)
  execute_process(COMMAND ${READELF} -n ${program} OUTPUT_VARIABLE notes COMMAND_ERROR_IS_FATAL ANY)
  set(notes "${notes}" PARENT_SCOPE)
endfunction()

notes_of(${MARKED})
if(NOT notes MATCHES "SHSTK")
  message(FATAL_ERROR "${MARKED} is not marked: nothing is shown\n${notes}")
endif()
foreach(program IN LISTS UNMARKED)
  notes_of(${program})
  if(notes MATCHES "SHSTK")
    message(FATAL_ERROR "${program} is marked for shadow stacks\n${notes}")
  endif()
endforeach()
