"""Growth as a plugin on the public hooks: it learns from judged runs, and gives agents their sections.

Made when recording is switched on, in the application's thread, so everything that needs the database library is
imported when it is first called in the background. What ``prompt_sections`` answers is kept in memory and made
anew whenever something was learned, here or in another process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..instrumentation.guard import Guard
from ..plugin.hookspecs import hookimpl
from .abilities import AbilityTable, abilities_of
from .achievements import BUILT_IN
from .blocks import sections
from .credit import blamed, tools_used, work_by_agent
from .exercise import accepted, exercised
from .facts import Facts, facts_of, praised
from .faults import at_fault
from .roster import EXAMPLE, Roster, load_roster
from .rules import DEFAULT_COMPLEXITY, Rules, rules_from
from .skills import Contribution, Use, new_profile
from .toml_checks import Place

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from ..instrumentation.events import Event
    from ..instrumentation.reading import RunRecord
    from ..instrumentation.records import Ability, Achievement, Reason, Section, SkillUse
    from ..instrumentation.runs import Run
    from .ledger import Book


class GrowthPlugin:
    """The growth of agents: XP, levels, abilities, strengths, personality.

    Args:
        namespace: the application's own.
        roster: the agents it starts with; rules in it count unless ``rules`` is given.
        rules: the numbers to go by.
        rules_of_plugins: gives those that a plugin changes (the hook ``growth_rules``); asked when the settings are
            read, where neither ``rules`` nor the roster says anything.
        abilities: gives the abilities of all plugins, the built-in ones among them; by default only those.
        achievements: the same for achievements.
        exercised: asks the hook ``exercised_skills``; by default this plugin's own rule answers.
        guard: counts what other plugins' achievements and rules raise.
    """

    def __init__(
        self,
        namespace: str,
        roster: Roster | None = None,
        rules: Rules | None = None,
        *,
        rules_of_plugins: Callable[[], Mapping[str, Any] | None] | None = None,
        abilities: Callable[[], Sequence[Ability]] | None = None,
        achievements: Callable[[], Sequence[Achievement]] | None = None,
        exercised: Callable[[RunRecord, str, Sequence[Event]], Sequence[SkillUse]] | None = None,
        guard: Guard | None = None,
    ) -> None:
        self.namespace = namespace
        self.roster = roster or Roster()
        self._own_rules = rules or self.roster.rules
        self.rules = self._own_rules or Rules()
        self.guard = guard or Guard()
        self._rules_of_plugins = rules_of_plugins
        self._abilities = abilities
        self._achievements = achievements
        self._exercised = exercised
        self._namespaces = {namespace}
        self._book: Book | None = None
        self._loaded: dict[tuple[str, str], tuple[Section, ...]] = {}
        self._starting: dict[str, tuple[Section, ...]] | None = None
        self._tools: tuple[Sequence[Event], dict[str, Counter[str]]] | None = None

    @hookimpl
    def configure(self) -> None:
        """Settle the rules, now that all plugins are there."""
        if self._own_rules is None and self._rules_of_plugins is not None:
            table = self._rules_of_plugins()
            if table is not None:
                place = Place("the rules of a plugin")
                self.rules = self.guard.call("growth_rules", rules_from, dict(table), place) or self.rules

    # -- what it offers ----------------------------------------------------------------------------------------

    @hookimpl
    def register_abilities(self) -> Sequence[Ability]:
        """The specification's table."""
        return abilities_of(load_roster(EXAMPLE))

    @hookimpl
    def register_achievements(self) -> Sequence[Achievement]:
        """The four that come with the package."""
        return BUILT_IN

    @hookimpl(trylast=True)
    def exercised_skills(self, run: RunRecord, agent: str, events: Sequence[Event]) -> Sequence[SkillUse]:
        """Skills of the roster that fit the run, else skills that emerge from it."""
        tools = self._tools_used(events).get(agent, {})
        return exercised(run, tools, self.roster.agents.get(agent), self.rules)

    def _tools_used(self, events: Sequence[Event]) -> dict[str, Counter[str]]:
        """Computed once for all the agents of a run, who are asked for with the same events."""
        if self._tools is None or self._tools[0] is not events:
            self._tools = (events, tools_used(events))
        return self._tools[1]

    # -- in the application's thread ---------------------------------------------------------------------------

    @hookimpl
    def run_started(self, run: Run) -> None:
        """Remember whose growth this process keeps."""
        self._namespaces.add(run.namespace)

    @hookimpl
    def prompt_sections(self, run: Run, agent: str) -> Sequence[Section]:
        """The agent's abilities and strengths, from memory."""
        found = self._loaded.get((run.namespace, agent))
        if found is not None:
            return found
        starting = self._starting
        if starting is None:  # asked before the store was first read: the roster is known all the same
            starting = self._starting = self._starting_sections()
        return starting.get(agent, ())

    def _starting_sections(self) -> dict[str, tuple[Section, ...]]:
        table = self._table() if self.roster.agents else AbilityTable()
        return {
            agent: sections(new_profile("", agent, self.roster, self.rules, table), self.rules, table)
            for agent in self.roster.agents
        }

    def _table(self) -> AbilityTable:
        registered = self.register_abilities() if self._abilities is None else self._abilities()
        return AbilityTable(registered, self.roster.abilities)

    # -- in the background -------------------------------------------------------------------------------------

    def book(self) -> Book:
        """What the ledger goes by; put together when first needed, when all plugins are there.

        (No property: whoever registers a plugin looks at each of its attributes, and this one needs the database
        library.)
        """
        if self._book is None:
            from .ledger import Book

            achievements = self.register_achievements() if self._achievements is None else self._achievements()
            self._book = Book(self.rules, self.roster, self._table(), tuple(achievements))
        return self._book

    @hookimpl
    def learn(self, run: RunRecord, connection: Connection) -> None:
        """Bring a judged run into the ledger; a run whose success is unknown is taken out of it."""
        from . import ledger

        self._namespaces.add(run.namespace)
        works = self._works(run, connection)
        ledger.learn(connection, self.book(), self.guard, run, works)

    def _works(self, run: RunRecord, connection: Connection) -> list[Contribution]:
        """What each agent did in the run and its child runs."""
        if run.success is None or run.finished_ns is None:
            return []
        from ..instrumentation import reading

        events = list(reading.tree_events(connection, run.run_id))
        pieces = work_by_agent(events, run.excluded or ())
        guilty = at_fault(events, pieces) if not run.success else frozenset[str]()
        praise = praised(events, pieces)
        works: list[Contribution] = []
        for agent, weight in sorted(blamed(pieces, guilty, self.rules.fault_percent).items()):
            uses: tuple[Use, ...] = ()
            if self._exercised is not None:
                uses = accepted(self._exercised(run, agent, events) or (), run.domain)
            uses = uses or accepted(self.exercised_skills(run, agent, events), run.domain)
            entry = self.roster.agents.get(agent)
            fault = agent in guilty if guilty else None
            facts = facts_of(run, agent, events, entry, self.rules, fault=fault, praise=praise)
            works.append(self._work(run, agent, weight, uses, facts))
        self._tools = None
        return works

    @staticmethod
    def _work(run: RunRecord, agent: str, weight: int, uses: tuple[Use, ...], facts: Facts) -> Contribution:
        return Contribution(
            run_id=run.run_id,
            agent=agent,
            namespace=run.namespace,
            weight=weight,
            skills=uses,
            finished_ns=run.finished_ns or 0,
            success=bool(run.success),
            complexity=run.complexity or DEFAULT_COMPLEXITY,
            domain=run.domain,
            facts=facts,
        )

    @hookimpl
    def unlearn(self, run_ids: Sequence[str] | None, connection: Connection) -> None:
        """Take runs out of the ledger; None empties it, for the namespaces that this process keeps."""
        from . import ledger, rows

        if run_ids is None:
            rows.lock(connection)
            rows.remove_namespaces(connection, self._namespaces)
        else:
            ledger.unlearn(connection, self.book(), self.guard, run_ids)

    @hookimpl
    def store_changed(self, connection: Connection) -> None:
        """Make the sections of all agents anew."""
        from . import rows

        table = self.book().abilities
        loaded = {key: sections(profile, self.rules, table) for key, profile in rows.load_profiles(connection).items()}
        if self._starting is None:
            self._starting = self._starting_sections()
        self._loaded = loaded

    @hookimpl
    def prompt_reasons(self, namespace: str, agent: str, connection: Connection) -> Mapping[str, Reason]:
        """The figures behind each line of the agent's sections, and the events that it goes back to."""
        from . import rows
        from .reasons import reasons

        book = self.book()
        profile = rows.load_profiles(connection, namespace, [agent]).get((namespace, agent))
        if profile is None:
            profile = new_profile(namespace, agent, self.roster, self.rules, book.abilities)
        return reasons(connection, profile, self.rules, book.abilities)

    # -- for commands and reports ------------------------------------------------------------------------------

    def profile_json(
        self, connection: Connection, agent: str | None = None, namespace: str | None = None
    ) -> dict[str, Any] | list[dict[str, Any]]:
        """Profiles as ``seasoned growth --json`` prints them; see :func:`.growth_json.profile_json`."""
        from .growth_json import profile_json

        return profile_json(connection, namespace or self.namespace, agent, book=self.book())
