"""How an agent came to be what it is: its curve of experience, its titles, and what last moved it, with the reasons.

Everything is read from ``skill_events``, where each row names its run and its rule, so a report never has to guess.
An agent may have hundreds of thousands of them: the database adds up the points of each run, and only what is shown
is fetched. Skill names, titles and abilities come from users, tools and rosters; whoever prints them cleans them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from .attributes import MIDDLE, TRAITS
from .tables import agent_profiles, agent_skills, skill_events

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from .roster import Roster

SKILLS_NAMED = 3
"""Skills that are named where one rule gave points to several."""

_at = skill_events.c


def history(
    connection: Connection, namespace: str, agent: str, *, events: int = 20, points: int = 240
) -> dict[str, Any]:
    """What made the agent; empty lists for one that has learned from no run.

    Args:
        connection: to read with.
        namespace: whose agent.
        agent: its name.
        events: how many of the newest events are wanted. A trait's slow return toward the middle is none of them: it
            happens in every run, and nothing caused it.
        points: how many points the curve has at most, from 2; the first and the last are always among them.

    Returns:
        ``specializations``, the oldest first: {specialization (or None), title, run_id, at}; ``curve``: [at, total XP]
        after each run that changed the total; ``events``, the newest first: {id, event, skill, name (as the skill is
        shown, or empty), xp, new_level, ability, attribute, value, title, run_id, rule, at}. Times are nanoseconds
        since the epoch.
    """
    return {
        "specializations": _specializations(connection, namespace, agent),
        "curve": thinned(_curve(connection, namespace, agent), points),
        "events": _events(connection, namespace, agent, events),
    }


def _specializations(connection: Connection, namespace: str, agent: str) -> list[dict[str, Any]]:
    query = (
        select(_at.skill, _at.title, _at.run_id, _at.at)
        .where(_at.namespace == namespace, _at.agent == agent, _at.event == "specialization")
        .order_by(_at.id)
    )
    return [
        {"specialization": row.skill or None, "title": row.title or "", "run_id": row.run_id, "at": row.at}
        for row in connection.execute(query)
    ]


def _curve(connection: Connection, namespace: str, agent: str) -> list[list[int]]:
    """The total after each run that changed it. Events are numbered in the order in which runs count, so the number
    of a run's first event is its place."""
    gained = func.sum(_at.xp)
    query = (
        select(func.min(_at.at), gained)
        .where(_at.namespace == namespace, _at.agent == agent, _at.event == "xp_gain")
        .group_by(_at.run_id)
        .having(gained != 0)
        .order_by(func.min(_at.id))
    )
    total = 0
    curve: list[list[int]] = []
    for at, xp in connection.execute(query):
        total += int(xp)
        curve.append([int(at), total])
    return curve


def thinned(curve: Sequence[list[int]], points: int) -> list[list[int]]:
    """At most ``points`` of the curve's points, evenly chosen, the first and the last among them."""
    points = max(2, points)
    if len(curve) <= points:
        return list(curve)
    last = len(curve) - 1
    return [curve[round(number * last / (points - 1))] for number in range(points)]


def _events(connection: Connection, namespace: str, agent: str, limit: int) -> list[dict[str, Any]]:
    query = (
        select(
            _at.id, _at.event, _at.skill, _at.xp, _at.new_level, _at.ability, _at.attribute, _at.value, _at.title,
            _at.run_id, _at.rule, _at.at,
        )
        .where(_at.namespace == namespace, _at.agent == agent, _at.rule != "return")
        .order_by(_at.id.desc())
        .limit(max(0, limit))
    )  # fmt: skip
    found: list[dict[str, Any]] = [dict(row) for row in connection.execute(query).mappings()]
    slugs = {event["skill"] for event in found if event["event"] != "specialization"} - {""}
    names = _names(connection, namespace, agent, sorted(slugs))
    for event in found:
        skill = "" if event["event"] == "specialization" else event["skill"]
        event["name"] = names.get(skill, skill)
    return found


def _names(connection: Connection, namespace: str, agent: str, slugs: Sequence[str]) -> dict[str, str]:
    table = agent_skills.c
    query = select(table.skill, table.name).where(
        table.namespace == namespace, table.agent == agent, table.skill.in_(slugs)
    )
    return {row.skill: row.name for row in connection.execute(query)} if slugs else {}


def last_runs(connection: Connection, namespace: str) -> dict[str, tuple[str, int]]:
    """For each agent that has learned from a run: the newest one's id, and its end in nanoseconds since the epoch."""
    table = agent_profiles.c
    query = select(table.agent, table.last_run_id, table.updated_ns).where(table.namespace == namespace)
    return {row.agent: (row.last_run_id, row.updated_ns) for row in connection.execute(query)}


def beginning(roster: Roster, agent: str) -> dict[str, Any] | None:
    """What the roster calls an agent until its own work says otherwise: {specialization, title}; None for an agent
    that is in no roster."""
    entry = roster.agents.get(agent)
    return None if entry is None else {"specialization": entry.specialization, "title": entry.title}


# -- for whoever shows it ------------------------------------------------------------------------------------------


def dominant(attributes: Mapping[str, float], count: int = 3) -> list[tuple[str, float]]:
    """The strongest traits, at most ``count``, the highest first. One that has never risen above the middle says
    nothing about anybody, so it dominates nothing."""
    risen = [(trait, attributes[trait]) for trait in TRAITS if attributes.get(trait, MIDDLE) > MIDDLE]
    return sorted(risen, key=lambda pair: -pair[1])[:count]


def progress(level: int, xp: int, thresholds: Sequence[int]) -> tuple[float, int]:
    """How far ``xp`` is on the way from ``level`` to the next, 0 to 1, and how many XP are missing; (1, 0) at the
    highest level. A level above its XP (a roster may give one) has its way still before it."""
    if level >= len(thresholds):
        return 1.0, 0
    floor, ceiling = thresholds[level - 1], thresholds[level]
    return max(0.0, min(1.0, (xp - floor) / (ceiling - floor))), max(0, ceiling - xp)


_XP_WORDS = {
    "task_completed": "Solved a task with {skill}",
    "task_failed": "Learned a little from a failed task with {skill}",
    "first_time_solve": "Solved a kind of task for the first time ({skill})",
    "repeat_solve": "Solved a kind of task again that it knew ({skill})",
    "diminishing_returns": "Less for a kind of task that it has solved before ({skill})",
    "helped_another_dept": "Helped outside its own domains ({skill})",
    "no_escalation_streak": "Kept solving tasks without handing one over ({skill})",
    "cache_worthy": "Gave an answer worth keeping ({skill})",
    "user_positive": "The user was pleased with the work ({skill})",
    "user_negative": "The user complained about the work ({skill})",
}
_TRAIT_WORDS = {
    "complex_success": "it solved a hard task",
    "fast_completion": "it solved a task faster than usual",
    "no_escalation": "it solved a task without handing it over",
    "cross_department": "it solved a task outside its own domains",
    "novel_problem": "it solved a new kind of problem",
    "success_after_failures": "it succeeded after several failures in a row",
    "bold_success": "a bold attempt succeeded",
    "failure": "a task failed",
    "return": "it was not exercised, and goes back toward the middle",
}


def rule_words(event: Mapping[str, Any]) -> str:
    """Why an event of :func:`history` happened, in one plain sentence. A rule or a kind of event that is not known
    here (a plugin's, or a later version's) is called by its name. Not cleaned: names of others stand in it."""
    kind, rule = event["event"], event["rule"]
    skill = event.get("name") or event.get("skill") or ""
    level = event.get("new_level")
    if kind == "xp_gain":
        words = _XP_WORDS.get(rule)
        if words is None:
            return f"Rule {rule} ({skill})" if skill else f"Rule {rule}"
        return (
            words.replace("{skill}", skill) if skill else words.replace(" ({skill})", "").replace(" with {skill}", "")
        )
    if kind == "level_up":
        return f"{skill or 'A skill'} reached level {level}{_by(rule, 'level_thresholds')}"
    if kind == "agent_level_up":
        return f"Reached agent level {level}{_by(rule, 'level_thresholds')}"
    if kind == "ability_unlock":
        return f"{skill or 'A skill'} unlocked at level {level}: {event.get('ability') or ''}{_by(rule, 'abilities')}"
    if kind == "attribute_change":
        reason = _TRAIT_WORDS.get(rule)
        value = event.get("value")
        now = f"{event.get('attribute')} is now {0.0 if value is None else value:.0%}".capitalize()
        return f"{now}: {reason}" if reason else f"{now}{_by(rule)}"
    if kind == "specialization":
        return f"{_became(event)}{_by(rule, 'specialization')}"
    return f"{kind}{_by(rule)}"


def told(events: Sequence[Mapping[str, Any]], *, complete: bool) -> list[dict[str, Any]]:
    """Events of :func:`history` as they are told: for each run, the newest first, what it caused, in the order in
    which it did, with the points and traits that one rule moved in one line.

    Args:
        events: the newest first.
        complete: whether these are all of the agent's events; where not, the oldest run among them may have more, and
            is left out unless it is the only one.

    Returns:
        {run_id, at, lines: [{kind, xp (None where it is not about points), words}]} for each run.
    """
    runs: list[list[Mapping[str, Any]]] = []
    for event in events:
        if not runs or runs[-1][0]["run_id"] != event["run_id"]:
            runs.append([])
        runs[-1].append(event)
    if not complete and len(runs) > 1:
        runs.pop()
    return [{"run_id": run[0]["run_id"], "at": run[0]["at"], "lines": _lines(run[::-1])} for run in runs]


def _lines(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    together: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for event in events:
        alike = event["event"] in ("xp_gain", "attribute_change")
        together.setdefault((event["event"], event["rule"]) if alike else (event["id"],), []).append(event)
    lines = [_line(group) for group in together.values()]
    return sorted(lines, key=lambda line: line["kind"] == "attribute_change")  # what moves least comes last


def _line(group: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first = group[0]
    xp = sum(event["xp"] or 0 for event in group) if first["event"] == "xp_gain" else None
    if len(group) == 1:
        words = rule_words(first)
    elif xp is not None:
        most = sorted(group, key=lambda event: -abs(event["xp"] or 0))
        parts = ", ".join(f"{event['name']} {event['xp'] or 0:+,}" for event in most[:SKILLS_NAMED])
        more = f" and {len(most) - SKILLS_NAMED} more" if len(most) > SKILLS_NAMED else ""
        words = f"{rule_words({**first, 'name': '', 'skill': ''})}: {parts}{more}"
    else:
        others = "".join(f", {event['attribute']} {event['value'] or 0.0:.0%}" for event in group[1:])
        now, _, reason = rule_words(first).partition("%")
        words = f"{now}%{others}{reason}"
    return {"kind": first["event"], "xp": xp, "words": words}


def _by(rule: str, expected: str | None = None) -> str:
    """The rule's name, where it is not the one that goes without saying."""
    return "" if rule == expected else f" (rule {rule})"


def _became(event: Mapping[str, Any]) -> str:
    title, domain = event.get("title") or "", domain_name(event.get("skill"))
    if title and domain:
        return f"Became {title}, specialized in {domain}"
    if title:
        return f"Became {title}"
    return f"Specialized in {domain}" if domain else "Lost its title and specialization"


def domain_name(domain: str | None) -> str:
    """How a domain is shown; empty for none."""
    return (domain or "").replace("_", " ")
