#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Holds a plain-text handler of vole beside Go's net/http, a bare epoll loop and (where installed) nginx,
# under the same load, in turn, and prints the medians.
#   bench/http_plain/run.sh [-r rounds] [-d seconds] [-c connections] [-b build-dir]
# Columns: requests per second, 99th percentile, resident memory, processor time of the server per request.
# Ends with 0, or with 2 when it cannot run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../http_load.sh"
read_flags "$@"
build_servers bench_http_plain bench_http_plain_epoll

target() { echo /plain; }
start_server() {
  case $1 in
    vole) "$build/bench/http_plain/bench_http_plain" "127.0.0.1:$2" & ;;
    go) "$work/go_server" "127.0.0.1:$2" & ;;
    epoll) "$build/bench/http_plain/bench_http_plain_epoll" "$2" & ;;
    nginx)
      cat >"$work/nginx.conf" <<CONF
daemon off; master_process on; worker_processes 2; pid $work/nginx.pid; error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; client_body_temp_path $work; proxy_temp_path $work;
  fastcgi_temp_path $work; uwsgi_temp_path $work; scgi_temp_path $work;
  server { listen 127.0.0.1:$2 reuseport; location /plain { default_type text/plain; return 200 "Hello, World!\n"; } }
}
CONF
      nginx -p "$work" -c "$work/nginx.conf" &
      ;;
  esac
  server=$!
}

sides=(vole go epoll)
command -v nginx >/dev/null && sides+=(nginx)
compare "${sides[@]}"
