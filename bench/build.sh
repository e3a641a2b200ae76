# SPDX-License-Identifier: Apache-2.0
# Sourced by the comparisons. The caller sets `root` and `build`, a build tree, and defines die WORDS.

# configure_build makes the release tree when it is wanted and not there.
configure_build() {
  [ -f "$build/CMakeCache.txt" ] && return
  [ "$build" = "$root/build/release" ] || die "$build is not a build tree; make one with cmake"
  (cd "$root" && cmake --preset release >/dev/null) || die "cmake --preset release failed"
}

# build_targets NAME target...: its words go to NAME.log in the build tree.
build_targets() {
  local log=$build/$1.log
  configure_build
  cmake --build "$build" --target "${@:2}" >"$log" 2>&1 ||
    { tail -n 20 "$log" >&2; die "the build failed; all of it is in $log"; }
}
