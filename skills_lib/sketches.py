"""What is kept of a run for learning: a sketch without anybody's words.

A sketch is enough to compare a run with others of its kind, those that succeeded and those that failed. Of a pool only
so many runs are looked at, those with the lowest hash of their id: a sample that is the same whichever run came first,
because every run draws its lot by itself.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from .sources import Origin, trace_sources

if TYPE_CHECKING:
    from .steps import Trace

SAMPLE = 96
"""Runs of one kind and verdict that are looked at; shares of them are known to about 10%."""


class Given(msgspec.Struct, frozen=True, array_like=True):
    """One argument of one step.

    Attributes:
        name: the argument's; nested ones are named by their path.
        kind: the type of the value.
        origins: where it may come from, as :class:`.sources.Origin`.
        value: the value, where it can only be the agent's own and is plain; else None.
        many: whether it was a list.
        shape: the value's outline, as :func:`.sources.shape_of`.
    """

    name: str
    kind: str
    origins: tuple[tuple[str, str, str], ...] = ()
    value: str | int | float | bool | None = None
    many: bool = False
    shape: str = ""


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """One step: the tool, who asked for it, whether it failed, its arguments and the functions of a program."""

    tool: str
    agent: str | None = None
    failed: bool = False
    given: tuple[Given, ...] = ()
    calls: tuple[str, ...] = ()


class Sketch(msgspec.Struct, frozen=True, array_like=True):
    """One run.

    Attributes:
        run_id: identifies it.
        task: a hash of the task's words, to tell runs of one task from runs of several.
        success: the verdict.
        marks: its steps.
        other: steps that were not read.
    """

    run_id: str
    task: str
    success: bool
    marks: tuple[Mark, ...] = ()
    other: int = 0


def sketch_of(trace: Trace, task: str | None = None) -> Sketch:
    """The sketch of a run that has a verdict.

    Args:
        trace: the run's steps.
        task: what tells its task from others; the task's text where None. It is kept as a hash.

    Raises:
        ValueError: nobody judged the run.
    """
    if trace.success is None:
        raise ValueError(f"run {trace.run_id!r} has no verdict; only judged runs can be learned from")
    marks: list[Mark] = []
    for step, traced in zip(trace.steps, trace_sources(trace), strict=True):
        given = tuple(
            Given(
                one.name,
                one.kind,
                tuple((origin.source, origin.tool, origin.path) for origin in one.origins),
                one.value,
                one.many,
                one.shape,
            )
            for one in traced
        )
        marks.append(Mark(step.tool, step.agent, step.ok is False, given, step.calls))
    folded = " ".join((trace.task if task is None else task).casefold().split())
    return Sketch(trace.run_id, digest(folded), trace.success, tuple(marks), trace.other)


def digest(text: str) -> str:
    """A hash of a text, 16 hexadecimal digits."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def lot(run_id: str) -> tuple[str, str]:
    """A run's lot in a sample: those with the lowest are taken."""
    return digest(run_id), run_id


def origins_of(given: Given) -> tuple[Origin, ...]:
    """The possible origins of an argument."""
    return tuple(Origin(*origin) for origin in given.origins)
