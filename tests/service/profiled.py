# SPDX-License-Identifier: Apache-2.0
"""What the tests of the profiles share: a program with a fault, go tool pprof."""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from folio import call, wait_until, whole_lines

SKIPPED = 77  # what ctest takes for "skipped"
P = "/debug/pprof/"
# The functions of profile_me's faults: the planted one must come before the others.
PLANTED = ("sort_all_prices", "print_catalogue", "keep_receipt", "wait_for_confirmation", "count_money",
           "ask_the_warehouse")


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def need_go():
    if shutil.which("go") is None:
        skip("no 'go' on the PATH")


@functools.cache
def go_pprof():
    """The program that `go tool pprof` runs, after half a second of looking whether it is up to date."""
    subprocess.run(["go", "tool", "pprof", "-h"], capture_output=True, check=False)
    return subprocess.run(["go", "tool", "-n", "pprof"], capture_output=True, text=True, check=True).stdout.strip()


class Profiled:
    """profile_me with a fault, on ports of its own."""

    def __init__(self, program, fault, *flags):
        self.folder = tempfile.mkdtemp(prefix="profiled-")
        self.log_path = os.path.join(self.folder, "log")
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [program, "--fault", fault, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log-format", "json",
                 *flags], stdout=log, stderr=log)

    def __enter__(self):
        def addresses():
            """the program logs the addresses it listens on"""
            text = self.log()
            assert self.process.poll() is None, f"profile_me ended with {self.process.returncode}:\n{text}"
            for line in whole_lines(text):
                if line.startswith("{") and json.loads(line).get("msg") == "serving":
                    return json.loads(line)
            return None
        found = wait_until(addresses)
        self.public, self.address = found["address"], found["admin"]
        return self

    def stop(self):
        self.process.kill()
        self.process.wait()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder)

    def log(self):
        with open(self.log_path, encoding="utf-8") as log:
            return log.read()

    def get(self, path, **more):
        return call(self.address, "GET", path, timeout=60, **more)

    def url(self, path):
        return f"http://{self.address}{path}"

    def fill(self, page, function):
        """Waits until the fault shows."""
        def filled():
            """the fault shows in the profile"""
            return function in self.get(P + page.split("?")[0] + "?debug=1").body.decode()
        if not page.startswith(("profile", "wall")):
            wait_until(filled, seconds=60)

    def switch(self, fault):
        answer = call(self.public, "PUT", f"/fault/{fault}")
        assert answer.status == 200, answer.body

    def file(self, name, path):
        """Fetches a profile into a file."""
        answer = self.get(path)
        assert answer.status == 200, (path, answer.status, answer.body[:300])
        return self.keep(name, answer.body)

    def keep(self, name, content):
        where = os.path.join(self.folder, name)
        with open(where, "wb") as f:
            f.write(content)
        return where

    def pprof(self, *words):
        """go tool pprof, which must neither fail nor complain."""
        return pprof(self.folder, *words)


def pprof(folder, *words):
    environment = dict(os.environ, PPROF_TMPDIR=folder, PPROF_BINARY_PATH=folder)
    done = subprocess.run([go_pprof(), *words], capture_output=True, text=True, timeout=120,
                          env=environment, check=False)
    expected = re.compile(r"(Fetching profile over HTTP from |Saved profile in |Generating report in |"
                          r"Fetched \d+ source profiles out of \d+).*")
    odd = [line for line in done.stderr.splitlines() if line and not expected.fullmatch(line)]
    assert done.returncode == 0 and not odd, (words, done.returncode, done.stderr)
    return done.stdout


def rows(top):
    """The rows of -top: (flat, flat%, sum%, cum, cum%, name)."""
    return [tuple(line.split(None, 5)) for line in top.splitlines()
            if re.match(r"\s*-?[0-9.]+\w*\s+-?[0-9.e]+%\s", line)]


def planted(table):
    """Those of profile_me's faults that a table of -top names, in its order."""
    found = [re.match(r"[\w:]*", row[5]).group() for row in table]
    return [name for name in found if name in PLANTED]
