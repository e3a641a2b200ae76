#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What idle keep-alive connections cost the servers of http_plain: each connection asks once, then stays.
#   bench/http_idle/run.sh [-c connections] [-b build-dir]
# Columns: resident memory at rest, with the connections, and bytes per connection (page tables included).
# Ends with 0, or with 2 when it cannot run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../http_plain" && pwd)
source "$here/../http_load.sh"
connections=10000
read_flags "$@"
ulimit -n $((connections + 200)) 2>/dev/null || die "needs $((connections + 200)) descriptors (ulimit -n)"
build_servers bench_http_plain

target() { echo /plain; }
start_server() {
  case $1 in
    vole) "$build/bench/http_plain/bench_http_plain" "127.0.0.1:$2" & ;;
    go) "$work/go_server" "127.0.0.1:$2" & ;;
  esac
  server=$!
}
held_kb() { awk '/^(VmRSS|VmPTE)/ {sum += $2} END {print sum}' "/proc/$server/status"; }

printf '%-8s %10s %10s %16s\n' server 'rest MB' 'idle MB' 'bytes/connection'
port=18091
for side in vole go; do
  start "$side" "$port"
  before=$(held_kb)
  coproc clients { exec python3 -B "$root/bench/http_idle/clients.py" "$port" "$connections"; }
  read -r _ <&"${clients[0]}" || die "the clients of $side failed"
  after=$(held_kb)
  awk -v side="$side" -v b="$before" -v a="$after" -v n="$connections" \
    'BEGIN { printf "%-8s %10.1f %10.1f %16.0f\n", side, b / 1024, a / 1024, (a - b) * 1024 / n }'
  kill "$clients_PID"
  wait "$clients_PID" 2>/dev/null || true
  stop
  port=$((port + 1))
done
