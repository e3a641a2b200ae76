#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What continuous profilers ask for, replayed: their addresses, parameters, header fields, connections that live on,
again and again, all of them at the same time.

pprof_scrape_test.py PROFILE_ME CASE; ends with 77 where what a case needs is missing.
"""

import gzip
import http.client
import sys
import threading

from folio import wait_until
from profiled import P, Profiled, need_go, pprof

PROGRAM, CASE = sys.argv[1:3]
INTERVAL = 2  # seconds between two scrapes; theirs are 10 to 60

# As their sources have it. All but Datadog's have Go's client, which asks for gzip by itself and would unpack what
# says Content-Encoding: gzip; Datadog's passes on the bytes as they come.
GO = {"Accept-Encoding": "gzip"}
SCRAPERS = {
    # pyroscope.scrape with the profiles that are on by default, godeltaprof's and fgprof's.
    "alloy": ({"User-Agent": "Alloy/v1.10.0 (linux; deb)", **GO},
              ("allocs", "block", "goroutine", "mutex", f"profile?seconds={INTERVAL - 1}", "delta_heap", "delta_block",
               "delta_mutex", f"/debug/fgprof?seconds={INTERVAL - 1}")),
    "parca": ({"User-Agent": "conprof/v0.24.0", **GO},
              ("allocs", "block", "goroutine", "mutex", f"profile?seconds={INTERVAL}", f"wall?seconds={INTERVAL}")),
    "otelcol": ({"User-Agent": "Go-http-client/1.1", **GO}, ("profile?seconds=1",)),
    # cumulative profiles wait by themselves; the others ask for a difference.
    "datadog": ({"User-Agent": "Datadog Agent/7.60.0", "Accept": "*/*", "Accept-Encoding": "gzip, deflate"},
                (f"profile?seconds={INTERVAL}", "heap", "mutex", "block", "goroutine")),
    "datadog_delta": ({"User-Agent": "Datadog Agent/7.60.0", "Accept": "*/*", "Accept-Encoding": "gzip, deflate"},
                      (f"profile?seconds={INTERVAL}", f"heap?seconds={INTERVAL}", f"mutex?seconds={INTERVAL}",
                       f"goroutine?seconds={INTERVAL}")),
}


class Target(threading.Thread):
    """One address that one scraper asks for, over a connection of its own."""

    def __init__(self, shop, scraper, page, rounds):
        super().__init__()
        self.shop, self.scraper, self.rounds = shop, scraper, rounds
        self.page = page if page.startswith("/") else P + page
        self.failed, self.bodies = [], []

    def run(self):
        connection = http.client.HTTPConnection(self.shop.address, timeout=30)
        try:
            for _ in range(self.rounds):
                connection.request("GET", self.page, headers=SCRAPERS[self.scraper][0])
                self.judge(connection.getresponse())
        except (OSError, http.client.HTTPException) as e:
            self.failed.append((self.scraper, self.page, repr(e)))
        finally:
            connection.close()

    def judge(self, answer):
        body = answer.read()
        if answer.status != 200:
            self.failed.append((self.scraper, self.page, answer.status, body[:200]))
        elif answer.headers["Content-Encoding"] is not None or body[:2] != b"\x1f\x8b" or not gzip.decompress(body):
            self.failed.append((self.scraper, self.page, dict(answer.headers), body[:50]))
        elif answer.headers["Connection"] == "close":
            self.failed.append((self.scraper, self.page, "the connection ends"))
        self.bodies.append(body)


def scrapers_get_what_they_ask_for():
    need_go()
    with Profiled(PROGRAM, "lock") as shop:
        targets = [Target(shop, scraper, page, rounds=3)
                   for scraper, (_, pages) in SCRAPERS.items() for page in pages]
        for target in targets:
            target.start()
        for target in targets:
            target.join()
        failed = [one for target in targets for one in target.failed]
        assert not failed, failed
        for target in targets:  # a valid profile is what they call success
            last = shop.keep("last.pb.gz", target.bodies[-1])
            assert "Samples:" in pprof(shop.folder, "-raw", last), (target.scraper, target.page)
            if any(word in target.page for word in ("/profile?", "/wall?", "/fgprof?")):
                # One alone may have had no processor time in which to see it.
                kept = [shop.keep(f"{i}.pb.gz", body) for i, body in enumerate(target.bodies)]
                assert any("count_money" in pprof(shop.folder, "-top", one) for one in kept), (target.scraper, target.page)


def deltas_are_each_scrapers_own():
    """Two that come in turn: neither takes the other's share, and together they see everything once."""
    need_go()
    with Profiled(PROGRAM, "lock") as shop:
        def scrape(agent):
            answer = shop.get(P + "delta_block", headers={"User-Agent": agent, **GO})
            assert answer.headers["Content-Disposition"] == 'attachment; filename="block.pprof.gz"', answer.headers
            return pprof(shop.folder, "-raw", shop.keep("delta.pb.gz", answer.body))

        def waits(agent):
            return lambda: "count_money" in scrape(agent)
        wait_until(waits("one"))
        wait_until(waits("two"))
        wait_until(waits("one"))
        shop.switch("none")
        scrape("one")  # what was still under way

        def calm():
            """nothing new waits at the till"""
            return "count_money" not in scrape("one")
        wait_until(calm)
        assert "count_money" in scrape("two")  # it has not seen the last of it
        wait_until(lambda: "count_money" not in scrape("two"))


def a_client_that_goes_away_ends_its_capture():
    with Profiled(PROGRAM, "none") as shop:
        def captures():
            """goroutines that wait for a capture to end"""
            dump = shop.get(P + "goroutine?debug=2").body.decode()
            return sum(dump.count(f"::serve_{what}") for what in ("cpu", "wall", "delta"))
        for page in ("profile?seconds=600", "wall?seconds=600", "goroutine?seconds=600"):
            connection = http.client.HTTPConnection(shop.address)
            connection.request("GET", P + page)
            wait_until(captures)
            connection.close()

            def ended():
                """the capture has ended with its client"""
                return captures() == 0
            wait_until(ended)


globals()[CASE]()
