"""``seasoned replay``: where it cannot open, and in a real terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time

import pytest

from seasoned.plugin.cli import replaying


class Terminal:
    """Stands in for a stream that is a terminal."""

    def __init__(self, stream) -> None:
        self._stream = stream

    def isatty(self) -> bool:
        return True

    def __getattr__(self, name: str):
        return getattr(self._stream, name)


def test_without_a_terminal_it_says_what_to_do(cli, record):
    run = record()
    answer = cli("replay", "last")
    assert (answer.code, answer.out) == (1, "")
    assert answer.line == f"seasoned: a step-through needs a terminal. Without one: seasoned show {run}"


def test_without_textual_it_says_what_to_install(cli, record, monkeypatch):
    record()
    streams = {name: Terminal(getattr(sys, name)) for name in ("stdin", "stdout", "stderr")}
    monkeypatch.setattr(replaying, "sys", type("Sys", (), streams))
    for name in [name for name in sys.modules if name.endswith(".plugin.stepper")]:  # as in a process of its own
        monkeypatch.delitem(sys.modules, name)
        monkeypatch.delattr(sys.modules[name.rpartition(".")[0]], "stepper", raising=False)
    for name in ["textual", *(name for name in sys.modules if name.startswith("textual."))]:
        monkeypatch.setitem(sys.modules, name, None)
    answer = cli("replay", "last")
    assert (answer.code, answer.out) == (1, "")
    assert answer.line == "seasoned: textual is not installed. To mend it: pip install 'seasoned[tui]'"


def test_in_a_terminal(record, home, surroundings):
    pytest.importorskip("textual", reason="the extra `tui` is not installed")
    record("Refund \x1b]0;owned\x07 it")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "seasoned", "replay", "last", "--home", str(home)],
        env={**surroundings, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"},
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    try:
        deadline = time.monotonic() + 60
        while b"customer" not in seen or b"Quit" not in seen:
            assert time.monotonic() < deadline, seen
            assert process.poll() is None
            if select.select([ours], [], [], 0.1)[0]:
                seen += os.read(ours, 65_536)
        while process.poll() is None:
            assert time.monotonic() < deadline
            os.write(ours, b"q")
            while select.select([ours], [], [], 0.1)[0]:
                try:
                    seen += os.read(ours, 65_536)
                except OSError:  # the other end is closed
                    break
    finally:
        process.kill()
        code = process.wait()
        os.close(ours)
    assert code == 0
    assert b"owned" not in seen.replace(b"\x1b]0;seasoned replay", b"")
