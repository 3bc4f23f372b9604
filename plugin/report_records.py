"""What a report says of a run beside its events: its outcome, how long it took, what was learned, what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from ..growth.history import told
from ..growth.tables import agent_skills, skill_events
from ..instrumentation.schema import events, journals, runs
from .drawing_timeline import UNTIMED
from .report_nodes import Node, h

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ..instrumentation.reading import RunRecord


def learned(connection: Connection, run_id: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """What each agent was given for a run, in the words of its growth."""
    table, skills = skill_events.c, agent_skills.c
    query = (
        select(skill_events, skills.name)
        .join_from(
            skill_events, agent_skills,
            (skills.namespace == table.namespace) & (skills.agent == table.agent) & (skills.skill == table.skill),
            isouter=True,
        )
        .where(table.run_id == run_id, table.rule != "return")
        .order_by(table.agent, table.id.desc())
    )  # fmt: skip
    found: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(query).mappings():
        event = dict(row)
        event["name"] = event["name"] or event["skill"]
        found.setdefault(event["agent"], []).append(event)
    return [(agent, told(events, complete=True)[0]["lines"]) for agent, events in found.items()]


def missing_of(connection: Connection, run_id: str) -> int:
    """How many events of a run are not there though later ones are."""
    seq = events.c.seq
    query = (
        select(func.max(seq) + 1 - func.count(seq.distinct()))
        .join_from(events, runs, events.c.run_pk == runs.c.run_pk)
        .join(journals, events.c.journal_pk == journals.c.journal_pk)
        .where(runs.c.run_id == run_id)
        .group_by(journals.c.writer)
    )
    return sum(max(0, int(missing)) for missing in connection.execute(query).scalars())


def took(record: RunRecord) -> float | None:
    """How long a run took, in seconds; None while it has no end, and for one that was imported without times, whose
    events stand a microsecond apart."""
    seconds = record.duration_s
    return seconds if seconds is not None and seconds * 1e9 >= UNTIMED * record.messages else None


def pill(record: RunRecord) -> Node:
    """The run's outcome, told by colour, sign and word."""
    ended = record.status == "finished"
    kind = "good" if record.success else "bad" if record.success is False else "none"
    words = {True: "✓ success", False: "✕ failure", None: "not judged" if ended else "… running"}
    word = words[record.success]
    if record.success is not None and record.quality is not None:
        word += f", quality {record.quality:.2g}"
    return h("span", word, class_=f"pill {kind}")
