"""The timeline of a run: one lane for each agent, and what took how long in it.

Kinds are told apart by colour, by the row of the lane and by shape: calls of models, tools and code are bars in rows
of their own, and what takes no time is a mark above or below them. What failed is red and has a cross. A long run is
thinned: neighbours of a kind are drawn as one, and the drawing says so.

A run that was imported without times has its events a microsecond apart, which is an order and no time; it is drawn
along the order.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from ..instrumentation.describing import duration
from .drawing_parts import (
    LETTER,
    both,
    escaped,
    framed,
    line,
    many,
    number,
    paint,
    short,
    text,
    time_ticks,
    value_ticks,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..instrumentation.spans import Span

WIDTH, LEFT, RIGHT, TOP = 960, 150, 18, 40
MOST = 1_500
"""Marks and bars in one drawing."""
NAMED = 300
"""Up to so many of them, each tells what it is when the pointer rests on it."""
LANES = 24
"""Agents with a lane of their own, those with the most to show; the others share one."""
UNTIMED = 20_000
"""Nanoseconds between two spans, on average, below which times are no times."""

KINDS = {
    "model": "model call", "tool": "tool", "code": "code", "message": "message", "human": "human input",
    "transition": "transition", "error": "error",
}  # fmt: skip
"""Kinds of spans and what they are called, in the order of the legend."""
_MARKS = ("message", "human", "transition", "error")
_ROWS = {"model": 1, "tool": 2, "code": 3, "transition": 4}
_HEIGHT = (15, 17, 17, 17, 12)
"""Heights of a lane's rows: marks, model calls, tools, code, transitions."""


class _Piece(NamedTuple):
    """A bar or mark: one span, or ``number`` of them side by side."""

    lane: int
    kind: str
    failed: bool
    open: bool
    from_x: float
    until_x: float
    number: int
    span: Span


def timeline_svg(found: Sequence[Span], *, start_ns: int, end_ns: int, title: str) -> str:
    """A run's timeline as SVG.

    Args:
        found: the spans (:func:`.spans.spans`), in whatever order.
        start_ns: where the drawing begins, in nanoseconds since the epoch; an earlier span widens it.
        end_ns: where it ends, likewise.
        title: its heading.
    """
    ordered = sorted(found, key=lambda span: (span.from_ns, span.until_ns, span.seq))
    if not ordered:
        return framed(WIDTH, 90, title, "Nothing happened.", [_heading(title), text(20, 62, "Nothing happened.")])
    lanes = _lanes(ordered)
    scale = _Scale(ordered, start_ns, end_ns)
    pieces, thinned = _pieces(ordered, lanes, scale)
    tops, bottom = _tops(pieces, len(set(lanes.values())))
    body = [_heading(title), *_axis(scale, bottom), *_names(lanes, tops, bottom)]
    body.extend(_drawn(pieces, tops))
    body.extend(_legend(ordered, bottom + 48))
    if thinned:
        note = f"{len(ordered):,} pieces of work, drawn as {len(pieces):,}: neighbours of a kind are drawn as one."
        body.append(text(20, bottom + 72, note))
    return framed(WIDTH, bottom + (86 if thinned else 62), title, _told(ordered, lanes, scale), body)


def _heading(title: str) -> str:
    return text(20, 25, short(title, 110), colour="ink", size=14, bold=True)


class _Scale:
    """From times to places along the drawing: by time, or by order where there are no times."""

    def __init__(self, ordered: Sequence[Span], start_ns: int, end_ns: int) -> None:
        self.start = min(start_ns, ordered[0].from_ns) if start_ns else ordered[0].from_ns
        self.end = max(end_ns, max(span.until_ns for span in ordered), self.start + 1)
        self.timed = self.end - self.start >= UNTIMED * len(ordered)
        order = [] if self.timed else sorted({at for span in ordered for at in span[3:5]})
        self._order = {at: place for place, at in enumerate(order)}
        self.length = (self.end - self.start) / 1e9 if self.timed else float(max(1, len(order) - 1))
        """Seconds, or steps."""

    def part(self, at: float) -> float:
        """Where a tick stands, in pixels."""
        return LEFT + (WIDTH - LEFT - RIGHT) * at / self.length

    def x(self, at_ns: int) -> float:
        """Where a moment stands, in pixels."""
        return self.part((at_ns - self.start) / 1e9 if self.timed else self._order[at_ns])

    def ticks(self) -> list[tuple[float, str]]:
        """Places and names of the ticks."""
        found = time_ticks(self.length) if self.timed else [(at, f"{at:g}") for at in value_ticks(self.length, 8)]
        return [(self.part(at), name) for at, name in found]


def _lanes(ordered: Sequence[Span]) -> dict[str, int]:
    """The lane of each agent, in order of appearance; the least busy of very many share the last."""
    busy = Counter(span.agent for span in ordered)
    kept = {agent for agent, _ in busy.most_common(LANES if len(busy) <= LANES else LANES - 1)}
    first = list(dict.fromkeys(span.agent for span in ordered if span.agent in kept))
    lanes = {agent: at for at, agent in enumerate(first)}
    return lanes | {agent: len(first) for agent in busy if agent not in lanes}


def _pieces(ordered: Sequence[Span], lanes: dict[str, int], scale: _Scale) -> tuple[list[_Piece], bool]:
    single = [
        _Piece(lanes[s.agent], s.kind if s.kind in KINDS else "message", s.failed, s.open, scale.x(s.from_ns),
               scale.x(s.until_ns), 1, s)
        for s in ordered
    ]  # fmt: skip
    gap, pieces = 0.5, single
    while len(pieces) > MOST:
        pieces = sorted(_merged(pieces, gap), key=lambda piece: piece.from_x)
        gap *= 1.3
    return pieces, len(pieces) < len(single)


def _merged(single: Sequence[_Piece], gap: float) -> Iterator[_Piece]:
    """Neighbours of a lane and kind that stand less than ``gap`` pixels apart, as one."""
    growing: dict[tuple[int, str, bool, bool], _Piece] = {}
    for piece in single:
        key = (piece.lane, piece.kind, piece.failed, piece.open)
        last = growing.get(key)
        if last is not None and piece.from_x - last.until_x <= gap:
            growing[key] = last._replace(until_x=max(last.until_x, piece.until_x), number=last.number + piece.number)
            continue
        if last is not None:
            yield last
        growing[key] = piece
    yield from growing.values()


def _tops(pieces: Sequence[_Piece], count: int) -> tuple[list[dict[int, float]], int]:
    """Where each row of each lane begins (rows that nothing stands in take no room), and where the last one ends."""
    used: list[set[int]] = [set() for _ in range(count)]
    for piece in pieces:
        used[piece.lane].add(_ROWS.get(piece.kind, 0))
    tops: list[dict[int, float]] = []
    y = float(TOP)
    for rows in used:
        y += 6
        tops.append({-1: y})
        begin = y
        for row in sorted(rows):
            tops[-1][row] = y
            y += _HEIGHT[row]
        y = max(y, begin + 24) + 5
    return tops, round(y)


def _axis(scale: _Scale, bottom: int) -> Iterator[str]:
    for x, name in scale.ticks():
        anchor = "start" if x <= LEFT + 2 else "end" if x > WIDTH - RIGHT - 24 else "middle"
        yield line(x, TOP, x, bottom + 4)
        yield text(x, bottom + 18, name, anchor=anchor)
    if not scale.timed:
        yield text(20, bottom + 18, "order, not time")


def _names(lanes: dict[str, int], tops: Sequence[dict[int, float]], bottom: int) -> Iterator[str]:
    count = len(tops)
    for lane in range(count):
        agents = [agent for agent, at in lanes.items() if at == lane]
        name = (agents[0] or "(nobody)") if len(agents) == 1 else f"{len(agents)} others"
        top = tops[lane][-1]
        until = tops[lane + 1][-1] - 6 if lane + 1 < count else bottom
        tip = f"<title>{escaped(short(', '.join(agents), 300))}</title>"
        yield f"<g>{tip}{text(20, (top + until) / 2 + 3, short(name, 17), colour='ink', size=13)}</g>"
        yield line(14, until, WIDTH - RIGHT, until)


def _drawn(pieces: Sequence[_Piece], tops: Sequence[dict[int, float]]) -> Iterator[str]:
    named = len(pieces) <= NAMED
    for kind in KINDS:
        for failed in (False, True):
            chosen = [piece for piece in pieces if piece.kind == kind and piece.failed is failed]
            if not chosen:
                continue
            colour = "error" if failed else kind
            yield f"<g {both(colour, colour)}>"
            labels: list[str] = []
            for piece in chosen:
                y = tops[piece.lane][_ROWS.get(kind, 0)]
                shape = _mark(kind, piece, y) if kind in _MARKS else _bar(piece, y, labels)
                yield f"<g><title>{_tip(piece)}</title>{shape}</g>" if named else shape
            yield "</g>"
            yield from labels


def _bar(piece: _Piece, y: float, labels: list[str]) -> str:
    """A bar; its name goes to ``labels`` where there is room, and a cross where it failed."""
    x, wide = piece.from_x, max(3.0, piece.until_x - piece.from_x)
    x = min(x, WIDTH - RIGHT - 3)
    dashes = ' stroke-dasharray="3 2" fill-opacity="0.35"' if piece.kind == "code" or piece.open else ""
    words = f"{piece.number}x {piece.kind}" if piece.number > 1 else piece.span.name or piece.kind
    room = int((wide - (22 if piece.failed else 10)) / LETTER)
    if room >= min(5, len(words)) and len(words[:room]) > 1:
        colour = "ink" if dashes else "on"
        labels.append(text(x + 5, y + 12, short(words, room), colour=colour, size=11))
    if piece.failed:
        side = x + wide - 9 if wide >= 22 else x + wide + 6
        labels.append(_cross(side, y + 7.5, 3.2, "on" if wide >= 22 and not dashes else "error"))
    corner = f'x="{number(x)}" y="{number(y)}" width="{number(wide)}" height="15" rx="2"'
    return f"<rect {corner}{dashes}/>"


def _mark(kind: str, piece: _Piece, y: float) -> str:
    """What takes no time; several of them side by side are one long mark."""
    x, high = min(piece.from_x, WIDTH - RIGHT - 4), y + 6
    wide = piece.until_x - piece.from_x
    if wide > 8:
        return f'<rect x="{number(x)}" y="{number(high - 3)}" width="{number(wide)}" height="6" rx="3"/>'
    x += wide / 2
    if kind == "error":
        return _cross(x, high, 4.5, "error")
    if kind == "human":
        return f'<path d="M{number(x)} {number(high - 5.5)}l5.5 5.5l-5.5 5.5l-5.5 -5.5z"/>'
    if kind == "transition":
        return f'<path d="M{number(x - 4)} {number(high - 4.5)}l8 4.5l-8 4.5z" fill-opacity="0.15"/>'
    return f'<circle cx="{number(x)}" cy="{number(high)}" r="4"/>'


def _cross(x: float, y: float, size: float, colour: str) -> str:
    d, two = number(size), number(2 * size)
    path = f"M{number(x - size)} {number(y - size)}l{two} {two}m0 -{two}l-{two} {two}"
    return (
        f'<path d="{path}" fill="none" stroke-width="{2.4 if size > 4 else 2}" {paint(colour, "stroke")}/>' if d else ""
    )


def _tip(piece: _Piece) -> str:
    span = piece.span
    if piece.number > 1:
        return escaped(f"{piece.number} times: {KINDS[piece.kind]}")
    took = "no end" if span.open else duration((span.until_ns - span.from_ns) / 1e9)
    parts = [
        KINDS[piece.kind],
        short(span.name, 80),
        took if span.until_ns > span.from_ns else "",
        "failed" * span.failed,
    ]
    return escaped(f"{short(span.agent, 60)}: {', '.join(part for part in parts if part)} (step {span.seq})")


def _legend(ordered: Sequence[Span], y: float) -> Iterator[str]:
    kinds = {span.kind for span in ordered}
    x = 20.0
    for kind, name in KINDS.items():
        if kind not in kinds:
            continue
        if kind in _MARKS:
            piece = _Piece(0, kind, False, False, x + 7, x + 7, 1, ordered[0])
            yield f"<g {both(kind, kind)}>{_mark(kind, piece, y - 10)}</g>"
        else:
            dashes = ' stroke-dasharray="3 2" fill-opacity="0.35"' if kind == "code" else ""
            drop = 2 if _ROWS[kind] > 1 else 0
            corner = f'x="{number(x)}" y="{number(y - 10 + drop)}" width="14" height="{12 - 2 * drop}" rx="2"'
            yield f"<rect {corner} {both(kind, kind)}{dashes}/>"
        yield text(x + 20, y, name)
        x += 40 + LETTER * len(name)
    if any(span.failed for span in ordered):
        yield f'<rect x="{number(x)}" y="{number(y - 10)}" width="14" height="12" rx="2" {both("error", "error")}/>'
        yield _cross(x + 7, y - 4, 3, "on")
        yield text(x + 20, y, "failed", colour="error", bold=True)


def _told(ordered: Sequence[Span], lanes: dict[str, int], scale: _Scale) -> str:
    counts = Counter(span.kind for span in ordered)
    parts = [f"{name} {counts[kind]:,}" for kind, name in KINDS.items() if counts[kind]]
    failed = sum(span.failed for span in ordered)
    length = duration(scale.length) if scale.timed else f"{many(scale.length)} steps, times unknown"
    return f"{len(lanes)} agents over {length}: {', '.join(parts)}; {failed:,} failed."
