#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cmd/gdb/vole_gdb.py in gdb itself, on a live process and on a core file.

  gdb_test.py --program SUBJECT --script vole_gdb.py
"""
import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import unittest

OPTIONS = None


def gdb(*commands, core=None):
    words = ["gdb", "-nx", "-q", "-batch", "-iex", "set debuginfod enabled off", OPTIONS.program]
    if core is not None:
        words.append(core)
    for command in ("source " + OPTIONS.script, *commands):
        words += ["-ex", command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    return done.stdout, done.stderr


def allow_cores():
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))


class Goroutines(unittest.TestCase):
    def check(self, text, errors):
        waiting = [line for line in text.splitlines() if "chan receive" in line and "created by" in line]
        self.assertEqual(len(waiting), 2, text + errors)
        for line in waiting:
            self.assertIn("subject::wait_deep", line)
        self.assertEqual(text.count("subject::wait_deep (c="), 4, text + errors)
        self.assertIn("answer = 40", text, errors)
        self.assertIn("vole_fiber_entry", text)

    def commands(self):
        return ("goroutines", "goroutine all bt",
                "python [with_goroutine(g, 'frame apply all -q -s info locals')"
                " for g in all_goroutines() if g.switched_out()]")

    def test_of_a_live_process(self):
        self.check(*gdb("run", *self.commands(), "kill"))

    def test_of_a_core_file(self):
        with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as pattern:
            if "/" in pattern.read():
                self.skipTest("this machine's cores go elsewhere")
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([OPTIONS.program], cwd=folder, preexec_fn=allow_cores, check=False)
            cores = os.listdir(folder)
            if not cores:
                self.skipTest("no core file is written here")
            self.check(*gdb(*self.commands(), core=os.path.join(folder, cores[0])))

    def test_what_is_wrong_is_said(self):
        _, errors = gdb("goroutine 1")
        self.assertIn("usage: goroutine ID|all COMMAND", errors)
        _, errors = gdb("run", "goroutine 99999 bt", "kill")
        self.assertIn("there is no goroutine 99999", errors)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--script", required=True)
    OPTIONS, rest = parser.parse_known_args()
    if shutil.which("gdb") is None:
        print("skipped: gdb is missing")
        sys.exit(0)
    unittest.main(argv=[sys.argv[0], *rest])
