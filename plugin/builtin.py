"""The built-in parts, as plugins on the public hooks.

Each is named here, so that ``block = ["growth"]`` leaves it out like any other. What they import when recording
is switched on is light; what is heavy they import when they are first called in the background.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..adapters.agentchat import AgentChatAdapter
from ..adapters.classic import ClassicAdapter
from ..adapters.langchain import LangChainAdapter
from ..growth.plugin import GrowthPlugin
from ..growth.roster import load_roster
from ..growth.rules import load_rules
from ..instrumentation.outcome_rules import rules_from
from ..skills_lib.giving import Procedures
from ..skills_lib.plugin import Experience, TaskTypes, Templates
from .hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..instrumentation.events import Event
    from ..instrumentation.reading import RunRecord
    from ..instrumentation.records import OutcomeRule, SkillUse, Verdict
    from ..instrumentation.tap import Adapter
    from .config import Config
    from .manager import Hooks


class Adapters:
    """The adapters of the frameworks that this package knows."""

    @hookimpl
    def register_adapters(self) -> Sequence[Adapter]:
        """Classic AutoGen (``autogen``, ``ag2`` below 1.0, ``autogen-agentchat`` 0.2), AutoGen AgentChat, LangChain."""
        return [ClassicAdapter(), AgentChatAdapter(), LangChainAdapter()]


class OutcomeRules:
    """Judges finished runs by the configured rules, then by those that plugins registered."""

    def __init__(self, rules: list[OutcomeRule], hooks: Hooks) -> None:
        self._rules = rules
        self._hooks = hooks
        self._registered: list[OutcomeRule] | None = None

    @hookimpl(trylast=True)
    def judge_outcome(self, run: RunRecord, events: Sequence[Event]) -> Verdict | None:
        """The verdict of the first rule that has something to say."""
        if self._registered is None:
            self._registered = self._hooks.collect("register_outcome_rules")
        for rule in (*self._rules, *self._registered):
            verdict = self._hooks.guard.call(f"outcome rule {rule.name}", rule.judge, run, events)
            if verdict is not None:
                return verdict
        return None


def plugins(config: Config, hooks: Hooks) -> Iterator[tuple[str, object]]:
    """The built-in plugins with their names; raises ConfigError where a roster or rule cannot be used."""
    yield "adapters", Adapters()
    yield "outcome-rules", OutcomeRules(rules_from(config.outcome), hooks)
    yield "task-types", TaskTypes()
    yield "experience", Experience(config.namespace)
    yield "templates", Templates()
    yield "procedures", Procedures(config.namespace, hooks.guard)
    roster = load_roster(config.roster) if config.roster else None
    rules = load_rules(config.rules) if config.rules else None

    def exercised(run: RunRecord, agent: str, events: Sequence[Event]) -> Sequence[SkillUse]:
        return hooks.hook.exercised_skills(run=run, agent=agent, events=events) or ()

    yield (
        "growth",
        GrowthPlugin(
            config.namespace,
            roster=roster,
            rules=rules,
            rules_of_plugins=lambda: hooks.hook.growth_rules(),
            abilities=partial(hooks.collect, "register_abilities"),
            achievements=partial(hooks.collect, "register_achievements"),
            exercised=exercised,
            guard=hooks.guard,
        ),
    )
