"""Two runs side by side: where they part, and how they differ.

Turns are aligned, not numbered against each other: a run that needed one more attempt is the same run with something
in between. Of all ways to put the turns side by side without changing their order, the one is taken in which the most
is alike: above all the same words, then the same agent with the same tools, then similar words. (Equal turns alone are
no guide: two trials of a task have few of them, and one that is equal by chance would tear apart everything around it.)

Both runs are read twice from beginning to end, first to align their turns and then to tell what differs, so that runs
of any length take little memory.
"""

from __future__ import annotations

import contextlib
import difflib
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from .describing import text_of
from .steps import Turns

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from .steps import Step, Turn

CELLS = 2_000_000
"""Turns of one run times turns of the other that are aligned, beginning and end that are the same left out: aligning
takes time and memory by their product. Beyond, turns are compared one by one."""

WORDY_CELLS = 250_000
"""The same product up to which similar words count: comparing them takes ten times as long."""

WORDS = 60
"""Different words of a turn that are compared with those of another."""

LEFT_OUT = frozenset(
    ("duration_ms", "call_id", "cost_usd", "usage", "json", "session", "parent", "templates", "cached")
)
"""Values that differ between any two runs, and say nothing of what happened."""

KINDS = (
    "message", "model_call", "tool_call", "tool_result", "code_execution", "transition", "human_input", "injection",
    "error", "outcome",
)  # fmt: skip
"""Kinds of events that are compared."""


class Change(NamedTuple):
    """One value that differs.

    Attributes:
        kind: the kind of event: ``prompt`` for what a model was sent, ``agent`` where another one spoke.
        name: the agent, tool or message that it belongs to.
        key: the value's name; ``step`` where only one run has such a step at all.
        left, right: the value in each run, None where it has none.
    """

    kind: str
    name: str
    key: str
    left: Any
    right: Any

    def lines(self) -> list[str]:
        """The difference as a unified diff, line by line, without its heading."""
        left, right = (text_of(value).splitlines() for value in (self.left, self.right))
        return list(difflib.unified_diff(left, right, lineterm="", n=2))[2:]


class Pair(NamedTuple):
    """A turn of each run; None where the other has no such turn."""

    left: Turn | None
    right: Turn | None
    changes: tuple[Change, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return self.left is not None and self.right is not None and not self.changes


class Difference:
    """What differs between two runs.

    Attributes:
        pairs: their turns, aligned.
        outcome: the differences between how they ended.
    """

    def __init__(self, pairs: Sequence[Pair], outcome: Sequence[Change] = ()) -> None:
        self.pairs = list(pairs)
        self.outcome = list(outcome)

    @property
    def parting(self) -> Pair | None:
        """Where they part: the first turns that differ; None where none do."""
        return next((pair for pair in self.pairs if not pair.same), None)

    @property
    def identical(self) -> bool:
        """Whether nothing differs, the outcome included."""
        return self.parting is None and not self.outcome

    def __bool__(self) -> bool:
        return not self.identical

    def changes(self) -> Iterator[Change]:
        """All differences in order."""
        for pair in self.pairs:
            yield from pair.changes
        yield from self.outcome

    def __repr__(self) -> str:
        if self.identical:
            return f"<Difference: none in {len(self.pairs)} turns>"
        same = sum(pair.same for pair in self.pairs)
        return f"<Difference: {same} of {len(self.pairs)} turns are the same>"


def compare(left: Sequence[Turn], right: Sequence[Turn], *, prompts: bool = True) -> Difference:
    """Align the turns of two runs and tell what differs.

    Args:
        left: the turns of one run.
        right: those of the other.
        prompts: whether what models were sent is compared as well.
    """
    sketches = [[_sketch(found) for found in _each(turns, prompts=False)] for turns in (left, right)]
    pairs: list[Pair] = []
    ends: list[Step | None] = [None, None]
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(contextlib.closing(_each(turns, prompts=prompts))) for turns in (left, right)]
        for places in aligned(*sketches):
            sides = [None if at is None else next(reader, []) for at, reader in zip(places, readers, strict=True)]
            turns = [None if at is None else run[at] for at, run in zip(places, (left, right), strict=True)]
            speakers = [None if at is None else known[at].agent for at, known in zip(places, sketches, strict=True)]
            pairs.append(Pair(turns[0], turns[1], tuple(_changes(sides[0], sides[1], speakers))))
            ends = [_last_outcome(found, end) for found, end in zip(sides, ends, strict=True)]
    outcome = _values("outcome", "", ends[0], ends[1]) if ends[0] or ends[1] else []
    return Difference(pairs, outcome)


def _each(turns: Sequence[Turn], *, prompts: bool) -> Generator[list[Step], None, None]:
    """The steps of each turn; those of a whole run in one pass."""
    if isinstance(turns, Turns):
        yield from turns.each(prompts=prompts)
    else:
        for turn in turns:
            yield turn.with_prompts if prompts else turn.steps


def _last_outcome(found: list[Step] | None, before: Step | None) -> Step | None:
    return next((step for step in reversed(found or ()) if step.kind == "outcome"), before)


# -- aligning ----------------------------------------------------------------------------------------------------------


class Sketch(NamedTuple):
    """What of a turn is compared to align it.

    Attributes:
        said: a hash of who did what, and said what, exactly.
        agent: who spoke.
        tools: the tools that were called.
        words: some of the words in it.
    """

    said: bytes
    agent: str | None
    tools: tuple[str, ...]
    words: frozenset[str]


def _sketch(found: Iterable[Step]) -> Sketch:
    said: list[str] = []
    tools: list[str] = []
    speaker: str | None = None
    other: str | None = None
    words: dict[str, None] = {}
    for step in found:
        if step.kind not in ("message", "tool_call", "tool_result"):
            if step.kind in ("model_call", "code_execution", "human_input"):
                other = other or step.agent
            continue
        text = step.title + "\n" + step.text if step.kind == "tool_call" else step.text
        said.append(f"{step.kind}\n{step.agent}\n{text}\n")
        if step.kind == "message":
            speaker = speaker or step.agent
        else:
            other = other or step.agent
        if step.kind == "tool_call":
            tools.append(text_of(step.payload.get("tool")))
        if len(words) < WORDS:
            words.update(dict.fromkeys(re.findall(r"\w+", text[:2_000].lower())))
    digest = sha256("\x00".join(said).encode("utf-8", "backslashreplace")).digest()
    return Sketch(digest, speaker or other, tuple(tools), frozenset(list(words)[:WORDS]))


Places = tuple["int | None", "int | None"]
"""The numbers of two turns side by side, None where the other run has no such turn."""


def aligned(left: Sequence[Sketch], right: Sequence[Sketch]) -> list[Places]:
    """Both runs' turns side by side: every turn once and in order. The other way round where the runs are."""
    if [sketch.said for sketch in left] > [sketch.said for sketch in right]:  # ties are broken alike both ways round
        return [(one, other) for other, one in aligned(right, left)]
    begin, shorter = 0, min(len(left), len(right))
    while begin < shorter and left[begin].said == right[begin].said:
        begin += 1
    end = 0
    while end < shorter - begin and left[-1 - end].said == right[-1 - end].said:
        end += 1
    middle = _middle(left[begin : len(left) - end], right[begin : len(right) - end])
    out: list[Places] = [(at, at) for at in range(begin)]
    out += [(None if a is None else a + begin, None if b is None else b + begin) for a, b in middle]
    out += [(len(left) - at, len(right) - at) for at in range(end, 0, -1)]
    return out


def _middle(left: Sequence[Sketch], right: Sequence[Sketch]) -> list[Places]:
    if len(left) * len(right) > CELLS:
        longer = max(len(left), len(right))
        return [(at if at < len(left) else None, at if at < len(right) else None) for at in range(longer)]
    return _lonely(_best(left, right))


def _best(left: Sequence[Sketch], right: Sequence[Sketch]) -> list[Places]:
    """The alignment in which the most is alike (Needleman and Wunsch's, with nothing to pay for a gap)."""
    wordy = len(left) * len(right) <= WORDY_CELLS
    width = len(right) + 1
    steps = bytearray((len(left) + 1) * width)  # 0: both, 1: only the left one, 2: only the right one
    above = [0.0] * width
    for a, one in enumerate(left, 1):
        row = [0.0] * width
        at = a * width
        for b, other in enumerate(right, 1):
            best, how = above[b], 1
            if row[b - 1] > best:
                best, how = row[b - 1], 2
            if one.agent == other.agent:
                both = above[b - 1] + _alike(one, other, wordy=wordy)
                if both >= best:
                    best, how = both, 0
            row[b] = best
            steps[at + b] = how
        above = row
    places: list[Places] = []
    a, b = len(left), len(right)
    while a or b:
        how = 1 if not b else 2 if not a else steps[a * width + b]
        a, b = a - (how != 2), b - (how != 1)
        places.append((None if how == 2 else a, None if how == 1 else b))
    return places[::-1]


def _alike(one: Sketch, other: Sketch, *, wordy: bool) -> float:
    """How much two turns of one agent are alike."""
    if one.said == other.said:
        return 4.0 if one.tools else 3.0 if one.words else 1.0
    if one.tools != other.tools:
        return 0.25
    score = 2.0 if one.tools else 1.0
    if wordy and one.words and other.words:
        score += len(one.words & other.words) / len(one.words | other.words)
    return score


def _lonely(places: list[Places]) -> list[Places]:
    """A turn that only one run has, next to one that only the other has, and nothing else there: another one spoke."""
    out: list[Places] = []
    at = 0
    while at < len(places):
        begin = at
        while at < len(places) and None in places[at]:
            at += 1
        ones = [a for a, _ in places[begin:at] if a is not None]
        others = [b for _, b in places[begin:at] if b is not None]
        if len(ones) == len(others) == 1:
            out.append((ones[0], others[0]))
        else:
            out += [(a, None) for a in ones]
            out += [(None, b) for b in others]
        if at < len(places):
            out.append(places[at])
            at += 1
    return out


# -- what differs ------------------------------------------------------------------------------------------------------


def _changes(left: list[Step] | None, right: list[Step] | None, speakers: Sequence[str | None]) -> Iterator[Change]:
    if left is None or right is None:
        return
    if speakers[0] != speakers[1]:
        yield Change("agent", "", "agent", *speakers)
    ours, theirs = (
        [step for step in found if step.kind in KINDS and step.kind != "outcome"] for found in (left, right)
    )
    keys = [[(step.kind, step.agent, text_of(step.payload.get("tool"))) for step in found] for found in (ours, theirs)]
    alike = [("equal", 0, len(ours), 0, len(theirs))]  # the usual case, which need not be looked for
    matches = alike if keys[0] == keys[1] else difflib.SequenceMatcher(None, *keys, autojunk=False).get_opcodes()
    for tag, a, b, c, d in matches:
        if tag == "equal":
            for one, other in zip(ours[a:b], theirs[c:d], strict=True):
                yield from _values(one.kind, _name(one), one, other)
        else:
            yield from (Change(step.kind, _name(step), "step", step.title, None) for step in ours[a:b])
            yield from (Change(step.kind, _name(step), "step", None, step.title) for step in theirs[c:d])


def _name(step: Step) -> str:
    return text_of(step.payload.get("tool") or step.agent)


def _values(kind: str, name: str, left: Step | None, right: Step | None) -> list[Change]:
    ours, theirs = (dict(step.payload) if step is not None else {} for step in (left, right))
    prompts = [values.pop("prompt", None) for values in (ours, theirs)]
    blocks = [values.pop("injected", None) for values in (ours, theirs)]
    changes = [
        Change(kind, name, key, ours.get(key), theirs.get(key))
        for key in {**ours, **theirs}
        if key not in LEFT_OUT and ours.get(key) != theirs.get(key)
    ]
    if prompts[0] != prompts[1]:
        changes.extend(_prompt(name, *(prompt if isinstance(prompt, list) else [] for prompt in prompts)))
    if blocks[0] != blocks[1]:
        changes.append(Change("prompt", name, "injected", *blocks))
    return changes


def _prompt(name: str, left: list[dict[str, Any]], right: list[dict[str, Any]]) -> Iterator[Change]:
    """The messages of two prompts that differ, aligned."""
    begin = 0  # prompts repeat what came before, which is nearly always the same
    while begin < min(len(left), len(right)) and left[begin] == right[begin]:
        begin += 1
    lists = [[text_of(message) for message in prompt[begin:]] for prompt in (left, right)]
    for tag, a, b, c, d in difflib.SequenceMatcher(None, *lists, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        for at in range(max(b - a, d - c)):
            one = left[begin + a + at] if a + at < b else None
            other = right[begin + c + at] if c + at < d else None
            yield Change("prompt", name, f"message {begin + a + at}", _content(one), _content(other))


def _content(message: dict[str, Any] | None) -> Any:
    if message is None:
        return None
    return message["content"] if message.keys() == {"role", "content"} else message
