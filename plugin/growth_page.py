"""What agents have become, as a single HTML page that opens with a double click and needs no network.

Names, titles, abilities and run ids come from users, models, tools and files: all of it is escaped by the template
and freed of control characters and of marks that turn the direction of writing; the page forbids itself scripts and
any loading. What a picture shows is also said in words, for those who hear the page, and nothing by colour alone.
"""

from __future__ import annotations

import os
import stat
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ..growth.attributes import MIDDLE, MODIFIERS
from ..growth.history import beginning, domain_name, dominant, history, last_runs, progress, thinned, told
from ..instrumentation.errors import ConfigError
from . import growth_svg
from .cli.output import one_line
from .report_pages import environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from ..growth.plugin import GrowthPlugin

EVENTS_READ = 300
"""Events that are read for the list of what moved an agent last."""
RUNS_TOLD = 20
"""Runs in that list."""
SKILLS_SHOWN = 12
"""Skills of an agent that are open to view, the highest first; further ones are folded."""
SKILLS_KEPT = 200
"""Skills of an agent on the page; the rest is counted."""
ABILITIES_SHOWN = 2
"""Abilities that are open to view; the earlier ones are folded."""
AGENTS_SHOWN = 100
"""Agents with a part of their own, the most experienced; the rest stands in the list at the top."""
CHANGES_SHOWN = 6
"""Changes of title that are open to view, the newest; earlier ones are folded."""
CHANGES_KEPT = 60
"""Changes of title on the page, the newest."""
NAME_LIMIT = 120
"""Characters of a name or title."""


def write_page(
    path: Path,
    connection: Connection,
    plugin: GrowthPlugin,
    namespace: str,
    profiles: Sequence[Mapping[str, Any]],
    *,
    single: bool,
) -> None:
    """Write the page of these agents to ``path``; only the user can read it.

    Args:
        path: the file; one that is there is replaced.
        connection: to read with.
        plugin: gives the roster and the rules.
        namespace: whose agents.
        profiles: as ``seasoned growth --json`` gives them.
        single: a page about one agent, without a list at the top.

    Raises:
        ConfigError: where the file cannot be written.
    """
    page = render(**gather(connection, plugin, namespace, profiles, single=single))
    try:
        _write(path, page)
    except OSError as error:
        mend = "make the folder first" if isinstance(error, FileNotFoundError) else "name another file with --html"
        raise ConfigError(f"the page cannot be written to {path}: {error.strerror or error}; {mend}") from error


def _write(path: Path, page: str) -> None:
    """Agents' titles and abilities say what an application does: nobody else need read that."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            path.chmod(0o600)  # one that was there may have been open to all
        file.write(page)


def render(**data: Any) -> str:
    """The page for what :func:`gather` found."""
    return environment().get_template("growth.html.j2").render(data)


def gather(
    connection: Connection,
    plugin: GrowthPlugin,
    namespace: str,
    profiles: Sequence[Mapping[str, Any]],
    *,
    single: bool,
) -> dict[str, Any]:
    """What the page shows, as plain data."""
    last = last_runs(connection, namespace)
    ordered = sorted(profiles, key=lambda profile: (-profile["total_xp"], profile["agent"]))
    agents: list[dict[str, Any]] = []
    for number, profile in enumerate(ordered, 1):
        name = profile["agent"]
        past = history(connection, namespace, name, events=EVENTS_READ) if number <= AGENTS_SHOWN else None
        agents.append(_agent(number, profile, past, plugin, last.get(name)))
    return {
        "single": single,
        "title": f"{agents[0]['name']}: growth" if single else "Agents and what they have become",
        "namespace": one_line(namespace, NAME_LIMIT),
        "made_at": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "agents": agents,
    }


def _agent(
    number: int,
    profile: Mapping[str, Any],
    past: Mapping[str, Any] | None,
    plugin: GrowthPlugin,
    last: tuple[str, int] | None,
) -> dict[str, Any]:
    """An agent; without ``past`` only what stands in the list of all."""
    thresholds = plugin.rules.thresholds
    level, total, runs = profile["agent_level"], profile["total_xp"], profile["runs"]
    part, missing = progress(level, total, thresholds)
    shown: dict[str, Any] = {
        "anchor": f"agent-{number}",
        "name": one_line(profile["agent"], NAME_LIMIT),
        "title": one_line(profile["title"], NAME_LIMIT),
        "specialization": one_line(domain_name(profile["specialization"]), NAME_LIMIT),
        "level": level,
        "total": total,
        "percent": _percent(part),
        "missing": missing,
        "runs": runs,
        "succeeded": profile["runs_succeeded"],
        "rate": round(100 * profile["runs_succeeded"] / runs) if runs else None,
        "last": None if last is None else {"run_id": last[0], "at": _moment(last[1])},
        "whole": past is not None,
    }
    if past is None:
        return shown
    skills = profile["skills"]
    curve = past["curve"]
    complete = len(past["events"]) < EVENTS_READ
    return {
        **shown,
        "skills": [_skill(skill, thresholds) for skill in skills[:SKILLS_SHOWN]],
        "more_skills": [_skill(skill, thresholds) for skill in skills[SKILLS_SHOWN:SKILLS_KEPT]],
        "all_skills": len(skills),
        "abilities": sum(len(skill["abilities"]) for skill in skills),
        "traits": _traits(profile.get("attributes") or {}, plugin.rules.trait_shown),
        "strongest": [trait for trait, _ in dominant(profile.get("attributes") or {})],
        "achievements": profile.get("achievements") or [],
        "titles": _titles(past["specializations"], beginning(plugin.roster, profile["agent"])),
        "curves": [growth_svg.curve(curve, thresholds, frame) for frame in (growth_svg.WIDE, growth_svg.NARROW)],
        "spark": growth_svg.spark(thinned(curve, 40)),
        "from": _moment(curve[0][0]) if curve else "",
        "to": _moment(curve[-1][0]) if curve else "",
        "milestones": [{"at": _moment(at), "total": xp} for at, xp in thinned(curve, 12)],
        "log": [
            {"run_id": run["run_id"], "at": _moment(run["at"]), "lines": run["lines"]}
            for run in told(past["events"], complete=complete)[:RUNS_TOLD]
        ],
    }


def number(agents: Sequence[dict[str, Any]]) -> None:
    """Give agents of several :func:`gather` their places in one page."""
    for place, agent in enumerate(agents, 1):
        agent["anchor"] = f"agent-{place}"


def _skill(skill: Mapping[str, Any], thresholds: Sequence[int]) -> dict[str, Any]:
    part, missing = progress(skill["level"], skill["xp"], thresholds)
    abilities = [one_line(text, 200) for text in skill["abilities"]]
    rate = skill["success_rate"]
    return {
        "name": one_line(skill["name"], NAME_LIMIT),
        "domain": one_line(domain_name(skill["domain"]), NAME_LIMIT),
        "level": skill["level"],
        "percent": _percent(part),
        "xp": skill["xp"],
        "missing": missing,
        "highest": skill["level"] >= len(thresholds),
        "used": skill["times_used"],
        "succeeded": skill["times_succeeded"],
        "rate": None if rate is None else round(100 * rate),
        "latest": abilities[-ABILITIES_SHOWN:],
        "earlier": abilities[:-ABILITIES_SHOWN],
    }


def _percent(part: float) -> int:
    """In whole percent; a hundred only where it is reached."""
    return 100 if part >= 1 else min(99, round(100 * part))


def _traits(attributes: Mapping[str, float], speaks: float) -> list[dict[str, Any]]:
    """Each trait with its bar, which starts in the middle."""
    leading = {trait for trait, _ in dominant(attributes)}
    out: list[dict[str, Any]] = []
    for trait, value in attributes.items():
        value = max(0.0, min(1.0, value))
        out.append({
            "name": trait,
            "percent": round(100 * value),
            "left": round(100 * min(value, MIDDLE), 2),
            "width": round(100 * abs(value - MIDDLE), 2),
            "up": value >= MIDDLE,
            "dominant": trait in leading,
            "says": MODIFIERS.get(trait, "") if value > speaks else "",
        })  # fmt: skip
    return out


def _titles(changes: Sequence[Mapping[str, Any]], start: Mapping[str, Any] | None) -> dict[str, Any]:
    steps = [
        {
            "at": _moment(change["at"]),
            "run_id": change["run_id"],
            "title": one_line(change["title"], NAME_LIMIT),
            "domain": one_line(domain_name(change["specialization"]), NAME_LIMIT),
        }
        for change in changes[-CHANGES_KEPT:]
    ]
    if start is not None and (start["title"] or start["specialization"]):
        title, domain = one_line(start["title"], NAME_LIMIT), one_line(start["specialization"], NAME_LIMIT)
        steps.insert(0, {"at": None, "run_id": "", "title": title, "domain": domain})
    return {
        "steps": steps[-CHANGES_SHOWN:],
        "earlier": steps[:-CHANGES_SHOWN],
        "left_out": max(0, len(changes) - CHANGES_KEPT),
    }


def _moment(nanoseconds: int) -> dict[str, str]:
    """A time as the page writes it and as programs read it, in UTC."""
    moment = datetime.fromtimestamp(nanoseconds / 1e9, timezone.utc)
    return {"day": f"{moment:%Y-%m-%d}", "time": f"{moment:%H:%M}", "iso": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
