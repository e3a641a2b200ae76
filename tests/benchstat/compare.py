#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds `vole benchstat` against the real one, byte for byte: stdout, stderr and exit status.

  compare.py --vole VOLE --work FOLDER [--cases 240] [--seed 1]     fetches the real one with go
  compare.py --vole VOLE --work FOLDER --real BENCHSTAT             takes this one
  compare.py --vole VOLE --work FOLDER --golden FOLDER              reads what the real one said
  compare.py ... --golden FOLDER --record                           writes that down
"""
import argparse
import difflib
import json
import os
import shutil
import subprocess
import sys

import cases

VERSION = "v0.0.0-20260908200009-22c9c6c9d4da"
GOLDEN = ["two_files", "two_files_csv", "few_samples", "exact_unit", "unit_conflict", "labels",
          "missing_file", "zero_base", "no_overlap", "header_side,long", "wrong_01", "wrong_23"]


def skip(why):
    print("skipped: " + why)
    sys.exit(0)


def fetch(work):
    """Builds the real benchstat, or says why not."""
    go = shutil.which("go")
    if go is None:
        skip("go is missing")
    place = os.path.join(os.path.abspath(work), "real")
    binary = os.path.join(place, "benchstat")
    stamp = os.path.join(place, VERSION)
    if os.path.exists(binary) and os.path.exists(stamp):
        return binary
    try:
        got = subprocess.run([go, "install", "golang.org/x/perf/cmd/benchstat@" + VERSION],
                             env=dict(os.environ, GOBIN=place), capture_output=True, text=True, timeout=100)
    except subprocess.TimeoutExpired:
        skip("go has not fetched and built benchstat in 100 s")
    if got.returncode != 0:
        skip("go cannot fetch or build benchstat: " + got.stderr.strip().split("\n")[-1])
    open(stamp, "w").close()
    return binary


def write_files(case, folder):
    os.makedirs(folder, exist_ok=True)
    for name, text in case["files"].items():
        with open(os.path.join(folder, name), "wb") as out:
            out.write(text.encode("utf-8", "surrogateescape"))


def run(command, case, folder):
    stdin = (case["input"] or "").encode("utf-8", "surrogateescape")
    done = subprocess.run(command + case["arguments"], cwd=folder, input=stdin,
                          capture_output=True, timeout=60)
    return {"status": done.returncode, "stdout": done.stdout.decode("utf-8", "surrogateescape"),
            "stderr": done.stderr.decode("utf-8", "surrogateescape")}


def show(case, want, got):
    print("--- %s: vole benchstat %s" % (case["name"], " ".join(case["arguments"])))
    if want["status"] != got["status"]:
        print("status %d, want %d" % (got["status"], want["status"]))
    for stream in ("stdout", "stderr"):
        lines = difflib.unified_diff(want[stream].splitlines(), got[stream].splitlines(),
                                     "benchstat " + stream, "vole " + stream, lineterm="")
        for line in list(lines)[:30]:
            print(line.encode("utf-8", "replace").decode())


def main():
    flags = argparse.ArgumentParser()
    flags.add_argument("--vole", required=True)
    flags.add_argument("--work", required=True)
    flags.add_argument("--cases", type=int, default=240)
    flags.add_argument("--seed", type=int, default=1)
    flags.add_argument("--real")
    flags.add_argument("--golden")
    flags.add_argument("--record", action="store_true")
    asked = flags.parse_args()

    vole = [os.path.abspath(asked.vole), "benchstat"]
    real = asked.real or (fetch(asked.work) if asked.record or not asked.golden else None)
    todo = cases.all_cases(asked.seed, 0 if asked.golden else asked.cases)
    if asked.golden:
        todo = [c for c in todo if c["name"] in GOLDEN]
    bad = 0
    for case in todo:
        folder = os.path.join(asked.work, case["name"].replace("/", "_"))
        write_files(case, folder)
        golden = asked.golden and os.path.join(asked.golden, case["name"] + ".json")
        if golden and not asked.record:
            with open(golden, encoding="utf-8") as kept:
                want = json.load(kept)["benchstat"]
        else:
            want = run([os.path.abspath(real)], case, folder)
        if asked.record:
            with open(golden, "w", encoding="utf-8") as out:
                json.dump({"version": VERSION, "arguments": case["arguments"], "benchstat": want},
                          out, ensure_ascii=False, indent=1)
                out.write("\n")
        got = run(vole, case, folder)
        if want != got:
            bad += 1
            show(case, want, got)
    files = sum(len(c["files"]) for c in todo)
    print("%d cases with %d files, %d differ" % (len(todo), files, bad))
    return 1 if bad or not todo else 0


if __name__ == "__main__":
    sys.exit(main())
