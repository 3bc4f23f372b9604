"""Pictures in messages become their description, and nothing else changes."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seasoned.instrumentation.media import describe, slim

RAW = b"\x89PNG\r\n not really a picture"
URI = "data:image/png;base64," + base64.b64encode(RAW).decode()
PNG = {"type": "image", "media_type": "image/png", "sha256": hashlib.sha256(RAW).hexdigest(), "bytes": len(RAW)}
TEXT = {"type": "text", "text": "What is this?"}


class Picture:
    """What Pillow's images have."""

    size, mode = (2, 1), "RGB"

    def tobytes(self):
        return b"\x00" * 6


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": URI, "detail": "high"}},
        {"type": "image_url", "image_url": URI},
        {"type": "input_image", "image_url": URI},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": URI}},
        {"type": "image", "image": URI},
        URI,
    ],
)
def test_pictures_in_the_forms_of_the_providers(part):
    assert slim([TEXT, part]) == [TEXT, PNG]


def test_objects_and_bytes():
    part = {"type": "image_url", "image_url": {"url": Picture()}}
    (found,) = slim([part])
    assert (found["type"], found["bytes"], found["size"]) == ("image", 6, [2, 1])
    assert slim([b"abc"])[0]["bytes"] == 3


def test_what_the_application_holds_is_not_touched():
    part = {"type": "image_url", "image_url": {"url": URI}}
    given_parts = [TEXT, part]
    slim(given_parts)
    assert given_parts == [TEXT, {"type": "image_url", "image_url": {"url": URI}}]


def test_sounds_and_files():
    sound = {"type": "input_audio", "input_audio": {"data": "data:audio/wav;base64,AAAA", "format": "wav"}}
    paper = {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}
    assert [part["type"] for part in slim([sound, paper])] == ["audio", "file"]


@pytest.mark.parametrize(
    "value",
    [
        "text", None, 3, {"a": 1}, [], [TEXT], ["https://example.com/a.png"], "data:image/png;base64,AAAA",
        [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}], ["data:"],
        ["data:text/plain,short"], [{"type": "image_url", "image_url": None}],
        [{"type": "file", "file": {"file_id": "f1"}}],
    ],
)  # fmt: skip
def test_the_rest_is_the_same_object(value):
    assert slim(value) is value


@given(st.binary(max_size=300), st.sampled_from(["image/png", "audio/wav", "video/mp4", "application/pdf", ""]))
def test_any_medium(content, media_type):
    found = describe(f"data:{media_type};base64,{base64.b64encode(content).decode()}")
    assert found is not None
    assert found["bytes"] == len(content)
    assert found["sha256"] == hashlib.sha256(content).hexdigest()


KEYS = st.sampled_from(["type", "image_url", "url", "data", "image", "text"])
LEAVES = st.none() | st.text() | st.integers() | st.binary()


@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner)))
def test_it_takes_anything(value):
    slim(value)
