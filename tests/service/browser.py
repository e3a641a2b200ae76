# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium for the tests of pages: it opens, presses, clicks, and tells what it fetched."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile

from folio import wait_until
from profiled import skip


class Browser:
    """Spoken to over a pipe, in the DevTools protocol."""

    def __init__(self, *flags):
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if program is None:
            skip("no 'chromium' on the PATH")
        self.folder = tempfile.mkdtemp(prefix="browser-")
        read_end, self.to = os.pipe()
        self.back, write_end = os.pipe()
        # Numbers that are neither 3 nor 4, which is where the browser reads and writes.
        inherited = [fcntl.fcntl(end, fcntl.F_DUPFD, 50) for end in (read_end, write_end)]
        for end in (read_end, write_end):
            os.close(end)
        words = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
                 "--disable-dev-shm-usage", "--no-first-run", "--window-size=1280,800",
                 f"--user-data-dir={self.folder}", *flags, "about:blank"]
        self.said = os.path.join(self.folder, "said")
        with open(self.said, "wb") as said:
            self.process = subprocess.Popen(
                ["bash", "-c", 'exec "$@" 3<&{} 4>&{}'.format(*inherited), "browser", *words],
                pass_fds=inherited, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        for end in inherited:
            os.close(end)
        self.pending, self.number, self.session = b"", 0, None
        self.events = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(domain + ".enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.to)
        self.process.kill()
        self.process.wait()
        os.close(self.back)
        shutil.rmtree(self.folder, ignore_errors=True)

    def receive(self):
        while b"\0" not in self.pending:
            piece = os.read(self.back, 1 << 16)
            assert piece, "the browser has gone: " + self.words()
            self.pending += piece
        message, self.pending = self.pending.split(b"\0", 1)
        return json.loads(message)

    def words(self):
        with open(self.said, encoding="utf-8", errors="replace") as said:
            return said.read()[-2000:]

    def ask(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            got = self.receive()
            if got.get("id") == self.number:
                assert "error" not in got, (method, got["error"])
                return got["result"]
            self.events.append(got)

    def open(self, url):
        self.ask("Page.navigate", url="about:blank")
        self.events.clear()
        self.ask("Page.navigate", url=url)
        wait_until(lambda: self.value("document.readyState === 'complete' && location.href !== 'about:blank'"))

    def value(self, expression):
        got = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in got, (expression, got["exceptionDetails"])
        return got["result"].get("value")

    def press(self, key, text=None):
        down = {"type": "keyDown", "key": key}
        if text or len(key) == 1:
            down["text"] = text or key
        self.ask("Input.dispatchKeyEvent", **down)
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=key)

    def click(self, expression):
        """Clicks into the middle of the element that the expression gives."""
        where = self.value(f"(({expression}).scrollIntoView({{block: 'center'}}), (({expression})."
                           "getBoundingClientRect().toJSON()))")
        at = {"x": where["x"] + where["width"] / 2, "y": where["y"] + where["height"] / 2}
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", **at)
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)

    def dark(self, yes):
        self.ask("Emulation.setEmulatedMedia",
                 features=[{"name": "prefers-color-scheme", "value": "dark" if yes else "light"}])

    def picture(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.ask("Page.captureScreenshot")["data"]))

    def complaints(self):
        """What a developer would see in red in the console."""
        self.value("0")
        return [e for e in self.events if e.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded")
                or (e.get("method") == "Runtime.consoleAPICalled" and e["params"]["type"] in ("error", "warning"))]

    def fetched(self):
        """Every address that was asked for since open()."""
        return [e["params"]["request"]["url"] for e in self.events
                if e.get("method") == "Network.requestWillBeSent"]
