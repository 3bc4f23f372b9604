"""Payloads survive their compact form, whatever is in them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seasoned.instrumentation.events import KINDS, PAYLOAD_KEYS, TEXT_KEYS, encode, text_ref
from seasoned.instrumentation.packing import (
    FLAGS,
    ROLES,
    USAGE,
    numbers,
    pack,
    ref_hash,
    references,
    unpack,
    unpack_prompt,
)  # fmt: skip

words = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
refs = words.map(text_ref)
roles = st.none() | st.sampled_from(ROLES) | words | st.integers() | st.lists(words, max_size=2)
new_messages = st.lists(st.tuples(roles, values, st.none() | refs, st.none() | refs).map(list), max_size=4)
prompts = st.fixed_dictionaries({
    "base": st.none() | st.integers(0, 10**6),
    "keep": st.integers(0, 10**6),
    "new": new_messages,
    "block": st.none() | refs,
}) | st.fixed_dictionaries({"messages": st.integers(0, 10**6)})  # fmt: skip
usages = st.dictionaries(st.sampled_from(USAGE), st.integers(0, 10**9)) | values.filter(
    lambda value: not isinstance(value, list)  # a list is how a row keeps a usage; the recorder writes none
)
OWN_FORM = {
    "prompt": st.none() | prompts,
    "usage": usages,
    "cost_usd": st.none() | st.integers(0, 10**9).map(lambda billionths: billionths / 10**9),
    "duration_ms": st.none() | st.integers(0, 10**9).map(lambda hundredths: hundredths / 100),
    "cached": st.none() | st.booleans(),
    "internal": st.none() | st.booleans(),
}


@st.composite
def payloads(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A kind, and a payload as the recorder writes one."""
    kind = draw(st.sampled_from(KINDS))
    keys = draw(st.lists(st.sampled_from(PAYLOAD_KEYS[kind]), unique=True))
    payload: dict[str, Any] = {
        key: draw(st.none() | refs if key in TEXT_KEYS[kind] else OWN_FORM.get(key, values)) for key in keys
    }
    others = words.filter(lambda key: key not in PAYLOAD_KEYS[kind])
    payload.update(draw(st.dictionaries(others | st.sampled_from(["json", "v", "+", ""]), values, max_size=3)))
    return kind, payload


def read_back(kind: str, payload: dict[str, Any]) -> tuple[dict[str, Any], dict[int, str]]:
    """The payload after a way through journal and row, and which reference each number stands for."""
    payload = msgspec.json.decode(encode(payload))
    found: dict[str, None] = {}
    references(kind, payload, found)
    pks = {ref: number for number, ref in enumerate(found, 1)}
    row = encode(pack(kind, payload, pks)).decode()
    return unpack(kind, row), {number: ref for ref, number in pks.items()}


@given(payloads())
def test_a_payload_reads_back_as_it_was(example: tuple[str, dict[str, Any]]) -> None:
    kind, payload = example
    expected = {**dict.fromkeys(PAYLOAD_KEYS[kind]), **payload}
    back, refs_by_number = read_back(kind, payload)
    for key in TEXT_KEYS[kind]:
        if back[key] is not None:
            back[key] = refs_by_number[back[key]]
    if kind == "model_call":
        prompt, stored = expected.pop("prompt"), unpack_prompt(back["prompt"])
        if prompt is not None and "new" in prompt:
            assert stored is not None
            assert (stored.base, stored.keep) == (prompt["base"], prompt["keep"])
            assert (None if stored.block is None else refs_by_number[stored.block]) == prompt["block"]
            restored = [
                [role, name, *(None if number is None else refs_by_number[number] for number in texts)]
                for role, name, *texts in stored.new
            ]
            assert restored == msgspec.json.decode(encode(prompt["new"]))
        else:
            assert stored is None
            assert back["prompt"] == (prompt["messages"] if prompt is not None else None)
        del back["prompt"]
        for key in FLAGS:
            expected[key] = bool(expected[key])
    assert back == msgspec.json.decode(encode(expected))


@given(payloads())
def test_every_text_of_a_row_is_found(example: tuple[str, dict[str, Any]]) -> None:
    """Forgetting rests on this: a text is deleted when no row's numbers name it."""
    kind, payload = example
    back, refs_by_number = read_back(kind, payload)
    assert set(numbers(kind, back)) == set(refs_by_number)


def test_what_has_a_short_form_takes_little() -> None:
    payload = {
        "model": "m",
        "prompt": {"base": 5, "keep": 2, "new": [["user", "a", text_ref("x"), None]], "block": None},
        "response": text_ref("y"),
        "usage": {"input_tokens": 100, "output_tokens": 20},
        "cost_usd": 0.00012345678912,
        "duration_ms": 12.345678,
        "cached": False,
    }
    packed = pack("model_call", payload, {text_ref("x"): 7, text_ref("y"): 8})
    assert encode(packed) == b'["m",[5,2,[[1,"a",7]]],8,[100,20],0.000123457,12.35]'


def test_usage_with_other_keys_is_kept_whole() -> None:
    usage = {"input_tokens": 1, "cached_tokens": 2}
    back, _ = read_back("model_call", {"usage": usage})
    assert back["usage"] == usage


@pytest.mark.parametrize("ref", ["", "x" * 21, "x" * 23, "x" * 21 + "=", "ä" * 22, " " * 22])
def test_what_is_no_reference_is_refused(ref: str) -> None:
    with pytest.raises(ValueError, match="no reference"):
        ref_hash(ref)


@given(words)
def test_a_reference_is_the_hash_of_its_text(text: str) -> None:
    assert len(ref_hash(text_ref(text))) == 16
