#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""folio from outside: folio_test.py PROGRAM sqlite|STATE_FILE CASE. The same cases run on SQLite and on PostgreSQL."""

import concurrent.futures
import glob
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import postgres
from folio import Client, Database, Folio, call, wait_until

PROGRAM, WHERE, CASE = sys.argv[1:4]
STILL = ("--feed-pace", "0")


def fresh_database(folder, options=""):
    if WHERE == "sqlite":
        return f"sqlite:{folder}/folio.db"
    with open(WHERE, encoding="utf-8") as f:
        server = json.load(f)["url"]
    name = f"t{os.getpid()}_{random.randrange(10**6)}"
    Database(server + "/postgres").rows(f"create database {name} {options}")
    return f"{server}/{name}"


class Scene:
    def __init__(self, *flags, url=None, options=""):
        self.folder = tempfile.mkdtemp(prefix="folio-test-")
        self.url = url or fresh_database(self.folder, options)
        self.folio = Folio(PROGRAM, self.url, *flags, folder=self.folder)
        self.client = Client(self.folio)
        self.db = Database(self.url)

    def __enter__(self):
        self.folio.start()
        return self.folio, self.client, self.db

    def __exit__(self, kind, *_):
        if kind:
            log = self.folio.log()
            sys.stderr.writelines(line for line in log.splitlines(True) if '"status":5' in line)
            sys.stderr.write(log[-6000:])
        self.folio.__exit__()
        shutil.rmtree(self.folder, ignore_errors=True)


def nobody_else(db):
    """the server has finished what a killed folio had begun"""
    return WHERE == "sqlite" or db.rows(
        "select pid from pg_stat_activity where datname = current_database() and backend_type = 'client backend' "
        "and pid <> pg_backend_pid()") == []


def problem(answer, status, code, field=None):
    assert answer.status == status, (answer.status, answer.body)
    assert answer.headers["Content-Type"].startswith("application/problem+json"), answer.headers["Content-Type"]
    body = answer.json()
    assert body["status"] == status and body["code"] == code, body
    if field:
        assert body["field"] == field, body
    return body


def users():
    with Scene(*STILL) as (_, client, _db):
        made = client.post("/v1/users", {"id": "usr_abc123", "email": "a@b.c"})
        assert made.status == 201, made.body
        assert list(made.json()) == ["id", "email", "created_at"] and made.json()["id"] == "usr_abc123"
        assert client.post("/v1/users", {"email": "x@b.c"}).json()["id"].startswith("usr_")
        again = problem(client.post("/v1/users", {"id": "usr_abc123", "email": "other@b.c"}), 409, "user_exists")
        assert again["request_id"] and again["trace_id"], again
        problem(client.post("/v1/users", {"id": "usr_2", "email": "a@b.c"}), 409, "user_exists")
        for body, field in (({"email": 7}, "email"), ({"id": "u"}, "email"), ({"id": "u", "email": "no"}, "email"),
                            ({"id": "a b", "email": "q@b.c"}, "id"), ({"id": "u", "email": "q@b.c", "age": 1}, "age"),
                            ({"id": "x" * 65, "email": "q@b.c"}, "id")):
            answer = client.post("/v1/users", body)
            assert answer.status == 400 and answer.json()["field"] == field, (body, answer.body)
        for house in ("bank", "market"):
            problem(client.post("/v1/users", {"id": house, "email": "h@b.c"}), 400, "invalid_field", "id")
        assert client.post("/v1/users", "{").status == 400
        unknown = problem(client.get("/v1/nothing"), 404, "not_found")
        assert unknown["request_id"] and unknown["trace_id"], unknown
        assert problem(client.delete("/v1/users"), 405, "method_not_allowed")
        assert client.get("/v1/users/nobody/portfolio").status == 404
        assert client.portfolio("usr_abc123")["cash"] == [{"currency": "USD", "balance_minor": 0, "reserved_minor": 0}]


def deposits():
    with Scene(*STILL) as (_, client, db):
        client.user("u1")
        first = client.deposit("u1", 100000, "k1")
        assert first.status == 201 and list(first.json()) == ["transfer_id", "balance_minor", "currency"], first.body
        assert first.json()["balance_minor"] == 100000
        again = client.deposit("u1", 100000, "k1")
        assert (again.status, again.body) == (first.status, first.body)
        problem(client.deposit("u1", 5, "k1"), 422, "idempotency_key_reused")
        assert client.deposit("u1", 5).json()["balance_minor"] == 100005
        for amount in (0, -1, 10**15 + 1):
            problem(client.deposit("u1", amount), 400, "out_of_range", "amount_minor")
        for amount in (1.5, "7", 2**63, None):
            assert client.deposit("u1", amount).json()["field"] == "amount_minor"
        assert client.deposit("u1", 10**15).status == 201
        assert client.deposit("u1", 1, currency="EUR").json()["field"] == "currency"
        problem(client.deposit("ghost", 1), 404, "user_not_found")
        problem(client.post("/v1/users/u1/deposits", {"amount_minor": 1, "currency": "USD"}, ""), 400,
                "idempotency_key_required")
        client.user("whale", 1)
        db.enrich("whale", 4 * 10**18)  # as far as the bank goes
        before = client.portfolio("u1")["cash"]
        refused = [client.deposit("u1", 10**15, "beyond") for _ in range(2)]
        problem(refused[0], 409, "balance_limit")
        assert refused[0].body == refused[1].body
        problem(client.deposit("u1", 10**15 - 1, "beyond"), 422, "idempotency_key_reused")
        assert client.portfolio("u1")["cash"] == before
        db.check_ledger()


def no_account_passes_its_limit():
    most = 4 * 10**18
    with Scene(*STILL) as (_, client, db):
        client.user("u1", 1)
        db.enrich("u1", most - 3)
        assert client.deposit("u1", 1).json()["balance_minor"] == most - 1
        problem(client.deposit("u1", 2), 409, "balance_limit")
        assert client.deposit("u1", 1).json()["balance_minor"] == most
        too_dear = client.order("u1", "AAPL", "sell", 10**15, limit=4 * 10**9 + 1, key="dear")
        problem(too_dear, 400, "out_of_range", "qty_micro")
        assert client.order("u1", "AAPL", "sell", 10**15, limit=4 * 10**9 + 1, key="dear").body == too_dear.body
        db.check_ledger()


def what_a_key_was_answered_is_repeated():
    with Scene(*STILL) as (folio, client, db), concurrent.futures.ThreadPoolExecutor(2) as pool:
        unknown = client.deposit("late", 5, "k1")
        problem(unknown, 404, "user_not_found")
        client.user("late")
        assert client.deposit("late", 5, "k1").body == unknown.body
        problem(client.deposit("late", 6, "k1"), 422, "idempotency_key_reused")
        no_symbol = client.order("late", "NOPE", "buy", 1, key="k2")
        problem(no_symbol, 404, "unknown_symbol")
        assert client.order("late", "NOPE", "buy", 1, key="k2").body == no_symbol.body
        poor = client.order("late", "AAPL", "buy", 1_000_000, key="k3")
        problem(poor, 409, "insufficient_funds")
        assert client.portfolio("late")["cash"] == [{"currency": "USD", "balance_minor": 0, "reserved_minor": 0}]
        assert db.rows("select id from accounts where owner = 'late' and unit <> 'USD'") == []
        again = client.order("late", "AAPL", "buy", 1_000_000, key="k3")
        assert again.body == poor.body

        def line():
            """a refusal that is repeated is logged with its code too"""
            return [l for l in folio.log_lines() if l.get("request_id") == again.headers["X-Request-Id"]]
        assert "insufficient_funds" in wait_until(line)[0]["error"], line()
        paid = client.deposit("late", 7, "k4")
        assert paid.status == 201
        with db.held():  # a repetition waits to claim its key: another one need not
            both = [pool.submit(client.deposit, "late", 7, "k4") for _ in range(2)]
            done, waiting = concurrent.futures.wait(both, 20, concurrent.futures.FIRST_COMPLETED)
            assert done.pop().result().body == paid.body
        assert waiting.pop().result().body == paid.body
        db.check_ledger()


def a_key_in_flight_is_refused():
    with Scene(*STILL) as (_, client, db), concurrent.futures.ThreadPoolExecutor(2) as pool:
        client.user("u1")
        with db.held():  # neither can be done meanwhile: one is refused
            both = [pool.submit(client.deposit, "u1", 7, "k") for _ in range(2)]
            done, waiting = concurrent.futures.wait(both, 20, concurrent.futures.FIRST_COMPLETED)
            problem(done.pop().result(), 409, "request_in_flight")
        first = waiting.pop().result()
        assert first.status == 201, first.body
        assert client.deposit("u1", 7, "k").body == first.body


def orders():
    with Scene(*STILL) as (_, client, db):
        client.user("u1", 10_000_00)
        price = client.price("AAPL")
        made = client.order("u1", "AAPL", "buy", 1_500_000, key="o1")
        assert made.status == 201, made.body
        order = made.json()
        assert order["state"] == "filled" and order["filled_micro"] == 1_500_000
        assert order["fill_price_minor"] == price and "limit_minor" not in order
        assert client.order("u1", "AAPL", "buy", 1_500_000, key="o1").body == made.body
        cost = round(1.5 * price)  # both round half to even, and half cents are exact in binary
        portfolio = client.portfolio("u1")
        assert portfolio["cash"] == [{"currency": "USD", "balance_minor": 1000000 - cost, "reserved_minor": 0}]
        assert portfolio["positions"] == [{"symbol": "AAPL", "qty_micro": 1_500_000, "price_minor": price,
                                           "value_minor": cost}]
        assert portfolio["total_minor"] == 1000000 and portfolio["as_of"].endswith("Z")
        refused = client.order("u1", "AAPL", "sell", 1_500_001, key="o2")
        problem(refused, 409, "insufficient_shares")
        assert client.order("u1", "AAPL", "sell", 1_500_001, key="o2").body == refused.body
        problem(client.order("u1", "AAPL", "buy", 10**12), 409, "insufficient_funds")
        problem(client.order("u1", "NOPE", "buy", 1), 404, "unknown_symbol")
        problem(client.order("u1", "GOOG", "buy", 1), 404, "unknown_symbol")  # its prices begin in 2004
        problem(client.order("ghost", "AAPL", "buy", 1), 404, "user_not_found")
        for key, value in (("qty_micro", 0), ("side", "steal"), ("type", "stop"), ("limit_minor", 5), ("user_id", "a/b")):
            body = {"user_id": "u1", "symbol": "AAPL", "side": "buy", "type": "market", "qty_micro": 1, key: value}
            assert client.post("/v1/orders", body).json()["field"] == key, key
        assert client.order("u1", "AAPL", "sell", 1_500_000).json()["state"] == "filled"
        assert client.portfolio("u1")["cash"][0]["balance_minor"] == 1000000
        assert client.get("/v1/orders/" + order["id"]).json() == order
        problem(client.get("/v1/orders/ord_none"), 404, "order_not_found")
        problem(client.delete("/v1/orders/" + order["id"]), 409, "order_filled")
        db.check_ledger()


def limit_orders_reserve_and_release():
    with Scene(*STILL) as (_, client, db):
        client.user("u1", 10_000_00)
        low = client.price("IBM") // 2
        opened = client.order("u1", "IBM", "buy", 2_000_000, limit=low)
        assert opened.status == 202 and opened.json()["state"] == "open", opened.body
        assert "fill_price_minor" not in opened.json() and opened.json()["limit_minor"] == low
        assert client.portfolio("u1")["cash"][0]["reserved_minor"] == 2 * low
        too_much = (1000000 - 2 * low) * 1_000_000 // low + 1_000_000
        problem(client.order("u1", "IBM", "buy", too_much, limit=low), 409, "insufficient_funds")
        db.check_ledger()
        gone = client.delete("/v1/orders/" + opened.json()["id"])
        assert gone.status == 200 and gone.json()["state"] == "cancelled"
        assert client.delete("/v1/orders/" + opened.json()["id"]).json()["state"] == "cancelled"
        assert client.portfolio("u1")["cash"][0]["reserved_minor"] == 0
        now = client.order("u1", "IBM", "buy", 1_000_000, limit=10**9)
        assert now.status == 201 and now.json()["fill_price_minor"] == client.price("IBM")
        held = client.order("u1", "IBM", "sell", 1_000_000, limit=10**9)
        assert held.status == 202
        problem(client.order("u1", "IBM", "sell", 1), 409, "insufficient_shares")
        db.check_ledger()
        assert client.delete("/v1/orders/" + held.json()["id"]).json()["state"] == "cancelled"
        assert client.order("u1", "IBM", "sell", 1).status == 201
        db.check_ledger()


def an_order_that_a_stored_price_reaches_is_filled_at_the_start():
    with Scene(*STILL) as (folio, client, db):
        client.user("u1", 10_000_00)
        opened = client.order("u1", "IBM", "buy", 1_000_000, limit=10).json()
        folio.kill()  # as if between the step's prices and its fills
        db.change("update prices set price_minor = 9 where symbol = 'IBM'")
        folio.start()
        filled = client.get("/v1/orders/" + opened["id"]).json()
        assert filled["state"] == "filled" and filled["fill_price_minor"] == 9, filled
        db.check_ledger()


def an_order_that_cannot_be_filled_holds_nobody_up():
    with Scene(*STILL) as (folio, client, db):
        limit = client.price("IBM") + 1
        sales = []
        for name in ("whale", "u1"):  # the whale's order is the older one
            client.user(name, 10_000_00)
            assert client.order(name, "IBM", "buy", 1_000_000).status == 201
            sales.append(client.order(name, "IBM", "sell", 1_000_000, limit=limit).json()["id"])
        client.user("odd", 10_000_00)
        assert client.order("odd", "AAPL", "buy", 1_000_000).status == 201
        sales.append(client.order("odd", "AAPL", "buy", 1_000_000, limit=10).json()["id"])
        db.enrich("whale", 4 * 10**18)
        db.enrich("odd", 10**14)
        folio.kill()
        db.change(f"update prices set price_minor = {limit} where symbol = 'IBM'",
                  "update prices set price_minor = 1 where symbol = 'AAPL'",
                  f"update orders set qty_micro = {2**63 - 10} where id = '{sales[2]}'")  # more than an account holds
        folio.start()
        assert [client.get("/v1/orders/" + i).json()["state"] for i in sales] == ["cancelled", "filled", "cancelled"]
        given_up = [line for line in folio.log_lines() if line["msg"] == "order cancelled: it cannot be filled"]
        assert len(given_up) == 2 and all(any(i in line["error"] for line in given_up) for i in sales[::2]), given_up
        db.check_ledger()


def limit_orders_fill_when_the_price_crosses():
    with Scene("--feed-pace", "20ms") as (_, client, db):
        client.user("u1", 10_000_000_00)
        ids = [client.order("u1", symbol, "buy", 1_000_000, limit=limit).json()["id"]
               for symbol, limit in (("MSFT", 2500), ("AAPL", 1000), ("IBM", 6000), ("AMZN", 700))]

        def all_filled():
            """the feed reaches every limit within its ten years"""
            return all(client.get("/v1/orders/" + i).json()["state"] == "filled" for i in ids)
        assert client.order("u1", "AAPL", "buy", 1_000_000).status == 201
        ids.append(client.order("u1", "AAPL", "sell", 1_000_000, limit=100_00).json()["id"])
        wait_until(all_filled, 60)
        for i in ids:
            order = client.get("/v1/orders/" + i).json()
            better = order["limit_minor"] - order["fill_price_minor"]
            assert better * (1 if order["side"] == "buy" else -1) >= 0, order
        assert client.portfolio("u1")["cash"][0]["reserved_minor"] == 0
        db.check_ledger()


def prices_and_their_stream():
    with Scene("--feed-pace", "50ms") as (folio, client, _):
        listed = [p["symbol"] for p in client.get("/v1/prices").json()["prices"]]
        assert listed == sorted(listed) and {"AAPL", "AMZN", "IBM", "MSFT"} <= set(listed), listed
        two = client.get("/v1/prices?symbols=MSFT,AAPL").json()["prices"]
        assert [p["symbol"] for p in two] == ["MSFT", "AAPL"] and list(two[0]) == ["symbol", "price_minor", "as_of"]
        problem(client.get("/v1/prices?symbols=NOPE"), 404, "unknown_symbol")
        two = client.get("/v1/prices?symbols=MSFT&symbols=AAPL").json()["prices"]
        assert [p["symbol"] for p in two] == ["MSFT", "AAPL"], two
        for query in ("symbols=%zz", "symbols=AAPL;MSFT", "symbols=AAPL,", "symbols=,AAPL", "symbols=A%20B"):
            for path in ("/v1/prices", "/v1/prices/stream"):
                problem(client.get(f"{path}?{query}"), 400, "invalid_field", "symbols")
        assert [p["symbol"] for p in client.get("/v1/prices?symbols=").json()["prices"]][:4] == listed[:4]
        idle = [http.client.HTTPConnection(folio.public, timeout=20) for _ in range(20)]
        for connection in idle:  # readers that never read hold nobody up
            connection.request("GET", "/v1/prices/stream")
        connection = http.client.HTTPConnection(folio.public, timeout=20)
        connection.request("GET", "/v1/prices/stream?symbols=AAPL")
        response = connection.getresponse()
        assert response.headers["Content-Type"].startswith("text/event-stream")
        events = []
        while len(events) < 5:
            line = response.readline().decode().rstrip("\n")
            if line.startswith("event:"):
                assert line == "event: price", line
            elif line.startswith("data:"):
                events.append(json.loads(line[5:]))
        assert all(e["symbol"] == "AAPL" for e in events)
        assert all(a["price_minor"] != b["price_minor"] for a, b in zip(events, events[1:])), events
        connection.close()
        for c in idle:
            c.close()

        def no_subscribers():
            """readers that have gone leave the hub"""
            return "folio_price_subscribers 0" in call(folio.admin, "GET", "/metrics").body.decode()
        wait_until(no_subscribers)


def a_symbol_is_known_from_its_first_price_on():
    with Scene(*STILL) as (_, client, _db):
        for path in ("/v1/prices", "/v1/prices/stream"):
            problem(client.get(path + "?symbols=GOOG"), 404, "unknown_symbol")
        assert "GOOG" not in [p["symbol"] for p in client.get("/v1/prices").json()["prices"]]


def positions_come_in_the_order_of_bytes():
    scene = Scene(options="template template0 encoding 'UTF8' locale 'C' locale_provider icu icu_locale 'en-US'")
    prices = os.path.join(scene.folder, "p.csv")
    with open(prices, "w", encoding="utf-8") as f:
        f.write("symbol,date,price\na,Jan 1 2000,1\nB,Jan 1 2000,1\n")
    scene.folio.flags = (*STILL, "--prices", prices)
    with scene as (_, client, _db):
        client.user("u1", 1000)
        for symbol in ("a", "B"):
            assert client.order("u1", symbol, "buy", 1_000_000).status == 201
        assert [p["symbol"] for p in client.portfolio("u1")["positions"]] == ["B", "a"]


def two_processes_move_one_feed():
    with Scene("--feed-pace", "20ms") as (first, client, db):
        second = Folio(PROGRAM, first.database, "--feed-pace", "20ms", folder=tempfile.mkdtemp(prefix="folio-test-"))
        with second:
            def steps(folio):
                text = call(folio.admin, "GET", "/metrics").body.decode()
                return int(text.split("\nfolio_feed_steps_total ")[1].split()[0])

            def stands():
                return int(db.rows("select step from feed")[0][0])
            wait_until(lambda: stands() >= 30, 60)
            made = steps(first) + steps(second)
            assert made <= stands() + 1, made  # from step 0 on, each was made once
            first.kill()
            left = stands()
            wait_until(lambda: stands() >= left + 3)
            last = stands()
            assert Client(second).get("/v1/prices").status == 200 and last > left
        shutil.rmtree(second.folder, ignore_errors=True)


def no_time_limit_is_none():
    with Scene(*STILL, "--request-timeout", "0", "--read-timeout", "0") as (_, client, _db):
        client.user("u1", 5)
        assert client.portfolio("u1")["total_minor"] == 5


def a_database_that_is_away_is_503():
    folder = tempfile.mkdtemp(prefix="folio-test-")
    state = os.path.join(folder, "postgres.json")
    postgres.start(state)
    try:
        at = postgres.known(state)["url"].split("@")[1]
        with Scene(*STILL, url=f"postgres://folio:hush@{at}/postgres") as (folio, client, _db):
            client.user("usr_x", 1_000_000)
            order = client.order("usr_x", "AAPL", "buy", 1_000_000).json()["id"]
            cmdline = call(folio.admin, "GET", "/debug/pprof/cmdline").body
            assert at.encode() in cmdline and b"hush" not in cmdline, cmdline
            postgres.halt(state)
            away = client.get("/v1/users/usr_x/portfolio")
            body = problem(away, 503, "database_unavailable")
            assert int(away.headers["Retry-After"]) > 0

            def lines():
                """the request's line is in the log"""
                return [l for l in folio.log_lines() if l.get("request_id") == body["request_id"]]
            said = wait_until(lines)
            assert len(said) == 1, said
            assert said[0]["error"] == f"load portfolio for user usr_x: connect to {at}: connection refused", said
            problem(client.deposit("usr_x", 1), 503, "database_unavailable")
            postgres.resume(state)
            for _ in range(2):  # the second time with connections that the server has closed
                assert client.get(f"/v1/orders/{order}").json()["id"] == order
                assert client.portfolio("usr_x")["positions"][0]["symbol"] == "AAPL"
                assert client.deposit("usr_x", 1).status == 201
                postgres.halt(state, "immediate")
                postgres.resume(state)
            assert client.get(f"/v1/orders/{order}").json()["id"] == order
    finally:
        postgres.stop(state)
        shutil.rmtree(folder, ignore_errors=True)


def a_restart_goes_on_where_the_prices_stood():
    with Scene("--feed-pace", "30ms") as (folio, client, db):
        wait_until(lambda: int(db.rows("select step from feed")[0][0]) >= 5)
        folio.kill()
        wait_until(lambda: nobody_else(db))
        step = int(db.rows("select step from feed")[0][0])
        stored = {r[0]: int(r[1]) for r in db.rows("select symbol, price_minor from prices")}
        folio.flags = STILL
        folio.start()
        assert {p["symbol"]: p["price_minor"] for p in client.get("/v1/prices").json()["prices"]} == stored
        assert int(db.rows("select step from feed")[0][0]) == step


def a_malformed_price_line_is_reported_and_skipped():
    with Scene(*STILL) as (folio, client, _):
        folio.kill()
        path = os.path.join(folio.folder, "p.csv")
        with open(path, "w", encoding="utf-8") as f:
            f.write("symbol,date,price\nAAA,Jan 1 2000,1.50\nAAA,Foo 1 2000,1\nBBB,Jan 1 2000,2\n,,\n")
        for left in glob.glob(os.path.join(folio.folder, "folio.db*")):
            os.remove(left)
        folio.flags = (*STILL, "--prices", path)
        folio.start()
        assert [p["symbol"] for p in client.get("/v1/prices").json()["prices"]] == ["AAA", "BBB"]
        said = [line["problem"] for line in folio.log_lines() if line["msg"] == "price line skipped"]
        assert len(said) == 2 and said[0].startswith(f"{path}:3: ") and said[1].startswith(f"{path}:5: "), said


def the_public_port_has_no_admin_pages():
    with Scene("--feed-pace", "1000s") as (folio, _, _db):
        for path in ("/debug/pprof/", "/debug/pprof/goroutine?debug=1", "/metrics", "/debug/config", "/livez"):
            assert call(folio.public, "GET", path).status == 404, path
            assert call(folio.admin, "GET", path).status == 200, path
        assert call(folio.admin, "GET", "/readyz").status == 200
        dump = call(folio.admin, "GET", "/debug/pprof/goroutine?debug=2").body.decode()
        assert "folio::market::run" in dump, dump[:2000]
        metrics = call(folio.admin, "GET", "/metrics").body.decode()
        for line in ("folio_feed_steps_total 1", 'sql_connections{state="idle"}', "sql_waiting 0", "sql_wait_seconds_total",
                     'sql_errors_total{operation="query"}', 'sql_operation_duration_seconds_bucket{operation="exec",le="1"}',
                     "# TYPE vole_scheduling_latency_seconds histogram"):
            assert "\n" + line in metrics, (line, metrics)
        rebound = call(folio.admin, "GET", "/metrics", headers={"Host": "evil.example"})
        assert rebound.status in (403, 421), rebound.status


def failed_requests_are_logged_once():
    with Scene(*STILL) as (folio, client, _):
        client.user("u1")
        body = problem(client.post("/v1/users", {"id": "u1", "email": "z@b.c"}), 409, "user_exists")

        def lines():
            """the request's line is in the log"""
            return [l for l in folio.log_lines() if l.get("request_id") == body["request_id"]]
        found = wait_until(lines)
        time_limit = time.monotonic() + 0.2  # nothing more comes with that id
        while time.monotonic() < time_limit:
            assert len(lines()) == 1, lines()
        assert found[0]["method"] == "POST" and found[0]["route"] == "/v1/users" and found[0]["status"] == 409, found
        assert "user_exists" in found[0]["error"] and body["trace_id"] == found[0]["trace_id"], found


def a_stop_finishes_what_is_in_flight():
    with Scene("--feed-pace", "20ms") as (folio, client, _):
        client.user("u1")
        host, port = folio.public.split(":")
        slow = socket.create_connection((host, int(port)))
        head, tail = b'{"amount_minor":1,', b'"currency":"USD"}'
        slow.sendall(b"POST /v1/users/u1/deposits HTTP/1.1\r\nHost: x\r\nIdempotency-Key: slow\r\nContent-Length: "
                     + str(len(head + tail)).encode() + b"\r\n\r\n" + head)
        stream = http.client.HTTPConnection(folio.public, timeout=20)
        stream.request("GET", "/v1/prices/stream")
        stream.getresponse().readline()
        folio.process.send_signal(signal.SIGTERM)

        def not_ready():
            """a stopping folio says so"""
            try:
                return call(folio.admin, "GET", "/readyz", timeout=2).status == 503
            except OSError:
                return False
        wait_until(not_ready)

        def closed():
            """its door is shut: from then on its answers end their connections"""
            try:
                socket.create_connection((host, int(port))).close()
                return False
            except ConnectionRefusedError:
                return True
        wait_until(closed)
        slow.sendall(tail)
        slow.settimeout(20)
        answer = b""
        while chunk := slow.recv(4096):
            answer += chunk
        assert answer.startswith(b"HTTP/1.1 201 "), answer
        assert b"onnection: close" in answer, answer
        assert folio.process.wait(30) == 0


def concurrent_clients_keep_the_ledger_whole():
    with Scene("--feed-pace", "10ms") as (_, client, db):
        names = [client.user(f"u{i}", 50_000_00) for i in range(8)]
        draw = random.Random(7)
        work = [(draw.choice(names), draw.choice(("AAPL", "MSFT", "IBM", "AMZN")), draw.choice(("buy", "sell")),
                 draw.randrange(1, 3_000_000), draw.choice((None, None, 1000, 9000))) for _ in range(400)]

        def place(w):
            """Every second order that stays open is cancelled, while the feed may fill it."""
            made = client.order(w[0], w[1], w[2], w[3], limit=w[4])
            if made.status == 202 and w[3] % 2:
                gone = client.delete("/v1/orders/" + made.json()["id"])
                assert gone.status == 200 or gone.json()["code"] == "order_filled", gone.body
            return made.status
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            states = list(pool.map(place, work))
        assert set(states) <= {201, 202, 409}, set(states)
        assert states.count(201) > 50, states
        db.check_ledger()


def kill_dash_nine_loses_no_answered_write():
    with Scene("--feed-pace", "20ms") as (folio, client, db):
        names = [client.user(f"u{i}") for i in range(4)]
        answered, orders, lock = {}, {}, threading.Lock()

        def load(name, stop):
            draw = random.Random()
            while not stop.is_set():
                key, amount = f"{name}-{draw.getrandbits(48)}", draw.randrange(1, 10_000)
                order = draw.random() < 0.4
                try:
                    got = client.order(name, "IBM", draw.choice(("buy", "sell")), amount,
                                       draw.choice((None, 9_000))) if order else client.deposit(name, amount, key)
                except (OSError, http.client.HTTPException):
                    continue
                if order and got.status in (201, 202):
                    with lock:
                        orders[got.json()["id"]] = got.status
                elif got.status == 201:
                    with lock:
                        answered[key] = (name, amount, got.body)
        for _ in range(5):
            before, stop = len(answered), threading.Event()
            threads = [threading.Thread(target=load, args=(name, stop)) for name in names * 2]
            for t in threads:
                t.start()
            wait_until(lambda: len(answered) >= before + 40, 60)
            folio.kill()
            stop.set()
            for t in threads:
                t.join()
            folio.start()
            db.check_ledger()
            transfers = {r[0] for r in db.rows("select id from transfers")}
            for name, amount, body in answered.values():
                assert json.loads(body)["transfer_id"] in transfers, body
            states = dict(db.rows("select id, state from orders"))
            for order, status in orders.items():
                assert states[order] == "filled" or status == 202 and states[order] == "open", (order, status, states[order])
        assert 201 in orders.values(), orders
        for key, (name, amount, body) in random.sample(sorted(answered.items()), 40):
            assert client.deposit(name, amount, key).body == body


def a_group_of_writes_is_one_durable_sync():
    with Scene(*STILL) as (folio, client, db):
        if WHERE != "sqlite":
            assert db.rows("show fsync") == [["on"]] and db.rows("show synchronous_commit") == [["on"]]
            return
        names = [client.user(f"u{i}") for i in range(16)]
        trace = subprocess.Popen(["strace", "-f", "-qq", "-c", "-e", "trace=fsync,fdatasync", "-p", str(folio.process.pid)],
                                 stderr=subprocess.PIPE, text=True) if shutil.which("strace") else None
        if trace:
            wait_until(lambda: any(line.startswith("TracerPid:") and not line.endswith("\t0\n") for line in
                                   open(f"/proc/{folio.process.pid}/status", encoding="utf-8")))

        def queued():
            """one has the writer, the others wait for it"""
            dump = call(folio.admin, "GET", "/debug/pprof/goroutine?debug=2").body
            return dump.count(b"[pool wait") >= 15
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for _ in range(20):
                with db.held():
                    deposits = [pool.submit(client.deposit, name, 1) for name in names]
                    wait_until(queued)
                assert {deposit.result().status for deposit in deposits} == {201}
        if trace:
            trace.send_signal(signal.SIGINT)
            table = trace.communicate()[1]
            syncs = sum(int(line.split()[3]) for line in table.splitlines() if line.split()[-1:] in (["fsync"], ["fdatasync"]))
            print(f"320 deposits from 16 clients: {syncs} syncs")
            assert 20 <= syncs < 320, table


def bad_usage_is_one_clear_line():
    folder = tempfile.mkdtemp(prefix="folio-test-")
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    blocker = os.path.join(folder, "file")
    open(blocker, "w", encoding="utf-8").close()
    for flags, status, words in ((["--lisen", "x"], 2, ["--lisen"]), (["--listen", "nonsense"], 2, ["--listen"]),
                                 (["--listen", f"127.0.0.1:{port}"], 1, [f"127.0.0.1:{port}", "address already in use"]),
                                 (["--database", f"sqlite:{blocker}/x/folio.db"], 1, ["not a directory", "--database"]),
                                 (["--database", "postgres://127.0.0.1:1/folio"], 1, ["127.0.0.1:1", "connection refused", "--database"]),
                                 (["--database", f"sqlite:{folder}"], 1, [folder, "--database"]),
                                 (["--prices", f"{folder}/none.csv"], 1, ["none.csv", "no such file", "--prices"]),
                                 (["--database", "mysql://x"], 2, ["--database", "sqlite:PATH"]),
                                 (["--admin", "0.0.0.0:0"], 2, ["admin"])):
        base = ["--listen", "127.0.0.1:0"] if "--listen" not in flags else []
        base += ["--admin", "127.0.0.1:0"] if "--admin" not in flags else []
        done = subprocess.run([PROGRAM, *base, *flags], capture_output=True, text=True, cwd=folder, timeout=30)
        said = [line for line in done.stderr.splitlines() if line and "INFO" not in line]
        assert done.returncode == status, (flags, done.returncode, done.stderr)
        assert len(said) == 1 and all(w in said[0] for w in words), (flags, done.stderr)
    shown = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, timeout=30)
    assert shown.returncode == 0 and "--feed-pace" in shown.stdout and "FOLIO_FEED_PACE" in shown.stdout
    shutil.rmtree(folder)


globals()[CASE]()
