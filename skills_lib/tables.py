"""The library's tables: what each learned run was about, from which everything else is worked out.

A fingerprint's row holds what its text tells and never changes; how often its task was tried and solved is not counted
up in it but summed over the runs, so that a run which is judged anew or forgotten needs no correction anywhere.
Everything carries the namespace: nothing is learned or matched across.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text

from ..instrumentation.schema import NAME, metadata

task_fingerprints: Final = Table(
    "task_fingerprints",
    metadata,
    Column("namespace", NAME, primary_key=True),
    Column("fingerprint", NAME, primary_key=True),
    Column("text", Text, nullable=False),
    Column("keywords", Text, nullable=False),
    Column("technologies", Text, nullable=False),
    Column("files", Text, nullable=False),
)
"""Each task once, by the hash of its normalised ``text``; the last three are JSON arrays."""

fingerprinted_runs: Final = Table(
    "fingerprinted_runs",
    metadata,
    Column("run_id", NAME, primary_key=True),
    Column("namespace", NAME, nullable=False),
    Column("fingerprint", NAME, nullable=False),
    Column("task_group", NAME, nullable=True),
    Column("task_type", Text, nullable=True),
    Column("domain", Text, nullable=True),
    Column("complexity", Text, nullable=True),
    Column("success", Boolean, nullable=False),
    Column("duration_ms", BigInteger, nullable=True),
    Column("finished_ns", BigInteger, nullable=False),
    Index("fingerprinted_runs_by_task", "namespace", "fingerprint"),
    Index("fingerprinted_runs_by_group", "namespace", "task_group"),
)
"""What each learned run was: its task, its kind of task, and how it went. ``duration_ms`` is null where it is not
known."""

task_pools: Final = Table(
    "task_pools",
    metadata,
    Column("namespace", NAME, primary_key=True),
    Column("fingerprint", NAME, primary_key=True),
    Column("pool", NAME, nullable=False),
    Index("task_pools_by_pool", "namespace", "pool"),
)
"""Which tasks are pooled: ``pool`` is the fingerprint of the first of them. Kept once it is decided, so that a task
stays with the template that was learned from it."""

POOLED_RUNS: Final = fingerprinted_runs.join(
    task_pools,
    (task_pools.c.namespace == fingerprinted_runs.c.namespace)
    & (task_pools.c.fingerprint == fingerprinted_runs.c.fingerprint),
)
"""Runs with the pool of their task."""

skill_templates: Final = Table(
    "skill_templates",
    metadata,
    Column("namespace", NAME, primary_key=True),
    Column("template_id", NAME, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("pool", NAME, nullable=False),
    Column("name", NAME, nullable=False),
    Column("state", Text, nullable=False),
    Column("signature", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("diff", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_ns", BigInteger, nullable=False),
    Index("skill_templates_by_name", "namespace", "name"),
)
"""Every version of every skill template. ``body`` is :class:`.template_record.TemplateRecord` as JSON, ``content`` the
hash of what an agent would read of it, ``signature`` that of the runs that it was made from, ``diff`` (JSON) what has
changed since the version before, and ``reason`` why. ``made_ns`` is the end of the newest of its runs, so that nothing
here depends on when it was learned. A template that somebody deleted has the ``state`` deleted and stays so."""

template_uses: Final = Table(
    "template_uses",
    metadata,
    Column("run_id", NAME, primary_key=True),
    Column("template_id", NAME, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("namespace", NAME, nullable=False),
    Column("agents", Text, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("success", Boolean, nullable=False),
    Column("how", Text, nullable=False),
    Column("adaptations", Text, nullable=False),
    Column("counted", Boolean, nullable=False),
    Index("template_uses_by_template", "namespace", "template_id"),
)
"""Which judged runs were given which version of a template, to which agents (JSON) from which turn on, and what became
of it: ``how`` is ``followed``, ``adapted`` or ``abandoned``, ``adaptations`` what was done otherwise (JSON). A use that
somebody set aside by restoring the template is not ``counted`` when it is asked whether to withdraw it."""
