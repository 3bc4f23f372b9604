"""Who handed over to whom in a run, as a graph: agents stand on a circle, arrows between them tell how often.

With up to twenty agents each has a place; of more, those who hardly took part share one. An arrow's width grows with
how often it was gone, its figure stands on it, and the way back is an arrow of its own on the other side.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from .drawing_parts import LETTER, both, escaped, framed, number, paint, short, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WIDTH = 860
LOOP = 34
"""How far an arrow from an agent to itself reaches out of it."""
INWARDS = 0.35
"""How far arrows bend towards the middle: 0 is not at all, 1 is through it."""
MOST = 20
"""Agents with a place of their own."""
FIGURES = 40
"""Up to so many arrows each have their figure; of more, those that were gone most often."""


class _Node(NamedTuple):
    name: str
    told: str
    angle: float
    x: float
    y: float
    size: float


def graph_svg(handovers: Mapping[tuple[str, str], int], *, title: str) -> str:
    """A run's transition graph as SVG.

    Args:
        handovers: how often the work went from one agent to another (:func:`.spans.handovers`).
        title: its heading.
    """
    edges, others = _merged(handovers)
    heading = text(20, 25, short(title, 90), colour="ink", size=14, bold=True)
    if not edges:
        words = "The work never went from one agent to another."
        return framed(WIDTH, 90, title, words, [heading, text(20, 62, words)])
    names = list(dict.fromkeys(name for pair in edges for name in pair))
    radius = 62.0 + 9.5 * len(names)
    found = list(_nodes(names, edges, others, radius))
    room = LOOP + 6 if any(one == other for one, other in edges) else 0
    top = 84 + room - min(node.y for node in found)
    height = round(top + max(node.y for node in found) + 54 + room)
    centre = (WIDTH / 2, top)
    nodes = {node.name: node._replace(x=node.x + centre[0], y=node.y + centre[1]) for node in found}
    figures = {pair for pair, _ in Counter(edges).most_common(FIGURES)}
    most = max(edges.values())
    body = [heading]
    labels: list[str] = []
    for (one, other), count in edges.items():
        wide = 1.2 + 3 * math.sqrt(count / most)
        said = str(count) if (one, other) in figures else ""
        if one == other:
            body.append(_loop(nodes[one], wide, said, labels))
        else:
            body.append(_arrow(nodes[one], nodes[other], centre, wide, said, labels))
    body.extend(_circle(node) for node in nodes.values())
    body.extend(labels)
    body.extend(_label(node, radius, loops=(node.name, node.name) in edges) for node in nodes.values())
    return framed(WIDTH, height, title, _told(edges), body)


def _merged(handovers: Mapping[tuple[str, str], int]) -> tuple[dict[tuple[str, str], int], list[str]]:
    """The edges, in order of appearance, where the least busy of too many agents count as one; and those."""
    busy: Counter[str] = Counter()
    for (one, other), count in handovers.items():
        busy[one] += count
        busy[other] += count
    others: list[str] = []
    if len(busy) > MOST:
        kept = {name for name, _ in busy.most_common(MOST - 1)}
        others = [name for name in busy if name not in kept]
    shared = f"{len(others)} others"
    rest = set(others)
    edges: dict[tuple[str, str], int] = {}
    for (one, other), count in handovers.items():
        if count <= 0:
            continue
        pair = (shared if one in rest else one, shared if other in rest else other)
        edges[pair] = edges.get(pair, 0) + count
    return edges, others


def _nodes(names: list[str], edges: Mapping[tuple[str, str], int], others: list[str], radius: float) -> Iterator[_Node]:
    """The nodes around a centre at 0, 0."""
    reached = Counter[str]()
    for (_, other), count in edges.items():
        reached[other] += count
    most = max(reached.values())
    shared = f"{len(others)} others"
    for at, name in enumerate(names):
        # two stand side by side, more begin at the top
        angle = math.pi * (at + 1) if len(names) == 2 else 2 * math.pi * at / len(names) - math.pi / 2
        size = 11 + 9 * math.sqrt(reached[name] / most)
        told = ", ".join(others) if others and name == shared else name
        yield _Node(name, told, angle, radius * math.cos(angle), radius * math.sin(angle), size)


def _circle(node: _Node) -> str:
    where = f'cx="{number(node.x)}" cy="{number(node.y)}" r="{number(node.size)}"'
    tip = escaped(short(node.told or "(nobody)", 300))
    return f'<g><title>{tip}</title><circle {where} {both("model", "panel")} stroke-width="2"/></g>'


def _label(node: _Node, radius: float, *, loops: bool) -> str:
    """The name, outside the circle; cut to the room that is there."""
    gap = node.size + 7 + (LOOP + 6 if loops else 0)
    across, up = math.cos(node.angle), math.sin(node.angle)
    anchor = "start" if across > 0.3 else "end" if across < -0.3 else "middle"
    room = WIDTH / 2 - radius * abs(across) - gap - 14 if anchor != "middle" else 200
    name = short(node.name or "(nobody)", max(4, int(room / LETTER / 1.08)))
    x = node.x + (gap if anchor == "start" else -gap if anchor == "end" else 0)
    y = node.y + 4 + up * (gap + 7 if anchor == "middle" else gap)
    x = node.x + across * gap if loops and anchor != "middle" else x
    return _on_panel(x, y, name, anchor, "ink", 13)


def _on_panel(x: float, y: float, words: str, anchor: str, colour: str, size: int) -> str:
    """Text with a rim in the panel's colour, so that lines behind it do not cut it."""
    return text(x, y, words, colour=colour, anchor=anchor, size=size, bold=size < 13, rim=True)


def _arrow(one: _Node, other: _Node, centre: tuple[float, float], wide: float, count: str, labels: list[str]) -> str:
    """An arrow that bends towards the middle, around the agents between the two, and to its right, so that the way
    back lies beside it. Its figure stands nearer to where it comes from: in the middle of the circle many cross."""
    dx, dy = other.x - one.x, other.y - one.y
    far = math.hypot(dx, dy) or 1.0
    bend = min(40.0, 16 + far * 0.06)
    half = ((one.x + other.x) / 2, (one.y + other.y) / 2)
    mid = (
        half[0] + (centre[0] - half[0]) * INWARDS - dy / far * bend,
        half[1] + (centre[1] - half[1]) * INWARDS + dx / far * bend,
    )
    begin = _towards((one.x, one.y), mid, one.size + 2)
    tip = _towards((other.x, other.y), mid, other.size + 3)
    head = 7 + 1.4 * wide
    neck = _towards(tip, mid, head - 1)
    path = f"M{_point(begin)}Q{_point(mid)} {_point(neck)}"
    if count:
        t = 0.36
        x, y = ((1 - t) ** 2 * begin[at] + 2 * t * (1 - t) * mid[at] + t**2 * tip[at] for at in (0, 1))
        labels.append(_on_panel(x, y + 4, count, "middle", "ink", 12))
    return _line(path, wide, _words(one, other, count)) + _head(neck, tip, head)


def _loop(node: _Node, wide: float, count: str, labels: list[str]) -> str:
    """An arrow from an agent to itself, outside the circle."""
    across, up = math.cos(node.angle), math.sin(node.angle)
    side = (-up, across)
    far, spread = node.size + LOOP, 24.0
    controls = [
        (node.x + across * far + turn * side[0] * spread, node.y + up * far + turn * side[1] * spread)
        for turn in (-1, 1)
    ]
    begin = _towards((node.x, node.y), controls[0], node.size + 2)
    tip = _towards((node.x, node.y), controls[1], node.size + 3)
    head = 7 + 1.4 * wide
    neck = _towards(tip, controls[1], head - 1)
    path = f"M{_point(begin)}C{_point(controls[0])} {_point(controls[1])} {_point(neck)}"
    if count:
        x, y = node.x + across * (far - 5), node.y + up * (far - 5)
        labels.append(_on_panel(x, y + 4, count, "middle", "ink", 12))
    return _line(path, wide, _words(node, node, count)) + _head(neck, tip, head)


def _line(path: str, wide: float, words: str) -> str:
    drawn = f'<path d="{path}" fill="none" stroke-width="{number(wide)}" {paint("transition", "stroke")}/>'
    return f"<g><title>{words}</title>{drawn}</g>"


def _head(neck: tuple[float, float], tip: tuple[float, float], size: float) -> str:
    dx, dy = tip[0] - neck[0], tip[1] - neck[1]
    far = math.hypot(dx, dy) or 1.0
    ax, ay = -dy / far * size / 2, dx / far * size / 2
    corners = f"M{_point(tip)}L{_point((neck[0] + ax, neck[1] + ay))}L{_point((neck[0] - ax, neck[1] - ay))}z"
    return f'<path d="{corners}" {paint("transition")}/>'


def _words(one: _Node, other: _Node, count: str) -> str:
    times = f": {count} times" if count else ""
    return escaped(f"{short(one.name or '(nobody)', 80)} → {short(other.name or '(nobody)', 80)}{times}")


def _towards(one: tuple[float, float], other: tuple[float, float], far: float) -> tuple[float, float]:
    dx, dy = other[0] - one[0], other[1] - one[1]
    whole = math.hypot(dx, dy) or 1.0
    return one[0] + dx / whole * far, one[1] + dy / whole * far


def _point(at: tuple[float, float]) -> str:
    return f"{number(at[0])} {number(at[1])} "


def _told(edges: Mapping[tuple[str, str], int]) -> str:
    ordered = sorted(edges.items(), key=lambda item: -item[1])
    told = "; ".join(f"{short(a or '(nobody)', 40)} to {short(b or '(nobody)', 40)} {n}" for (a, b), n in ordered[:40])
    return f"How often the work went from one agent to another: {told}{' and more' if len(ordered) > 40 else ''}."
