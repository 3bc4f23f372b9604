"""What recording costs in the application's thread: one event, and one model call with a long history.

The baseline is the least that a home-made logger would do: ``json.dumps`` and a write to a file, flushed, because
what lies in a buffer is lost with the process. It redacts nothing and stores every text again each time.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import bytes_below, folder, machine, median, quantile, table, texts

from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.journal import Writer
from seasoned.instrumentation.recorder import Recorder
from seasoned.instrumentation.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS = 20_000
CALLS = 100
HISTORIES = (10, 2000)
SECRET = " my key is sk-proj-9dKq2LmX7vTz4RbN8wYc5HsJ3fGp6AeU, keep it"
_clock = time.perf_counter_ns


def recorder_in(home: Path) -> Recorder:
    """A recorder as ``enable()`` makes it: redaction on, a journal in ``home``, no background thread."""
    return Recorder(Writer(home), Redactor(), Guard(), namespace="bench")


def timed(work: Callable[[Any], object], inputs: list[Any]) -> list[float]:
    """Microseconds of ``work`` for each input."""
    out: list[float] = []
    for value in inputs:
        start = _clock()
        work(value)
        out.append((_clock() - start) / 1000)
    return out


def one_event(size: int, *, secret: bool = False) -> tuple[list[float], list[float]]:
    """Microseconds of recording a message of ``size`` characters, and of the baseline for the same."""
    contents = texts(EVENTS, size, seed=size)
    if secret:
        contents = [text[: size - len(SECRET)] + SECRET for text in contents]
    with folder() as place:
        recorder = recorder_in(Path(place) / "home")
        run = recorder.begin("Book a later flight for the customer", framework="bench")

        def record(text: str) -> None:
            recorder.record(run, "message", "tess", {"recipients": ["max"], "role": "assistant", "content": text})

        with (Path(place) / "log.jsonl").open("a", encoding="utf-8") as log:

            def write(text: str) -> None:
                event = {
                    "run_id": run.run_id, "kind": "message", "at": time.time_ns(), "sender": "tess",
                    "recipients": ["max"], "role": "assistant", "content": text,
                }  # fmt: skip
                log.write(json.dumps(event) + "\n")
                log.flush()

            timed(record, contents[:500])
            timed(write, contents[:500])
            ours, theirs = timed(record, contents[500:]), timed(write, contents[500:])
        recorder.writer.close()
    return ours, theirs


def model_calls(history: int, *, copies: bool) -> tuple[float, float, float, float]:
    """A model call in a chat of ``history`` messages and more: median microseconds and bytes on disk of the journal,
    then of the baseline. Every call sends the last reply and one message more than the call before.
    ``copies``: the host makes new dictionaries for every call."""
    chat = [
        {"role": "assistant" if number % 2 else "user", "name": "tess", "content": text}
        for number, text in enumerate(texts(history + 2 * CALLS, 320))
    ]
    usage = {"input_tokens": 80 * history, "output_tokens": 80}
    with folder() as place:
        home = Path(place) / "home"
        recorder = recorder_in(home)
        run = recorder.begin("Book a later flight for the customer", framework="bench")
        sent = [chat[: history + 2 * number] for number in range(CALLS)]
        prompts = [[dict(message) for message in prompt] for prompt in sent] if copies else sent
        replies = [chat[history + 2 * number]["content"] for number in range(CALLS)]

        def record(number: int) -> None:
            payload = {"model": "gpt-4o", "usage": dict(usage), "duration_ms": 1.0}
            recorder.model_call(run, "tess", prompts[number], payload, response=replies[number])

        record(0)
        before = bytes_below(home)
        ours = timed(record, list(range(1, CALLS)))
        per_call = (bytes_below(home) - before) / (CALLS - 1)
        log_file = Path(place) / "log.jsonl"
        with log_file.open("a", encoding="utf-8") as log:

            def write(number: int) -> None:
                call = {"at": time.time_ns(), "prompt": prompts[number], "response": replies[number], "usage": usage}
                log.write(json.dumps(call) + "\n")
                log.flush()

            theirs = timed(write, list(range(1, CALLS)))
        theirs_per_call = bytes_below(log_file.parent) - bytes_below(home)
        recorder.writer.close()
    return median(ours), per_call, median(theirs), theirs_per_call / (CALLS - 1)


def main() -> None:
    """Print both tables."""
    print(machine("msgspec"))
    rows: list[list[Any]] = []
    for name, size, secret, budget in (
        ("320 B", 320, False, 10), ("1 KB", 1024, False, 15), ("1 KB with an API key", 1024, True, None),
    ):  # fmt: skip
        ours, theirs = one_event(size, secret=secret)
        middle, base = median(ours), median(theirs)
        rows.append([name, middle, quantile(ours, 0.99), base, quantile(theirs, 0.99), middle / base, budget])
    table(
        "One record() call, redaction on (microseconds)",
        ["event", "median", "p99", "json.dumps+write", "its p99", "ratio", "budget"],
        rows,
        f"{EVENTS:,} different texts each; budget for the p99: 50",
    )
    rows = []
    for copies in (False, True):
        short, long = (model_calls(history, copies=copies) for history in HISTORIES)
        each = (long[0] - short[0]) / (HISTORIES[1] - HISTORIES[0])
        what = "new dictionaries" if copies else "same objects"
        for history, figures in zip(HISTORIES, (short, long), strict=True):
            last = each if history == HISTORIES[1] else None
            rows.append([f"{history} messages, {what}", *figures, figures[0] / figures[2], last])
    table(
        "One model call, two messages of 320 B more than the call before",
        ["history", "us", "bytes", "json.dumps+write us", "bytes", "ratio", "us/unchanged message"],
        rows,
        "budget: 0.1 us for each unchanged message; bytes must not depend on the history",
    )


if __name__ == "__main__":
    main()
