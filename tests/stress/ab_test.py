#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`vole bench ab` from outside: git revisions, the gate with its profiles, an interruption, programs that misbehave.

  ab_test.py --vole VOLE --planted PROGRAM --planted-more PROGRAM

The revisions' programs print times instead of taking them, so that the verdict is known; for a CPU
profile they run the planted programs. What others do meanwhile says nothing about such times: it is kept.
"""
import argparse
import os
import signal
import subprocess
import sys
import tempfile
import unittest

OPTIONS = None
FLAGS = ["-slice", "1ms", "-disturbed", "keep", "-o", ""]

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

# Two benchmarks, of which one gets as far as {bad}. Each is named when it begins, as with -v. The good one takes no slice
# of more than 20 ms.
TWO = """#!/usr/bin/env bash
words=" $* "
count=1
for word in "$@"; do
  case $word in -benchtime=*x) count=${{word#-benchtime=}} count=${{count%x}} ;; esac
done
good() {{
  [ $((count * {nanoseconds})) -le 20000000 ] || {{ echo "asked for $count operations at once" >&2; exit 3; }}
  printf 'Benchmark{good}\\nBenchmark{good} %d %d.%d ns/op\\n' "$count" {nanoseconds} $((RANDOM % 100))
}}
bad() {{ {bad}; }}
status=0
case $words in
  *' -list='*) printf 'Benchmark{good}\\nBenchmarkBad\\n' ;;
  *' -child-of=Bad '* | *' -bench=^Bad$ '*) bad ;;
  *' -child-of={good} '* | *' -bench=^{good}$ '*) good ;;
  *' -bench=. '*) bad; good ;;
  *) echo "no benchmark like that: $*" >&2; status=3 ;;
esac
exit $status
"""
FAILS = "echo BenchmarkBad; echo '--- FAIL: BenchmarkBad'; echo '    BenchmarkBad: lost 1 of 2' >&2; status=1"
DIES = "echo BenchmarkBad; kill -9 $$"
GONE = ":"
SKIPS = "echo BenchmarkBad; echo '--- SKIP: BenchmarkBad'"
TIMELESS = "echo BenchmarkBad; echo BenchmarkBad $count 7 widgets/op"
TIMELESS_ALONE = f'case $words in *" -child-of="*) {TIMELESS} ;; *) kill -9 $$ ;; esac'
SLOW = "echo BenchmarkBad; echo BenchmarkBad $count 9000000000 ns/op"
DIES_LATER = "echo BenchmarkBad; [ $count -eq 1 ] || kill -9 $$; echo BenchmarkBad 1 1000 ns/op"
FINE = "echo BenchmarkBad; echo BenchmarkBad $count 1000.$RANDOM ns/op"


class Programs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def program(self, name, bad, good="Good", nanoseconds=1000):
        with open(self.path(name), "w", encoding="utf-8") as to:
            to.write(TWO.format(bad=bad, good=good, nanoseconds=nanoseconds))
        os.chmod(self.path(name), 0o755)
        return self.path(name)

    def compare(self, *words):
        done = subprocess.run([OPTIONS.vole, "bench", "ab", *FLAGS, *words],
                              capture_output=True, text=True, timeout=200)
        return done.returncode, done.stdout, done.stderr

    def test_a_benchmark_that_is_50_times_slower_trips_the_gate_in_slices_that_are_no_longer_for_that(self):
        status, out, errors = self.compare("-gate", "5%", "-bench", "^Good$", self.program("old", FINE),
                                           self.program("new", FINE, nanoseconds=50000))
        self.assertEqual((status, errors), (1, ""), out)
        self.assertRegex(out, r"(?m)^Good .* slower$")
        self.assertIn("gate: Good is more than +5.0% slower", out)

    def test_one_that_cannot_be_compared_has_its_reason_and_the_others_their_verdict(self):
        old = self.program("old", FINE)
        for bad, reason in ((FAILS, "Bad: in the new program it fails: lost 1 of 2"),
                            (DIES, "Bad: in the new program it ends with 137"),
                            (DIES_LATER, "Bad: not compared: new: measure: Bad: it ends with 137"),
                            (SLOW, "9.000s in the new one: what can prove anything takes 235 s at the least")):
            status, out, errors = self.compare("-gate", "5%", old, self.program("new", bad))
            self.assertEqual((status, errors), (2, ""), out)
            self.assertRegex(out, r"(?m)^Good .* no difference$")
            self.assertIn(reason, out)
            self.assertIn("is proven, but not all could be compared", out)

    def test_a_proven_slowdown_is_1_also_where_another_cannot_be_compared(self):
        status, out, _ = self.compare("-gate", "5%", self.program("old", FINE),
                                      self.program("new", FAILS, nanoseconds=1200))
        self.assertEqual(status, 1, out)

    def test_what_is_gone_from_the_new_program_is_said_and_has_a_status_of_its_own(self):
        old = self.program("old", FINE)
        for bad, reason in ((GONE, "Bad: only in the old program"), (SKIPS, "Bad: skipped in the new program")):
            status, out, errors = self.compare("-gate", "5%", old, self.program("new", bad))
            self.assertEqual((status, errors), (3, ""), out)
            self.assertIn(reason, out)
            self.assertIn("gate: the new program has no result for what the old one has: Bad", out)
            status, out, errors = self.compare(old, self.program("new", bad))
            self.assertEqual((status, errors), (0, ""), out)
            self.assertIn(reason, out)

    def test_what_has_no_time_has_a_reason(self):
        status, out, errors = self.compare("-gate", "5%", self.program("old", TIMELESS), self.program("new", TIMELESS))
        self.assertEqual((status, errors), (0, ""), out)
        self.assertIn("Bad: reports no time (ns/op) above 0: nothing to compare", out)
        alone = self.program("alone", TIMELESS_ALONE)
        status, out, errors = self.compare("-gate", "5%", alone, alone)
        self.assertEqual((status, errors), (0, ""), out)
        self.assertIn("Bad: reports no time (ns/op) above 0: nothing to compare", out)
        status, out, errors = self.compare("-gate", "5%", self.program("old", FINE), self.program("new", TIMELESS))
        self.assertEqual((status, errors), (2, ""), out)
        self.assertIn("Bad: in the new program it reports no time (ns/op) above 0", out)

    def test_results_that_cannot_be_written_leave_the_gate_as_it_is(self):
        os.makedirs(self.path("kept/old.txt"))  # no file can be made there
        status, out, errors = self.compare("-o", self.path("kept"), "-gate", "5%", self.program("old", FINE),
                                           self.program("new", FINE, nanoseconds=1200))
        self.assertEqual(status, 1, errors)
        self.assertIn("gate: Good is more than", out)
        self.assertIn("old.txt: is a directory", errors)

    def test_a_folder_that_cannot_be_made_is_found_out_before_anything_runs(self):
        status, out, errors = self.compare("-o", "/proc/none", self.path("nowhere"), self.path("nowhere"))
        self.assertEqual((status, out), (2, ""))
        self.assertIn("make the folder /proc/none", errors)

    def test_a_name_may_end_like_a_number_of_processors(self):
        program = self.program("both", FINE, good="Size-8")
        status, out, errors = self.compare("-bench", "^Size-8$", program, program)
        self.assertEqual((status, errors), (0, ""), out)
        self.assertRegex(out, r"(?m)^Size-8 .* no difference$")
        self.assertIn("discarded (steal 0, throttling 0, migrations 0, other load 0, ", out)

    def test_a_table_that_cannot_be_printed_is_an_error(self):
        program = self.program("both", FINE)
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([OPTIONS.vole, "bench", "ab", *FLAGS, program, program],
                                  stdout=full, stderr=subprocess.PIPE, text=True, timeout=200)
        self.assertEqual((done.returncode, done.stderr), (2, "vole bench ab: write the results to standard output: no space left on device\n"))


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
        command = [OPTIONS.vole, "bench", "ab", *FLAGS, "-build", build, "-program", "out/program", *words]
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
