#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sets up what is missing, builds vole's release and starts folio, the reference service, on SQLite under ./data.
#   ./run.sh [folio flags]       for example: ./run.sh --listen 127.0.0.1:9000      ./run.sh --help
set -euo pipefail
from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"
source cmake/setup.sh

install_packages build
build release product folio

folio=$PWD/build/release/examples/folio/folio
listen=${FOLIO_LISTEN:-127.0.0.1:8080}
admin=${FOLIO_ADMIN:-127.0.0.1:6060}
previous=
for word in "$@"; do
  case $word in
    --help | -h) exec "$folio" "$@" ;;
    --listen=*) listen=${word#*=} ;;
    --admin=*) admin=${word#*=} ;;
  esac
  [[ $previous == --listen ]] && listen=$word
  [[ $previous == --admin ]] && admin=$word
  previous=$word
done

pages="admin pages on http://$admin"
profile="Where does the time go?  go tool pprof -top http://$admin/debug/pprof/profile?seconds=5"
if [[ $admin == none ]]; then
  pages="without admin pages"
  profile="Profiles come from the admin pages, which --admin none has switched off."
fi
cat >&2 <<HINTS
Starting folio on http://$listen, $pages. Try, in another terminal:
  curl -s http://$listen/v1/prices
  curl -s http://$listen/v1/users -d '{"id":"usr_abc123","email":"a@b.c"}'
  curl -s http://$listen/v1/users/usr_abc123/deposits -H 'Idempotency-Key: d1' -d '{"amount_minor":100000,"currency":"USD"}'
$profile
Stop it with Ctrl-C: it finishes the requests in flight and exits.
HINTS
# Paths in the flags are the caller's; the data lies here.
export FOLIO_DATABASE=${FOLIO_DATABASE:-sqlite:$PWD/data/folio.db}
cd "$from"
exec "$folio" "$@"
