#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every profile of folio is captured in every form, all of them at the same time, while it serves: for so many seconds.

profiles_soak.py FOLIO VOLE SECONDS [SLOWER]

Fails when a request or a capture fails, when a profile cannot be read by vole pprof, when a capture is left behind,
or when memory goes on growing. The last line is what was done. SLOWER: how many times slower than a release FOLIO is,
built for a sanitizer; its memory is not judged then. Who waits in vain leaves a dump of all goroutines.
"""

import http.client
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "service"))
from folio import Client, Folio, call, wait_until  # noqa: E402

P = "/debug/pprof/"
PROFILES = ("allocs", "block", "goroutine", "goroutineleak", "heap", "mutex", "threadcreate")
PAGES = (
    [P + name for name in PROFILES]
    + [P + f"{name}?seconds=1" for name in PROFILES if name != "goroutineleak"]
    + [P + f"{name}?debug={form}" for name in PROFILES for form in (1, 2)]
    + [P + f"{name}?format=flamegraph" for name in PROFILES]
    + [P + f"profile?seconds={n}" for n in (1, 1, 2, 3)]
    + [P + f"wall?seconds={n}" for n in (1, 2, 3)] + ["/debug/fgprof?seconds=1", P + "wall?seconds=1&debug=1"]
    + [P + "wall?seconds=1&format=flamegraph", P + "profile?seconds=1&format=flamegraph", P, P + "cmdline", P + "symbol?0x1", "/metrics"]
    + [P + f"delta_{name}" for name in ("heap", "block", "mutex")]
)
MEMORY_GROWTH_MAX = 64 << 20  # from a quarter of the time on


class Soak:
    def __init__(self, folio, vole, seconds, slower):
        self.folio, self.vole, self.end, self.slower = folio, vole, time.monotonic() + seconds, slower
        self.lock = threading.Lock()
        self.problems, self.captures, self.read, self.requests = [], 0, 0, 0

    def going(self):
        return time.monotonic() < self.end and not self.problems

    def failed(self, *what):
        with self.lock:
            self.problems.append(what)
            if len(self.problems) > 1 or "timed out" not in str(what):
                return
        dump = os.path.join(self.folio.folder, "goroutines.txt")
        with open(dump, "wb") as out:
            out.write(call(self.folio.admin, "GET", P + "goroutine?debug=2", timeout=60 * self.slower).body)
        self.problems.append((f"all goroutines then: {dump}",))

    def capture(self, page, worker):
        """One page again and again, each time over a new connection."""
        for round_ in itertools.count():
            if not self.going():
                return
            try:
                answer = call(self.folio.admin, "GET", page, headers={"User-Agent": f"soak-{worker}"}, timeout=60 * self.slower)
            except (OSError, http.client.HTTPException) as e:
                return self.failed(page, repr(e))
            # A dump of no suspects is empty.
            if answer.status != 200 or not (answer.body or "goroutineleak?debug=2" in page):
                return self.failed(page, answer.status, answer.body[:200])
            with self.lock:
                self.captures += 1
            if answer.body[:2] == b"\x1f\x8b" and round_ % 20 == 0:
                self.read_by_vole(page, answer.body)

    def read_by_vole(self, page, body):
        done = subprocess.run([self.vole, "pprof", "-"], input=body, capture_output=True, timeout=60, check=False)
        if done.returncode != 0:
            return self.failed(page, done.stderr)
        with self.lock:
            self.read += 1

    def give_up(self):
        """A client that leaves in the middle of a capture."""
        while self.going():
            for page in ("profile?seconds=600", "wall?seconds=600", "goroutine?seconds=600"):
                connection = http.client.HTTPConnection(self.folio.admin, timeout=30 * self.slower)
                connection.request("GET", P + page)
                time.sleep(0.2)
                connection.close()

    def load(self, name):
        client = Client(self.folio)
        client.user(name, deposit=10_000_000_00)
        connection = http.client.HTTPConnection(self.folio.public, timeout=30 * self.slower)
        while self.going():
            for path in ("/v1/prices?symbols=AAPL,MSFT", f"/v1/users/{name}/portfolio"):
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200:
                    return self.failed(path, answer.status, body[:200])
            ordered = client.order(name, "AAPL", "buy", 1_000_000)
            if ordered.status not in (201, 409):  # 409: the money is spent
                return self.failed("order", ordered.status, ordered.body[:200])
            with self.lock:
                self.requests += 3

    def guarded(self, work, *words):
        try:
            work(*words)
        except Exception as e:  # pylint: disable=broad-exception-caught
            self.failed(work.__name__, words, repr(e))

    def memory(self):
        if self.folio.process.poll() is not None:
            return 0
        with open(f"/proc/{self.folio.process.pid}/status", encoding="utf-8") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) << 10

    def run(self, seconds):
        work = [(self.capture, page, n) for n, page in enumerate(PAGES)]
        work += [(self.load, f"usr_soak{n}") for n in range(4)] + [(self.give_up,)]
        threads = [threading.Thread(target=self.guarded, args=one) for one in work]
        for thread in threads:
            thread.start()
        warm = None
        while self.going():
            time.sleep(1)
            if warm is None and time.monotonic() > self.end - 0.75 * seconds:
                warm = self.memory()
        for thread in threads:
            thread.join()
        grown = self.memory() - (warm or 0)
        if warm is not None and self.slower == 1 and grown > MEMORY_GROWTH_MAX:
            self.failed("memory", f"{warm >> 20} MiB after a quarter of the time, {grown >> 20} MiB more at the end")
        return warm, grown


def nothing_is_left(folio):
    def captures():
        """every capture has ended"""
        dump = call(folio.admin, "GET", P + "goroutine?debug=2").body.decode()
        return not any(f"::serve_{what}" in dump for what in ("cpu", "wall", "delta"))
    wait_until(captures)


def main():
    program, vole, seconds = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), int(sys.argv[3])
    slower = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    folio = Folio(program, "sqlite:./folio.db", "--feed-pace", "100ms")
    with folio:
        soak = Soak(folio, vole, seconds, slower)
        warm, grown = soak.run(seconds)
        alive = folio.process.poll() is None
        if alive and not soak.problems:
            nothing_is_left(folio)
            stopped = folio.stop(30 * soak.slower)
            if stopped != 0:
                soak.failed("folio stopped with", stopped)
        elif not alive:
            soak.failed("folio ended with", folio.process.returncode, folio.log()[-2000:])
    bad = [line for line in folio.log_lines() if line.get("level") == "ERROR"]
    if bad:
        soak.failed("the log", json.dumps(bad[:3]))
    for problem in soak.problems:
        print(*problem, file=sys.stderr)
    print(f"{soak.captures} captures, {soak.read} of them read, {soak.requests} requests, memory "
          f"{(warm or 0) >> 20} MiB and {grown >> 20} MiB more at the end, {len(soak.problems)} problems")
    if not soak.problems:
        shutil.rmtree(folio.folder)
    return 1 if soak.problems else 0


sys.exit(main())
