"""Commands that show what agents have earned: ``growth``, ``agents`` and ``prompt``."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...instrumentation.errors import ConfigError
from . import options, output
from .looking import without_outcome

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ...growth.plugin import GrowthPlugin
    from ...instrumentation.records import Reason
    from ..config import Config
    from ..runtime import Workspace


Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the report to a page that stands alone.")
]


def growth(
    agent: Annotated[
        str | None, typer.Argument(metavar="[AGENT]", help="The agent's name. Default: all agents.")
    ] = None,
    html: Html = None,
    namespace: options.Namespace = None,
    no_flush: options.NoFlush = False,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Show what agents have earned: levels, skills, abilities, traits, titles, and the events behind them.

    JSON for one agent: {agent, title, agent_level, total_xp, specialization, skills: [{name, domain, level, xp,
    xp_to_next, times_used, times_succeeded, success_rate, abilities}], attributes, history: {specializations, curve,
    events}}. Without AGENT, a list of these without history.
    """
    config = options.configured(home, db, namespace=namespace)
    with options.records(config, update=not no_flush) as (opened, connection):
        from ...growth import history
        from .growth_view import EVENTS_READ

        plugin = _plugin(opened)
        name = namespace or _namespace(plugin, connection)
        found = plugin.profile_json(connection, agent, name)
        profiles = found if isinstance(found, list) else [found]
        last = history.last_runs(connection, name)
        past: dict[str, Any] = {}
        if agent is not None and (json or html is None):  # the page reads its own
            past = history.history(connection, name, agent, **({} if json else {"events": EVENTS_READ}))
        missing = without_outcome(connection, name)
        if html is not None:
            from ..growth_page import write_page

            write_page(html, connection, plugin, name, profiles, single=agent is not None)
    _say_whose(name, config)
    if json:
        output.print_json({**found, "history": past} if isinstance(found, dict) else found)
    elif html is not None:
        output.show(output.plain(f"Written: {html}"))
    else:
        from . import growth_view as view

        if isinstance(found, dict):
            start = history.beginning(plugin.roster, found["agent"])
            view.one(found, past, plugin.rules.thresholds, start=start, last=last.get(found["agent"]))
        else:
            view.several(found, plugin.rules.thresholds)
    if not profiles and not json:
        output.hint(_nobody(name, missing))


def agents(
    namespace: options.Namespace = None,
    no_flush: options.NoFlush = False,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """List all agents with their titles, levels and success, the most experienced first; the roster's among them.

    JSON: [{agent, title, agent_level, total_xp, specialization, runs, runs_succeeded, success_rate, last_run_id,
    last_run_at}].
    """
    config = options.configured(home, db, namespace=namespace)
    with options.records(config, update=not no_flush) as (opened, connection):
        from ...growth import history

        plugin = _plugin(opened)
        name = namespace or _namespace(plugin, connection)
        found = plugin.profile_json(connection, None, name)
        last = history.last_runs(connection, name)
        missing = without_outcome(connection, name)
    _say_whose(name, config)
    profiles = found if isinstance(found, list) else [found]
    profiles = sorted(profiles, key=lambda profile: (-profile["total_xp"], profile["agent"]))
    listed = [_listed(profile, last.get(profile["agent"])) for profile in profiles]
    if json:
        output.print_json(listed)
    elif listed:
        from . import growth_view as view

        view.agents(listed)
    else:
        output.hint(_nobody(name, missing))


def _listed(profile: dict[str, Any], last: tuple[str, int] | None) -> dict[str, Any]:
    """An agent as ``seasoned agents --json`` gives it."""
    keys = ("agent", "title", "agent_level", "total_xp", "specialization", "runs", "runs_succeeded")
    runs = profile["runs"]
    at = None if last is None else datetime.fromtimestamp(last[1] / 1e9, timezone.utc)
    return {
        **{key: profile[key] for key in keys},
        "success_rate": round(profile["runs_succeeded"] / runs, 4) if runs else None,
        "last_run_id": None if last is None else last[0],
        "last_run_at": None if at is None else at.isoformat(timespec="milliseconds"),
    }


def _nobody(name: str, missing: int) -> str:
    mend = f"{missing} runs have no outcome: seasoned outcome RUN --success" if missing else "no run has ended"
    return f"No agent of {name!r} has learned anything yet; {mend}"


def _plugin(opened: Workspace) -> GrowthPlugin:
    from ...growth.plugin import GrowthPlugin

    plugin = opened.hooks.get_plugin("growth")
    if not isinstance(plugin, GrowthPlugin):
        raise ConfigError("growth is blocked by the settings; take 'growth' out of `block`")
    return plugin


def _namespace(plugin: GrowthPlugin, connection: Connection) -> str:
    """The namespace of the working folder; or, where nothing was learned in that, the only one in which something
    was: whoever looks into another folder's records means what is in them."""
    from sqlalchemy import select

    from ...growth.tables import agent_profiles

    own = plugin.namespace
    known = connection.execute(select(agent_profiles.c.namespace).distinct()).scalars().all()
    if own in known or plugin.roster.agents or len(known) != 1:
        return own
    return known[0]


def _say_whose(name: str, config: Config) -> None:
    if name != config.namespace:
        output.hint(f"This is of {name!r}, the only namespace with experience here; --namespace names another.")


def prompt(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's name.")],
    task: Annotated[str, typer.Option("--task", metavar="TEXT", help="The task that it would be given.")],
    domain: Annotated[str | None, typer.Option("--domain", metavar="NAME", help="The domain of the task.")] = None,
    namespace: options.Namespace = None,
    no_flush: options.NoFlush = False,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Show the block that an agent would be given in a new run, and why each line is in it. Records nothing.

    JSON: {"text": what the model reads, "tokens": n, "sections": [{"name", "text", "why", "lines": [{"text", "why",
    "events": [{"id", "event", "rule", "run_id", "at"}]}]}]}. A line's reason is there where its plugin gives one.
    """
    config = options.configured(home, db, namespace=namespace)
    with options.records(config, update=not no_flush) as (opened, connection):
        from ...instrumentation.records import Reason

        opened.hooks.hook.store_changed(connection=connection)
        plugin = opened.hooks.get_plugin("growth")
        own = config.namespace if plugin is None else _namespace(plugin, connection)
        used = namespace or own
        block = opened.preview(agent, task, domain, used)
        reasons: dict[str, Reason] = opened.hooks.merge(
            "prompt_reasons", namespace=used, agent=agent, connection=connection
        )
        for section in block.sections:
            reasons |= {line: Reason(why) for line, why in (section.reasons or {}).items()}
    _say_whose(used, config)
    if json:
        public = block.public()
        for section in public["sections"]:
            section["lines"] = [
                {"text": line, "why": reasons[line].why, "events": list(reasons[line].events)}
                for line in section["text"].split("\n")
                if line in reasons
            ]
        output.print_json(public)
        return
    if not block.text:
        output.hint(f"{agent!r} of {used!r} has earned nothing yet that would help here, so nothing is injected.")
        return
    output.show_each([output.plain(block.text), ""])
    for section in block.sections:
        lines = [line for line in section.text.split("\n") if line in reasons]
        if not lines or section.reasons is not None:
            output.show(output.plain(f"{section.name}: {section.why or 'no reason given'}", "dim"))
        for line in lines:
            output.show(output.plain(line))
            output.show(output.plain(f"    because {reasons[line].why}", "dim"))
            output.show_each(output.plain(f"    {_event(event)}", "dim") for event in reasons[line].events)
    output.show(f"{block.tokens} tokens")


def _event(event: dict[str, Any]) -> str:
    """An event behind a line, in one line: number, what and by which rule, when, and in which run."""
    from datetime import datetime

    when = datetime.fromtimestamp(event["at"] / 1e9).astimezone().strftime("%Y-%m-%d %H:%M")
    what = event["event"].replace("_", " ")
    for key, words in (("xp", "{:+d} XP"), ("new_level", "to level {}"), ("value", "to {:g}")):
        if event.get(key) is not None:
            what += " " + words.format(event[key])
    return f"#{event['id']} {what} ({event['rule']}), {when}, run {event['run_id']}"
