# SPDX-License-Identifier: Apache-2.0
# Installs BUILD into an empty prefix, builds CONSUMER against it and runs it. Says how long a file
# that includes vole/http.h took to compile.
function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${what}: ${status}\n${text}")
  endif()
  set(output "${text}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
run("install" ${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)

# The package must not lean on the tree it was built from.
file(GLOB_RECURSE scripts ${WORK}/prefix/*.cmake)
foreach(script IN LISTS scripts)
  file(READ ${script} text)
  string(FIND "${text}" "${BUILD}" at)
  if(NOT at EQUAL -1)
    message(FATAL_ERROR "${script} names the build tree")
  endif()
endforeach()

run("configure" ${CMAKE_COMMAND} -S ${CONSUMER} -B ${WORK}/build -G ${GENERATOR}
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_PREFIX_PATH=${WORK}/prefix -DCMAKE_BUILD_TYPE=Release)
run("build" ${CMAKE_COMMAND} --build ${WORK}/build)
run("run" ${WORK}/build/consumer)
if(NOT output STREQUAL "sum 5050\n")
  message(FATAL_ERROR "the consumer says: ${output}")
endif()

# The package brings the option by which a frame of many pages meets the guard page.
foreach(what IN ITEMS overflow overflow_in_c)
  execute_process(COMMAND ${WORK}/build/consumer ${what} RESULT_VARIABLE status
                  OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(status EQUAL 0 OR NOT text MATCHES "stack overflow: goroutine [0-9]+ used up its 64 KiB.*touch_far_below")
    message(FATAL_ERROR "consumer ${what}: ${status}\n${text}")
  endif()
endforeach()

# A std::mutex held over a park is reported in Debug, unless the target will not have it.
run("configure Debug" ${CMAKE_COMMAND} -S ${CONSUMER} -B ${WORK}/debug -G ${GENERATOR}
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_PREFIX_PATH=${WORK}/prefix -DCMAKE_BUILD_TYPE=Debug)
run("build Debug" ${CMAKE_COMMAND} --build ${WORK}/debug
    --target holds_a_lock --target holds_a_lock_unchecked)
run("check locks" ${WORK}/debug/holds_a_lock)
if(NOT output MATCHES "leaves its thread \\(yield\\) and holds a std::mutex")
  message(FATAL_ERROR "a lock held over a park is not reported in Debug: ${output}")
endif()
foreach(program IN ITEMS debug/holds_a_lock_unchecked build/holds_a_lock)
  run("check no locks" ${WORK}/${program})
  if(NOT output STREQUAL "")
    message(FATAL_ERROR "${program} says: ${output}")
  endif()
endforeach()

if(EXISTS ${WORK}/prefix/include/vole/http.h)
  string(TIMESTAMP before "%s%f")
  run("compile http" ${COMPILER} -std=c++23 -O0 -c -I${WORK}/prefix/include
      -o ${WORK}/uses_http.o ${CONSUMER}/uses_http.cc)
  string(TIMESTAMP after "%s%f")
  math(EXPR milliseconds "(${after} - ${before}) / 1000")
  message(STATUS "a file that includes vole/http.h compiles in ${milliseconds} ms")
endif()
