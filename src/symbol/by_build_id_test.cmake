# SPDX-License-Identifier: Apache-2.0
# Puts the debug file DEBUG of PROGRAM under ROOT, where its build id says; writes STAMP.
execute_process(COMMAND readelf -n ${PROGRAM} OUTPUT_VARIABLE notes COMMAND_ERROR_IS_FATAL ANY)
if(NOT notes MATCHES "Build ID: ([0-9a-f][0-9a-f])([0-9a-f]+)")
  message(FATAL_ERROR "${PROGRAM} has no build id:\n${notes}")
endif()
file(MAKE_DIRECTORY ${ROOT}/.build-id/${CMAKE_MATCH_1})
file(COPY_FILE ${DEBUG} ${ROOT}/.build-id/${CMAKE_MATCH_1}/${CMAKE_MATCH_2}.debug)
file(TOUCH ${STAMP})
