"""A skill template as it is kept: what it is for, how it is done, and what its versions differ in.

Plain data without a line of what users or tools said, but for the examples of tasks, which people see and models do
not. Counts are kept beside what an agent reads, so that one more run of the same makes no new version.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

_encode = msgspec.json.Encoder(order="deterministic").encode

_COUNTS = frozenset(("support", "of", "outlines"))
_FIGURES = frozenset(("support", "after"))

READ_BY_AGENTS = ("task_template", "slots", "procedure", "agent_sequence", "checks", "pitfalls")
"""What makes a version: a change in any other part is no new one."""

MERGED = "merged"
"""The state of a template whose tasks went to another."""


class TemplateRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a skill template.

    Attributes:
        template_id: identifies it, for all its versions.
        version: counts from 1.
        name: lower case letters, digits and single hyphens, at most 64; unique in its namespace.
        description: what it does, and when.
        when_not: when it does not fit.
        task_template: the task, with ``{{name}}`` where each has its own value.
        slots: ``{name, type, optional}`` of each of those.
        procedure: the steps, ``{tool, agent, writes, optional, repeated, support, after, arguments}``; ``after`` holds
            the numbers, from 0, of the steps that come before it wherever runs have both.
        agent_sequence: the agents in the order in which they first act.
        required_tools: tools that every run of the procedure calls.
        checks, pitfalls: ``{text, solved_with, solved, failed_with, failed, p}``: what successes do, what failures did.
        examples: a few tasks in their own words.
        tags: domain, task types and technologies.
        domain, task_type: of most of its tasks.
        tasks, solved, failed: different tasks, and runs, that it was learned from.
        state: ``candidate`` (too few runs), ``ready``, ``withdrawn`` (it did not prove itself), ``merged`` (another
            template says the same), or ``deleted``.
        why: why it is in that state, in a line.
        asked: the words of its state-changing tools' names, stemmed, that people mostly said in runs that succeeded.
        artifacts: code templates, ``{kind, language, template, slots, support, of}``: for people, never in a prompt.
        origin: ``learned`` here; ``imported`` from a file, and given to nobody; or ``trusted``, a file that somebody
            vouched for.
        provenance: ``{run_id, success}`` of the runs elsewhere that a file tells of; those here are in the store.
        notes: what a file that was imported says beside; for people, never in a prompt.
        metrics: what became of the runs that were given it, ``{given, succeeded, failed, followed, adapted,
            abandoned}``; worked out when it is read.
    """

    template_id: str
    version: int
    name: str
    description: str
    when_not: str
    task_template: str
    slots: list[dict[str, Any]] = []
    procedure: list[dict[str, Any]] = []
    agent_sequence: list[str] = []
    required_tools: list[str] = []
    checks: list[dict[str, Any]] = []
    pitfalls: list[dict[str, Any]] = []
    examples: list[str] = []
    tags: list[str] = []
    domain: str | None = None
    task_type: str | None = None
    tasks: int = 0
    solved: int = 0
    failed: int = 0
    state: str = "candidate"
    why: str = ""
    asked: list[str] = []
    artifacts: list[dict[str, Any]] = []
    origin: str = "learned"
    provenance: list[dict[str, Any]] = []
    notes: str = ""
    metrics: dict[str, int] = {}

    @property
    def content(self) -> str:
        """The hash of what an agent would read."""
        return hashlib.sha256(_encode([_read(self, part) for part in READ_BY_AGENTS])).hexdigest()

    def public(self) -> dict[str, Any]:
        """As ``seasoned skills list --json`` prints it."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        del found["provenance"]
        return found


def _read(record: TemplateRecord, part: str) -> Any:
    """A part as an agent reads it: without counts."""
    value = getattr(record, part)
    if part == "procedure":
        told = [{key: found for key, found in step.items() if key not in _FIGURES} for step in value]
        return [shown | _sources(step) for shown, step in zip(told, value, strict=True)]
    if part in ("checks", "pitfalls"):
        return [entry["text"] for entry in value]
    return value


def _sources(step: dict[str, Any]) -> dict[str, Any]:
    given = step.get("arguments") or {}
    return {
        "arguments": {
            name: {key: value for key, value in source.items() if key not in _COUNTS} for name, source in given.items()
        }
    }


def _of(tool: str, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [step for step in steps if step["tool"] == tool]


def difference(before: TemplateRecord, after: TemplateRecord) -> dict[str, Any]:
    """What a version changed: for each part that an agent reads, what it was and is; for the steps, which
    tools came, went, or are called otherwise."""
    changed: dict[str, Any] = {}
    for part in READ_BY_AGENTS:
        old, new = _read(before, part), _read(after, part)
        if old == new:
            continue
        if part != "procedure":
            changed[part] = {"was": old, "is": new}
            continue
        was, now = [step["tool"] for step in old], [step["tool"] for step in new]
        changed[part] = {
            "added": [tool for tool in now if tool not in was],
            "removed": [tool for tool in was if tool not in now],
            "steps": {"was": was, "is": now},
            "otherwise": [tool for tool in now if tool in was and _of(tool, old) != _of(tool, new)],
        }
    return changed
