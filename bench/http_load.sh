# SPDX-License-Identifier: Apache-2.0
# Sourced by the run.sh of http_* and pprof_idle: servers held beside each other under wrk, in turn.
# The caller sets `here` and defines start_server SIDE PORT (leaves the process id in $server) and target SIDE (path).

root=$(cd "$here/../.." && pwd)
rounds=5
seconds=4
connections=64
build=$root/build/release
work=
server=

die() {
  echo "run.sh: $*" >&2
  exit 2
}
source "$root/bench/build.sh"
usage() { sed -n '3,/^set /s/^# \{0,1\}//p' "$here/run.sh"; }

# read_flags "$@": the flags all comparisons share.
read_flags() {
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
}

# build_servers target...: ours, and Go's.
build_servers() {
  build_targets http_load "$@"
  work=$(mktemp -d)
  trap 'stop; rm -rf "$work"' EXIT
  go build -o "$work/go_server" "$here/main.go" || die "the Go server does not build"
}

stop() {
  [ -z "$server" ] && return
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}

start() {
  start_server "$1" "$2"
  for _ in $(seq 100); do
    curl -sf "http://127.0.0.1:$2$(target "$1")" >/dev/null && return
    kill -0 "$server" 2>/dev/null || die "the $1 server ended"
    sleep 0.05
  done
  die "the $1 server does not answer on port $2"
}

# begin_capture ADMIN_ADDRESS: a CPU profile for longer than the load; it ends with the server.
begin_capture() {
  curl -sf --retry 50 --retry-connrefused --retry-delay 1 -o "$work/profile" \
    "http://$1/debug/pprof/profile?seconds=$((seconds + 60))" &
  disown $!
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

# measure SIDE PORT: one line of figures into $work/results.
measure() {
  local side=$1 url before after rss report
  url=http://127.0.0.1:$2$(target "$1")
  start "$side" "$2"
  wrk -t1 -c"$connections" -d1s "$url" >/dev/null
  before=$(cpu_ticks)
  report=$(wrk -t1 -c"$connections" -d"${seconds}s" --latency "$url")
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

median() { awk -v side="$1" -v column="$2" '$1 == side {print $column}' "$work/results" | sort -g |
  awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }

# compare side...: all rounds, each side in turn, then the table of medians.
compare() {
  local round side port
  for ((round = 1; round <= rounds; ++round)); do
    port=18081
    for side in "$@"; do
      [ -t 2 ] && printf '\rround %d/%d %-12s' "$round" "$rounds" "$side" >&2
      measure "$side" "$((port++))"
    done
  done
  [ -t 2 ] && printf '\r%30s\r' '' >&2
  printf '%-12s %10s %9s %9s %12s   wrk -t1 -c%s -d%ss, %s rounds\n' server req/s 'p99 ms' 'RSS MB' 'CPU us/req' \
    "$connections" "$seconds" "$rounds"
  for side in "$@"; do
    printf '%-12s %10s %9s %9s %12s\n' "$side" "$(median "$side" 2)" "$(median "$side" 3)" "$(median "$side" 4)" \
      "$(median "$side" 5)"
  done
}
