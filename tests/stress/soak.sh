#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The concurrent rooms' tests again and again with 1, 2 and 8 processors, for ten minutes or the seconds given; then
# folio under load with every profile captured at the same time, for as long.
#   ./test.sh --soak [SECONDS]
#   ./test.sh --soak SECONDS tsan|asan      only folio and its profiles, built so
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
source cmake/setup.sh
seconds=${1:-600}
preset=${2:-release}
install_packages build test
if [[ $preset != release ]]; then
  build release vole_tool
  build "$preset" folio
  exec python3 -B tests/stress/profiles_soak.py "build/$preset/examples/folio/folio" build/release/cmd/vole/vole "$seconds" 8
fi
build release vole_model_scheduler_test vole_runtime_test vole_chan_test vole_sync_test vole_context_test folio vole_tool
passed=0
failed=0
# judge STATUS WORDS: counts a run that has ended, and says the words when it failed.
judge() {
  if (($1 == 0)); then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    say "soak: $2"
  fi
}
end=$((SECONDS + seconds))
while ((SECONDS < end)); do
  for room in runtime chan sync context; do
    for procs in 1 2 8; do
      log=build/soak-$room-$procs.log
      VOLE_MAXPROCS=$procs timeout 300 "build/release/src/$room/vole_${room}_test" --gtest_filter='-*death*' >"$log" 2>&1
      judge $? "$room with $procs processors failed: $log"
    done
  done
done
# Further than the tests go.
log=build/soak-model.log
VOLE_MODEL_STALE_READS=1 build/release/tests/model/vole_model_scheduler_test --gtest_filter='-*stolen*:faults*' >"$log" 2>&1
judge $? "the model check of the scheduler failed: $log"
python3 -B tests/stress/profiles_soak.py build/release/examples/folio/folio build/release/cmd/vole/vole "$seconds"
judge $? "the profiles of folio failed, as said above"
echo "$passed passed, $failed failed"
((failed == 0))
