"""Who plays in a recorded run, for the frameworks in which one person and one agent take turns.

AutoGen AgentChat and LangGraph have no place for what classic AutoGen can play besides: several agents with a model,
others who execute tools or code. Such a run is refused before anything of it is played.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..instrumentation.errors import RunFormatError
from .reenact_plan import CODE, MODEL, PERSON, TOOLS, ReenactmentError

if TYPE_CHECKING:
    from .reenact_plan import Plan
    from .reenact_player import Player


class Cast(NamedTuple):
    """Who plays in a run of one person and one agent with tools.

    Attributes:
        person, agent: their names.
        executor: who the record says gave the tools' answers.
        tools: the tools that are called, in order of appearance.
    """

    person: str
    agent: str
    executor: str
    tools: tuple[str, ...]


def cast(run_id: str, script: Plan, framework: str) -> Cast:
    """The two who talk in a run; raises :class:`RunFormatError` where it is of another kind."""

    def refused(what: str) -> RunFormatError:
        return RunFormatError(
            f"run {run_id} {what}; through {framework!r} a run is played in which one person and one agent take "
            'turns and the agent calls tools; framework="autogen" can play it'
        )

    of_kind = {kind: {turn.agent for turn in script.turns if turn.kind == kind} for kind in (PERSON, MODEL, TOOLS)}
    if any(turn.kind == CODE for turn in script.turns):
        raise refused("executes code")
    if len(script.models) != 1:
        raise refused(f"has {len(script.models)} agents with a model")
    if len(of_kind[PERSON]) != 1:
        raise refused(f"has {len(of_kind[PERSON])} people")
    if len(of_kind[TOOLS]) > 1:
        raise refused(f"has {len(of_kind[TOOLS])} who execute tools")
    (agent,), (person,) = script.models, of_kind[PERSON]
    expected = {PERSON}
    for turn in script.turns:
        if turn.kind not in expected:
            raise refused(f"has words of {turn.agent} ({turn.kind}) where {' or '.join(expected)} should follow")
        calls = turn.messages[0].tool_calls
        expected = {PERSON} if turn.kind == MODEL and not calls else {TOOLS} if turn.kind == MODEL else {MODEL}
    bad = next((name for name in (person, agent) if not _usable(name, framework)), None)
    if bad is not None or person == agent:
        raise refused(f"has an agent {bad or agent!r}, which the framework does not accept as a name")
    called = (call.name for turn in script.turns for message in turn.messages for call in message.tool_calls or ())
    return Cast(person, agent, next(iter(of_kind[TOOLS]), agent), tuple(dict.fromkeys(called)))


def _usable(name: str, framework: str) -> bool:
    """AgentChat wants Python's identifiers; LangGraph has a meaning for some characters, names and its own key."""
    if framework == "autogen_agentchat":
        return name.isidentifier()
    return not any(mark in name for mark in ":|") and name not in ("__start__", "__end__", "messages")


def failure(player: Player, error: Exception) -> Exception:
    """What is to be raised for an exception of the framework's: what went differently from the record, if anything
    did. As a new exception, because the one that a tool or a model raised speaks against the agents."""
    return error if player.problem is None else ReenactmentError(str(player.problem))
