# SPDX-License-Identifier: Apache-2.0
"""What the black-box tests of folio share: a server process, HTTP calls, a look into the database."""

import contextlib
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time


def wait_until(what, seconds=20):
    """Polls a condition of another process, which has no other way to tell."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = what()
        if got:
            return got
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s: {what.__doc__ or what}")


def whole_lines(text):
    """The lines of a log that is being written, but for one that is not all there yet."""
    return text[:text.rfind("\n") + 1].splitlines()


class Folio:
    """One folio process on ports of its own."""

    def __init__(self, program, database, *flags, folder=None):
        self.program, self.database, self.flags = program, database, flags
        self.folder = folder or tempfile.mkdtemp(prefix="folio-test-")
        self.log_path = os.path.join(self.folder, "folio.log")
        self.process = None

    def arguments(self):
        return ["--database", self.database]

    def start(self):
        log = open(self.log_path, "ab")
        size = os.path.getsize(self.log_path)
        self.process = subprocess.Popen(
            [self.program, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", *self.arguments(),
             "--log-format", "json", *self.flags],
            stdout=log, stderr=log, cwd=self.folder)
        log.close()

        def addresses():
            """folio logs the addresses it listens on"""
            assert self.process.poll() is None, f"folio ended with {self.process.returncode}:\n{self.log()[size:]}"
            for line in whole_lines(self.log()[size:]):
                if line.startswith("{"):
                    said = json.loads(line)
                    if said.get("msg") == "serving":
                        return said
            return None
        found = wait_until(addresses)
        self.public, self.admin = found["address"], found["admin"]
        return self

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def log_lines(self):
        return [json.loads(line) for line in whole_lines(self.log()) if line.startswith("{")]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=30):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(seconds)
        return self.process.returncode

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.kill()


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body

    def json(self):
        return json.loads(self.body)


def call(address, method, path, body=None, headers=None, timeout=20):
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return Answer(response, response.read())
    finally:
        connection.close()


class Client:
    """Calls with a new idempotency key each, unless one is given."""
    count = 0
    lock = threading.Lock()

    def __init__(self, folio):
        self.folio = folio

    def get(self, path):
        return call(self.folio.public, "GET", path)

    def delete(self, path):
        return call(self.folio.public, "DELETE", path)

    def post(self, path, body, key=None):
        if key is None:
            with Client.lock:
                Client.count += 1
                key = f"key-{os.getpid()}-{Client.count}"
        return call(self.folio.public, "POST", path, body, {"Idempotency-Key": key} if key else {})

    def user(self, name, deposit=0):
        assert self.post("/v1/users", {"id": name, "email": f"{name}@example.org"}).status == 201
        if deposit:
            assert self.deposit(name, deposit).status == 201
        return name

    def deposit(self, user, amount, key=None, currency="USD"):
        return self.post(f"/v1/users/{user}/deposits", {"amount_minor": amount, "currency": currency}, key)

    def order(self, user, symbol, side, qty, limit=None, key=None):
        body = {"user_id": user, "symbol": symbol, "side": side, "type": "limit" if limit else "market",
                "qty_micro": qty}
        if limit:
            body["limit_minor"] = limit
        return self.post("/v1/orders", body, key)

    def price(self, symbol):
        return self.get(f"/v1/prices?symbols={symbol}").json()["prices"][0]["price_minor"]

    def portfolio(self, user):
        return self.get(f"/v1/users/{user}/portfolio").json()


class Database:
    """Looks past folio into what it stored."""

    def __init__(self, url):
        self.url = url

    def rows(self, query):
        if self.url.startswith("sqlite:"):
            connection = sqlite3.connect(self.url[len("sqlite:"):], timeout=20)
            try:
                return [list(map(str, row)) for row in connection.execute(query).fetchall()]
            finally:
                connection.close()
        out = subprocess.run([find_postgres("psql"), "-X", "-A", "-t", "-F", "\t", "-c", query, self.url], check=True,
                             capture_output=True, text=True)
        return [line.split("\t") for line in out.stdout.splitlines() if line]

    def change(self, *statements):
        """Changes what folio stored, in one transaction."""
        if self.url.startswith("sqlite:"):
            connection = sqlite3.connect(self.url[len("sqlite:"):], timeout=20)
            try:
                for statement in statements:
                    connection.execute(statement)
                connection.commit()
            finally:
                connection.close()
        else:
            self.rows("; ".join(statements))

    def enrich(self, user, by):
        """Enlarges the user's only deposit; the books stay whole."""
        account = f"user:{user}:USD"
        deposit = (f"(select transfer_id from entries where account_id = '{account}' and transfer_id in "
                   "(select id from transfers where kind = 'deposit'))")
        self.change(f"update accounts set balance = balance + {by} where id = '{account}'",
                    f"update accounts set balance = balance - {by} where id = 'bank:USD'",
                    f"update entries set amount = amount + {by} where account_id = '{account}' and transfer_id in {deposit}",
                    f"update entries set amount = amount - {by} where account_id = 'bank:USD' and transfer_id in {deposit}")

    @contextlib.contextmanager
    def held(self):
        """Lets nobody write meanwhile."""
        if self.url.startswith("sqlite:"):
            connection = sqlite3.connect(self.url[len("sqlite:"):], timeout=20)
            try:
                connection.execute("begin immediate")
                yield
            finally:
                connection.close()
            return
        psql = subprocess.Popen([find_postgres("psql"), "-X", "-q", "-A", "-t", self.url], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        try:
            psql.stdin.write("begin; lock table idempotency in exclusive mode; select 'held';\n")
            psql.stdin.flush()
            assert psql.stdout.readline() == "held\n"
            yield
        finally:
            psql.communicate("rollback;\n")

    def check_ledger(self):
        """Every transfer sums to zero per unit, every balance is the sum of its entries, no floor is broken."""
        assert self.rows("select transfer_id, unit, sum(amount) from entries group by transfer_id, unit "
                         "having sum(amount) <> 0") == []
        assert self.rows("select a.id from accounts a left join entries e on e.account_id = a.id group by a.id, "
                         "a.balance having a.balance <> coalesce(sum(e.amount), 0)") == []
        assert self.rows("select id from accounts where allow_negative = 0 and (balance < reserved or reserved < 0)") == []
        assert self.rows("select a.id from accounts a where a.owner not in ('bank', 'market') and a.reserved <> "
                         "coalesce((select sum(o.reserved) from orders o where o.state = 'open' and o.user_id = a.owner "
                         "and a.unit = case when o.side = 'buy' then 'USD' else o.symbol end), 0)") == []


def find_postgres(program):
    for folder in sorted((f"/usr/lib/postgresql/{v}/bin" for v in os.listdir("/usr/lib/postgresql")), reverse=True):
        if os.access(os.path.join(folder, program), os.X_OK):
            return os.path.join(folder, program)
    return program


HELD_PORTS = []


def free_port():
    """A port for a server that says SO_REUSEADDR: until this process ends the kernel gives it to nobody who asks for any.
    Connecting is refused while there is no server."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", 0))
    HELD_PORTS.append(s)
    return s.getsockname()[1]
