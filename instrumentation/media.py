"""What stands for an image or another medium in the record: its type, size and hash.

A picture inside a message is megabytes of base64 that every later prompt repeats. The record says that it was
there and which one it was; the picture itself stays with the application.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

LIMIT = 20_000
"""Characters up to which a ``data:`` URI is left as it is where its type is text."""

_PARTS = ("image_url", "image", "input_image", "input_audio", "audio", "file", "video", "source", "url", "data")
"""Keys of a part of a message under which providers put a medium, or a dictionary that holds one."""


def slim(value: Any) -> Any:
    """``value`` with every medium in a message's list of parts replaced by its description; a copy where one is
    found, else the same object. Strings and whatever is no list pass through."""
    if not isinstance(value, (list, tuple)):
        return value
    parts = [_part(part) for part in value]
    return value if all(new is old for new, old in zip(parts, value, strict=True)) else parts


def _part(part: Any) -> Any:
    """One part of a message: described if it is or holds a medium."""
    if not isinstance(part, dict):
        return describe(part) or part
    for key in _PARTS:
        held = part.get(key)
        if held is None:
            continue
        if isinstance(held, dict):
            held = held.get("url") or held.get("data") or held.get("file_data")
        found = describe(held)
        if found is not None:
            if isinstance(part.get("type"), str) and "image" not in part["type"] and found["type"] == "image":
                found["type"] = part["type"]
            return found
    return part


def describe(medium: Any) -> dict[str, Any] | None:
    """``{"type", "media_type", "sha256", "bytes"}`` of a medium (a ``data:`` URI, bytes, an image object of
    Pillow), or None for anything else, such as a link."""
    if isinstance(medium, str):
        return _data_uri(medium) if medium[:5].lower() == "data:" else None
    if isinstance(medium, (bytes, bytearray, memoryview)):
        return _described("application/octet-stream", bytes(medium))
    if hasattr(medium, "tobytes") and hasattr(medium, "size") and hasattr(medium, "mode"):
        content = medium.tobytes()
        found = _described("image/x-raw", content)
        found["size"] = list(medium.size)
        return found
    return None


def _data_uri(uri: str) -> dict[str, Any] | None:
    head, comma, body = uri.partition(",")
    if not comma:
        return None
    media_type, *options = head[5:].split(";")
    if "base64" in options:
        try:
            content = base64.b64decode(body, validate=False)
        except (binascii.Error, ValueError):
            content = body.encode("utf-8", "replace")
    elif media_type.startswith("text/") and len(uri) <= LIMIT:
        return None
    else:
        content = body.encode("utf-8", "replace")
    return _described(media_type or "text/plain", content)


def _described(media_type: str, content: bytes) -> dict[str, Any]:
    kind = media_type.partition("/")[0]
    return {
        "type": kind if kind in ("image", "audio", "video") else "file",
        "media_type": media_type,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
