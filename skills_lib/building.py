"""From the runs of one pool to a skill template: the task that they share, how it was solved, and what to mind.

Everything is worked out from the runs alone, and the same for the same runs, whatever was learned before. A template
that rests on too little is a candidate: kept, shown, and not given to anybody.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from .clauses import name_words, words_of
from .contrasts import checks, contrasts, pitfalls
from .fingerprint import STOP_WORDS, technologies
from .induction import TaskTemplate, induce_template
from .masking import CONTENT, read
from .procedure import ALWAYS, Procedure, induce
from .sketches import sketch_of
from .skill_checks import DESCRIPTION_LIMIT, NAME_LIMIT, numbered
from .template_record import TemplateRecord
from .writes import effects

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from .code_templates import Program
    from .contrasts import Contrast
    from .known_texts import KnownTexts
    from .steps import Trace

RUNS_NEEDED, TASKS_NEEDED = 3, 2
"""Successful runs, and different tasks among them, from which a template is more than a candidate: one lucky run proves
nothing, and three of one task prove nothing about another."""

FAILURES_BORNE = 1.0
"""Failed runs for each successful one up to which a template may be ready. Of tasks that mostly fail nobody knows
whether what a few of them did is why those succeeded; handing it out could make the rest no better."""

ASKED = 2 / 3
"""Part of the successful runs in which people must have said a word for it to count as asked for."""

ID_DIGITS = 16
"""Characters of a pool's name that are its template's id."""

EXAMPLES = 3
"""Tasks in their own words that are kept with a template."""

NAME_WORDS = 6
"""Words of a template's name."""

_NAME_PARTS = re.compile(r"[a-z0-9]+")
_SLOT = re.compile(r"\{\{\w+\}\}")
_PLAIN = re.compile(r"[a-z]{3,20}")


class Solved(NamedTuple):
    """One run of a pool: its trace with the verdict, what was said of its task, and its last good program."""

    trace: Trace
    text: str
    domain: str | None
    task_type: str | None
    program: Program | None = None


def build(
    pool: str,
    runs: Sequence[Solved],
    names: Collection[str] = (),
    library: KnownTexts | None = None,
    verdicts: tuple[int, int] | None = None,
) -> TemplateRecord | None:
    """The first version of the template that these runs make; None where none of them succeeded.

    Args:
        pool: what identifies the pool; the template is identified by its beginning.
        runs: judged runs of like tasks.
        names: names that are taken.
        library: the texts of all known tasks, which help to tell where values end.
        verdicts: successes and failures among all runs of the pool, where ``runs`` are a sample of them.
    """
    solved = [run for run in runs if run.trace.success]
    if not solved:
        return None
    sketches = [sketch_of(run.trace, run.text) for run in runs]
    texts = sorted({run.text for run in runs})
    task = induce_template(texts, library=library)
    procedure = induce(sketches, effects(run.trace for run in runs).writes)
    found = contrasts(sketches)
    different = len({run.text for run in solved})
    domain, task_type = _usual(run.domain for run in runs), _usual(run.task_type for run in runs)
    steps = procedure.public()
    state, why = state_of(*(verdicts or (len(solved), len(runs) - len(solved))), different, steps)
    tools = [step["tool"] for step in steps if not step["optional"] and step["support"] >= ALWAYS * len(solved)]
    record = TemplateRecord(
        template_id=pool[:ID_DIGITS],
        version=1,
        name=name_for(task, procedure, domain),
        description=_describe(task, procedure, domain),
        when_not=_when_not(task, tools),
        task_template=task.text,
        slots=[{"name": slot.name, "type": slot.type, "optional": slot.optional} for slot in task.slots],
        procedure=steps,
        agent_sequence=_agents(solved),
        required_tools=list(dict.fromkeys(tools)),
        checks=_told(checks(found)),
        pitfalls=_told(pitfalls(found)),
        examples=[run.text for run in sorted(solved, key=lambda run: run.trace.run_id)][:EXAMPLES],
        tags=_tags(runs, texts),
        domain=domain,
        task_type=task_type,
        tasks=len(texts),
        solved=len(solved),
        failed=len(runs) - len(solved),
        state=state,
        why=why,
        artifacts=[code] if (code := _code(solved)) is not None else [],
        asked=_asked(solved, {step.tool for step in procedure.steps if step.writes}),
    )
    return named_apart(record, names, library)


def _code(solved: Iterable[Solved]) -> dict[str, Any] | None:
    """The code that the programs of these runs have in common."""
    programs = [run.program for run in solved if run.program is not None]
    if len(programs) < 2:
        return None
    from .code_templates import code_template  # only where runs write programs

    return code_template(programs)


def state_of(solved: int, failed: int, tasks: int, steps: Collection[Any]) -> tuple[str, str]:
    """Whether a template is ``ready`` or a ``candidate``, and why, in a line.

    Args:
        solved: successful runs that it was learned from.
        failed: failed ones.
        tasks: different tasks among those that succeeded.
        steps: of its procedure.
    """
    carried = f"{_counted(solved, 'successful run')} of {_counted(tasks, 'task')}"
    if solved < RUNS_NEEDED or tasks < TASKS_NEEDED:
        return "candidate", f"candidate: {carried}; {RUNS_NEEDED} of {TASKS_NEEDED} tasks are needed"
    if not steps:
        return "candidate", f"candidate: {carried} have no step in common"
    if failed > FAILURES_BORNE * solved:
        return "candidate", f"candidate: it failed more often than it succeeded ({solved} of {solved + failed})"
    return "ready", f"ready: {carried}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _asked(solved: Sequence[Solved], tools: Collection[str]) -> list[str]:
    """The words of these tools' names that people said in most of these runs, stemmed."""
    words = {word for tool in tools for word in name_words(tool) if len(word) > 2}
    said: Counter[str] = Counter()
    for run in solved:
        said.update({word for text in (run.text, *run.trace.said) for word in words_of(text)} & words)
    return sorted(word for word, runs in said.items() if runs >= ASKED * len(solved))


def name_for(task: TaskTemplate, procedure: Procedure, domain: str | None) -> str:
    """A name: what the procedure changes, else the words that the tasks share. Lower case, digits and single
    hyphens."""
    writes = [step for step in procedure.steps if step.writes and 2 * step.support >= procedure.runs]
    words = [part for step in writes[:2] for part in _NAME_PARTS.findall(slug_words(step.tool))]
    if not words:
        shared = _NAME_PARTS.findall(_SLOT.sub(" ", task.text).lower())
        words = [word for word in shared if len(word) > 2 and word not in STOP_WORDS]
        words = list(dict.fromkeys(words))[:NAME_WORDS] or _NAME_PARTS.findall((domain or "").lower()) or ["task"]
    return "-".join(words)[:NAME_LIMIT].strip("-")


def named_apart(record: TemplateRecord, taken: Collection[str], library: KnownTexts | None = None) -> TemplateRecord:
    """The same template under a name that is not ``taken``: with a word more that tells it from others, where there is
    one, and only else with a number."""
    if record.name not in taken:
        return record
    base, words = record.name, record.name.split("-")
    for word in _distinguishing(record, library):
        name = f"{base}-{word}"
        if word not in words and len(name) <= NAME_LIMIT and name not in taken:
            return msgspec.structs.replace(record, name=name)
    return msgspec.structs.replace(record, name=numbered(base, taken))


def _distinguishing(record: TemplateRecord, library: KnownTexts | None) -> Iterable[str]:
    """Words that may tell a template from others with the same changes: those that its tasks share, the rarest first
    and names and values left out; then those of the tools that it looks things up with."""
    reading = read(_SLOT.sub(" _ ", record.task_template))
    told = (word for word, kind in zip(reading.tokens, reading.kinds, strict=True) if kind == CONTENT)
    shared = {word for word in told if _PLAIN.fullmatch(word) and word not in STOP_WORDS}
    yield from sorted(shared, key=lambda word: (-library.rarity(word) if library is not None else 0.0, word))
    looking = [slug_words(step["tool"]) for step in record.procedure if not step["writes"]]
    yield from dict.fromkeys(part for name in looking for part in _NAME_PARTS.findall(name) if _PLAIN.fullmatch(part))


def slug_words(tool: str) -> str:
    """A tool's name in lower case words: ``cancelOrder`` and ``cancel_order`` alike."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", tool).lower()


def _describe(task: TaskTemplate, procedure: Procedure, domain: str | None) -> str:
    """What it does and when, as far as the runs show it."""
    tools = list(dict.fromkeys(step.tool for step in procedure.steps))
    doing = f"Solves it with {', '.join(tools)}." if tools else "Solves it without tools."
    place = f" in {domain}" if domain else ""
    reading = read(_SLOT.sub(" _ ", task.text))
    silent = task.open or (task.slots and CONTENT not in reading.kinds)
    when = "tasks that were solved alike" if silent else f"tasks such as: {task.text}"
    return f"{doing} Use it{place} for {when}"[:DESCRIPTION_LIMIT]


def _when_not(task: TaskTemplate, tools: Sequence[str]) -> str:
    needs = f"Not where {', '.join(dict.fromkeys(tools))} cannot be called" if tools else "Not where tools are needed"
    slots = [slot.name for slot in task.slots if not slot.optional]
    return f"{needs}{', or the task says nothing of ' + ', '.join(slots) if slots else ''}."[:DESCRIPTION_LIMIT]


def _agents(solved: Iterable[Solved]) -> list[str]:
    """The order in which agents first act, as most of the runs have it."""
    orders = Counter(tuple(dict.fromkeys(s.agent for s in run.trace.steps if s.agent)) for run in solved)
    return list(min(orders, key=lambda order: (-orders[order], order))) if orders else []


def _told(found: Iterable[Contrast]) -> list[dict[str, Any]]:
    return [
        {
            "text": one.text,
            "solved_with": one.solved_with,
            "solved": one.solved,
            "failed_with": one.failed_with,
            "failed": one.failed,
            "p": float(f"{one.p_adjusted:.3g}"),
        }
        for one in found
    ]


def _usual(values: Iterable[str | None]) -> str | None:
    counted = Counter(value for value in values if value)
    return min(counted, key=lambda value: (-counted[value], value)) if counted else None


def _tags(runs: Sequence[Solved], texts: Sequence[str]) -> list[str]:
    found = {value for run in runs for value in (run.domain, run.task_type) if value}
    for text in texts[:50]:
        found.update(technologies(text))
    return sorted(found)
