#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The answers below /debug/pprof/ beside those of Go's net/http/pprof: the same bytes where something is wrong,
the same fields and forms where it is not. Where we differ on purpose, DIFFERENCES says why.

pprof_twin_test.py PROFILE_ME CASE; ends with 77 without go.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading

from folio import call
from profiled import P, Profiled, need_go

PROGRAM, CASE = sys.argv[1:3]
HERE = os.path.dirname(os.path.abspath(__file__))

# Refused: status, fields and body are the same.
REFUSED = (
    "nosuch", "nosuch?seconds=1", "nosuch?debug=1", "goroutine/", "heap/x", "cmdline/", "profile/",
    "goroutine?seconds=x", "goroutine?seconds=0", "goroutine?seconds=-1", "goroutine?seconds=1.5",
    "goroutine?seconds=%2B-1", "goroutine?seconds=99999999999999999999", "goroutine?seconds=1&debug=1",
    "goroutine?seconds=1&debug=2", "goroutine?seconds=%201", "goroutine?seconds=1&debug=99999999999999999999",
    "heap?seconds=0&debug=1", "block?seconds=zz", "mutex?seconds=-0", "allocs?seconds=0x1",
    "threadcreate?seconds=1&debug=1",
)
# Answered: status, fields and the kind of the body are the same.
ANSWERED = (
    "", "cmdline", "symbol", "symbol?0x1", "profile?seconds=1",
    "goroutine", "goroutine?debug=0", "goroutine?debug=1", "goroutine?debug=2", "goroutine?debug=3", "goroutine?debug=x",
    "goroutine?debug=", "goroutine?debug=1&debug=0", "goroutine?debug=-1", "goroutine?debug=99999999999999999999",
    "goroutine?a;debug=1", "goroutine?debug=%zz", "goroutine?seconds=1", "goroutine?seconds=%2B1",
    "heap", "heap?gc=1", "heap?gc=x", "heap?debug=1", "heap?debug=2", "heap?seconds=1", "heap?seconds=",
    "allocs", "allocs?debug=1", "allocs?seconds=1", "block", "block?debug=1", "block?seconds=1",
    "mutex", "mutex?debug=1", "mutex?seconds=1", "threadcreate", "threadcreate?debug=1", "threadcreate?seconds=1",
)
FIELDS = ("Content-Type", "Content-Disposition", "X-Go-Pprof", "X-Content-Type-Options", "Content-Encoding")


class Twin:
    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="pprof-twin-")
        program = os.path.join(self.folder.name, "twin")
        subprocess.run(["go", "build", "-o", program, os.path.join(HERE, "pprof_twin", "main.go")], check=True)
        self.process = subprocess.Popen([program], stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()


class Pair:
    def __init__(self, go, shop):
        self.addresses = go.address, shop.address

    def ask(self, method, page, body=None):
        return [call(address, method, P + page, body, timeout=60) for address in self.addresses]


def same_fields(page, theirs, ours, names=FIELDS):
    assert theirs.status == ours.status, (page, theirs.status, ours.status, ours.body[:200])
    for name in names:
        assert theirs.headers[name] == ours.headers[name], (page, name, theirs.headers[name], ours.headers[name])


def what_is_wrong_is_said_in_gos_bytes(pair):
    for page in REFUSED:
        theirs, ours = pair.ask("GET", page)
        assert theirs.status >= 400, (page, theirs.status)
        same_fields(page, theirs, ours)
        assert theirs.body == ours.body, (page, theirs.body, ours.body)


def what_is_right_has_gos_fields(pair):
    for page in ANSWERED:
        theirs, ours = pair.ask("GET", page)
        assert theirs.status == 200, (page, theirs.status)
        same_fields(page, theirs, ours)
        assert (theirs.body[:2] == b"\x1f\x8b") == (ours.body[:2] == b"\x1f\x8b"), page
        theirs, ours = pair.ask("HEAD", page) if "seconds" not in page else (theirs, ours)
        same_fields(page, theirs, ours)


def other_methods_are_gos(pair):
    for method in ("POST", "PUT", "DELETE"):
        for page in ("goroutine", "profile", "cmdline", "trace", ""):
            theirs, ours = pair.ask(method, page, "0x1")
            assert theirs.status == ours.status, (method, page, theirs.status, ours.status)
            allowed = [set((answer.headers["Allow"] or "").replace(" ", "").split(",")) for answer in (theirs, ours)]
            assert allowed[0] == allowed[1], (method, page, allowed)


def texts_have_gos_forms(pair):
    """The first lines, with the numbers taken out."""
    def shape(answer, lines):
        text = re.sub(r"0x[0-9a-f]+", "PC", answer.body.decode())
        return [re.sub(r"[0-9]+", "N", line) for line in text.splitlines()[:lines]]
    for page, lines in (("goroutine?debug=1", 1), ("heap?debug=1", 1), ("heap?debug=2", 1), ("allocs?debug=1", 1),
                        ("block?debug=1", 2), ("mutex?debug=1", 3), ("threadcreate?debug=1", 1), ("symbol", 9)):
        theirs, ours = pair.ask("GET", page)
        assert shape(theirs, lines) == shape(ours, lines), (page, shape(theirs, lines), shape(ours, lines))
    for answer in pair.ask("GET", "goroutine?debug=1"):
        assert re.search(r"\n[0-9]+ @( 0x[0-9a-f]+)+\n(# labels: \{.*\}\n)?(#\t0x[0-9a-f]+\t\S.*\+0x[0-9a-f]+\t+\S+:[0-9]+\n)+\n",
                         answer.body.decode()), answer.body[:600]
    for answer in pair.ask("GET", "goroutine?debug=2"):
        assert re.match(r"goroutine [0-9]+ (.* )?\[[^]]+\]:\n(\S.*\n\t\S+:[0-9]+\n)*\S.*\n\t\S+:[0-9]+ \+0x", answer.body.decode()), answer.body[:300]
    for answer in pair.ask("GET", ""):
        page = answer.body.decode()
        assert "Types of profiles available:" in page and "goroutine?debug=2" in page, page
    for answer in pair.ask("GET", "cmdline"):
        assert answer.body and not answer.body.endswith(b"\0"), answer.body


# Ours on purpose: the page, Go's status, ours, and why.
DIFFERENCES = (
    ("trace?seconds=1", 200, 501, "vole writes no execution traces: it says so, and what to look at instead"),
    ("goroutineleak", (200, 404), 200, "Go has it behind an experiment, by reachability; ours are suspects by waiting time"),
    ("delta_heap", 404, 200, "godeltaprof's pages, which Grafana's scrapers ask for"),
    ("goroutine?format=flamegraph", 200, 200, "a page for the browser; Go does not know the parameter and sends the file"),
    ("goroutine?format=svg", 200, 400, "a form that is not there is refused, not ignored"),
)


def where_we_differ_we_know_why(pair):
    for page, go, mine, why in DIFFERENCES:
        theirs, ours = pair.ask("GET", page)
        assert theirs.status in (go if isinstance(go, tuple) else (go,)), (page, theirs.status, why)
        assert ours.status == mine, (page, ours.status, why)
    # Go's router refuses what pprof itself sends to name the addresses of a text form.
    theirs, ours = pair.ask("POST", "symbol", "0x1+0x2")
    assert (theirs.status, ours.status) == (405, 200), (theirs.status, ours.status)
    assert pair.ask("GET", "trace?seconds=1")[1].headers["X-Go-Pprof"] == "1"

    # Go takes one CPU profile at a time: whoever comes second is told so. Ours are independent.
    statuses = [[], []]

    def capture(side):
        answer = call(pair.addresses[side], "GET", P + "profile?seconds=2", timeout=60)
        statuses[side].append(answer.status)
    threads = [threading.Thread(target=capture, args=(side,)) for side in (0, 0, 1, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sorted(side) for side in statuses] == [[200, 500], [200, 200]], statuses


need_go()
with Twin() as twin, Profiled(PROGRAM, "none") as shop_beside_it:
    globals()[CASE](Pair(twin, shop_beside_it))
