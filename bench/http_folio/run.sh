#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Holds folio's GET /v1/prices?symbols=AAPL, everything on (request ids, traces, access log, metrics, admin server, feed),
# beside the same in Go's standard library and beside a bare epoll loop that answers a fixed string: the limit.
#   bench/http_folio/run.sh [-r rounds] [-d seconds] [-c connections] [-b build-dir] [side...]
# What profiles cost: the sides folio_off and go_off (nothing is sampled), folio_capture and go_capture (while a CPU
# profile is taken).
# Columns: requests per second, 99th percentile, resident memory, processor time of the server per request.
# Ends with 0, or with 2 when it cannot run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../http_load.sh"
read_flags "$@"
build_servers folio bench_http_plain_epoll

target() { [ "$1" = epoll ] && echo /plain || echo '/v1/prices?symbols=AAPL'; }
start_server() {
  if [[ $1 == *_off ]]; then
    export VOLE_DEBUG=heaprate=0,contentionrate=0 GODEBUG=memprofilerate=0
  else
    unset VOLE_DEBUG GODEBUG
  fi
  case $1 in
    folio*)
      "$build/examples/folio/folio" --listen "127.0.0.1:$2" --admin 127.0.0.1:18091 \
        --database "sqlite:$work/folio.db" 2>"$work/folio.log" &
      ;;
    go*) "$work/go_server" "127.0.0.1:$2" 127.0.0.1:18091 "$root/examples/folio/data/stocks.csv" 2>"$work/go.log" & ;;
    epoll) "$build/bench/http_plain/bench_http_plain_epoll" "$2" & ;;
  esac
  server=$!
  [[ $1 != *_capture ]] || begin_capture 127.0.0.1:18091
}

shift $((OPTIND - 1))
sides=("$@")
((${#sides[@]})) || sides=(folio go epoll)
compare "${sides[@]}"
