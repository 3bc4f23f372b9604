"""Names for slots, from the words around them and the form of their values.

A name is for people and for the arguments of tools, so it says what the value is where the text says so: "order
{{order_id}}", "in {{year}}", "{{count}} items". What an application knows better comes first: a caller may hand in a
function that names a slot, for example after the tool argument that its values feed.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from .tokens import FUNCTION_WORDS, tokenise, word_class


class SlotContext(NamedTuple):
    """What is known of a slot when it is named: its values, its type, and the template's words on either side."""

    values: tuple[str, ...]
    type: str
    before: str
    after: str


Namer = Callable[[SlotContext], "str | None"]
"""Names a slot, or leaves it to the words around it by answering None."""

MAX_NAME = 40
"""Characters of a name."""

_PLAIN = {"email": "email", "url": "url", "path": "path", "date": "date", "code": "code"}
_YEAR = re.compile(r"(?:1[5-9]|20|21)\d\d")
_PLACES = {"from": "origin", "to": "destination", "in": "place", "at": "place", "near": "place"}
_VERBS_OF_NAMING = frozenset(("called", "named", "titled"))


def name_slot(context: SlotContext, taken: Collection[str], namer: Namer | None = None) -> str:
    """A name for a slot: a valid identifier, none of ``taken``."""
    given = namer(context) if namer is not None else None
    base = identifier(given) if given else ""
    base = base or identifier(_from_context(context)) or "value"
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    return name


def identifier(text: str) -> str:
    """``text`` as a lower-case ASCII identifier of at most :data:`MAX_NAME` characters; empty where nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:MAX_NAME].strip("_")
    if name[:1].isdigit():
        name = f"value_{name}"[:MAX_NAME]
    return f"{name}_value" if keyword.iskeyword(name) or keyword.issoftkeyword(name) else name


def _from_context(context: SlotContext) -> str:
    before = [token.key for token in tokenise(context.before[-200:])]
    after = [token.key for token in tokenise(context.after[:200])]
    last = next((key for key in reversed(before) if word_class(key) != "quote"), "")
    noun = last if last and word_class(last) == "content" else ""
    if noun in _VERBS_OF_NAMING:
        return "name"
    if context.type in _PLAIN:
        if context.type == "date" and all(_YEAR.fullmatch(value.strip()) for value in context.values if value.strip()):
            return "year"
        return f"{noun}_date" if noun and context.type == "date" else _PLAIN[context.type]
    following = next((key for key in after[:1] if word_class(key) == "content"), "")
    if context.type == "id":
        return f"{noun or following or 'item'}_id" if (noun or following) != "id" else "id"
    if context.type == "number":
        if noun:
            return noun if noun in ("number", "count", "quantity") else f"{noun}_number"
        return f"{following}_count" if following else "number"
    if noun:
        return noun
    if following:
        return following
    if context.type == "name" and last in _PLACES:
        return _PLACES[last]
    near = _nearest(before)
    return near or _nearest(after[::-1]) or ("name" if context.type == "name" else "text")


def _nearest(keys: Sequence[str]) -> str:
    """The last content word of a sentence part, as long as only function words follow it."""
    for key in reversed(keys[-4:]):
        if key in FUNCTION_WORDS or word_class(key) == "quote":
            continue
        return key if word_class(key) == "content" else ""
    return ""
