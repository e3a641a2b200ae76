#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The one command of a newcomer: run_sh_test.py RUN_SH."""

import os
import signal
import socket
import subprocess
import sys
import tempfile

from folio import call, free_port, wait_until

RUN = sys.argv[1]


def main():
    with tempfile.TemporaryDirectory(prefix="run-sh-") as elsewhere:
        listen, admin = (f"127.0.0.1:{free_port()}" for _ in range(2))
        prices = os.path.join(elsewhere, "mine.csv")
        with open(prices, "w", encoding="utf-8") as f:
            f.write("symbol,date,price\nMINE,Jan 1 2000,1.50\n")
        said = os.path.join(elsewhere, "said")
        flags = ["--listen", listen, "--admin=" + admin, "--prices", "mine.csv", "--database", "sqlite:mine.db"]
        for _ in range(2):
            with open(said, "w", encoding="utf-8") as log:
                process = subprocess.Popen([RUN, *flags], stdout=log, stderr=log, cwd=elsewhere)

            def answered():
                """folio answers, or its command has ended"""
                if process.poll() is not None:
                    return process
                try:
                    return call(listen, "GET", "/v1/prices")
                except OSError:
                    return None
            answer = wait_until(answered, 120)
            text = open(said, encoding="utf-8").read()
            assert answer is not process and '"MINE"' in answer.body.decode(), text
            wait_until(lambda: call(admin, "GET", "/readyz").status == 200)

            def hints():
                """what to try next is said once folio is ready"""
                text = open(said, encoding="utf-8").read()
                return f"http://{listen}/v1/prices" in text and f"http://{admin}/debug/pprof/profile" in text
            wait_until(hints)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0, text
        assert os.path.exists(os.path.join(elsewhere, "mine.db"))
        helped = subprocess.run([RUN, "--help"], capture_output=True, text=True, cwd=elsewhere, timeout=120, check=True)
        assert "--feed-pace" in helped.stdout and "Try, in another terminal" not in helped.stderr
        taken = socket.create_server(("127.0.0.1", 0))
        failed = subprocess.run([RUN, "--listen", f"127.0.0.1:{taken.getsockname()[1]}", "--admin", "none", "--database",
                                 "sqlite:mine.db"], capture_output=True, text=True, cwd=elsewhere, timeout=120, check=False)
        assert failed.returncode == 1 and "Try, in another terminal" not in failed.stderr, failed.stderr
        wrong = subprocess.run([RUN, "--lisen", "x"], capture_output=True, text=True, cwd=elsewhere, timeout=120, check=False)
        assert wrong.returncode == 2 and "--lisen" in wrong.stderr.splitlines()[-1], wrong.stderr


main()
