# SPDX-License-Identifier: Apache-2.0
# SOURCE must compile with -DMENDED, and without it fail with what its "// Error:" line matches.
# The compilers' words in English, with plain quotation marks.
set(compile ${CMAKE_COMMAND} -E env LC_ALL=C ${COMPILER} ${OPTIONS} -fsyntax-only)
file(STRINGS ${SOURCE} wanted REGEX "^// Error: ")
string(REGEX REPLACE "^// Error: " "" wanted "${wanted}")
if(wanted STREQUAL "")
  message(FATAL_ERROR "${SOURCE} has no '// Error:' line")
endif()

execute_process(COMMAND ${compile} -DMENDED ${SOURCE} RESULT_VARIABLE status ERROR_VARIABLE text)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${SOURCE} does not compile even when mended:\n${text}")
endif()
execute_process(COMMAND ${compile} ${SOURCE} RESULT_VARIABLE status ERROR_VARIABLE text)
if(status EQUAL 0)
  message(FATAL_ERROR "${SOURCE} compiles")
endif()
if(NOT text MATCHES "${wanted}")
  message(FATAL_ERROR "${SOURCE} fails, but not with '${wanted}':\n${text}")
endif()
