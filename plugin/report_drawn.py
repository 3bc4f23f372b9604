"""Drawings of a run in a report: where they stand in the page, what is said beside them, and long runs made small.

A drawing of hundreds of thousands of calls would fill memory and show nothing; what one agent did of one kind at about
one time is put together first.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .cli.output import one_line
from .report_nodes import Node, h, picture
from .report_texts import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..instrumentation.spans import Span
    from ..instrumentation.steps import Step

BUCKETS = 1_024
"""Stretches of time into which a long run is divided for its timeline, or fewer."""
PIECES = 1_400
"""Pieces of work that are drawn of a long run: a little less than a timeline has room for."""


def drawn(svg: str, note: str, class_: str | None = None) -> Node:
    """A drawing that can be moved sideways where the screen is narrow."""
    node = picture(svg)
    shown = h("div", class_="scroll", tabindex="0", role="group", aria_label=f"{node[1].get('aria-label', '')}, drawn")
    shown.append(node)
    return h("figure", shown, h("figcaption", note, class_="soft small") if note else None, class_=class_)


def handed(passed: Mapping[tuple[str, str], int], most: int = 8) -> str:
    """Hand-overs in words, the most frequent first."""
    ordered = sorted(passed.items(), key=lambda item: -item[1])
    words = [
        f"{one_line(giver, 40)} → {one_line(taker, 40)} {counted(times, 'time')}"
        for (giver, taker), times in ordered[:most]
    ]
    return ", ".join(words) + (f" and {len(ordered) - most} more ways" if len(ordered) > most else "")


def usage(step: Step) -> list[tuple[int, int, float]]:
    """When a model call was, its tokens and cost; nothing for other steps."""
    if step.kind != "model_call":
        return []
    given = step.payload.get("usage")
    tokens = [given.get(key) for key in ("input_tokens", "output_tokens")] if isinstance(given, dict) else []
    cost = step.payload.get("cost_usd")
    total = sum(value for value in tokens if isinstance(value, int))
    return [(step.at_ns, total, float(cost) if isinstance(cost, (int, float)) else 0.0)]


def thinned(found: Iterable[Span], places: Sequence[tuple[int, int, int, int]]) -> list[Span]:
    """Spans of a long run, those of an agent and kind that fall into one stretch of time as one; it failed where most
    of them did."""
    start, end = places[0][1], max(until for _, _, until, _ in places)
    width = max(1, (end - start) // BUCKETS)
    together: dict[tuple[str, str, int], Span] = {}
    balance: Counter[tuple[str, str, int]] = Counter()
    for span in found:
        key = (span.agent, span.kind, (span.until_ns - start) // width)
        other = together.get(key)
        together[key] = span if other is None else other._replace(until_ns=max(span.until_ns, other.until_ns))
        balance[key] += 1 if span.failed else -1
    while len(together) > PIECES:  # the drawing would put more together by itself, and count what it finds
        wider: dict[tuple[str, str, int], Span] = {}
        sums: Counter[tuple[str, str, int]] = Counter()
        for (agent, kind, at), span in together.items():
            key = (agent, kind, at // 2)
            other = wider.get(key)
            until = span.until_ns if other is None else max(span.until_ns, other.until_ns)
            wider[key] = (other or span)._replace(until_ns=until)
            sums[key] += balance[agent, kind, at]
        if len(wider) == len(together):
            break
        together, balance = wider, sums
    return [span._replace(failed=balance[key] > 0) for key, span in together.items()]
