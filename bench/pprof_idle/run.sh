#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What profiles cost: a service of vole and one of Go, with nothing sampled (off), as they are by default (on),
# and while a CPU profile is taken (capture); for Go also with its block and mutex profiles on (all), which vole has
# on by default. First at rest, then under the same load, in turn; prints the medians.
#   bench/pprof_idle/run.sh [-r rounds] [-d seconds] [-c connections] [-b build-dir] [vole_off go_on ...]
# At rest: processor time per second. Under load: requests per second, 99th percentile, memory, processor time per request.
# Ends with 0, or with 2 when it cannot run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../http_load.sh"
read_flags "$@"
build_servers bench_pprof_idle

target() { echo /page; }
# start_server SIDE PORT; SIDE is vole or go, and off, on, all or capture.
start_server() {
  local program=$build/bench/pprof_idle/bench_pprof_idle state=${1#*_} profiles=127.0.0.1:$(($2 + 100))
  [[ $1 == go_* ]] && program=$work/go_server
  case $state in
    off) "$program" "127.0.0.1:$2" off & ;;
    capture) "$program" "127.0.0.1:$2" on "$profiles" & ;;
    *) "$program" "127.0.0.1:$2" "$state" "$profiles" & ;;
  esac
  server=$!
  [[ $state != capture ]] || begin_capture "$profiles"
}

# at_rest SIDE PORT: nanoseconds of processor time per second, over some seconds, after a request has been served.
at_rest() {
  local before after
  start "$1" "$2"
  sleep 1
  before=$(cat "/proc/$server/task/"*/schedstat | awk '{n += $1} END {print n}')
  sleep "$seconds"
  after=$(cat "/proc/$server/task/"*/schedstat | awk '{n += $1} END {print n}')
  stop
  printf '%-13s %12.1f us/s\n' "$1" "$(awk -v n=$((after - before)) -v s="$seconds" 'BEGIN {print n / s / 1000}')"
}

shift $((OPTIND - 1))
sides=("$@")
((${#sides[@]})) || sides=(vole_off vole_on vole_capture go_off go_on go_all go_capture)
echo "at rest"
port=18081
for side in "${sides[@]}"; do at_rest "$side" "$((port++))"; done
echo "under load"
compare "${sides[@]}"
