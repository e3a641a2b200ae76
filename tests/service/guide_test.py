#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the commands of a guide's section, on ports of our own, and holds what it shows against what they print.

guide_test.py PROFILE_ME FOLIO GUIDE CASE; ends with 77 where what a case needs is missing.

A section's ```sh blocks run in their order in one folder. The plain block after one shows what it prints: each of its
lines, numbers and the customers' names aside, is in the output; "..." stands for what is left out.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

from folio import Client, Folio, call
from profiled import Profiled, need_go, skip

PROGRAM, FOLIO, GUIDE, CASE = sys.argv[1:5]


def steps(section):
    """(commands, what they print) of each ```sh block below the heading."""
    with open(GUIDE, encoding="utf-8") as guide:
        text = guide.read()
    body = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, re.M | re.S).group(1)
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", body, re.M | re.S)
    found = []
    for language, content in blocks:
        if language == "sh":
            found.append([content, ""])
        elif language == "" and found:
            found[-1][1] = content
    assert found, f"no commands below {section!r}"
    return found


def shape(line):
    """A line without its figures: addresses, numbers with their units, and the width of columns."""
    line = re.sub(r"(?<!\S)\.(?!\S)", "N", line)  # nothing, where -list could have a figure
    line = re.sub(r"0x[0-9a-f]+", "N", line)
    line = re.sub(r"\b(ann|ben|cid|dot)$", "customer", line)
    line = re.sub(r" in \S*/examples/", " in .../examples/", line)
    line = re.sub(r"[+-]?\b[0-9][0-9.,e+]*(ns|us|µs|ms|s|mins|hrs|B|kB|MB|GB)?\b%?", "N", line)
    return re.sub(r"\s+", " ", line).strip()


def run(commands, folder, addresses, seconds):
    for written, real in addresses.items():
        commands = commands.replace(written, real)
    commands = re.sub(r"(seconds=)[0-9]+", rf"\g<1>{seconds}", commands)
    environment = dict(os.environ, PPROF_TMPDIR=folder)
    done = subprocess.run(["bash", "-ec", commands], cwd=folder, env=environment, capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, (commands, done.returncode, done.stderr)
    return done.stdout


def compare(commands, wanted, printed):
    lines = [shape(line) for line in printed.splitlines()]  # in an order that is the machine's
    for line in wanted.splitlines():
        if line.strip() in ("", "..."):
            continue
        want = shape(line.removesuffix("..."))
        found = any(got == want or (line.endswith("...") and got.startswith(want)) for got in lines)
        assert found, f"{commands}prints no such line (numbers aside):\n{line}\nbut\n{printed}"


def walk(section, addresses, seconds):
    """With captures of so many seconds, in the place of what a person has the patience for."""
    need_go()
    if shutil.which("curl") is None:
        skip("no 'curl' on the PATH")
    with tempfile.TemporaryDirectory(prefix="guide-") as folder:
        for commands, wanted in steps(section):
            compare(commands, wanted, run(commands, folder, addresses, seconds))


def the_guides_steps_find_the_faults():
    with Profiled(PROGRAM, "none") as shop:
        walk("From \"p99 went up\" to the cause", {"127.0.0.1:8080": shop.public, "127.0.0.1:6060": shop.address}, 2)


def the_guides_steps_work_on_folio():
    with Folio(FOLIO, "sqlite:./folio.db", "--feed-pace", "50ms") as folio:
        user = Client(folio).user("usr_guide", deposit=1_000_000_00)
        ended = threading.Event()

        def customers():
            client = Client(folio)
            while not ended.is_set():
                client.order(user, "AAPL", "buy", 1_000_000)
                call(folio.public, "GET", f"/v1/users/{user}/portfolio")
        load = [threading.Thread(target=customers) for _ in range(4)]
        for thread in load:
            thread.start()
        try:
            walk("The same on folio", {"127.0.0.1:8080": folio.public, "127.0.0.1:6060": folio.admin}, 5)
        finally:
            ended.set()
            for thread in load:
                thread.join()


globals()[CASE]()
