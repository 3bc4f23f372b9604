"""What a report of many runs shows, as plain data for its template, and the rows that its script reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..instrumentation import reading
from ..instrumentation.describing import duration, money, text_of
from . import growth_page
from .cli.output import clean, one_line
from .drawing_parts import many
from .report_charts import SERIES, columns_svg
from .report_drawn import drawn
from .report_facts import Calendar, Rate, by_domain, by_week, chosen, rate, work
from .report_nodes import h, to_html
from .report_prompts import block
from .report_records import took
from .report_texts import counted, moment

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from ..instrumentation.reading import RunRecord
    from .runtime import Workspace

PLAIN = 200
"""Runs in the list for browsers without scripts, the newest."""
TASK = 220
"""Characters of a task in the list."""
NAME = 80
"""Characters of an agent, domain or model in the list."""
WEEKS_OPEN = 6
"""Weeks that are open to view, the newest; earlier ones are folded."""
WEEKS = 104
"""Weeks in the table, the newest."""
TEMPLATES = 200
"""Templates with a part of their own, and as many candidates."""
LOOKED_AT = 50
"""Runs, the newest, in which is looked for what agents were given."""
GIVEN = 20
"""Agents of whom that is shown."""
LINES = 100
"""Gaps and unreadable lines that are named."""
COLUMNS = (
    ("task", "Run", ""), ("outcome", "Outcome", ""), ("", "Agents", "wide-only"),
    ("messages", "Messages", "n wide-only"),
    ("tools", "Tools", "n wide-only"), ("errors", "Errors", "n wide-only"), ("tokens", "Tokens", "n wide-only"),
    ("cost", "Cost", "n wide-only"), ("seconds", "Took", "n wide-only"),
)  # fmt: skip
"""Columns of the list: what they are sorted by, their heading, and their classes."""


def gather(connection: Connection, workspace: Workspace, filters: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the template of a report of many runs needs, ``choose`` (gives the runs whose details are held)
    and ``table`` (gives the script's rows) among it."""
    every = reading.runs(connection, **filters)
    ids = {run.run_id for run in every}

    def inside(run: RunRecord) -> bool:
        return run.parent_run_id in ids

    calendar = Calendar(run.started_ns for run in every)
    done = work(connection, ids, calendar, namespace=filters.get("namespace"))
    namespaces = _namespaces(workspace, every, filters)
    agents = [agent for namespace in namespaces for agent in _agents(workspace, connection, namespace, namespaces)]
    growth_page.number(agents)
    templates = [one for namespace in namespaces for one in _templates(workspace, namespace)]
    known = [one for one in templates if one["state"] != "candidate"]
    candidates = [one for one in templates if one["state"] == "candidate"]
    for at, one in enumerate(known, 1):
        one["anchor"] = f"template-{at}"
    weeks = by_week(every)
    return {
        "home": str(workspace.config.home_path),
        "namespaces": namespaces,
        "all": rate(every),
        "inside": sum(map(inside, every)),
        "running": sum(run.status != "finished" for run in every),
        "agent_count": len({agent for run in every for agent in run.agents}),
        "totals": {
            "model_calls": sum(run.model_calls for run in every),
            "tool_calls": sum(run.tool_calls for run in every),
        },
        "domains": by_domain(every),
        "weeks": weeks[:WEEKS_OPEN],
        "earlier_weeks": weeks[WEEKS_OPEN:WEEKS],
        "weeks_note": f"and {len(weeks) - WEEKS} weeks before" if len(weeks) > WEEKS else "",
        "outcome_chart": _outcomes(every, calendar),
        "columns": COLUMNS,
        "newest": [_plain(run) for run in every[:PLAIN]],
        "agents": agents,
        "given": _given(connection, every),
        "templates": known[:TEMPLATES],
        "more_templates": max(0, len(known) - TEMPLATES),
        "candidates": candidates[:TEMPLATES],
        "candidate_count": len(candidates),
        "used": [
            {**one._asdict(), "agent": one_line(one.agent, NAME), "model": one_line(one.model, NAME),
             "cost": one.cost_usd if one.cost_usd or not one.unpriced else None}
            for one in done.used[:LINES]
        ],
        "unit": calendar.unit,
        "cost_chart": _stacked(done.cost, calendar, "Cost", money) if any(one.cost_usd for one in done.used) else "",
        "token_chart": _stacked(done.tokens, calendar, "Tokens", many),
        "over_time": [
            (key, one_line(model, NAME), done.tokens[model][key], done.cost[model][key] or None)
            for key in reversed(calendar.keys()) for model in sorted(done.tokens) if done.tokens[model][key]
        ],
        "imported_cost": _elsewhere(every, sum(one.cost_usd for one in done.used)),
        "failures": [
            one._replace(what=one_line(one.what, NAME), error_type=one_line(one.error_type, NAME),
                         example=one_line(one.example, 160))
            for one in done.failures
        ],
        **_quality(connection, every, ids),
        "choose": lambda number: chosen(every, number, inside),
        "table": lambda numbers: _table(every, numbers, inside),
    }  # fmt: skip


def _namespaces(workspace: Workspace, every: Sequence[RunRecord], filters: Mapping[str, Any]) -> list[str]:
    """Whose agents and templates are shown: of the one that was asked for, else of all that have runs here."""
    if filters.get("namespace") is not None:
        return [filters["namespace"]]
    return sorted({run.namespace for run in every}) or [workspace.config.namespace]


def _agents(
    workspace: Workspace, connection: Connection, namespace: str, namespaces: Sequence[str]
) -> list[dict[str, Any]]:
    plugin = workspace.hooks.get_plugin("growth")
    if plugin is None:
        return []
    found: list[dict[str, Any]] = plugin.profile_json(connection, None, namespace)
    grown = [profile for profile in found if profile["skills"] or profile["runs"]]
    agents = growth_page.gather(connection, plugin, namespace, grown, single=False)["agents"] if grown else []
    return [{**agent, "of": one_line(namespace, NAME) if len(namespaces) > 1 else ""} for agent in agents]


def _given(connection: Connection, every: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """What agents were given last, of each the newest, as far as the newest runs tell."""
    found: dict[str, dict[str, Any]] = {}
    for run in every[:LOOKED_AT]:
        for event in reading.events(connection, run.run_id, kinds=("injection",)):
            if event.agent is not None and event.agent not in found and len(found) < GIVEN:
                shown = to_html(h("div", block(event.payload), class_="put-in"))
                tokens = event.payload.get("tokens")
                found[event.agent] = {
                    "agent": one_line(event.agent, NAME), "run_id": one_line(run.run_id, NAME), "html": shown,
                    "tokens": tokens if isinstance(tokens, int) else None,
                }  # fmt: skip
    return list(found.values())


def _templates(workspace: Workspace, namespace: str) -> list[dict[str, Any]]:
    from ..skills_lib.library import SkillLibrary

    found = SkillLibrary(workspace.store, namespace).templates()
    ordered = sorted(found, key=lambda one: (-one.metrics.get("given", 0), -one.solved, one.name))
    return [_template(one) for one in ordered if one.state != "merged"]


def _template(record: Any) -> dict[str, Any]:
    told = record.metrics
    judged = told.get("succeeded", 0) + told.get("failed", 0)
    ways = [f"{told.get(how, 0)} {words}" for how, words in
            (("followed", "followed it"), ("adapted", "adapted it"), ("abandoned", "went another way"))]  # fmt: skip
    lists = [
        (title, [f"{one_line(one.get('text'), 300)} (in {one.get('solved_with')} of {one.get('solved')} successes and "
                 f"{one.get('failed_with')} of {one.get('failed')} failures)" for one in lines])
        for title, lines in (("Checks", record.checks), ("Pitfalls", record.pitfalls)) if lines
    ]  # fmt: skip
    return {
        "name": one_line(record.name, NAME),
        "state": record.state,
        "mood": {"ready": "good", "withdrawn": "bad"}.get(record.state, "none"),
        "version": record.version,
        "domain": one_line(record.domain, NAME),
        "why": one_line(record.why, 300),
        "task": one_line(record.task_template, 300),
        "tasks": record.tasks,
        "solved": record.solved,
        "failed": record.failed,
        "given": Rate(told["given"], judged, told.get("succeeded", 0), 0, 0, None) if told.get("given") else None,
        "ways": ", ".join(ways),
        "steps": [_step(step) for step in record.procedure],
        "lists": lists,
    }


def _step(step: Mapping[str, Any]) -> dict[str, str]:
    arguments = ", ".join(text_of(name) for name in step.get("arguments") or {})
    words = (("writes", "changes state"), ("optional", "optional"), ("repeated", "once for each"))
    marks = ", ".join(word for key, word in words if step.get(key))
    return {"tool": one_line(text_of(step.get("tool")), NAME), "arguments": one_line(arguments, 200), "marks": marks}


# -- charts ----------------------------------------------------------------------------------------------------------


def _outcomes(every: Sequence[RunRecord], calendar: Calendar) -> str:
    keys = calendar.keys()
    if len(keys) < 2:
        return ""
    place = {key: at for at, key in enumerate(keys)}
    series = {name: [0.0] * len(keys) for name in ("succeeded", "failed", "not judged")}
    for run in every:
        name = "not judged" if run.success is None else "succeeded" if run.success else "failed"
        at = place.get(calendar.key(run.started_ns))
        if at is not None:
            series[name][at] += 1
    colours = {"succeeded": "human", "failed": "error", "not judged": "transition"}
    told = ", ".join(f"{name} {sum(values):,.0f}" for name, values in series.items())
    svg = columns_svg(
        keys, [(name, colours[name], values) for name, values in series.items() if any(values)],
        title=f"Runs by {calendar.unit}", told=told, shown=lambda value: f"{value:,.0f}",
    )  # fmt: skip
    return to_html(drawn(svg, ""))


def _stacked(found: Mapping[str, Counter[str]], calendar: Calendar, title: str, shown: Callable[[float], str]) -> str:
    keys = calendar.keys()
    if len(keys) < 2:
        return ""  # one column says no more than the table
    ordered = sorted(found, key=lambda model: -sum(found[model].values()))
    shares = [(one_line(model, 28), [float(found[model][key]) for key in keys]) for model in ordered[: len(SERIES) - 1]]
    rest = ordered[len(SERIES) - 1 :]
    if rest:
        shares.append((f"{len(rest)} others", [float(sum(found[model][key] for model in rest)) for key in keys]))
    told = "; ".join(f"{name} {shown(sum(values))}" for name, values in shares)
    series = [(name, colour, values) for (name, values), colour in zip(shares, SERIES, strict=False)]
    return to_html(
        drawn(columns_svg(keys, series, title=f"{title} by {calendar.unit}, by model", told=told, shown=shown), "")
    )


def _elsewhere(every: Iterable[RunRecord], called: float) -> str:
    """What is known of cost beyond the calls: imported runs may tell their cost as a whole."""
    total = sum(run.cost_usd or 0.0 for run in every)
    beyond = total - called
    if beyond < 0.005 or beyond < total / 1000:
        return ""
    return f"{money(beyond)} more is known only for whole runs (imported ones, or told by an outcome), not for calls."


# -- rows ------------------------------------------------------------------------------------------------------------


def _plain(run: RunRecord) -> dict[str, Any]:
    at, seconds = moment(run.started_ns), took(run)
    return {
        "run_id": run.run_id,
        "task": one_line(run.task, TASK),
        "domain": one_line(run.domain, NAME),
        "agents": one_line(", ".join(run.agents), TASK),
        "messages": run.messages,
        "tool_calls": run.tool_calls,
        "errors": run.errors,
        "tokens": run.input_tokens + run.output_tokens,
        "success": run.success,
        "status": run.status,
        "cost_usd": run.cost_usd,
        "started": "" if at is None else f"{at:%Y-%m-%d %H:%M}",
        "took": "-" if seconds is None else duration(seconds),
    }


def _table(
    every: Sequence[RunRecord], numbers: Mapping[str, int], inside: Callable[[RunRecord], bool]
) -> dict[str, Any]:
    """The rows for the script: names are numbers of a list, because they come again and again."""
    names: dict[str, int] = {"": 0}

    def name(text: str | None) -> int:
        return names.setdefault(one_line(text, NAME), len(names))

    rows = [
        [
            clean(run.run_id), one_line(run.task, TASK), name(run.domain), [name(agent) for agent in run.agents[:40]],
            run.started_ns // 1_000_000, rounded(took(run)), run.messages,
            run.tool_calls, run.errors, run.input_tokens + run.output_tokens,
            None if run.cost_usd is None else round(run.cost_usd, 6),
            (0 if run.status == "finished" else 3) if run.success is None else 1 if run.success else 2,
            name(run.outcome_source), name(run.model), int(inside(run)), numbers.get(clean(run.run_id), 0),
        ]
        for run in every
    ]  # fmt: skip
    return {"names": list(names), "rows": rows}


def rounded(seconds: float | None) -> float | None:
    """To milliseconds."""
    return None if seconds is None else round(seconds, 3)


# -- the state of the data -------------------------------------------------------------------------------------------


def _quality(connection: Connection, every: Sequence[RunRecord], ids: set[str]) -> dict[str, Any]:
    gaps = [gap for gap in reading.gaps(connection) if gap[0] in ids]
    problems = reading.problems(connection)
    unjudged = sum(run.success is None and run.status == "finished" and run.parent_run_id is None for run in every)
    running = sum(run.status != "finished" for run in every)
    quality = [
        ("Finished runs that nobody judged", unjudged,
         "nothing is learned from them: seasoned outcome RUN --success or --failure" if unjudged else ""),
        ("Runs without an end", running, "still going on, or their program was killed" if running else ""),
        ("Events that could not be written", sum(run.lost for run in every), ""),
        ("Runs with a gap", len({gap[0] for gap in gaps}),
         f"{counted(sum(gap[2] for gap in gaps), 'event')} missing; seasoned doctor says more" if gaps else ""),
        ("Lines of journals that could not be read", len(problems), ""),
        ("Runs without a cost", sum(run.cost_usd is None for run in every),
         "no price is known for their model, or no call was recorded"),
    ]  # fmt: skip
    return {
        "quality": quality,
        "gaps": gaps[:LINES],
        "problems": [one_line(line, 300) for line in problems[:LINES]],
    }
