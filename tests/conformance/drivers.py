"""The frameworks that play the tales, and the one place that says in what they honestly differ."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from typing import Any, NamedTuple

import pytest


class Driver(NamedTuple):
    """What a framework can do.

    Attributes:
        module: what must be installed.
        modes: the ways in which its applications run; in ``stream`` the run and its models stream.
        abilities: of :data:`ALL`.
        asker: whom the framework takes for who asks in a nested conversation; None where it is the agent that does.
    """

    module: str
    modes: tuple[str, ...]
    abilities: frozenset[str]
    asker: str | None = None


ALL = frozenset({"nested", "delegating", "human", "images", "cancelling"})
"""Nested: a tool that holds a conversation of its own. Delegating: an agent that answers out of one. Human: a person
who is asked within the run. Images: in messages. Cancelling: who cancels a run gets it back at once, and the framework
says then what became of a tool."""

DRIVERS = {
    # Only its clients of providers stream, and they do so for the terminal.
    "classic": Driver("autogen", ("sync", "async"), ALL),
    # Everything is async. A cancelled team plays on to its end before the application is told. An agent's tool is asked
    # by a `user`.
    "agentchat": Driver("autogen_agentchat", ("async", "stream"), ALL - {"cancelling"}, asker="user"),
    # A graph that is a node, or is invoked by one, is part of the run.
    "langgraph": Driver("langgraph", ("sync", "async", "stream"), ALL - {"delegating"}),
}


def player(framework: str) -> Any:
    """The function ``play(mode, tale)`` of a framework; skips the test where it is not installed."""
    if importlib.util.find_spec(DRIVERS[framework].module) is None:
        pytest.skip(f"{DRIVERS[framework].module} is not installed here")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a framework warns of when it is imported is its own affair
        return importlib.import_module(f"play_{framework}").play
