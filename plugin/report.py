"""A report of one home as a single HTML page, which opens with a double click and needs no network.

Everything in it that was said by users, models or tools is data: it is escaped by the template, freed of control
characters and of marks that turn the direction of writing, and the page forbids itself scripts and any loading. The
curves are drawn here, as inline SVG.
"""

from __future__ import annotations

import itertools
import json
from datetime import datetime, timezone
from importlib import resources
from typing import TYPE_CHECKING, Any

import jinja2

from .cli.output import clean
from .growth_svg import ticks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from ..instrumentation.events import Event
    from ..instrumentation.reading import RunRecord
    from .runtime import Workspace

RUNS_SHOWN = 500
"""Runs in the table, the newest first; the overview counts all."""
EVENTS_SHOWN = 400
"""Events in the transcript."""
LONG_TEXT = 600
"""Characters from which a text of the transcript is folded."""
TEXT_SHOWN = 20_000
"""Characters of one text of the transcript that are kept."""
SKILLS_SHOWN = 8
"""Skills shown for each agent, the highest first; the rest is counted."""

MAX_LEVEL = 10
WIDTH, HEIGHT, MARGIN_LEFT, MARGIN_BOTTOM, MARGIN_TOP = 480, 190, 48, 24, 12
"""Size and margins of a curve, in the units of its view box."""


def write_report(
    workspace: Workspace, path: Path, *, run_id: str | None = None, title: str = "seasoned report"
) -> Path:
    """Write the report of the workspace's namespace to ``path`` and return it.

    Flush before, so that the database is up to date.

    Args:
        workspace: whose report.
        path: the file to write.
        run_id: the run whose transcript is shown; by default the last one.
        title: the page's heading.

    Raises:
        StoreError: where the database cannot be read.
        OSError: where ``path`` cannot be written.
    """
    with workspace.store.reading() as connection:
        data = gather(connection, workspace, run_id)
    page = render(title=title, **data)
    path.touch(mode=0o600)  # it holds whole conversations, like the database beside it
    path.write_text(page, encoding="utf-8")
    return path


def render(**data: Any) -> str:
    """The page for what :func:`gather` found."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["clean"] = lambda value: clean("" if value is None else str(value))
    environment.filters["number"] = lambda value: f"{value:,}".replace(",", "\u202f")
    environment.filters["compact"] = _compact
    environment.filters["usd"] = _usd
    template = resources.files(str(__package__)) / "templates" / "report.html.j2"
    return environment.from_string(template.read_text(encoding="utf-8")).render(data)


def gather(connection: Connection, workspace: Workspace, run_id: str | None = None) -> dict[str, Any]:
    """What the page shows, as plain data."""
    from ..instrumentation import reading

    namespace = workspace.config.namespace
    every = reading.runs(connection, namespace=namespace)
    shown = reading.find(connection, run_id) if run_id else next(iter(every), None)
    curves = _curves(connection, namespace)
    agents = [_agent(profile, curves.get(profile["agent"], [])) for profile in profiles(workspace, connection)]
    return {
        "home": workspace.config.home,
        "namespace": namespace,
        "made_at": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "overview": overview(every),
        "agents": sorted((agent for agent in agents if agent["skills"]), key=lambda agent: -agent["total_xp"]),
        "runs": [_row(run) for run in every[:RUNS_SHOWN]],
        "more_runs": max(0, len(every) - RUNS_SHOWN),
        "last": _row(shown) if shown else None,
        "transcript": _transcript(reading.events(connection, shown.run_id)) if shown else [],
    }


def profiles(workspace: Workspace, connection: Connection) -> list[dict[str, Any]]:
    """The agents' profiles, or none where growth is blocked."""
    growth = workspace.hooks.get_plugin("growth")
    found = growth.profile_json(connection) if growth is not None else []
    return found if isinstance(found, list) else [found]


def overview(every: Sequence[RunRecord]) -> dict[str, Any]:
    """The figures at the top of the page."""
    judged = [run for run in every if run.success is not None]
    costs = [run.cost_usd for run in every if run.cost_usd is not None]
    return {
        "runs": len(every),
        "succeeded": sum(1 for run in judged if run.success),
        "judged": len(judged),
        "messages": sum(run.messages for run in every),
        "model_calls": sum(run.model_calls for run in every),
        "tool_calls": sum(run.tool_calls for run in every),
        "errors": sum(run.errors for run in every),
        "input_tokens": sum(run.input_tokens for run in every),
        "output_tokens": sum(run.output_tokens for run in every),
        "cost_usd": sum(costs) if costs else None,
    }


def _compact(value: int) -> str:
    """A figure that fits a card: from ten thousand on in thousands, millions or billions."""
    if value < 10_000:
        return f"{value:,}".replace(",", "\u202f")
    size, unit = next(pair for pair in ((1e9, "B"), (1e6, "M"), (1e3, "k")) if value >= pair[0])
    shown = value / size
    return f"{shown:.{2 if shown < 10 else 1 if shown < 100 else 0}f}\u202f{unit}"


def _usd(value: float | None) -> str:
    if value is None:
        return "-"
    return f"${value:,.2f}" if value >= 0.1 else f"${value:.4f}"


def _row(run: RunRecord) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "task": run.task or "",
        "domain": run.domain or "",
        "agents": list(run.agents or ()),
        "messages": run.messages,
        "tool_calls": run.tool_calls,
        "errors": run.errors,
        "success": run.success,
        "outcome_source": run.outcome_source or "",
        "cost_usd": run.cost_usd,
        "started_at": _minute(run.started_ns),
    }


def _minute(nanoseconds: int | None) -> str:
    if nanoseconds is None:
        return ""
    return datetime.fromtimestamp(nanoseconds / 1e9, timezone.utc).strftime("%Y-%m-%d %H:%M")


# -- growth ----------------------------------------------------------------------------------------------------------


def _curves(connection: Connection, namespace: str) -> dict[str, list[int]]:
    """Each agent's XP after each run that it learned from, in the order of the runs."""
    from sqlalchemy import func, select

    from ..growth.tables import skill_events

    table = skill_events.c
    rows = connection.execute(
        select(table.agent, func.sum(table.xp))
        .where(table.namespace == namespace, table.event == "xp_gain")
        .group_by(table.agent, table.at, table.run_id)
        .order_by(table.agent, table.at, table.run_id)
    )
    gains: dict[str, list[int]] = {}
    for agent, xp in rows:
        gains.setdefault(agent, []).append(int(xp or 0))
    return {agent: list(itertools.accumulate(each)) for agent, each in gains.items()}


def _agent(profile: dict[str, Any], curve: list[int]) -> dict[str, Any]:
    skills = profile["skills"]
    return {
        "name": profile["agent"],
        "title": profile["title"],
        "level": profile["agent_level"],
        "total_xp": profile["total_xp"],
        "specialization": profile["specialization"] or "",
        "runs": profile.get("runs", 0),
        "runs_succeeded": profile.get("runs_succeeded", 0),
        "skills": [_skill(skill) for skill in skills[:SKILLS_SHOWN]],
        "more_skills": max(0, len(skills) - SKILLS_SHOWN),
        "curve": curve_svg(curve),
    }


def _skill(skill: dict[str, Any]) -> dict[str, Any]:
    """A skill with how full its bar is: whole levels, and the way to the next by XP."""
    to_next = skill["xp_to_next"]
    return {
        "name": skill["name"],
        "level": skill["level"],
        "xp": skill["xp"],
        "to_next": to_next,
        "percent": round(100 * skill["level"] / MAX_LEVEL),
        "used": skill["times_used"],
        "rate": None if skill["success_rate"] is None else round(100 * skill["success_rate"]),
        "abilities": skill["abilities"],
    }


def curve_svg(values: Sequence[int]) -> dict[str, Any] | None:
    """The geometry of a curve of XP over runs, or None where there is nothing to draw.

    Numbers only, so that the template need not trust anything.
    """
    if len(values) < 2 or values[-1] <= 0:
        return None
    top = values[-1]
    wide, high = WIDTH - MARGIN_LEFT - 8, HEIGHT - MARGIN_TOP - MARGIN_BOTTOM

    def x(index: float) -> float:
        return round(MARGIN_LEFT + wide * index / len(values), 1)

    def y(value: float) -> float:
        return round(MARGIN_TOP + high * (1 - value / top), 1)

    points = [(x(0), y(0)), *((x(index), y(value)) for index, value in enumerate(values, 1))]
    line = " ".join(f"{px},{py}" for px, py in points)
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": MARGIN_LEFT,
        "right": WIDTH - 8,
        "base": y(0),
        "line": line,
        "area": f"{line} {points[-1][0]},{y(0)} {MARGIN_LEFT},{y(0)}",
        "end": points[-1],
        "y_ticks": [(y(value), value) for value in ticks(top)],
        "x_ticks": [(x(value), value) for value in ticks(len(values))],
        "total": top,
        "runs": len(values),
    }


# -- the transcript --------------------------------------------------------------------------------------------------


def _transcript(events: Iterable[Event]) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    start: int | None = None
    for event in events:
        start = event.at if start is None else start
        entry = _entry(event)
        if entry is None:
            continue
        if len(out) == EVENTS_SHOWN:
            out.append(
                {"style": "note", "who": "", "what": "The rest is left out here; seasoned show has it.", "text": ""}
            )
            break
        text = entry["text"]
        entry["cut"] = max(0, len(text) - TEXT_SHOWN)
        entry["text"] = text[:TEXT_SHOWN]
        entry["folded"] = len(text) > LONG_TEXT and entry["style"] in ("tool", "note")
        entry["seconds"] = f"{(event.at - start) / 1e9:.3f}"
        out.append(entry)
    return out


def _entry(event: Event) -> dict[str, Any] | None:
    """An event as the page shows it, or None for what only programs want to know."""
    payload, who = event.payload, event.agent or ""
    kind = event.kind
    if kind == "message":
        if payload.get("role") == "tool" or not payload.get("content"):
            return None  # told by the tool's result, and by the call
        style = "user" if payload.get("role") == "user" else "agent"
        return {"style": style, "who": who, "what": "", "text": _text(payload.get("content"))}
    if kind == "tool_call":
        caller = _text(payload.get("caller"))
        what = f"calls {_text(payload.get('tool'))}" + (f" for {caller}" if caller and caller != who else "")
        return {"style": "tool", "who": who, "what": what, "text": _json(payload.get("arguments"))}
    if kind == "tool_result":
        failed = payload.get("ok") is False
        what = f"{_text(payload.get('tool'))} {'failed' if failed else 'answered'}"
        return {"style": "error" if failed else "tool", "who": who, "what": what, "text": _text(payload.get("content"))}
    if kind == "code_execution":
        what = f"ran {_text(payload.get('language'))}: exit code {payload.get('exit_code')}"
        text = f"{_text(payload.get('code'))}\n\n{_text(payload.get('output'))}"
        return {"style": "tool", "who": who, "what": what, "text": text}
    if kind == "injection":
        what = f"was given this in its system prompt ({payload.get('tokens')} tokens)"
        return {"style": "injected", "who": who, "what": what, "text": _text(payload.get("text"))}
    if kind == "error":
        what = f"error {_text(payload.get('error_type'))}"
        return {"style": "error", "who": who, "what": what, "text": _text(payload.get("error"))}
    if kind == "human_input":
        return {"style": "user", "who": who, "what": "typed", "text": _text(payload.get("content"))}
    if kind == "outcome":
        success = payload.get("success")
        what = f"outcome: {'success' if success else 'failure'}, says {_text(payload.get('source'))}"
        return {"style": "good" if success else "error", "who": "", "what": what, "text": ""}
    if kind == "gap":
        return {"style": "error", "who": "", "what": f"{payload.get('lost')} events were lost here", "text": ""}
    return None


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str) if value not in (None, {}) else ""
