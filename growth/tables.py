"""Growth's tables: what each agent has earned, and every event that it earned it by.

All of it can be made again from the recorded runs, so nothing here holds a clock's time or a number drawn while
learning: ``at``, ``updated_ns`` and ``last_used`` are the ends of runs, and an event's ``id`` counts the events
of its agent from 1. That is why a rebuilt table equals the live one byte for byte.

Every table carries the namespace: nothing is learned or read across. Times are nanoseconds since the epoch.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, Table, Text

from ..instrumentation.schema import EMPTY, NAME, ZERO, metadata
from .attributes import TRAITS

agent_profiles: Final = Table(
    "agent_profiles",
    metadata,
    Column("namespace", NAME, primary_key=True),
    Column("agent", NAME, primary_key=True),
    Column("total_xp", Integer, nullable=False),
    Column("agent_level", Integer, nullable=False),
    Column("specialization", Text, nullable=True),
    Column("title", Text, nullable=False),
    Column("runs", Integer, nullable=False),
    Column("runs_succeeded", Integer, nullable=False),
    Column("success_streak", Integer, nullable=False),
    Column("events", Integer, nullable=False),
    Column("updated_ns", BigInteger, nullable=False),
    Column("last_run_id", NAME, nullable=False),
    Column("failure_streak", Integer, nullable=False, server_default=ZERO),
    Column("calm_streak", Integer, nullable=False, server_default=ZERO),
)
"""One row for each agent that has contributed to a judged run. ``total_xp`` leaves starting XP out; ``events``
is how many rows of ``skill_events`` it has; ``updated_ns`` and ``last_run_id`` are the newest run folded in;
``failure_streak`` counts failures in a row, ``calm_streak`` tasks solved since it last escalated one."""

agent_attributes: Final = Table(
    "agent_attributes",
    metadata,
    Column("namespace", NAME, primary_key=True),
    Column("agent", NAME, primary_key=True),
    *(Column(trait, Double, nullable=False) for trait in TRAITS),
)
"""The traits of each such agent, 0 to 1, with at most six decimal places, so that they are the same everywhere."""

agent_groups: Final = Table(
    "agent_groups",
    metadata,
    Column("namespace", NAME, primary_key=True),
    Column("agent", NAME, primary_key=True),
    Column("task_group", NAME, primary_key=True),
    Column("tried", Integer, nullable=False),
    Column("succeeded", Integer, nullable=False),
    Column("durations", Text, nullable=False),
)
"""What each agent has done of each kind of task: how many runs, how many with success, and how long the newest of
those took (a JSON array of milliseconds). First and repeated solves and what is fast are told by it."""

agent_skills: Final = Table(
    "agent_skills",
    metadata,
    Column("namespace", NAME, primary_key=True),
    Column("agent", NAME, primary_key=True),
    Column("skill", NAME, primary_key=True),
    Column("name", Text, nullable=False),
    Column("domain", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("xp", Integer, nullable=False),
    Column("starting_level", Integer, nullable=False),
    Column("starting_xp", Integer, nullable=False),
    Column("success_xp", Integer, nullable=False),
    Column("times_used", Integer, nullable=False),
    Column("times_succeeded", Integer, nullable=False),
    Column("times_failed", Integer, nullable=False),
    Column("last_used", BigInteger, nullable=True),
    Column("last_runs", Text, nullable=False),
    Column("unlocked_abilities", Text, nullable=False),
)
"""One row for each skill of such an agent. ``xp`` includes ``starting_xp``; ``success_xp`` is the part of it that
successful runs earned; ``last_runs`` (the newest three run ids) and ``unlocked_abilities`` are JSON arrays."""

skill_events: Final = Table(
    "skill_events",
    metadata,
    Column("namespace", NAME, primary_key=True),
    Column("agent", NAME, primary_key=True),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("skill", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("xp", Integer, nullable=True),
    Column("new_level", Integer, nullable=True),
    Column("ability", Text, nullable=True),
    Column("run_id", NAME, nullable=False),
    Column("rule", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("attribute", Text, nullable=True),
    Column("value", Double, nullable=True),
    Column("title", Text, nullable=True),
    Index("skill_events_by_run", "run_id"),
)
"""What moved an agent, each with the run and the rule that caused it; ``skill`` is empty where no skill is meant.

``xp_gain`` (``xp``; below zero for what a rule takes back), ``level_up`` and ``agent_level_up`` (``new_level``),
``ability_unlock`` (``new_level``, ``ability``), ``attribute_change`` (``attribute`` and its new ``value``),
``specialization`` (``skill`` is the domain, ``title`` the new title)."""

contributions: Final = Table(
    "contributions",
    metadata,
    Column("run_id", NAME, primary_key=True),
    Column("agent", NAME, primary_key=True),
    Column("namespace", NAME, nullable=False),
    Column("weight", Integer, nullable=False),
    Column("skills", Text, nullable=False),
    Column("finished_ns", BigInteger, nullable=False),
    Column("success", Boolean, nullable=False),
    Column("complexity", Text, nullable=False),
    Column("domain", Text, nullable=True),
    Column("before", Text, nullable=False),
    Column("facts", Text, nullable=False, server_default=EMPTY),
    Index("contributions_by_agent", "namespace", "agent", "finished_ns"),
)
"""What each agent did in each run learned from: the facts that its experience is computed from. ``skills`` is a
JSON array of [skill, weight, name, domain], ``facts`` one of :class:`.facts.Facts`; ``before`` (JSON) is what the
agent's figures were before the run, so that a run which arrives late is put in its place without computing everything
before it again."""

achievements: Final = Table(
    "achievements",
    metadata,
    Column("namespace", NAME, primary_key=True),
    Column("agent", NAME, primary_key=True),
    Column("slug", NAME, primary_key=True),
    Column("run_id", NAME, nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""Achievements earned, each once, with the run that earned it."""
