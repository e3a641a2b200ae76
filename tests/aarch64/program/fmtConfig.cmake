# SPDX-License-Identifier: Apache-2.0
# find_package(fmt) of this build: the library that it has compiled itself.
if(NOT TARGET fmt::fmt)
  add_library(fmt::fmt INTERFACE IMPORTED)
  target_link_libraries(fmt::fmt INTERFACE vole_foreign_fmt)
endif()
