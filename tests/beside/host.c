// SPDX-License-Identifier: Apache-2.0
// A C program without a C++ library: loads each of its arguments, calls it, unloads it, and all
// again. What vole is in stays loaded: its threads go on.
#include <dlfcn.h>
#include <stdio.h>

static int call(char const* path) {
  void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    printf("%s\n", dlerror());
    return 1;
  }
  long (*sum)(long) = NULL;
  *(void**)&sum = dlsym(library, "vole_plugin_sum");
  if (sum == NULL) {
    printf("%s\n", dlerror());
    return 1;
  }
  printf("%ld", sum(100));
  dlclose(library);
  printf("%s\n", dlopen(path, RTLD_NOW | RTLD_NOLOAD) == NULL ? " and gone" : "");
  return 0;
}

int main(int argc, char** argv) {
  for (int round = 0; round < 2; ++round) {
    for (int i = 1; i < argc; ++i) {
      if (call(argv[i]) != 0) return 1;
    }
  }
  return 0;
}
