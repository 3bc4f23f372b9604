"""Tales that go wrong, or in which something awkward passes through: each is recorded, and none is made worse by it."""

from __future__ import annotations

import asyncio
import hashlib
import struct
import zlib
from typing import Any
from unittest.mock import ANY

from story import (
    ASKER,
    BANK,
    BROKEN,
    END,
    ENDING,
    FOUND,
    ORDER,
    PLAN,
    QUESTION,
    STORY,
    TASK,
    Broken,
    Call,
    Half,
    Nonsense,
    Tale,
    beginning,
    cancel,
)

MEGABYTES = 5_000_000
"""Characters of the long result."""


class OneOf:
    """Equal to each of these: frameworks may differ in it."""

    def __init__(self, *values: Any) -> None:
        self.values = values

    def __eq__(self, other: object) -> bool:
        return other in self.values

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return " or ".join(map(repr, self.values))


class Odd:
    """What no encoder knows; it even refuses to be copied."""

    def __repr__(self) -> str:
        return "<odd>"

    def __reduce__(self) -> Any:
        raise TypeError("not to be copied")


def archive(order: str) -> str:
    """Everything about an order."""
    return "x" * MEGABYTES


def scan(order: str) -> bytes:
    """The scan of an order."""
    return b"\x89\x00\xff"


def handle(order: str) -> Any:
    """The handle of an order."""
    return Odd()


async def wait(order: str) -> str:
    """Wait for an order; the application does not."""
    cancel()
    await asyncio.sleep(60)
    return "in vain"


def _png(rows: list[bytes]) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"".join(b"\x00" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")


PIXELS = [hashlib.sha512(bytes([row])).digest()[:48] for row in range(16)]
"""The rows of an image in which nothing repeats, so that no piece of it occurs anywhere by chance."""

IMAGE = _png(PIXELS)

SHOWN = (
    "image",
    OneOf("image/png", "image/x-raw"),
    OneOf(*(hashlib.sha256(content).hexdigest() for content in (IMAGE, b"".join(PIXELS)))),
)
"""What stands for it; a framework that opens images for its messages has the pixels, not the file."""


def _broken(name: str, answer: Any, heard: Any, error: Any = "Broken", **more: Any) -> Tale:
    """The first model fails; ``heard`` is what it had said by then."""
    return Tale(
        name=name, says={"planner": [answer]}, tools=STORY.tools, raises="Error" if error is ANY else error, **more,
        expected=[
            *beginning()[:4],
            ("model", "planner", heard),
            ("error", error),
            ("outcome", False),
            ("end",),
        ],
    )  # fmt: skip


def _nonsense(name: str, value: Any) -> Tale:
    return _broken(name, Nonsense(value), ANY, ANY)  # what it is called, and how it fails, is the framework's affair


def _using(*tools: str) -> dict[str, Any]:
    return {"planner": [PLAN], "worker": [*map(Call, tools), FOUND], "reviewer": [END]}


ENDINGS = [
    _broken("a model raises", Broken(BROKEN), None),
    _broken("a model breaks off", Half("The worker looks"), "The worker looks", modes=frozenset({"stream"})),
    Tale(
        name="a model raises in the nested conversation",
        says={**STORY.says, "worker": [Call(BANK, {"task": QUESTION}), FOUND], BANK: [Broken(BROKEN)]},
        tools=STORY.tools,
        needs=STORY.needs,
        expected=[
            *beginning(),
            ("model", "worker", (BANK, {"task": QUESTION})),
            ("call", "worker", BANK, {"task": QUESTION}),
            [
                ("run", QUESTION),
                ("message", ASKER, QUESTION),
                ("model", BANK, None),
                ("error", "Broken"),
                ("outcome", False),
                ("end",),
            ],
            ("result", BANK, False, "Broken"),
            *ENDING,
        ],
    ),
    Tale(
        name="an agent that is a conversation",
        says={BANK: [PLAN], "worker": [FOUND], "reviewer": [END]},
        tools={},
        asks="planner",
        needs=frozenset({"delegating", "human"}),
        expected=[
            *beginning()[:3],
            [("run", TASK), ("message", ASKER, TASK), ("model", BANK, PLAN), ("message", BANK, PLAN), ("end",)],
            *beginning()[5:],
            *ENDING,
        ],
    ),
    _nonsense("a model answers nothing", None),
    _nonsense("a model answers a number", 42),
    _nonsense("a model answers an object", Odd()),
    Tale(
        name="awkward results",
        says=_using("archive", "scan", "handle"),
        tools={"archive": archive, "scan": scan, "handle": handle},
        needs=frozenset({"human"}),
        expected=[
            *beginning(),
            ("model", "worker", ("archive", ORDER)),
            ("call", "worker", "archive", ORDER),
            ("result", "archive", True, (MEGABYTES, "xxxxxxxxx")),
            ("model", "worker", ("scan", ORDER)),
            ("call", "worker", "scan", ORDER),
            ("result", "scan", True, "b'\\x89\\x00\\xff'"),
            ("model", "worker", ("handle", ORDER)),
            ("call", "worker", "handle", ORDER),
            ("result", "handle", True, "<odd>"),
            *ENDING,
        ],
    ),
    Tale(
        name="cancelled within a tool",
        says=_using("wait"),
        tools={"wait": wait},
        modes=frozenset({"async"}),
        needs=frozenset({"cancelling"}),
        raises="CancelledError",
        expected=[
            *beginning(),
            ("model", "worker", ("wait", ORDER)),
            ("call", "worker", "wait", ORDER),
            ("result", "wait", False, "CancelledError"),
            ("error", "CancelledError"),
            ("end",),
        ],
    ),
    Tale(
        name="an image",
        says=_using(),
        tools={},
        image=IMAGE,
        needs=frozenset({"human", "images"}),
        expected=[*beginning((TASK, SHOWN)), *ENDING],
    ),
]
"""The tales beside the story."""
