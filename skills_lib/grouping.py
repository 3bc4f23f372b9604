"""Kinds of task: which runs were "the same kind of task", as one small question with one small answer.

Growth asks it to tell a first solve from a repeated one. The answer is a name; two runs are of one kind when their
names are equal. It is given once, when a run is first learned from, and then kept with the run, so that a better rule
changes no history by itself (``seasoned rebuild --regroup`` does). A plugin that knows better answers the hook
``task_group`` first.

The rule here is plain, so that its answer can be predicted: tasks are of one kind when, in the same domain, they ask
for the same kinds of thing (:func:`.task_types.ranked`: a return, or a cancellation and a return). Where their words
tell none, they are of one kind when they read the same apart from the values in them: what can be told from its form,
such as numbers, dates, ids, addresses and quotes.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from typing import TYPE_CHECKING

from .task_types import ranked

if TYPE_CHECKING:
    from ..instrumentation.reading import RunRecord

READ = 20_000
"""Characters of the task that are read."""

DIGITS = 16
"""Hexadecimal digits of the name: 64 bits, so that a million kinds of task make a collision a matter of 1 in 10^7."""

_QUOTED = r"\"[^\"\n]{1,200}\"|\u201c[^\u201d\n]{1,200}\u201d|`[^`\n]{1,200}`|(?<!\w)'[^'\n]{1,200}'(?!\w)"
_MASKS = (
    (re.compile(r"https?://\S+|www\.\S+"), "<url>"),
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+"), "<email>"),
    (re.compile(_QUOTED), "<quote>"),
    (re.compile(r"(?<!\w)[#$\u20ac\u00a3]?(?=[\w\-./:]{0,64}\d)\w[\w\-./:,]*"), "<value>"),
)
"""Values by their form, in the order in which they are replaced. The last is every word with a digit in it: numbers,
amounts, dates, times and ids."""

_GAPS = re.compile(r"[^\w<>]+")
_NOT_NAME = re.compile(r"[^a-z0-9_+]+")


def masked(task: str) -> str:
    """The task with its values replaced by what they are, in lower case, its words one space apart."""
    text = unicodedata.normalize("NFKC", task[:READ]).casefold()
    for pattern, mark in _MASKS:
        text = pattern.sub(mark, text)
    return _GAPS.sub(" ", text).strip()


def group_of(run: RunRecord) -> str | None:
    """The kind of task that a run is; None where neither its task, its domain nor its type is known."""
    types = {run.task_type} if run.task_type else set[str]()
    words = ""
    if run.task:
        types.update(ranked(run.task))
        words = "" if types else masked(run.task)
    if not words and not types and not run.domain:
        return None
    identity = json.dumps([run.domain, sorted(types), words], ensure_ascii=False)
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
    kind = _NOT_NAME.sub("_", "+".join(sorted(types)).lower())[:40].strip("_")
    return f"{kind or 'task'}-{digest}"
