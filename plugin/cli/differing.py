"""``seasoned diff``: two runs side by side, where they part and what differs.

Once two runs have parted, every later prompt differs by what was said since; so what a difference says is told once,
and later it is only counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...instrumentation.describing import text_of, verdict
from . import options, output
from .wording import BODY_CHARACTERS, BODY_LINES, colour_of, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from ...instrumentation.comparing import Change, Difference, Pair
    from ...instrumentation.reading import RunRecord
    from ...instrumentation.steps import Turn

DIFFERENT = 1
"""The exit code where the runs differ, as diff(1) has it."""

RULE = 100
"""Columns of the rules between turns, if the terminal has as many."""

_SIGNS = {"-": "red", "+": "green", "@": "cyan"}


def diff(
    left: Annotated[str, typer.Argument(metavar="RUN", help="A run id, the beginning of one, or `last`.")],
    right: Annotated[str, typer.Argument(metavar="RUN", help="The run to compare it with.")],
    prompts: Annotated[
        bool, typer.Option("--prompts/--no-prompts", help="Whether what models were sent is compared as well.")
    ] = True,
    full: Annotated[bool, typer.Option("--full", help="Long differences in full, and equal turns one by one.")] = False,
    no_flush: options.NoFlush = False,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Compare two runs turn by turn: where they part, and what differs.

    The exit code is 0 where nothing differs and 1 where something does.

    JSON: {"same": true or false, "parting": {"left", "right"} or null, "outcome": changes, "turns": [{"left",
    "right", "same", "changes": [{"kind", "name", "key", "left", "right"}]}]}; turns are numbers, null where a run has
    no such turn.
    """
    from ...instrumentation import reading
    from ...instrumentation.comparing import compare
    from ...instrumentation.steps import Turns

    config = options.configured(home, db)
    with options.records(config, update=not no_flush) as (opened, connection):
        records = [reading.find(connection, ref) for ref in (left, right)]
        runs = [Turns(opened.store.reading, record.run_id) for record in records]
        found = compare(runs[0], runs[1], prompts=prompts)
        if json:
            head = {
                "same": found.identical,
                "parting": None if found.parting is None else _numbers(found.parting),
                "outcome": [change._asdict() for change in found.outcome],
            }
            output.print_json_stream(head, "turns", map(_pair_json, found.pairs))
        else:
            output.show_each(_Page(records, full=full).lines(found))
    if not found.identical:
        raise typer.Exit(DIFFERENT)


def _numbers(pair: Pair) -> dict[str, int | None]:
    return {
        "left": None if pair.left is None else pair.left.number,
        "right": None if pair.right is None else pair.right.number,
    }


def _pair_json(pair: Pair) -> dict[str, Any]:
    return {**_numbers(pair), "same": pair.same, "changes": [change._asdict() for change in pair.changes]}


class _Page:
    """What is printed of a comparison."""

    def __init__(self, records: list[RunRecord], *, full: bool) -> None:
        self.records = records
        self.full = full
        self.width = min(output.console().width, RULE)
        self._told: tuple[set[int], set[int]] = set(), set()

    def lines(self, found: Difference) -> Iterator[Text]:
        """The summary, then turn by turn; equal ones in a line."""
        yield output.plain(summary(found), "bold")
        yield output.plain("")
        for sign, record in zip("-+", self.records, strict=True):
            task = output.one_line(record.task, 80)
            yield output.plain(f"{sign} {record.run_id}  {verdict(record)}  {task}", _SIGNS[sign])
        yield output.plain("")
        equal: list[Pair] = []
        for pair in found.pairs:
            if pair.same and not self.full:
                equal.append(pair)
                continue
            yield from _folded(equal)
            equal = []
            yield from self._pair(pair)
        yield from _folded(equal)
        if found.outcome:
            yield self._rule("outcome", None)
            yield from self._changes(found.outcome)

    def _rule(self, title: str, agent: str | None) -> Text:
        text = output.plain("").append(f"── {title}", "bold")
        if agent:
            text.append(" · ").append(output.one_line(agent, 60), f"bold {colour_of(agent)}")
        return text.append(" " + "─" * max(2, self.width - len(text.plain)), "dim")

    def _pair(self, pair: Pair) -> Iterator[Text]:
        turn = pair.left or pair.right
        assert turn is not None  # noqa: S101  a pair has one of them at least
        yield self._rule(_place(pair), turn.agent)
        if pair.same:
            yield output.plain("  the same", "dim")
        elif pair.left is not None and pair.right is not None:
            yield from self._changes(pair.changes)
        else:
            yield from self._alone(turn, "-" if pair.left is not None else "+")

    def _alone(self, turn: Turn, sign: str) -> Iterator[Text]:
        """A turn that only one run has."""
        said = {words_of(step.event)[1] for step in turn.steps if step.kind == "message"}
        for step in turn.steps:
            head, body = words_of(step.event)
            if step.kind == "transition" or (step.kind in ("model_call", "tool_result") and body in said):
                continue  # the message says it
            yield output.plain(f"{sign} {output.one_line(head, 300)}", _SIGNS[sign])
            for line in self._cut(body.split("\n")) if body else ():
                yield output.plain(f"{sign}   {line}", _SIGNS[sign])

    def _changes(self, changes: tuple[Change, ...] | list[Change]) -> Iterator[Text]:
        repeated = 0
        answers: list[tuple[Any, Any]] = []
        for change in changes:
            values = (change.left, change.right)
            if change.kind == "model_call" and change.key == "response":
                answers.append(values)
            elif change.kind == "message" and change.key == "content" and values in answers:
                continue  # what the model answered, said aloud
            if self._is_told(change):
                repeated += 1
                continue
            yield output.plain("  " + _headline(change), "bold")
            for line in self._cut(_signed(change)):
                yield output.plain("  " + line, _SIGNS.get(line[:1], "dim"))
        if repeated:
            many = f"{repeated} more differences" if repeated > 1 else "1 more difference"
            yield output.plain(f"  {many} in the prompt, of what was told above", "dim")

    def _is_told(self, change: Change) -> bool:
        """Whether a prompt only repeats what was said in both runs, and remember what this change says."""
        sides = [
            (hash(text_of(value)), told) for value, told in zip((change.left, change.right), self._told, strict=True)
        ]
        values = (change.left, change.right)
        known = all(value is None or mark in told for value, (mark, told) in zip(values, sides, strict=True))
        for mark, told in sides:
            told.add(mark)
        return known and change.kind == "prompt" and change.key != "injected" and not self.full

    def _cut(self, lines: list[str]) -> list[str]:
        kept: list[str] = []
        room = BODY_CHARACTERS
        for at, line in enumerate(lines):
            if not self.full and (at >= BODY_LINES or room <= 0):
                rest = len(lines) - at
                kept.append(f"… ({rest} more line{'s' * (rest > 1)}; --full shows {'them' if rest > 1 else 'it'})")
                break
            shown = line if self.full or len(line) <= room else line[:room] + "… (--full shows all of it)"
            kept.append(output.clean(shown))
            room -= len(shown)
        return kept


def _signed(change: Change) -> list[str]:
    """The difference in lines with their signs; of values that are no text, or show no difference in it, both."""
    texts = [value for value in (change.left, change.right) if isinstance(value, str)]
    lines = change.lines() if len(texts) == 2 or None in (change.left, change.right) else []
    if lines:
        return [line for line in lines if not line.startswith("@@") or len(lines) > BODY_LINES]
    shown = [
        value if isinstance(value, str) and len(texts) < 2 else _exactly(value) for value in (change.left, change.right)
    ]
    return [f"{sign}{line}" for sign, text in zip("-+", shown, strict=True) for line in text.split("\n")]


def _exactly(value: Any) -> str:
    return repr(value) if value is None or isinstance(value, str) else output.as_json(value, indent=None)


def _headline(change: Change) -> str:
    name = output.one_line(change.name, 80)
    if change.kind == "agent":
        return "another agent spoke"
    if change.kind == "prompt":
        what = "what was injected" if change.key == "injected" else change.key
        return f"prompt of {name}: {what}" if name else f"prompt: {what}"
    kind = change.kind.replace("_", " ")
    if change.key == "step":
        return f"{kind} {name}".rstrip() + (
            ": only in the other run" if change.left is None else ": only in the first run"
        )
    return f"{kind} {name}".rstrip() + f": {output.one_line(change.key, 60)}"


def _place(pair: Pair) -> str:
    left, right = (None if turn is None else turn.number for turn in (pair.left, pair.right))
    if left == right:
        return f"turn {left}"
    if right is None:
        return f"turn {left}, only in the first run"
    if left is None:
        return f"turn {right}, only in the other run"
    return f"turn {left} | turn {right}"


def _folded(equal: list[Pair]) -> Iterator[Text]:
    """Equal turns in a line."""
    if not equal:
        return
    places = []
    for at in (0, -1):
        numbers = _numbers(equal[at])
        places.append((numbers["left"], numbers["right"]))
    (left, right), (left_end, right_end) = places
    sides = [f"{a}" if a == b else f"{a} to {b}" for a, b in ((left, left_end), (right, right_end))]
    where = sides[0] if sides[0] == sides[1] else " | ".join(sides)
    yield output.plain(f"── turn{'s' * (len(equal) > 1)} {where}: the same", "dim")


def summary(found: Difference) -> str:
    """In a line, how far two runs are the same and where they part."""
    turns = len(found.pairs)
    parting = found.parting
    if parting is None:
        same = f"The same in all {turns} turns" if turns != 1 else "The same in its one turn"
        return f"{same}, but with another outcome." if found.outcome else f"{same}."
    before = found.pairs[: next(at for at, pair in enumerate(found.pairs) if pair is parting)]
    last = before[-1] if before else None
    if last is None:
        begin = "Different from the beginning"
    else:
        number = last.left.number if last.left is not None else 0
        begin = f"The same up to turn {number}"
    differ = sum(not pair.same for pair in found.pairs)
    ending = f" {differ} of {turns} turns differ." if turns > 1 else ""
    outcome = " The outcome differs." if found.outcome else ""
    return (
        f"{begin}, then {_parted(parting)}.{ending}{outcome}"
        if last
        else f"{begin}: {_parted(parting)}.{ending}{outcome}"
    )


def _parted(pair: Pair) -> str:
    if pair.left is None or pair.right is None:
        turn = pair.left or pair.right
        which = "first" if pair.right is None else "other"
        assert turn is not None  # noqa: S101
        return f"only the {which} run has turn {turn.number}" + (
            f" ({output.one_line(turn.agent, 60)})" if turn.agent else ""
        )
    change = pair.changes[0]
    name = output.one_line(change.name, 60)
    if change.kind == "agent":
        who = [output.one_line(text_of(value), 60) or "nobody" for value in (change.left, change.right)]
        return f"{who[0]} spoke in one and {who[1]} in the other"
    if change.kind == "prompt":
        return f"{name or 'the model'} was sent another prompt"
    if change.key == "step":
        return (
            f"a {change.kind.replace('_', ' ')} of {name} is only in {'one' if change.right is None else 'the other'}"
        )
    words = {
        ("message", "content"): f"{name} said something else",
        ("model_call", "response"): f"{name}'s model answered something else",
        ("tool_call", "arguments"): f"{name} was called with other arguments",
        ("tool_result", "content"): f"{name} answered something else",
        ("tool_result", "ok"): f"{name} failed in one of them",
    }
    return words.get((change.kind, change.key)) or f"the {change.key} of a {change.kind.replace('_', ' ')} differs"
