#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets with clang's libFuzzer and runs them from their seed corpora.
#   fuzz/run.sh [-s seconds] [target...]
# What they find on the way is kept in build/fuzz; a crash stays there as an input and ends this with 1.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
seconds=60
while getopts 's:h' flag; do
  case $flag in
    s) seconds=$OPTARG ;;
    h) sed -n '3,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cd "$here" && ls ./*_fuzz.cc | sed 's|^./||; s|_fuzz.cc$||')
for target in "${targets[@]}"; do
  [ -f "$here/${target}_fuzz.cc" ] || { echo "run.sh: no target '$target'" >&2; exit 2; }
done
clang=$(command -v clang++-19 || command -v clang++) || { echo "run.sh: no clang++ on the PATH" >&2; exit 2; }

build=$root/build/fuzz
flags="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined"
cmake -S "$root" -B "$build" -DCMAKE_CXX_COMPILER="$clang" -DCMAKE_BUILD_TYPE=Debug -DVOLE_FUZZ=ON \
  -DCMAKE_CXX_FLAGS_DEBUG="-O1 -g $flags" >/dev/null
cmake --build "$build" --target "${targets[@]/#/fuzz_}" >"$build/fuzz.log" 2>&1 ||
  { tail -n 20 "$build/fuzz.log" >&2; echo "run.sh: the build failed; see $build/fuzz.log" >&2; exit 2; }
for target in "${targets[@]}"; do
  mkdir -p "$build/$target.corpus"
  (cd "$build" && "fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=4096 -print_final_stats=1 \
    "$target.corpus" "$here/corpus/$target")
done
