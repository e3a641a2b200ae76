#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sets up what is missing, builds everything and runs all tests; the last line is "N passed, N failed".
#   ./test.sh             all: the release tests, then base to testing again under ASan+UBSan and under TSan
#   ./test.sh --again     all, also what passed before with the same programs
#   ./test.sh NAME        only the release tests whose names match the regular expression NAME
#   ./test.sh --soak      the long stress runs, ten minutes each; not part of the tests
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
source cmake/setup.sh

only=
again=
case ${1:-} in
  --again) again=yes ;;
  --soak) exec tests/stress/soak.sh "${@:2}" ;;
  -h | --help)
    sed -n '3,8s/^# *//p' "${BASH_SOURCE[0]}"
    exit 0
    ;;
  -*)
    say "test.sh: unknown flag $1 (there are --again, --soak and --help)"
    exit 2
    ;;
  *) only=${1:-} ;;
esac

# What runs again under the sanitizers: everything that is concurrent by itself.
sanitized=(base errors runtime chan chan_oracle sync context testing go)
# Many tests only wait, for a capture or a server.
jobs=$(($(nproc) + 1))
# ThreadSanitizer sleeps for a second at the end of each program otherwise.
export TSAN_OPTIONS="atexit_sleep_ms=0 ${TSAN_OPTIONS:-}"

passed=0
failed=0
skipped=0
postgres=build/release/tests/service/postgres.json
anothers=$([[ -f $postgres ]] && echo yes)
# finish says the sum, whatever the end was; PostgreSQL still runs if the tests were interrupted.
finish() {
  local status=$?
  [[ ! $anothers && -f $postgres ]] && python3 -B tests/service/postgres.py stop "$postgres"
  ((skipped)) && say "$skipped skipped (named above)"
  ((status != 0 && failed == 0)) && failed=1
  echo "$passed passed, $failed failed"
  ((status == 0 && failed)) && status=1
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

install_packages build test
mkdir -p build/logs

# count LOG: adds what ctest said there, test by test.
count() {
  passed=$((passed + $(grep -cE '^ *[0-9]+/[0-9]+ Test +#[0-9]+: .* Passed ' "$1")))
  failed=$((failed + $(grep -cE '^ *[0-9]+/[0-9]+ Test +#[0-9]+: .*\*\*\*(Failed|Timeout|Exception|Not Run|Subprocess)' "$1")))
  skipped=$((skipped + $(grep -cE '^ *[0-9]+/[0-9]+ Test +#[0-9]+: .*\*\*\*(Skipped|Disabled)' "$1")))
}

# run preset what [ctest arguments]: runs them and counts; a log stays in build/logs.
run() {
  local preset=$1 what=$2
  shift 2
  say "Testing $what"
  local log=build/logs/$preset.log
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$jobs" "$@" >"$log" 2>&1
  local status=$?
  local before=$failed
  count "$log"
  if ((failed > before)); then
    grep -vE ' Passed +[0-9.]+ sec$|^ +Start +[0-9]+:' "$log" >&2
  elif ((status != 0)); then
    tail -n 40 "$log" >&2
    failed=$((failed + 1))
  fi
  grep -E '\*\*\*Skipped' "$log" | sed -E 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([^ ]+).*/skipped: \1/' >&2
}

# run_sanitized preset: runs the sanitized rooms, unless the very same programs passed before: they read
# nothing but themselves.
run_sanitized() {
  local preset=$1 rooms targets=() programs=() room
  for room in "${sanitized[@]}"; do targets+=("vole_${room}_test"); done
  build "$preset" tests "${targets[@]}"
  for room in "${targets[@]}"; do programs+=("$(find "build/$preset" -type f -name "$room")"); done
  local key passed_key=build/logs/$preset.passed before=$failed
  key=$(cat "${programs[@]}" test.sh | sha256sum)
  if [[ ! ${again:-} && -f $passed_key && $(<"$passed_key") == "$key" ]]; then
    say "Not run again under $preset: the same programs passed before (./test.sh --again runs them)"
    count "build/logs/$preset.log"
    return
  fi
  rm -f "$passed_key"
  rooms=$(IFS='|'; echo "${sanitized[*]}")
  run "$preset" "${sanitized[*]} under ${preset}" -R "^vole_($rooms)_test\."
  if ((failed == before)); then printf '%s\n' "$key" >"$passed_key"; fi
}

build release tests
if [[ -n $only ]]; then
  run release "what matches $only" -R "$only"
else
  run release "everything, release"
  run_sanitized asan
  run_sanitized tsan
fi
exit 0
