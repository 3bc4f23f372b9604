"""Commands that show what agents have earned: ``growth`` and ``prompt``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...instrumentation.errors import ConfigError, NotFound
from . import options, output
from .looking import without_outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text
    from sqlalchemy import Connection

    from ...growth.plugin import GrowthPlugin
    from ..config import Config
    from ..runtime import Workspace

BAR = 20
"""Width of the bar that shows the way to the next level, in characters; full at level 10."""


def growth(
    agent: Annotated[
        str | None, typer.Argument(metavar="[AGENT]", help="The agent's name. Default: all agents.")
    ] = None,
    namespace: options.Namespace = None,
    no_flush: options.NoFlush = False,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Show the skills, levels and abilities that agents have earned.

    JSON for one agent: {agent, title, agent_level, total_xp, specialization, skills: [{name, domain, level, xp,
    xp_to_next, times_used, times_succeeded, success_rate, abilities}], attributes}. Without AGENT, a list of these.
    """
    config = options.configured(home, db, namespace=namespace)
    if not options.recorded(config):
        raise NotFound(options.nothing_yet(config))
    with options.workspace(config, update=not no_flush) as opened, opened.store.reading() as connection:
        plugin = _plugin(opened)
        name = namespace or _namespace(plugin, connection)
        found = plugin.profile_json(connection, agent, name)
        missing = without_outcome(connection, name)
    _say_whose(name, config)
    if json:
        output.print_json(found)
        return
    profiles = found if isinstance(found, list) else [found]
    for profile in profiles:
        _show_profile(profile, plugin.rules.thresholds)
    if not profiles:
        mend = f"{missing} runs have no outcome: seasoned outcome RUN --success" if missing else "no run has ended"
        output.hint(f"No agent of {name!r} has learned anything yet; {mend}")


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


def _show_profile(profile: dict[str, Any], thresholds: Sequence[int]) -> None:
    head = output.plain(profile["agent"], "bold")
    facts = [profile.get("title"), f"level {profile['agent_level']}", f"{profile['total_xp']} XP"]
    if profile.get("specialization"):
        facts.append(f"specialized in {profile['specialization']}")
    head.append_text(output.plain("  " + " · ".join(str(fact) for fact in facts if fact)))
    output.show(head)
    rows = output.table("  skill", ">level", "", ">XP", ">to next", ">used", ">succeeded")
    for skill in profile["skills"]:
        rate = skill.get("success_rate")
        rows.add_row(
            output.plain("  " + output.one_line(skill["name"], 40)),
            str(skill["level"]),
            _bar(skill, thresholds),
            str(skill["xp"]),
            str(skill["xp_to_next"] or "-"),
            str(skill["times_used"]),
            f"{rate:.0%}" if rate is not None and skill["times_used"] else "-",
        )
    if profile["skills"]:
        output.show(rows)
    for skill in profile["skills"]:
        for ability in skill.get("abilities") or ():
            text = ability.get("text", "") if isinstance(ability, dict) else str(ability)
            output.show(
                output.plain(f"    {output.one_line(skill['name'], 40)}: {output.one_line(text, 200)}", "green")
            )
    output.show("")


def _bar(skill: dict[str, Any], thresholds: Sequence[int]) -> Text:
    """How far the skill is on its way to the next level."""
    from rich.text import Text

    level, xp, missing = skill["level"], skill["xp"], skill["xp_to_next"]
    floor = thresholds[level - 1]
    part = (xp - floor) / (xp + missing - floor) if missing else 1.0
    filled = round(BAR * max(0.0, min(1.0, part)))
    return Text("█" * filled, style="green").append("░" * (BAR - filled), style="dim")


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
    """Show the block that an agent would be given in a new run, and why each part is in it. Records nothing.

    JSON: {"text": what the model reads, "tokens": n, "sections": [{"name", "text", "why"}]}.
    """
    config = options.configured(home, db, namespace=namespace)
    if not options.recorded(config):
        raise NotFound(options.nothing_yet(config))
    with options.workspace(config, update=not no_flush) as opened, opened.store.reading() as connection:
        opened.hooks.hook.store_changed(connection=connection)
        plugin = opened.hooks.get_plugin("growth")
        own = config.namespace if plugin is None else _namespace(plugin, connection)
        used = namespace or own
        block = opened.preview(agent, task, domain, used)
    _say_whose(used, config)
    if json:
        output.print_json(block.public())
        return
    if not block.text:
        output.hint(f"{agent!r} of {used!r} has earned nothing yet that would help here, so nothing is injected.")
        return
    output.show_each([output.plain(block.text), ""])
    output.show_each(output.plain(f"{part.name}: {part.why or 'no reason given'}", "dim") for part in block.sections)
    output.show(f"{block.tokens} tokens")
