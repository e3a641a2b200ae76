#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starts and stops a PostgreSQL of the tests' own: postgres.py start FILE | stop FILE. FILE keeps its URL and folder."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile

import folio


def as_server(command):
    """initdb and postgres refuse root: root lends them an unprivileged user."""
    if os.geteuid() != 0:
        return command
    for user in ("postgres", "nobody"):
        try:
            pwd.getpwnam(user)
            return ["setpriv", f"--reuid={user}", "--regid=" + str(pwd.getpwnam(user).pw_gid), "--clear-groups", *command]
        except KeyError:
            continue
    sys.exit("postgres.py: there is no unprivileged user to run PostgreSQL as")


def run(command):
    done = subprocess.run(as_server(command), capture_output=True, text=True, cwd="/")
    if done.returncode != 0:
        sys.exit(f"postgres.py: {' '.join(command)}: {done.stdout}{done.stderr}")


def start(state):
    folder = tempfile.mkdtemp(prefix="folio-postgres-")
    if os.geteuid() == 0:
        shutil.chown(folder, as_server([])[1].split("=")[1])
    data, port = os.path.join(folder, "data"), folio.free_port()
    run([folio.find_postgres("initdb"), "-D", data, "-U", "folio", "-A", "trust", "-E", "UTF8", "--no-locale"])
    with open(state, "w", encoding="utf-8") as f:
        json.dump({"folder": folder, "port": port, "url": f"postgres://folio@127.0.0.1:{port}"}, f)
    resume(state)


def known(state):
    with open(state, encoding="utf-8") as f:
        return json.load(f)


def halt(state, mode="fast"):
    """Ends the server; its data stays, and its port if it was started by this process."""
    run([folio.find_postgres("pg_ctl"), "-D", os.path.join(known(state)["folder"], "data"), "-m", mode, "-w", "stop"])


def resume(state):
    folder, port = known(state)["folder"], known(state)["port"]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c max_connections=50"
    run([folio.find_postgres("pg_ctl"), "-D", os.path.join(folder, "data"), "-w", "-t", "60", "-l",
         os.path.join(folder, "log"), "-o", options, "start"])


def stop(state):
    folder = known(state)["folder"]
    halt(state, "immediate")
    shutil.rmtree(folder, ignore_errors=True)
    os.remove(state)


if __name__ == "__main__":
    {"start": start, "stop": stop}[sys.argv[1]](sys.argv[2])
