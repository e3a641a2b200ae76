# SPDX-License-Identifier: Apache-2.0
# Sourced by run.sh and test.sh: the packages of packages.txt, and the build with its progress.

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "$(basename "$0"): $*"
  exit 1
}

# packages_of section...: the names below these headings of packages.txt.
packages_of() {
  local section='' line
  while read -r line; do
    case $line in
      '' | '#'*) ;;
      '['*']') section=${line//[\[\]]/} ;;
      *) [[ " $* " == *" $section "* ]] && printf '%s\n' "$line" ;;
    esac
  done <packages.txt
}

# install_packages section...: installs what is missing; nothing is asked of apt when all is there.
install_packages() {
  local missing=() name as_root=()
  for name in $(packages_of "$@"); do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || missing+=("$name")
  done
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null || fail "these Debian packages are missing and apt-get is not here: ${missing[*]}"
  if ((EUID != 0)); then
    command -v sudo >/dev/null || fail "install these packages as root first: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "Installing Debian packages: ${missing[*]}"
  local log
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update -q && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    fail "apt-get could not install them (its last words stand above)"
  fi
  rm -f "$log"
}

# build preset tests|product [target...]: configures when needed, then builds; ninja shows "[done/all]".
# A tree with tests also builds the product, so only the wish for tests configures a tree anew.
build() {
  local preset=$1 with_tests=OFF
  [[ $2 == tests ]] && with_tests=ON
  shift 2
  if [[ ! -f build/$preset/build.ninja ]] ||
    { [[ $with_tests == ON ]] && ! grep -qx 'VOLE_TESTS:BOOL=ON' "build/$preset/CMakeCache.txt"; }; then
    say "Configuring build/$preset"
    cmake --preset "$preset" "-DVOLE_TESTS=$with_tests" >"build-$preset.log" 2>&1 || {
      mkdir -p build
      mv "build-$preset.log" "build/$preset.log"
      tail -n 30 "build/$preset.log" >&2
      fail "cmake could not configure build/$preset (see build/$preset.log)"
    }
    rm -f "build-$preset.log"
  fi
  if [[ -t 2 ]]; then
    ninja -C "build/$preset" "$@" >&2 || fail "the build of build/$preset failed"
  else
    ninja -C "build/$preset" --quiet "$@" >&2 || fail "the build of build/$preset failed"
  fi
}
