#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a handler that stops its thread, or computes for long, does to the others: p99 of 64
# connections on a plain handler
# before, while 8 handlers sleep 1 s in the kernel without saying so, and while one or 8 compute
# for 1 s, with one and two processors. wrk counts a stall once for each request that it kept from
# being sent: a p99 of 10 ms over a second is 20 ms of stalls in all. Then memory: 10,000 idle
# keep-alive connections, 100,000 parked goroutines.
#   bench/http_stall/run.sh [build-dir]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${1:-$here/../../build/release}
server=$build/bench/http_stall/bench_http_stall
[[ -x $server ]] || { echo "run.sh: build the target bench_http_stall first" >&2; exit 2; }
address=127.0.0.1:18931
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"

start() {
  "$server" "$address" "$@" &
  pid=$!
  for _ in $(seq 200); do curl -s -o /dev/null "http://$address/plain" && return; sleep 0.05; done
  echo "run.sh: the server does not answer" >&2
  exit 1
}
stop() { kill -TERM "$pid" && wait "$pid" || true; }
trap 'kill -9 $pid 2>/dev/null || true' EXIT
rss() { awk '/VmRSS/ {printf "%.1f MB\n", $2 / 1000}' "/proc/$pid/status"; }
load() { wrk -t1 -c64 -d"$1"s --latency "http://$address/plain" | awk '/50%|99%|Requests.sec/ {printf "%s %s  ", $1, $2}'; echo; }

# during N PATH: the load while N requests for PATH are in their handlers.
during() {
  for _ in $(seq "$1"); do curl -s -o /dev/null "http://$address/$2" & done
  load 1
  sleep 1
}

for procs in 1 2; do
  export VOLE_MAXPROCS=$procs
  start
  printf '%s processors, nothing else:            ' "$procs"; load 3
  printf '%s processors, 8 handlers in usleep:    ' "$procs"; during 8 block
  printf '%s processors, one handler computing:   ' "$procs"; during 1 spin
  printf '%s processors, 8 handlers computing:    ' "$procs"; during 8 spin
  stop
done
unset VOLE_MAXPROCS
start
python3 - "$address" "$pid" <<'PY'
import socket, sys
host, port = sys.argv[1].split(":")
def rss():
    return next(int(l.split()[1]) for l in open(f"/proc/{sys.argv[2]}/status") if l.startswith("VmRSS")) * 1024
before, held = rss(), []
for _ in range(10000):
    s = socket.create_connection((host, int(port)))
    s.sendall(b"GET /plain HTTP/1.1\r\nHost: x\r\n\r\n")
    held.append(s)
for s in held:
    while b"hello" not in s.recv(4096): pass
print(f"10,000 idle keep-alive connections: RSS {rss() / 1e6:.1f} MB, {(rss() - before) / 10000:.0f} bytes each")
PY
stop
start 100000
stop
