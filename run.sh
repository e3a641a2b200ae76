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
# folio itself says what to try, once it serves: it knows its addresses.
export FOLIO_HINTS=${FOLIO_HINTS:-true}
# Paths in the flags are the caller's; the data lies here.
export FOLIO_DATABASE=${FOLIO_DATABASE:-sqlite:$PWD/data/folio.db}
cd "$from"
exec "$folio" "$@"
