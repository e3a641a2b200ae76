# SPDX-License-Identifier: Apache-2.0
"""Deadline budgets and cancellation over three hops: client -> relay -> relay -> folio.

usage: hops_test.py FOLIO RELAY CASE"""

import json
import socket
import sys
import time

from folio import Folio, call, wait_until

FOLIO, RELAY, CASE = sys.argv[1:]
BUDGET = "X-Request-Timeout-Ms"


class Relay(Folio):
    def __init__(self, upstream):
        super().__init__(RELAY, f"http://{upstream}")

    def arguments(self):
        return ["--upstream", self.database]


class Hops:
    """folio, a relay in front of it, and one in front of that."""

    def __enter__(self):
        self.folio = Folio(FOLIO, "sqlite:./folio.db", "--feed-pace", "20ms").start()
        self.second = Relay(self.folio.public).start()
        self.first = Relay(self.second.public).start()
        self.all = [self.first, self.second, self.folio]
        return self

    def __exit__(self, *_):
        for hop in reversed(self.all):
            hop.kill()

    def get(self, path, budget_ms, request_id):
        return call(self.first.public, "GET", path, headers={BUDGET: str(budget_ms), "X-Request-Id": request_id})

    def line(self, hop, request_id):
        """the hop's log line for the request"""
        def find():
            for line in hop.log_lines():
                if line.get("msg") == "request" and line.get("request_id") == request_id:
                    return line
            return None
        find.__doc__ = f"the line of {request_id}"
        return wait_until(find)


def a_budget_shrinks_at_every_hop():
    with Hops() as hops:
        answer = hops.get("/v1/prices", 60000, "plenty")
        assert answer.status == 200, answer.body
        seen = [hops.line(hop, "plenty")["budget_ms"] for hop in hops.all]
        print("budgets seen, ms:", seen)
        assert seen[0] == 60000, seen
        assert seen[0] - 5 >= seen[1] and seen[1] - 5 >= seen[2] > 0, seen  # a margin of 5 ms each


def too_little_is_refused_where_it_is_seen():
    with Hops() as hops:
        def refused():
            """the first hop has enough to begin, and not to send it on with its margin"""
            answer = hops.get("/v1/prices", 5, "late")
            said = json.loads(answer.body)
            # It may be over while the hop still connects.
            assert answer.status == 504 and said["code"] in ("budget_exhausted", "timeout"), (answer.status, said)
            return said["code"] == "budget_exhausted"
        wait_until(refused)
        # Nothing at all: not even begun.
        answer = hops.get("/v1/prices", 0, "too-late")
        said = json.loads(answer.body)
        assert answer.status == 504 and said["code"] == "budget_exhausted", (answer.status, said)
        # The others have never heard of either: their later lines come without those.
        assert hops.get("/v1/prices", 60000, "after").status == 200
        for hop in hops.all[1:]:
            hops.line(hop, "after")
            heard = [line.get("request_id") for line in hop.log_lines() if line.get("msg") == "request"]
            assert heard == ["after"], heard


def a_deadline_ends_all_hops():
    with Hops() as hops:
        # An endless stream: only its deadline ends it, in folio as in the relays.
        answer = hops.get("/v1/prices/stream", 2000, "stream")
        if answer.status == 200:  # folio's, which is the smallest, in time for the relays to pass on what it had
            assert b"event: price" in answer.body, answer.body
        else:
            said = json.loads(answer.body)
            assert answer.status == 504 and said["code"] == "timeout", (answer.status, said)
        for hop in hops.all:
            line = hops.line(hop, "stream")
            assert line["budget_ms"] <= 2000, line


def a_client_that_leaves_ends_all_hops():
    with Hops() as hops:
        host, port = hops.first.public.split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(b"GET /v1/prices/stream HTTP/1.1\r\nHost: a\r\nX-Request-Id: gone\r\n\r\n")

            def streaming():
                """folio streams"""
                got = call(hops.folio.admin, "GET", "/debug/pprof/goroutine?debug=2").body
                return b"stream_prices" in got
            wait_until(streaming)
        for hop in hops.all:
            line = hops.line(hop, "gone")
            assert "budget_ms" not in line, line


def main():
    began = time.monotonic()
    globals()[CASE]()
    print(f"{CASE}: {time.monotonic() - began:.1f} s")


main()
