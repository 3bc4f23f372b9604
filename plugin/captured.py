"""What ``seasoned capture`` is given about an execution, checked: from JSON to a :class:`Captured`.

It is written by hand, by shell scripts and by other programs, so there are two rules. A fault is told with the place
and the mend, before anything is recorded. Names that mean the same are taken for the same (``prompt`` and ``task``,
``action`` and ``tool``), and what nobody knows is left out, but named, because it may be a name that was mistyped.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ..adapters.recorded import ERROR_MARK, moment
from ..instrumentation.errors import RunFormatError
from ..instrumentation.runs import COMPLEXITIES
from .capture_fields import CONTROL, Fields, decoded, shown

MAX_TASK = 1_000_000
"""Characters of a task: more is no task but a file that was given by mistake."""

MAX_DEPTH = 60
"""How deep a record may be nested: what is deeper can be neither redacted nor stored as it is."""

MAX_DURATION_MS = 10 * 366 * 86_400_000
"""The longest duration, ten years: a larger number is in another unit."""

LATEST_NS = 2**63 - 1
"""The last moment that a database can hold, in nanoseconds since the epoch."""

THRESHOLDS = ((0.34, "low"), (0.67, "medium"), (0.9, "high"))
"""Below which ``complexity_score`` an execution has which complexity; from the last one on it is ``critical``. Thirds,
but that ``critical`` must be meant: it says what hangs on a task, not how much work it was."""

DEFAULT_AGENT = "agent"
"""Who did it, where nobody is named."""

_SUCCEEDED = frozenset({"success", "succeeded", "successful", "ok", "passed", "done", "completed", "true"})
_FAILED = frozenset({"failure", "failed", "fail", "error", "false", "timeout"})
_OPEN = frozenset({"unknown", "partial", "skipped", "pending", ""})
_FACTS = ("tools_used", "file_patterns", "technology_stack")
_COUNTS = ("lines_added", "lines_modified", "lines_deleted", "lines", "bytes")


class CapturedStep(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a tool; ``ok`` is None where nobody said how it went."""

    tool: str
    arguments: dict[str, Any] = {}
    result: Any = None
    ok: bool | None = None
    error: str | None = None
    agent: str | None = None
    duration_ms: float | None = None
    files: tuple[str, ...] = ()


class CapturedArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was made; ``facts`` are its type, language, lines, hash and the like."""

    path: str
    content: str | None = None
    agent: str | None = None
    facts: dict[str, Any] = {}


class Captured(msgspec.Struct, frozen=True, kw_only=True):
    """An execution, checked. Make one with :func:`parse`.

    Attributes:
        task: the request in its own words.
        agent: who mainly did it; :data:`DEFAULT_AGENT` where nobody is named.
        agent_chain: the agents in the order in which they had their turn.
        success: the verdict, None where it is not known.
        quality: how well, 0 to 1.
        complexity: one of :data:`.runs.COMPLEXITIES`, None where not given.
        duration_ms: of the whole execution.
        answer: what the agent answered in the end.
        accepted: whether the user accepted the outcome.
        at: when it ended, in nanoseconds since the epoch; None for now.
        session: what joins executions of one conversation.
        execution_id: known again by this: an execution is captured once.
        facts: ``tools_used``, ``file_patterns`` and ``technology_stack`` as given.
        named: whether an agent was named.
        unknown: keys that nobody knows.
    """

    task: str
    agent: str = DEFAULT_AGENT
    agent_chain: tuple[str, ...] = ()
    task_type: str | None = None
    domain: str | None = None
    success: bool | None = None
    quality: float | None = None
    complexity: str | None = None
    duration_ms: float | None = None
    steps: tuple[CapturedStep, ...] = ()
    artifacts: tuple[CapturedArtifact, ...] = ()
    answer: str | None = None
    accepted: bool | None = None
    at: int | None = None
    session: str | None = None
    execution_id: str | None = None
    facts: dict[str, Any] = {}
    named: bool = True
    unknown: tuple[str, ...] = ()


def parse(raw: Any) -> Captured:
    """Check a decoded record. Raises :class:`RunFormatError` that names the key, the fault and the mend."""
    if _deeper(raw, MAX_DEPTH):
        raise RunFormatError(f"the record is nested more than {MAX_DEPTH} levels deep; leave out what is so deep")
    fields = Fields(raw)
    chain = fields.names("agent_chain")
    steps, step_unknown = _each(fields.objects("steps", "steps_json"), _step)
    artifacts, artifact_unknown = _each(fields.objects("artifacts", "artifacts_json"), _artifact)
    facts = {key: list(found) for key in _FACTS if (found := fields.names(key))}
    if not steps:
        steps = [CapturedStep(tool=tool) for tool in facts.get("tools_used", ())]
    agent = fields.name("agent", "agent_name")
    named = agent or next(iter(chain), None) or next((step.agent for step in steps if step.agent), None)
    record = Captured(
        task=_task(fields),
        agent=named or DEFAULT_AGENT,
        agent_chain=chain,
        task_type=fields.name("task_type", "type"),
        domain=fields.name("domain"),
        success=fields.truth("success"),
        quality=fields.number("quality", "quality_score", most=1),
        complexity=_complexity(fields),
        duration_ms=fields.number("duration_ms", "total_duration_ms", most=MAX_DURATION_MS),
        steps=tuple(steps),
        artifacts=tuple(artifacts),
        answer=fields.text("answer"),
        accepted=fields.truth("user_acceptance"),
        at=_at(fields),
        session=fields.name("session", "session_id", "correlation_id"),
        execution_id=_execution_id(fields),
        facts=facts,
        named=named is not None,
        unknown=tuple(dict.fromkeys((*fields.unknown(), *step_unknown, *artifact_unknown))),
    )
    if record.at is not None and record.at - lasting_ms(record) * 1_000_000 < 1_000_000_000:
        raise RunFormatError("at and duration_ms say that it began before 1970; correct one of them")
    return record


def lasting_ms(record: Captured) -> float:
    """How long an execution took, in milliseconds: as it says, or as long as its steps, whichever is more."""
    return max(record.duration_ms or 0, sum(step.duration_ms or 0 for step in record.steps))


def _each(items: list[tuple[str, Any]], make: Any) -> tuple[list[Any], list[str]]:
    made: list[Any] = []
    unknown: list[str] = []
    for where, raw in items:
        fields = Fields(raw, where)
        made.append(make(fields))
        unknown.extend(fields.unknown())
    return made, unknown


def _task(fields: Fields) -> str:
    where, task = fields.get("task", "prompt")
    if task is None:
        raise RunFormatError('there is no task; give "task" (or "prompt"): what was asked for, in words')
    if not isinstance(task, str):
        raise RunFormatError(f"{where} is {shown(task)}, but must be a text")
    if not CONTROL.sub("", task).strip():
        raise RunFormatError(f"{where} is empty; say in words what was asked for")
    if len(task) > MAX_TASK:
        raise RunFormatError(f"{where} has {len(task)} characters, but at most {MAX_TASK} are kept; shorten it")
    return task


def _complexity(fields: Fields) -> str | None:
    where, given = fields.get("complexity")
    score = fields.number("complexity_score", most=1)
    if given is not None and given not in COMPLEXITIES:
        raise RunFormatError(f"{where} is {shown(given)}, but must be one of {', '.join(COMPLEXITIES)}")
    if given is not None or score is None:
        return given
    return next((name for below, name in THRESHOLDS if score < below), "critical")


def _at(fields: Fields) -> int | None:
    where, at = fields.get("at", "completed_at")
    if at is not None and (isinstance(at, bool) or not isinstance(at, (int, float, str))):
        raise RunFormatError(f"{where} is {shown(at)}, but must be a time: ISO 8601 or seconds since the epoch")
    when = moment(at, where)
    if when is not None and when > LATEST_NS:
        raise RunFormatError(f"{where} is {shown(at)}, which is after the year 2262; correct it")
    return when


def _execution_id(fields: Fields) -> str | None:
    name = fields.name("execution_id")
    if name is not None and re.search(r"\s", name):
        raise RunFormatError(f"execution_id is {shown(name)}, but must be one word")
    return name


def _step(fields: Fields) -> CapturedStep:
    tool = fields.name("tool", "action")
    if tool is None:
        raise RunFormatError(f'{fields.where.rstrip(".")} names no tool; give its "tool" (or "action")')
    where, arguments = fields.get("arguments")
    if isinstance(arguments, str):
        arguments = decoded(arguments, where) if arguments.strip() else None
    if arguments is not None and not isinstance(arguments, dict):
        raise RunFormatError(f"{where} is {shown(arguments)}, but must be a JSON object")
    fields.get("step", "step_number", "step_type", "description")  # the order tells, and what the tool is for is known
    result, error, ok = fields.get("result")[1], fields.text("error"), _ok(fields)
    if ok is None and (error or (isinstance(result, str) and result.startswith(ERROR_MARK))):
        ok = False
    return CapturedStep(
        tool=tool,
        arguments=arguments or {},
        result=result,
        ok=True if ok is None and result is not None else ok,
        error=error,
        agent=fields.name("agent", "agent_name"),
        duration_ms=fields.number("duration_ms", most=MAX_DURATION_MS),
        files=fields.names("files", "files_modified"),
    )


def _ok(fields: Fields) -> bool | None:
    ok = fields.truth("ok")
    where, outcome = fields.get("outcome")
    if ok is not None or outcome is None:
        return ok
    word = outcome.strip().lower() if isinstance(outcome, str) else str(outcome).lower()
    if word in _SUCCEEDED or word in _FAILED:
        return word in _SUCCEEDED
    if word not in _OPEN:
        raise RunFormatError(f"{where} is {shown(outcome)}, but must be success, failure or unknown")
    return None


def _artifact(fields: Fields) -> CapturedArtifact:
    where, path = fields.get("path", "file", "file_path")
    if not isinstance(path, str) or not path.strip():
        raise RunFormatError(f'{fields.where.rstrip(".")} names no file; give its "path" (or "file")')
    if len(path) > 4_096:
        raise RunFormatError(f"{where} has {len(path)} characters, but a path has at most 4096")
    facts: dict[str, Any] = {
        "type": fields.name("type", "artifact_type"),
        "language": fields.name("language"),
        "sha256": fields.name("sha256", "content_hash"),
        "quality_score": fields.number("quality_score", most=1),
        "test_coverage": fields.number("test_coverage", most=100),
    }
    facts.update((key, fields.number(key, most=2**53)) for key in _COUNTS)
    return CapturedArtifact(
        path=path,
        content=fields.text("content"),
        agent=fields.name("agent", "creator"),
        facts={key: value for key, value in facts.items() if value is not None},
    )


def _deeper(value: Any, most: int) -> bool:
    """Whether a decoded JSON value is nested deeper than this; no recursion, because it may be very deep."""
    level: list[Any] = [value]
    for _ in range(most):
        level = [
            inner
            for one in level
            if isinstance(one, (dict, list))
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True
