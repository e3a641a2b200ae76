# SPDX-License-Identifier: Apache-2.0
"""clients.py PORT N: N connections that have asked once each and stay; says so, and waits to be ended."""
import signal
import socket
import sys

port, count = int(sys.argv[1]), int(sys.argv[2])
ask = b"GET /plain HTTP/1.1\r\nHost: x\r\n\r\n"
held = []
for _ in range(count):
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(ask)
    answer = b""
    while b"World!\n" not in answer:
        got = s.recv(4096)
        if not got:
            sys.exit(f"clients.py: the server closed connection {len(held) + 1}")
        answer += got
    held.append(s)
print("ready", flush=True)
signal.pause()
