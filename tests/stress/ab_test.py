#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`vole bench ab` from outside: git revisions, the gate with its profiles, an interruption.

  ab_test.py --vole VOLE --planted PROGRAM --planted-more PROGRAM

The revisions' programs print times instead of taking them, so that the verdict is known; for a CPU
profile they run the planted programs.
"""
import argparse
import os
import signal
import subprocess
import sys
import tempfile
import unittest

OPTIONS = None

PROGRAM = """#!/usr/bin/env bash
case " $* " in
  *" -cpuprofile="*) exec {planted} "$@" ;;
esac
count=1
for word in "$@"; do
  case $word in -benchtime=*x) count=${{word#-benchtime=}} count=${{count%x}} ;; esac
done
{wait}
printf 'goos: linux\\nBenchmarkPlanted-2 %d %d.%d ns/op\\n' "$count" {nanoseconds} $((RANDOM % 100))
"""


class Revisions(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.tree = os.path.join(self.folder.name, "tree")
        self.temporary = os.path.join(self.folder.name, "tmp")
        os.makedirs(self.tree)
        os.makedirs(self.temporary)
        self.git("init", "-q")
        self.commit("old", 1000, OPTIONS.planted)
        self.commit("slower", 1200, OPTIONS.planted_more)

    def git(self, *words):
        return subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words],
                              cwd=self.tree, check=True, capture_output=True, text=True).stdout

    def commit(self, tag, nanoseconds, planted, wait=""):
        with open(os.path.join(self.tree, "program.sh"), "w", encoding="utf-8") as to:
            to.write(PROGRAM.format(nanoseconds=nanoseconds, planted=planted, wait=wait))
        self.git("add", "-A")
        self.git("commit", "-q", "-m", tag)
        self.git("tag", tag)

    def start(self, *words, build="install -m 755 -D program.sh out/program", **more):
        command = [OPTIONS.vole, "bench", "ab", "-slice", "1ms", "-o", "", "-build", build,
                   "-program", "out/program", *words]
        return subprocess.Popen(command, cwd=self.tree, env=dict(os.environ, TMPDIR=self.temporary),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

    def finish(self, child):
        out, errors = child.communicate(timeout=120)
        self.assertEqual(os.listdir(self.temporary), [], "left in the temporary folder")
        self.assertEqual(len(self.git("worktree", "list").splitlines()), 1, "worktrees left")
        return child.returncode, out, errors

    def compare(self, *words, **more):
        return self.finish(self.start(*words, **more))

    def test_a_slower_revision_trips_the_gate_and_its_functions_are_named(self):
        status, out, errors = self.compare("-gate", "5%", "old", "slower")
        self.assertEqual((status, errors), (1, ""), out)
        self.assertRegex(out, r"(?m)^Planted-2 .* slower$")
        self.assertIn("gate: Planted-2 is more than +5.0% slower", out)
        self.assertIn("planted_work", out)

    def test_a_revision_beside_itself_passes_the_gate(self):
        status, out, errors = self.compare("-gate", "5%", "old", "old")
        self.assertEqual((status, errors), (0, ""), out)
        self.assertRegex(out, r"(?m)^Planted-2 .* no difference$")
        self.assertIn("no slowdown beyond +5.0% is proven", out)

    def test_a_revision_that_is_none_and_a_build_that_fails_say_so(self):
        status, _, errors = self.compare("old", "nowhere")
        self.assertEqual(status, 2)
        self.assertIn("check out the new revision: git ends with", errors)
        self.assertIn("nowhere", errors)
        status, _, errors = self.compare("old", "slower", build="echo no compiler here; exit 3")
        self.assertEqual(status, 2)
        self.assertIn("build the old revision", errors)
        self.assertIn("ends with 3", errors)
        self.assertIn("no compiler here", errors)
        status, _, errors = self.compare("old", "slower", build="true")
        self.assertEqual(status, 2)
        self.assertIn("out/program", errors)

    def test_an_interruption_prints_what_is_known_and_leaves_nothing(self):
        # Its programs tell that they run by opening the pipe; all but the first few then stand still.
        fifo = os.path.join(self.folder.name, "runs")
        os.mkfifo(fifo)
        self.commit("waits", 1000, OPTIONS.planted, wait="echo run > " + fifo)
        child = self.start("waits", "waits", start_new_session=True)
        with open(fifo, encoding="utf-8") as runs:
            runs.readline()
        seen = 1
        while seen < 20:
            with open(fifo, encoding="utf-8") as runs:
                seen += len(runs.readlines())
        os.killpg(child.pid, signal.SIGINT)
        status, out, errors = self.finish(child)
        self.assertEqual(status, 2)
        self.assertIn("Planted-2", out)
        self.assertIn("interrupted; the above is what was known then", errors)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--vole", required=True)
    parser.add_argument("--planted", required=True)
    parser.add_argument("--planted-more", required=True)
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
