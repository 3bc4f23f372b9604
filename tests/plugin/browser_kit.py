"""A real browser for tests and benchmarks of pages: Chromium without a window, spoken to through two pipes.

Only the standard library is needed. Pages are opened from files, as a double click does; there is no server.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
"""The browser, or None where there is none."""
_START = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for number, end in zip((3, 4), ends):
    os.dup2(end, number)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Becomes the browser, which reads commands from file 3 and answers on file 4."""
PATIENCE = 60.0
"""Seconds after which a browser that does not answer is given up."""


class Browser:
    """One tab of a browser. Use :func:`browser`."""

    def __init__(self, into: int, out: int) -> None:
        self._into, self._out, self._rest = into, out, b""
        self._numbers = itertools.count(1)
        self.events: list[dict[str, Any]] = []
        target = self._ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = self._ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> Any:
        """A command of the DevTools protocol, to the tab."""
        return self._ask(method, params, self._session)

    def _ask(self, method: str, params: dict[str, Any], session: str | None = None) -> Any:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        os.write(self._into, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def _read(self) -> dict[str, Any]:
        """The next message; events are kept, a dialog is dismissed, so that it cannot stop everything."""
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            if not select.select([self._out], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            got = os.read(self._out, 1 << 20)
            if not got:
                raise EOFError("the browser has ended")
            self._rest += got
        line, self._rest = self._rest.split(b"\0", 1)
        message = json.loads(line)
        if "method" in message:
            self.events.append(message)
            if message["method"] == "Page.javascriptDialogOpening":
                dismiss = {"id": 0, "method": "Page.handleJavaScriptDialog", "params": {"accept": False}}
                os.write(self._into, json.dumps({**dismiss, "sessionId": self._session}).encode() + b"\0")
        return message

    def open(self, path: Path, anchor: str = "") -> None:
        """Open a file and wait until it is loaded."""
        self.events.clear()
        self.ask("Page.navigate", url="about:blank")
        self._wait("Page.loadEventFired")
        self.events.clear()
        self.ask("Page.navigate", url=path.resolve().as_uri() + anchor)
        self._wait("Page.loadEventFired")

    def _wait(self, event: str) -> None:
        while not any(one["method"] == event for one in self.events):
            self._read()

    def evaluate(self, script: str) -> Any:
        """The value of a script, which may be a promise."""
        done = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            raise RuntimeError(done["exceptionDetails"].get("exception", done["exceptionDetails"]))
        return done["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until a script's value is true."""
        for _ in range(600):
            if self.evaluate(f"Boolean({script})"):
                return
            time.sleep(0.02)
        raise TimeoutError(f"never true: {script}")

    def said(self, *kinds: str) -> list[str]:
        """What the page told of itself: ``dialogs``, ``exceptions``, ``refusals`` (of the policy), ``loads``."""
        found: list[str] = []
        for event in self.events:
            method, params = event["method"], event["params"]
            if method == "Page.javascriptDialogOpening" and "dialogs" in kinds:
                found.append(params["message"])
            elif method == "Runtime.exceptionThrown" and "exceptions" in kinds:
                found.append(json.dumps(params["exceptionDetails"])[:500])
            elif method == "Log.entryAdded" and "refusals" in kinds:
                found.append(params["entry"]["text"])
            elif method == "Network.requestWillBeSent" and "loads" in kinds:
                url = params["request"]["url"]
                if not url.startswith(("file:", "about:", "blob:")):
                    found.append(url)
        return found

    def look(self, path: Path, width: int, *, dark: bool = False, height: int = 900, whole: bool = True) -> Path:
        """Write a picture of the page as it is."""
        self.size(width, height, dark=dark)
        time.sleep(0.2)
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))
        return path

    def size(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        """Set the window's size and which colours its user likes."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", features=scheme)
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def key(self, key: str, code: int) -> None:
        """Press a key and let it go."""
        text = {"Enter": "\r"}.get(key)
        given = {"key": key, "code": key, "windowsVirtualKeyCode": code, **({"text": text} if text else {})}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **given)
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser with an empty profile; it ends with the block."""
    if CHROMIUM is None:
        raise RuntimeError("there is no Chromium here")
    read_in, write_in = os.pipe()
    read_out, write_out = os.pipe()
    with tempfile.TemporaryDirectory(prefix="seasoned-browser-", ignore_cleanup_errors=True) as profile:
        arguments = [
            CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank",
        ]  # fmt: skip
        start = [sys.executable, "-S", "-c", _START, str(read_in), str(write_out), *arguments]
        process = subprocess.Popen(
            start, pass_fds=(read_in, write_out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(read_in)
        os.close(write_out)
        try:
            tab = Browser(write_in, read_out)
            yield tab
            with contextlib.suppress(Exception):
                tab._ask("Browser.close", {})
        finally:
            os.close(write_in)
            os.close(read_out)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
