# SPDX-License-Identifier: Apache-2.0
# Configures build/aarch64 once, then builds it: the output is that of whichever failed.
if(NOT EXISTS ${TREE}/build.ninja)
  execute_process(COMMAND ${CMAKE_COMMAND} --preset aarch64 COMMAND_ERROR_IS_FATAL ANY)
endif()
execute_process(COMMAND ${CMAKE_COMMAND} --build --preset aarch64 COMMAND_ERROR_IS_FATAL ANY)
