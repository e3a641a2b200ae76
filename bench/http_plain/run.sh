#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Holds a plain-text handler of vole beside Go's net/http, a bare epoll loop and (where installed) nginx,
# under the same load, in turn, and prints the medians.
#   bench/http_plain/run.sh [-r rounds] [-d seconds] [-c connections] [-b build-dir]
# Columns: requests per second, 99th percentile, resident memory, processor time of the server per request.
# Ends with 0, or with 2 when it cannot run.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
rounds=5
seconds=4
connections=64
build=$root/build/release

usage() { sed -n '3,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
die() {
  echo "run.sh: $*" >&2
  exit 2
}
while getopts 'r:d:c:b:h' flag; do
  case $flag in
    r) rounds=$OPTARG ;;
    d) seconds=$OPTARG ;;
    c) connections=$OPTARG ;;
    b) build=$OPTARG ;;
    h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
for tool in wrk go curl; do
  command -v "$tool" >/dev/null || die "no '$tool' on the PATH"
done
if [ ! -f "$build/CMakeCache.txt" ]; then
  [ "$build" = "$root/build/release" ] || die "$build is not a build tree; make one with cmake"
  (cd "$root" && cmake --preset release >/dev/null) || die "cmake --preset release failed"
fi
cmake --build "$build" --target bench_http_plain bench_http_plain_epoll >/dev/null || die "the build failed"

work=$(mktemp -d)
server=
stop() {
  [ -z "$server" ] && return
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}
trap 'stop; rm -rf "$work"' EXIT
go build -o "$work/go_server" "$here/main.go" || die "the Go server does not build"

sides=(vole go epoll)
if command -v nginx >/dev/null; then
  sides+=(nginx)
  cat >"$work/nginx.conf" <<CONF
daemon off; master_process on; worker_processes 2; pid $work/nginx.pid; error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; client_body_temp_path $work; proxy_temp_path $work;
  fastcgi_temp_path $work; uwsgi_temp_path $work; scgi_temp_path $work;
  server { listen 127.0.0.1:18084 reuseport; location /plain { default_type text/plain; return 200 "Hello, World!\n"; } }
}
CONF
fi

port_of() { case $1 in vole) echo 18081 ;; go) echo 18082 ;; epoll) echo 18083 ;; nginx) echo 18084 ;; esac; }
start() {
  local port
  port=$(port_of "$1")
  case $1 in
    vole) "$build/bench/http_plain/bench_http_plain" "127.0.0.1:$port" & ;;
    go) "$work/go_server" "127.0.0.1:$port" & ;;
    epoll) "$build/bench/http_plain/bench_http_plain_epoll" "$port" & ;;
    nginx) nginx -p "$work" -c "$work/nginx.conf" & ;;
  esac
  server=$!
  for _ in $(seq 100); do
    curl -sf "http://127.0.0.1:$port/plain" >/dev/null && return
    kill -0 "$server" 2>/dev/null || die "the $1 server ended"
    sleep 0.05
  done
  die "the $1 server does not answer on port $port"
}

# The server and its children: nginx works in those.
family() { echo "$server" $(pgrep -P "$server" || true); }
cpu_ticks() {
  local pid total=0
  for pid in $(family); do
    total=$((total + $(awk '{sub(/.*\) /, ""); print $12 + $13}' "/proc/$pid/stat")))
  done
  echo "$total"
}
rss_kb() {
  local pid total=0
  for pid in $(family); do
    total=$((total + $(awk '/^VmRSS/ {print $2}' "/proc/$pid/status")))
  done
  echo "$total"
}

measure() {
  local side=$1 before after rss report
  start "$side"
  wrk -t1 -c"$connections" -d1s "http://127.0.0.1:$(port_of "$side")/plain" >/dev/null
  before=$(cpu_ticks)
  report=$(wrk -t1 -c"$connections" -d"${seconds}s" --latency "http://127.0.0.1:$(port_of "$side")/plain")
  after=$(cpu_ticks)
  rss=$(rss_kb)
  stop
  grep -qE 'Non-2xx|Socket errors' <<<"$report" && die "$side failed requests: $report"
  awk -v side="$side" -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" -v rss="$rss" '
    /99%/ { p99 = $2; v = p99 + 0; if (p99 ~ /us$/) v /= 1000; else if (p99 ~ /[0-9]s$/) v *= 1000 }
    /requests in/ { n = $1 }
    /^Requests\/sec/ { rps = $2 }
    END { printf "%s %.0f %.3f %.1f %.2f\n", side, rps, v, rss / 1024, ticks * 1e6 / hz / n }' <<<"$report" \
    >>"$work/results"
}

for ((round = 1; round <= rounds; ++round)); do
  for side in "${sides[@]}"; do
    [ -t 2 ] && printf '\rround %d/%d %-8s' "$round" "$rounds" "$side" >&2
    measure "$side"
  done
done
[ -t 2 ] && printf '\r%30s\r' '' >&2

median() { awk -v side="$1" -v column="$2" '$1 == side {print $column}' "$work/results" | sort -g |
  awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
printf '%-8s %10s %9s %9s %12s   wrk -t1 -c%s -d%ss, %s rounds\n' server req/s 'p99 ms' 'RSS MB' 'CPU us/req' \
  "$connections" "$seconds" "$rounds"
for side in "${sides[@]}"; do
  printf '%-8s %10s %9s %9s %12s\n' "$side" "$(median "$side" 2)" "$(median "$side" 3)" "$(median "$side" 4)" \
    "$(median "$side" 5)"
done
