"""Identifiers of runs, sessions and journals: short, sortable by time, never equal."""

from __future__ import annotations

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, in lower case: no i, l, o, u to misread


def new_id(prefix: str) -> str:
    """``prefix`` and 18 characters: 50 bits of milliseconds since the epoch, then 40 random bits.

    Randomness comes from the operating system at every call, so that forked processes never repeat each other.
    """
    number = (time.time_ns() // 1_000_000) << 40 | int.from_bytes(os.urandom(5), "big")
    out = ""
    for _ in range(18):
        out = _ALPHABET[number & 31] + out
        number >>= 5
    return prefix + out
