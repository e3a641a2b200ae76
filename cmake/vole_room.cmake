# SPDX-License-Identifier: Apache-2.0
# vole_room(): one room of the house = one static library, its tests, its benches, its examples.
# Every file is named by hand; a file nobody names is reported by tests/house.

set(vole_warnings -Wall -Wextra -Wpedantic -Werror)
set(vole_codegen -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer)
# A shared library may have vole in it. It then has a runtime of its own, whose names no other library
# sees.
list(APPEND vole_codegen -fPIC -fvisibility=hidden)
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|aarch64")
  message(FATAL_ERROR "vole runs on x86-64 and aarch64, not on ${CMAKE_SYSTEM_PROCESSOR}")
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  list(APPEND vole_warnings -Wthread-safety)
endif()

# A frame of more than a page must not step over the guard below a goroutine's stack: each of its
# pages is touched, from the top. Also what users compile, in C or C++, by a compiler that can. GCC
# takes the guard for 64 KiB on aarch64 unless told that it is a page of 4 KiB.
set(vole_stack_probes $<$<COMPILE_LANG_AND_ID:C,GNU,Clang>:-fstack-clash-protection>
                      $<$<COMPILE_LANG_AND_ID:CXX,GNU,Clang>:-fstack-clash-protection>)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
  set(vole_page_guard --param=stack-clash-protection-guard-size=12)
  list(APPEND vole_stack_probes $<$<COMPILE_LANG_AND_ID:C,GNU>:${vole_page_guard}>
                                $<$<COMPILE_LANG_AND_ID:CXX,GNU>:${vole_page_guard}>)
endif()

# GCC 12 takes what it read from a precompiled header for ours, not for the system's, and these four
# warn of std::string's own code there. Clang keeps watch in tests/house.
set(vole_headers_once_options)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(vole_headers_once_options -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread)
endif()

set(vole_sanitize_flags)
if(VOLE_SANITIZE STREQUAL "address")
  set(vole_sanitize_flags -fsanitize=address,undefined -fno-sanitize-recover=undefined)
elseif(VOLE_SANITIZE STREQUAL "thread")
  # GCC says that TSan does not model std::atomic_thread_fence; vole names no bare fence outside
  # runtime.
  set(vole_sanitize_flags -fsanitize=thread -Wno-error=tsan)
elseif(NOT VOLE_SANITIZE STREQUAL "")
  message(FATAL_ERROR "VOLE_SANITIZE is '${VOLE_SANITIZE}': use address, thread or nothing")
endif()

# vole_compile_options(target [headers]): what every product, test, bench and example target is built
# with. headers: the target of vole_headers_once() whose options it has; NONE for none.
function(vole_compile_options target)
  set(headers vole_headers)
  if(ARGC GREATER 1)
    set(headers ${ARGV1})
  endif()
  if(NOT headers STREQUAL NONE)
    target_precompile_headers(${target} REUSE_FROM ${headers})
    target_compile_options(${target} PRIVATE ${vole_headers_once_options})
  endif()
  target_compile_features(${target} PUBLIC cxx_std_23)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${vole_warnings};${vole_codegen}>
                                           ${vole_sanitize_flags}
                                   PUBLIC ${vole_stack_probes})
  target_link_options(${target} PUBLIC ${vole_sanitize_flags})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
endfunction()

# vole_test_options(target room): what the tests of a room are built with. Of a test only functions
# and lines are wanted afterwards. Where concurrency or the optimizer is the subject, tests are
# optimized as users are; the others, and all under the sanitizers, compile in half of the time
# without.
set(vole_optimized_test_options -g1)
set(vole_plain_test_options -g1 -O0)
if(VOLE_SANITIZE STREQUAL "address")
  # What AddressSanitizer finds as well; a quarter of the time of a test's file. The product has all.
  list(APPEND vole_plain_test_options -fno-sanitize=null,object-size,vptr)
endif()
function(vole_test_options target room)
  if(VOLE_SANITIZE STREQUAL "" AND room MATCHES "^(symbol|runtime|chan|sync|context|bench)$")
    vole_compile_options(${target} vole_optimized_test_headers)
    target_compile_options(${target} PRIVATE ${vole_optimized_test_options})
  else()
    vole_compile_options(${target} vole_test_headers)
    target_compile_options(${target} PRIVATE ${vole_plain_test_options})
  endif()
endfunction()

# vole_headers_once(target options...): foreign headers that most files include, compiled once for all
# targets with the same options: REUSE_FROM. That vole's own headers name what they use is held by
# house.headers_alone, which goes without.
function(vole_headers_once target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "OPTIONS;LIBRARIES;HEADERS")
  file(WRITE ${PROJECT_BINARY_DIR}/${target}.cc "")
  add_library(${target} OBJECT ${PROJECT_BINARY_DIR}/${target}.cc)
  vole_compile_options(${target} NONE)
  target_compile_options(${target} PRIVATE ${arg_OPTIONS})
  target_link_libraries(${target} PRIVATE fmt::fmt ${arg_LIBRARIES})
  target_precompile_headers(${target} PRIVATE ${arg_HEADERS} <algorithm> <atomic> <chrono>
                            ${PROJECT_SOURCE_DIR}/include/vole/internal/format.h
                            <functional> <map> <memory> <optional> <string> <string_view> <utility> <vector>)
endfunction()

# vole_room(name
#   DEPENDS rooms...      rooms it may include (held against layers.txt)
#   LIBRARIES targets...  what it links besides (fmt::fmt, PkgConfig::..., ...)
#   SOURCES files...      product files
#   TESTS files...        *_test.cc, one program vole_<name>_test
#   TEST_DEPENDS rooms... rooms only the tests need; 'testing' also brings the main() that runs each
#   test
#                         in a goroutine and checks that none is left
#   TEST_PROCS numbers... the test program also runs whole with VOLE_MAXPROCS set to each
#   BENCHES files...      *_bench.cc, one program vole_<name>_bench
#   EXAMPLES files...     *_example.cc, one program each, held against its // Output: block)
function(vole_room name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPENDS;LIBRARIES;SOURCES;TESTS;TEST_DEPENDS;TEST_PROCS;BENCHES;EXAMPLES")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "vole_room(${name}): unknown words: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  set(target vole_${name})
  add_library(${target} STATIC ${arg_SOURCES})
  add_library(vole::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  set_property(GLOBAL APPEND PROPERTY VOLE_TARGETS ${target})
  vole_compile_options(${target})
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                              $<INSTALL_INTERFACE:include>)
  list(TRANSFORM arg_DEPENDS PREPEND vole_)
  target_link_libraries(${target} PUBLIC ${arg_DEPENDS} ${arg_LIBRARIES})

  if(NOT VOLE_TESTS)
    return()
  endif()
  if(arg_TESTS)
    vole_test(${target}_test SOURCES ${arg_TESTS} ROOMS ${name} ${arg_TEST_DEPENDS} PROCS ${arg_TEST_PROCS})
  endif()
  if(arg_BENCHES)
    add_executable(${target}_bench ${arg_BENCHES})
    vole_compile_options(${target}_bench)
    target_link_libraries(${target}_bench PRIVATE ${target} vole_bench vole_bench_main)
    add_test(NAME ${target}_bench.once COMMAND ${target}_bench -benchtime=1x)
    set_tests_properties(${target}_bench.once PROPERTIES TIMEOUT 120)
  endif()
  foreach(example IN LISTS arg_EXAMPLES)
    get_filename_component(stem ${example} NAME_WE)
    vole_example(${name}.${stem} ${example} ${name})
  endforeach()
endfunction()

# vole_test(target SOURCES files... ROOMS rooms... PROCS numbers...): a GoogleTest program, each TEST a
# ctest of its own, and with PROCS the whole as one with VOLE_MAXPROCS set to each.
function(vole_test target)
  if(NOT VOLE_TESTS)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;ROOMS;LIBRARIES;PROCS")
  add_executable(${target} ${arg_SOURCES})
  set(rooms ${arg_ROOMS})
  list(POP_FRONT rooms tested)
  vole_test_options(${target} "${tested}")
  if("testing" IN_LIST arg_ROOMS)
    set(main vole_testing_main)
  else()
    set(main GTest::gtest_main)
  endif()
  list(TRANSFORM arg_ROOMS PREPEND vole_)
  target_link_libraries(${target} PRIVATE ${arg_ROOMS} ${arg_LIBRARIES} GTest::gmock GTest::gtest ${main})
  include(GoogleTest)
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 TEST_PREFIX "${target}."
                       PROPERTIES TIMEOUT 300)
  foreach(procs IN LISTS arg_PROCS)
    add_test(NAME ${target}.procs_${procs} COMMAND ${target})
    set_tests_properties(${target}.procs_${procs} PROPERTIES TIMEOUT 300 ENVIRONMENT VOLE_MAXPROCS=${procs})
  endforeach()
endfunction()

# vole_example(name file rooms...): a program whose standard output must equal the // Output: block
# of its source.
function(vole_example name file)
  string(REPLACE "." "_" target example_${name})
  add_executable(${target} ${file})
  vole_compile_options(${target})
  list(TRANSFORM ARGN PREPEND vole_)
  target_link_libraries(${target} PRIVATE ${ARGN})
  get_filename_component(source ${file} ABSOLUTE)
  add_test(NAME example.${name}
           COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:${target}> -DSOURCE=${source}
                   -P ${PROJECT_SOURCE_DIR}/cmake/check_output.cmake)
  set_tests_properties(example.${name} PROPERTIES TIMEOUT 60)
endfunction()

# vole_install_package(): `cmake --install` and find_package(vole CONFIG). vole::vole is everything but
# the libraries that a program asks for by name (VOLE_TARGETS_APART).
function(vole_install_package)
  include(GNUInstallDirs)
  include(CMakePackageConfigHelpers)
  get_property(targets GLOBAL PROPERTY VOLE_TARGETS)
  add_library(vole INTERFACE)
  add_library(vole::vole ALIAS vole)
  target_link_libraries(vole INTERFACE ${targets})
  get_property(apart GLOBAL PROPERTY VOLE_TARGETS_APART)
  install(TARGETS vole ${targets} ${apart} EXPORT vole_targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/vole DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  set(where ${CMAKE_INSTALL_LIBDIR}/cmake/vole)
  install(EXPORT vole_targets NAMESPACE vole:: DESTINATION ${where})
  configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/voleConfig.cmake.in
                                ${PROJECT_BINARY_DIR}/voleConfig.cmake INSTALL_DESTINATION ${where})
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/voleConfigVersion.cmake
                                   COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/voleConfig.cmake ${PROJECT_BINARY_DIR}/voleConfigVersion.cmake
          DESTINATION ${where})
endfunction()
