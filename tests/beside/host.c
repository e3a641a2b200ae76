// SPDX-License-Identifier: Apache-2.0
// A C program without a C++ library: `host local|global LIBRARY...` loads each, with its names for
// itself or for all that are loaded later, calls it, unloads it, and all again. What vole is in
// stays loaded: its threads go on.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static int call(char const* path, int scope) {
  void* const library = dlopen(path, RTLD_NOW | scope);
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
  long const result = sum(100);
  dlclose(library);
  int const gone = dlopen(path, RTLD_NOW | RTLD_NOLOAD) == NULL;
  printf("%s: %ld%s\n", path, result, gone ? ", and gone" : "");
  return result != 5050 || gone;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  int const scope = strcmp(argv[1], "global") == 0 ? RTLD_GLOBAL : RTLD_LOCAL;
  for (int round = 0; round < 2; ++round) {
    for (int i = 2; i < argc; ++i) {
      if (call(argv[i], scope) != 0) return 1;
    }
  }
  return 0;
}
