"""One run as a part of a report: heading, figures, drawings, transcript, what came of it, and the runs inside it.

A run can be of any length, and a page cannot. Of one with more events than there is room for, the beginning and the
end are shown, and of what lies between those turns in which something failed; the page says what it leaves out.
Drawings and figures are always about the whole run.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from ..instrumentation import reading
from ..instrumentation.describing import duration, money, text_of
from ..instrumentation.spans import Span, handovers, spans
from ..instrumentation.steps import Step, Turns, steps
from ..instrumentation.timeline import Place
from . import drawings
from .cli.output import one_line
from .drawing_parts import many
from .report_drawn import drawn, handed, thinned, usage
from .report_nodes import Node, h, name
from .report_records import learned, missing_of, pill, took
from .report_steps import Transcript
from .report_texts import count, counted, said, typed, when

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from ..instrumentation.reading import RunRecord

TITLE = 240
"""Characters of a task in a heading."""
SURVEYED = ("model_call", "tool_result", "code_execution", "human_input", "error", "gap")
"""Kinds of events that are looked at in the whole of a long run."""


class Room(NamedTuple):
    """How much of a run a report shows.

    Attributes:
        events: of its transcript at most so many, those of runs inside it counted by themselves.
        text: characters of one text.
        children: runs inside it, and inside those.
    """

    events: int = 4_000
    text: int = 20_000
    children: int = 40


ALONE = Room()
"""For a report of one run."""
EMBEDDED = Room(events=800, text=6_000, children=12)
"""For one of many runs."""


def run_node(
    connection: Connection,
    record: RunRecord,
    *,
    room: Room = ALONE,
    now_ns: int = 0,
    going_on: Callable[[str], bool | None] = lambda _run_id: None,
) -> Node:
    """The run as a tree.

    Args:
        connection: to read with.
        record: the run.
        room: how much of it is shown.
        now_ns: when the report is made, for runs without an end.
        going_on: tells of such a run whether its program is at work; None where nobody knows.
    """
    ids = [run_id for run_id in reading.tree(connection, [record.run_id]) if run_id != record.run_id]
    inside = reading.runs(connection, run_ids=ids[: room.children], newest_first=False) if ids else []
    body = _One(connection, record, room, now_ns, going_on, prefix="", level=2).nodes()
    for number, child in enumerate(inside, 1):
        prefix = f"inside-{number}-"
        parts = _One(connection, child, room, now_ns, going_on, prefix=prefix, level=3).nodes()
        body.append(
            h("section", _heading(child, 2, "Run inside this one: ", f"{prefix}h"), parts, class_="nested",
              id=f"{prefix}run", aria_labelledby=f"{prefix}h")
        )  # fmt: skip
    if len(ids) > len(inside):
        note = f"{counted(len(ids) - len(inside), 'more run')} inside this one are left out here: "
        body.append(h("p", note, h("code", "seasoned runs --json"), " names them.", class_="note"))
    links = [h("a", "Transcript", href="#transcript")]
    links += [h("a", one_line(f"Inside: {child.task or child.run_id}", 40), href=f"#inside-{number}-run")
              for number, child in enumerate(inside, 1)]  # fmt: skip
    places = h("nav", [h("ul", [h("li", link) for link in links])], class_="places", aria_label="Parts of this run")
    heading = _heading(record, 1, "", "run-h")
    return h("article", heading, *body[:3], places if inside else None, *body[3:], class_="run")


def _heading(record: RunRecord, level: int, before: str, anchor: str) -> Node:
    title = one_line(record.task, TITLE) or "(no task was said)"
    return h(f"h{level}", before, name(title), id=anchor, tabindex="-1")


class _One:
    """One run, without those inside it."""

    def __init__(
        self,
        connection: Connection,
        record: RunRecord,
        room: Room,
        now_ns: int,
        going_on: Callable[[str], bool | None],
        *,
        prefix: str,
        level: int,
    ) -> None:
        self._connection, self._record, self._room, self._now = connection, record, room, now_ns
        self._going_on = going_on
        self._prefix, self._level = prefix, level
        self._turns = Turns(self._reading, record.run_id)
        self._places = list(self._turns.counts())
        self._events = sum(number for *_, number in self._places)
        self._steps: list[Step] | None = None
        self._spans: list[Span] = []
        self._used: list[tuple[int, int, float]] = []
        self._wrong: Counter[int] = Counter()
        if self._events <= room.events:
            self._steps = list(self._read(prompts=True))
            self._spans = list(spans(self._watched(self._steps)))
        else:
            self._spans = thinned(spans(self._watched(self._read(kinds=SURVEYED))), self._places)

    def _watched(self, found: Iterable[Step]) -> Iterator[Step]:
        """The same steps; what they used and where they failed is noted in passing."""
        for step in found:
            self._used.extend(usage(step))
            if step.failed:
                self._wrong[step.turn] += 1
            yield step

    def _reading(self) -> contextlib.AbstractContextManager[Connection]:
        return contextlib.nullcontext(self._connection)

    def _read(
        self, *, prompts: bool = False, kinds: Collection[str] | None = None, place: Place | None = None
    ) -> Iterator[Step]:
        with contextlib.closing(steps(self._reading, self._record, prompts=prompts, kinds=kinds, place=place)) as found:
            yield from found

    def nodes(self) -> list[Node | None]:
        """Facts, notes, figures, drawings, transcript and what was learned."""
        record = self._record
        transcript = Transcript(
            record.run_id, record.started_ns, record.agents, prefix=self._prefix, level=self._level + 1,
            most=self._room.text,
        )  # fmt: skip
        told = self._transcript(transcript)
        return [
            self._facts(),
            h("div", self._notes(transcript)),
            self._figures(),
            self._drawings(),
            h("section", self._title("Transcript", "transcript"), *told, id=f"{self._prefix}transcript",
              aria_labelledby=f"{self._prefix}transcript-h"),
            self._learned(),
        ]  # fmt: skip

    def _title(self, words: str, anchor: str) -> Node:
        return h(f"h{self._level}", words, id=f"{self._prefix}{anchor}-h")

    # -- facts -----------------------------------------------------------------------------------------------

    def _facts(self) -> Node:
        record = self._record
        given = [pill(record)]
        if record.outcome_source:
            given += [" says ", name(record.outcome_source)]
        rest: list[Any] = [h("span", h("code", name(record.run_id), class_="id"))]
        rest.append(h("span", when(record.started_ns)))
        for word, value in (
            ("domain", record.domain), ("type", record.task_type), ("complexity", record.complexity),
            ("framework", record.framework), ("model", record.model), ("from", record.source),
            ("ended", record.end_reason),
        ):  # fmt: skip
            if value:
                rest.append(h("span", f"{word} ", name(one_line(value, 120))))
        if record.parent_run_id:
            rest.append(h("span", "inside ", h("code", name(record.parent_run_id))))
        agents = h("p", "Agents: ", _names(record.agents)) if record.agents else None
        task = None
        if record.task and (len(record.task) > TITLE or "\n" in record.task.strip()):
            whole = said(record.task, self._room.text, f"seasoned show {typed(record.run_id)} --full")
            task = h("details", h("summary", "the whole task"), h("div", whole, class_="inside"), class_="fold")
        return h("header", h("p", given, class_="verdict"), h("p", rest, class_="facts soft small"), agents, task)

    def _notes(self, transcript: Transcript) -> list[Node]:
        record = self._record
        notes: list[Any] = []
        if record.status != "finished":
            last = max((until for _, _, until, _ in self._places), default=record.started_ns)
            ago = f" ({duration(max(0, self._now - last) / 1e9)} before this report was made)" if self._now else ""
            why = {
                True: "it is still going on, and shown as far as it has come",
                False: "its program was killed, or ended in the middle of it",
                None: "it is still going on somewhere else, or its program was killed",
            }[self._going_on(record.run_id)]
            notes.append([f"This run has no end: {why}. The last event is of ", when(last), ago, "."])
        if record.lost:
            notes.append(f"{counted(record.lost, 'event')} of this run could not be written and are lost.")
        missing = missing_of(self._connection, record.run_id)
        if missing:
            notes.append(f"{counted(missing, 'event')} are missing in its journal: there is a gap in what you see.")
        if transcript.without_contents:
            notes.append("This run was recorded without contents: who did what and when, but no texts.")
        return [h("p", "△ ", note, class_="note", role="note") for note in notes]

    def _figures(self) -> Node:
        record = self._record
        tokens = record.input_tokens + record.output_tokens
        figures: list[tuple[str, str]] = [
            (count(record.turns), "turns"), (count(record.messages), "messages"),
            (count(record.model_calls), "model calls"), (count(record.tool_calls), "tool calls"),
            (count(record.errors), "errors and failed calls"),
        ]  # fmt: skip
        if tokens:
            sums = f"{count(record.input_tokens)} + {count(record.output_tokens)}"
            figures.append((count(tokens) if tokens < 1_000_000 else many(tokens), f"tokens: {sums}"))
        if record.cost_usd is not None:
            figures.append((money(record.cost_usd), "cost"))
        seconds = took(record)
        if seconds is not None:
            figures.append((duration(seconds), "from start to end"))
        return cards(figures)

    # -- drawings --------------------------------------------------------------------------------------------

    def _drawings(self) -> Node | None:
        if not self._events:
            return None
        record = self._record
        found, points, note = self._spans, self._used, ""
        if self._steps is not None:
            passed = handovers(self._steps)
        else:
            passed = handovers(self._read(kinds=("transition",))) or handovers(self._read(kinds=("message",)))
            note = (
                f"This run has {count(self._events)} events: what one agent did of one kind at about one time was put "
                "together before it was drawn (red where most of it failed), and messages are left out."
            )
        start = record.started_ns or min((span.from_ns for span in found), default=0)
        end = max((span.until_ns for span in found), default=start)
        timeline = drawings.timeline_svg(found, start_ns=start, end_ns=end, title="Timeline")
        parts = [drawn(timeline, note)]
        if passed:
            graph = drawn(drawings.graph_svg(passed, title="Who handed over to whom"), handed(passed), "graph")
            parts.append(graph)
        if len(points) > 1:
            parts.append(drawn(drawings.usage_svg(points, title="Tokens and cost, added up"), ""))
        return h("section", self._title("How it went", "drawings"), h("div", parts, class_="drawings"),
                 aria_labelledby=f"{self._prefix}drawings-h")  # fmt: skip

    # -- the transcript --------------------------------------------------------------------------------------

    def _transcript(self, transcript: Transcript) -> list[Node]:
        if not self._events:
            return [h("p", "No event of it is in the database.", class_="soft")]
        left_out: dict[int, Node] = {}
        if self._steps is not None:
            found = _by_turn(self._steps)
        else:
            found, left_out = self._chosen()
        made = transcript.turns(found)
        nodes: list[Node] = []
        for (number, _), node in zip(found, made, strict=True):
            if number in left_out:
                nodes.append(left_out[number])
            nodes.append(node)
        if -1 in left_out:
            nodes.append(left_out[-1])
        tools = h(
            "div",
            h("button", "Open all", data_act="open"), h("button", "Close all", data_act="close"),
            h("button", "Next failure", data_act="failure"),
            class_="tools scripted", hidden=True, role="group", aria_label="The transcript",
        )  # fmt: skip
        return [*([tools] if not self._prefix else []), h("div", nodes, class_="turns")]

    def _chosen(self) -> tuple[list[tuple[int, list[Step]]], dict[int, Node]]:
        """The turns of a long run that are shown, and what is said before some of them about those left out."""
        places, room = self._places, self._room.events
        first = _fitting(places, room * 2 // 5)
        last = _fitting(places[: first - 1 if first else None : -1], room * 2 // 5)
        last_at = len(places) - last
        wrong = self._failing(places[first:last_at], room // 5)
        shown: dict[int, list[Step]] = {}
        parts: list[tuple[Collection[int], Place, bool]] = []
        head, tail = [place[0] for place in places[:first]], [place[0] for place in places[last_at:]]
        parts.append((head, Place(until_ns=places[first - 1][2]), True))
        if tail:
            parts.append((tail, Place(from_ns=places[last_at][1]), True))
        for numbers, place, prompts in parts:
            wanted = set(numbers)
            for step in self._read(prompts=prompts, place=place):
                if step.turn in wanted:
                    found = shown.setdefault(step.turn, [])
                    if len(found) < room:
                        found.append(step)
        for number in wrong:
            shown[number] = self._turns.numbered(number).steps[:room]
        order = {number: at for at, (number, *_) in enumerate(places)}
        chosen = sorted(shown, key=order.__getitem__)
        return [(number, shown[number]) for number in chosen], self._told(places, chosen, order, set(wrong))

    def _failing(self, middle: Sequence[tuple[int, int, int, int]], room: int) -> list[int]:
        """The turns among these in which something failed, as many as there is room for."""
        sizes = {number: size for number, _, _, size in middle}
        chosen: list[int] = []
        for number in self._wrong:
            if number not in sizes:
                continue
            room -= sizes[number]
            if room < 0:
                break
            chosen.append(number)
        return chosen

    def _told(
        self,
        places: Sequence[tuple[int, int, int, int]],
        chosen: Sequence[int],
        order: Mapping[int, int],
        wrong: set[int],
    ) -> dict[int, Node]:
        told: dict[int, Node] = {}
        before = -1
        for number in [*chosen, -1]:
            at = order[number] if number >= 0 else len(places)
            if at > before + 1:
                missing = places[before + 1 : at]
                turns = f"Turns {missing[0][0]} to {missing[-1][0]}" if len(missing) > 1 else f"Turn {missing[0][0]}"
                verb = "are" if len(missing) > 1 else "is"
                events = counted(sum(place[3] for place in missing), "event")
                told[number] = h(
                    "p", f"{turns} {verb} left out here ({events}). One of them: ",
                    h("code", f"seasoned show {typed(self._record.run_id)} --turn {missing[0][0]}"), class_="gap",
                )  # fmt: skip
            before = at
        if wrong:
            first = next(number for number in chosen if number in wrong)
            note = "Of the middle of this long run only turns in which something failed are shown, without prompts."
            told[first] = h("div", h("p", note, class_="note"), told.get(first))
        return told

    # -- what came of it -------------------------------------------------------------------------------------

    def _learned(self) -> Node | None:
        told = learned(self._connection, self._record.run_id)
        if not told:
            return None
        lists = [
            h("div", h(f"h{self._level + 1}", name(agent)),
              h("ul", [h("li", h("span", f"{line['xp']:+,} XP" if line["xp"] is not None else "", class_="xp"), " ",
                         h("span", line["words"], dir="auto")) for line in lines], class_="gains"))
            for agent, lines in told
        ]  # fmt: skip
        return h("section", self._title("Learned from this run", "learned"), lists, class_="learned",
                 aria_labelledby=f"{self._prefix}learned-h")  # fmt: skip


def cards(figures: Iterable[tuple[str, str]]) -> Node:
    """Figures with what they are."""
    return h(
        "dl", [h("div", h("dt", what), h("dd", figure), class_="card") for figure, what in figures], class_="cards"
    )


def _by_turn(found: Iterable[Step]) -> list[tuple[int, list[Step]]]:
    turns: dict[int, list[Step]] = {}
    for step in found:
        turns.setdefault(step.turn, []).append(step)
    return list(turns.items())


def _fitting(places: Sequence[tuple[int, int, int, int]], room: int) -> int:
    """How many of these turns fit, from the first on; at least one."""
    number = 0
    for *_, size in places:
        room -= size
        if room < 0 and number:
            break
        number += 1
    return number


def _names(agents: Sequence[str]) -> list[Any]:
    parts: list[Any] = []
    for agent in agents[:30]:
        parts += [", "] if parts else []
        parts.append(name(text_of(agent)))
    return [*parts, f" and {len(agents) - 30} more"] if len(agents) > 30 else parts
