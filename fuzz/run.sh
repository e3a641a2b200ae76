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
[ ${#targets[@]} -gt 0 ] || targets=(http_head http_chunked json_decode)
clang=$(command -v clang++-19 || command -v clang++) || { echo "run.sh: no clang++ on the PATH" >&2; exit 2; }

out=$root/build/fuzz
mkdir -p "$out"
base=("$root"/src/base/{assert,futex,raw_mutex}.cc)
# What a target needs besides: the sources of its room and their libraries.
sources_of() {
  case $1 in
    http_*) echo "$root"/src/http/{parse,framing,chunked}.cc ;;
    json_*) echo "$root"/src/json/{decode,encode}.cc "$root"/src/errors/{errors,foreign}.cc \
      "$root"/src/symbol/demangle.cc "$root"/src/base/sys_error.cc -lboost_json ;;
  esac
}
for target in "${targets[@]}"; do
  [ -f "$here/${target}_fuzz.cc" ] || { echo "run.sh: no target '$target'" >&2; exit 2; }
  "$clang" -std=c++23 -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined \
    -fno-sanitize-recover=undefined -I"$root/include" -I"$root/src" "$here/${target}_fuzz.cc" \
    $(sources_of "$target") "${base[@]}" -lfmt -o "$out/$target"
  mkdir -p "$out/$target.corpus"
  (cd "$out" && "./$target" -max_total_time="$seconds" -max_len=4096 -print_final_stats=1 \
    "$target.corpus" "$here/corpus/$target")
done
