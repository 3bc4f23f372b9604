"""What ``seasoned growth`` and ``seasoned agents`` show in a terminal.

Rich lays it out and leaves colours away in a pipe and under NO_COLOR, so nothing is told by colour alone. It is made
for 80 columns and uses no more than :data:`WIDEST`, because a line that the eye cannot follow is no report. Names,
titles and abilities are other people's texts: each goes through :mod:`.output`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from ...growth.history import domain_name, dominant, progress, told
from . import output

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

WIDEST = 100
"""Columns of the report, however many the terminal has."""
BAR = 20
"""Columns of the bar that shows an agent's way to its next level."""
TRAIT_BAR = 16
"""Columns of a trait's bar."""
CHART = 6
"""Lines of the curve."""
SKILLS_SHOWN = 30
"""Skills of one agent, the highest first."""
SKILLS_IN_LIST = 3
"""Skills of each agent where all agents are shown."""
ABILITIES_SHOWN = 2
"""Abilities of each skill, the latest ones; so many the specification's report shows."""
CHANGES_SHOWN = 8
"""Changes of title, the newest ones."""

EVENTS_READ = 120
"""Events that are read for the list of what moved the agent last: several of them make a line."""
LINES_SHOWN = 20
"""Lines of that list, to the end of a run."""

_STYLES = {"level_up": "bold", "agent_level_up": "bold", "ability_unlock": "bold", "attribute_change": "dim"}
_EIGHTHS = " ▁▂▃▄▅▆▇█"


def one(
    profile: Mapping[str, Any],
    past: Mapping[str, Any],
    thresholds: Sequence[int],
    *,
    start: Mapping[str, Any] | None = None,
    last: tuple[str, int] | None = None,
) -> None:
    """Print the report of one agent.

    Args:
        profile: as ``seasoned growth --json`` gives it.
        past: its :func:`~...growth.history.history`.
        thresholds: XP from which a level begins.
        start: {specialization, title} that the roster gave it, if it is in one.
        last: id and end of its newest run.
    """
    out = output.console()
    width = min(out.width, WIDEST)
    for part in _one(profile, past, thresholds, start, last, width):
        out.print(part, width=width)


def _one(
    profile: Mapping[str, Any],
    past: Mapping[str, Any],
    thresholds: Sequence[int],
    start: Mapping[str, Any] | None,
    last: tuple[str, int] | None,
    width: int,
) -> Iterable[RenderableType]:
    yield _head(profile)
    yield _level(profile, thresholds)
    facts = [f"{profile.get('runs', 0):,} runs judged", _solved(profile)]
    if profile.get("specialization"):
        facts.insert(0, f"specialized in {output.one_line(domain_name(profile['specialization']), 60)}")
    if last is not None:
        facts.append(f"last run {_day(last[1])}")
    yield output.plain(" · ".join(fact for fact in facts if fact), "dim")
    yield _heading("Skills")
    yield from _skills(profile["skills"], width)
    if profile.get("attributes"):
        yield _heading("Traits")
        yield from _traits(profile["attributes"], width)
    yield _heading("Titles")
    yield from _titles(past["specializations"], start)
    yield _heading("Experience over time")
    yield from _chart(past["curve"], width)
    yield _heading("What moved it last")
    yield from _log(past["events"])


def several(profiles: Sequence[Mapping[str, Any]], thresholds: Sequence[int]) -> None:
    """Print all agents briefly."""
    out = output.console()
    width = min(out.width, WIDEST)
    for profile in profiles:
        out.print(_head(profile), width=width)
        out.print(_level(profile, thresholds), width=width)
        skills = profile["skills"]
        for line in _skill_lines(skills[:SKILLS_IN_LIST], width):
            out.print(line, width=width)
        if len(skills) > SKILLS_IN_LIST:
            out.print(output.plain(f"  and {_count(len(skills) - SKILLS_IN_LIST, 'more skill')}", "dim"), width=width)
        strongest = dominant(profile.get("attributes") or {})
        if strongest:
            out.print(output.plain("  " + _named(strongest)), width=width)
        out.print("")


def agents(found: Sequence[Mapping[str, Any]]) -> None:
    """Print the table of agents."""
    wide = output.console().width >= WIDEST
    specialization = ("~specialization",) if wide else ()
    made = output.table("~agent", "~title", *specialization, ">level", ">XP", ">runs", ">solved", "last run")
    for agent in found:
        rate, last = agent["success_rate"], agent["last_run_at"]
        domain = (output.elastic(domain_name(agent["specialization"]) or "-", 30),) if wide else ()
        made.add_row(
            output.elastic(agent["agent"], 40),
            output.elastic(agent["title"] or "-", 40),
            *domain,
            str(agent["agent_level"]),
            f"{agent['total_xp']:,}",
            f"{agent['runs']:,}",
            "-" if rate is None else f"{rate:.0%}",
            "-" if last is None else f"{datetime.fromisoformat(last).astimezone():%Y-%m-%d}",
        )
    output.show(made)


# -- its parts -----------------------------------------------------------------------------------------------------


def _head(profile: Mapping[str, Any]) -> Text:
    head = output.plain(output.one_line(profile["agent"], 60), "bold")
    return head.append_text(output.plain(f"  {output.one_line(profile.get('title'), 80) or 'no title yet'}", "cyan"))


def _heading(text: str) -> RenderableType:
    from rich.padding import Padding
    from rich.rule import Rule
    from rich.text import Text

    return Padding(Rule(Text(text, style="bold"), align="left", style="dim"), (1, 0, 0, 0))


def _level(profile: Mapping[str, Any], thresholds: Sequence[int]) -> Text:
    level, total = profile["agent_level"], profile["total_xp"]
    part, missing = progress(level, total, thresholds)
    filled = round(BAR * part) if part == 1.0 else min(BAR - 1, round(BAR * part))  # full means reached
    line = output.plain(f"Level {level:<2} ").append_text(_bar(filled, BAR, "green"))
    line.append(f"  {total:,} XP")
    line.append(f", {missing:,} to level {level + 1}" if missing else ", the highest level", style="dim")
    return line


def _bar(filled: int, width: int, style: str) -> Text:
    from rich.text import Text

    return Text("█" * filled, style=style).append("░" * (width - filled), style="dim")


def _solved(profile: Mapping[str, Any]) -> str:
    runs = profile.get("runs", 0)
    return f"{profile['runs_succeeded'] / runs:.0%} solved" if runs else ""


def _skills(skills: Sequence[Mapping[str, Any]], width: int) -> Iterable[RenderableType]:
    if not skills:
        yield output.plain("None yet: skills come from runs that have an outcome.", "dim")
        return
    yield from _skill_lines(skills[:SKILLS_SHOWN], width, abilities=True)
    if len(skills) > SKILLS_SHOWN:
        yield output.plain(f"  and {_count(len(skills) - SKILLS_SHOWN, 'more skill')}; --json has all of them", "dim")


def _skill_lines(
    skills: Sequence[Mapping[str, Any]], width: int, *, abilities: bool = False
) -> Iterable[RenderableType]:
    """A line for each skill; the latest abilities under it."""
    from rich.cells import cell_len, set_cell_size
    from rich.text import Text

    names = [output.one_line(skill["name"], 60) for skill in skills]
    room = max(8, min(max((cell_len(name) for name in names), default=0), width - 46))
    if abilities:
        heads = f"{'to next':>11}  {'solved':>6}  {'runs':>6}"
        yield Text(f"  {'':{room}}  {'level':<14}{heads}", style="dim")
    for name, skill in zip(names, skills, strict=True):
        shown = name if cell_len(name) <= room else set_cell_size(name, room - 1) + "…"
        line = Text("  " + set_cell_size(shown, room) + "  ")
        line.append_text(_bar(skill["level"], 10, "green")).append(f" L{skill['level']:<2}", style="bold")
        next_ = f"{skill['xp_to_next']:,} XP" if skill["xp_to_next"] else "mastered" if skill["level"] >= 10 else "0 XP"
        rate = skill.get("success_rate")
        used = skill["times_used"]
        line.append(f"{next_:>11}  {f'{rate:.0%}' if used and rate is not None else '-':>6}  {used:>6,}")
        yield line
        for ability in (skill.get("abilities") or ())[-ABILITIES_SHOWN:] if abilities else ():
            yield _hanging("    ✨ ", output.plain(output.one_line(ability, 200), "green"))


def _hanging(mark: str, text: Text) -> Table:
    """A text beside a mark, whose further lines stay clear of the mark."""
    from rich.cells import cell_len
    from rich.table import Table

    made = Table.grid()
    made.add_column(width=cell_len(mark), no_wrap=True)
    made.add_column(overflow="fold")
    made.add_row(mark, text)
    return made


def _traits(attributes: Mapping[str, float], width: int) -> Iterable[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    strongest = dominant(attributes)
    yield output.plain("  " + (_named(strongest) if strongest else "None stands out yet."))
    leading = {trait for trait, _ in strongest}
    made = Table.grid(padding=(0, 4, 0, 0))
    cells: list[Text] = []
    for trait, value in attributes.items():
        filled = max(0, min(TRAIT_BAR, round(TRAIT_BAR * value)))
        cell = Text(f"  {trait:<13} ", style="bold" if trait in leading else "")
        cells.append(cell.append_text(_bar(filled, TRAIT_BAR, "cyan")).append(f" {value:>4.0%}"))
    if width < 80:
        yield from cells
        return
    half = (len(cells) + 1) // 2
    for left in range(half):
        made.add_row(*cells[left::half])
    yield made


def _named(strongest: Sequence[tuple[str, float]]) -> str:
    return "Dominant traits: " + ", ".join(f"{trait} ({value:.0%})" for trait, value in strongest)


def _titles(changes: Sequence[Mapping[str, Any]], start: Mapping[str, Any] | None) -> Iterable[RenderableType]:
    made = output.table("", "", "~")
    made.show_header = False
    if start is not None and (start.get("title") or start.get("specialization")):
        made.add_row(output.plain("  at the start", "dim"), "", _titled(start))
    hidden = len(changes) - CHANGES_SHOWN
    if hidden > 0:
        made.add_row(output.plain("  …", "dim"), "", output.plain(_count(hidden, "change"), "dim"))
    for change in changes[-CHANGES_SHOWN:]:
        made.add_row(
            output.plain(f"  {_day(change['at'])}"), output.plain(short(change["run_id"]), "dim"), _titled(change)
        )
    yield made if made.row_count else output.plain("  None yet: a title comes from successful work.", "dim")


def _titled(change: Mapping[str, Any]) -> Text:
    title = output.one_line(change.get("title"), 80) or "no title"
    domain = output.one_line(domain_name(change.get("specialization")), 60)
    return output.plain(f"{title} · {domain}" if domain else title)


def _chart(curve: Sequence[Sequence[int]], width: int) -> Iterable[RenderableType]:
    """The total over time, in :data:`CHART` lines of blocks."""
    from rich.text import Text

    if len(curve) < 2:
        yield output.plain("  Too few runs for a curve yet.", "dim")
        return
    first, last = curve[0][0], curve[-1][0]
    top = max(max(total for _, total in curve), 1)
    labels = [f"{top:,}", "0"]
    left = 2 + max(map(len, labels))
    columns = width - left - 4
    heights = [round(8 * CHART * max(0, value) / top) for value in _sampled(curve, columns)]
    for row in range(CHART - 1, -1, -1):
        label = labels[0] if row == CHART - 1 else labels[1] if row == 0 else ""
        blocks = "".join(_EIGHTHS[max(0, min(8, height - 8 * row))] for height in heights)
        yield Text(f"{label:>{left}} ", style="dim").append("│").append(blocks.rstrip(), style="green")
    yield Text(" " * left + " └" + "─" * columns, style="dim")
    ends = (_moment(first), _moment(last)) if _day(first) == _day(last) else (_day(first), _day(last))
    gap = max(1, columns - len(ends[0]) - len(ends[1]))
    yield Text(" " * (left + 2) + ends[0] + " " * gap + ends[1], style="dim")


def _sampled(curve: Sequence[Sequence[int]], columns: int) -> list[int]:
    """The total at the end of each column's share of the time; by the order of the runs where they all came within a
    minute, as imported ones do."""
    first, last = curve[0][0], curve[-1][0]
    if last - first < 60 * 10**9:
        return [curve[-(-(column + 1) * len(curve) // columns) - 1][1] for column in range(columns)]
    out: list[int] = []
    place = 0
    for column in range(columns):
        end = first + (last - first) * (column + 1) // columns
        while place + 1 < len(curve) and curve[place + 1][0] <= end:
            place += 1
        out.append(curve[place][1])
    return out


def _log(events: Sequence[Mapping[str, Any]]) -> Iterable[RenderableType]:
    """The events, the newest first; what one run caused stands under its date and id."""
    from rich.table import Table

    if not events:
        yield output.plain("  Nothing yet.", "dim")
        return
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(no_wrap=True)
    made.add_column(no_wrap=True, justify="right", min_width=7)
    made.add_column(overflow="fold")
    made.add_column(no_wrap=True, style="dim")
    runs = told(events, complete=len(events) < EVENTS_READ)
    room = LINES_SHOWN
    for run in runs:
        lines = run["lines"]
        if room <= 0:
            break
        room -= len(lines)
        for number, line in enumerate(lines):
            xp = line["xp"]
            made.add_row(
                "" if number else f"  {_day(run['at'])}",
                output.plain("" if xp is None else f"{xp:+,} XP", "" if xp is None else "green" if xp > 0 else "red"),
                output.plain(output.one_line(line["words"], 400), _STYLES.get(line["kind"], "")),
                "" if number else output.plain(short(run["run_id"])),
            )
    yield made


def short(run_id: str) -> str:
    """A run's id in at most 13 columns: its beginning, which every command takes for it; the end of an id from
    elsewhere, because those of one import begin alike."""
    line = output.one_line(run_id, 200)
    if len(line) <= 13:
        return line
    return "…" + line[-12:] if len(line) > 24 else line[:12] + "…"


def _day(nanoseconds: int) -> str:
    return f"{_local(nanoseconds):%Y-%m-%d}"


def _moment(nanoseconds: int) -> str:
    return f"{_local(nanoseconds):%Y-%m-%d %H:%M:%S}"


def _local(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9).astimezone()


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
