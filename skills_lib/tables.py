"""The library's tables: what each learned run was about, from which everything else is worked out.

A fingerprint's row holds what its text tells and never changes; how often its task was tried and solved is not counted
up in it but summed over the runs, so that a run which is judged anew or forgotten needs no correction anywhere.
Everything carries the namespace: nothing is learned or matched across.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, Text

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
