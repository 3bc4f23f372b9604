"""What agents have become, for notebooks: their curve of experience, and the block that they would get now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..growth.history import history
from ..growth.rules import Rules
from .cli.output import one_line
from .drawing_growth import experience_svg
from .notebook import Drawing, Page
from .notebook_html import MARK, chip, page
from .notebook_steps import section

if TYPE_CHECKING:
    from .composer import Block
    from .runtime import Workspace

POINTS = 240
"""Points of a curve at most."""


def experience(workspace: Workspace, agent: str, namespace: str | None = None) -> Drawing:
    """An agent's experience over the runs that it learned from, drawn.

    Args:
        workspace: whose agent; flush before, so that it is up to date.
        agent: its name.
        namespace: if not the workspace's own.
    """
    growth = workspace.hooks.get_plugin("growth")
    rules = growth.rules if growth is not None else Rules()
    with workspace.store.reading() as connection:
        past = history(connection, namespace or workspace.config.namespace, agent, events=1, points=POINTS)
    curve = past["curve"]
    total = curve[-1][1] if curve else 0
    svg = experience_svg(curve, rules.thresholds, title=f"Experience of {agent}: {total:,} XP")
    return Drawing(svg, f"<Drawing: experience of {one_line(agent, 40)}: {total:,} XP>")


def block(received: Block) -> Page:
    """What an agent gets with its system prompt (``workspace.preview(agent)``), with the reason for each part."""
    if not received.sections:
        return Page(page("<p><i>Nothing yet: nothing has been earned.</i></p>"), "<Block: nothing yet>")
    head = f"<p>{chip('injected', MARK)} {received.tokens} tokens at the end of the system prompt</p>"
    parts = [section({"name": part.name, "text": part.text, "why": part.why}) for part in received.sections]
    names = ", ".join(one_line(part.name, 40) for part in received.sections)
    return Page(page(head + "".join(parts)), f"<Block: {received.tokens} tokens: {names}>")
