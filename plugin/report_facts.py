"""The figures of a report about many runs: success with its uncertainty, use of models, failures, state of the data.

Rates are told with the Wilson score interval (95 percent), because a rate of few runs says little. Runs that nobody
judged are in no rate; how many they are is told beside it. What agents and models used is added up from the calls
themselves, one after the other, so that any number of them takes little memory.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from ..instrumentation.describing import text_of
from ..instrumentation.events import KIND_NUMBER, KINDS
from ..instrumentation.packing import unpack
from ..instrumentation.schema import events as events_table
from ..instrumentation.schema import runs as runs_table
from ..instrumentation.timeline import fetch_texts
from .report_texts import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from ..instrumentation.reading import RunRecord

Z = 1.959963984540054
"""The quantile of the normal distribution for 95 percent."""
GROUPS = 30
"""Domains, agents with models, and failures in a table; the rest is put together."""
BLOCK = 2_000
_SCANNED = ("model_call", "tool_result", "code_execution", "error")


def wilson(succeeded: int, judged: int) -> tuple[float, float]:
    """The Wilson score interval (95 percent) of a rate: what the true rate may well be; (0, 1) where nothing was
    judged. E. B. Wilson, 1927."""
    if judged <= 0:
        return 0.0, 1.0
    rate, square = succeeded / judged, Z * Z
    middle = rate + square / (2 * judged)
    spread = Z * math.sqrt(rate * (1 - rate) / judged + square / (4 * judged * judged))
    whole = 1 + square / judged
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)


class Rate(NamedTuple):
    """How often runs succeeded.

    Attributes:
        runs: all of them.
        judged, succeeded: of those.
        errors, tokens: in all of them.
        cost_usd: of all of them; None where no cost is known.
    """

    runs: int
    judged: int
    succeeded: int
    errors: int
    tokens: int
    cost_usd: float | None

    @property
    def percent(self) -> str:
        """The rate, such as ``62%``; a hyphen where nothing was judged."""
        return f"{100 * self.succeeded / self.judged:.0f}%" if self.judged else "-"

    @property
    def interval(self) -> str:
        """Its interval, such as ``54 to 69%``; empty where nothing was judged."""
        low, high = wilson(self.succeeded, self.judged)
        return f"{100 * low:.0f} to {100 * high:.0f}%" if self.judged else ""

    @property
    def bar(self) -> tuple[float, float, float]:
        """Where its interval begins, how wide it is, and where the rate itself stands, in percent."""
        low, high = wilson(self.succeeded, self.judged)
        rate = self.succeeded / self.judged if self.judged else 0.0
        return round(100 * low, 1), round(100 * (high - low), 1), round(100 * rate, 1)


def rate(found: Iterable[RunRecord]) -> Rate:
    """How often these runs succeeded."""
    runs = judged = succeeded = errors = tokens = 0
    cost: float | None = None
    for run in found:
        runs += 1
        judged += run.success is not None
        succeeded += bool(run.success)
        errors += run.errors
        tokens += run.input_tokens + run.output_tokens
        if run.cost_usd is not None:
            cost = (cost or 0.0) + run.cost_usd
    return Rate(runs, judged, succeeded, errors, tokens, cost)


def by_domain(found: Iterable[RunRecord]) -> list[tuple[str, Rate]]:
    """The rate in each domain, the most frequent first; the rare ones of very many are put together."""
    groups: dict[str, list[RunRecord]] = defaultdict(list)
    for run in found:
        groups[run.domain or ""].append(run)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    shown = [(domain or "no domain", rate(runs)) for domain, runs in ordered[:GROUPS]]
    if len(ordered) > GROUPS:
        rest = [run for _, runs in ordered[GROUPS:] for run in runs]
        shown.append((f"{len(ordered) - GROUPS} others", rate(rest)))
    return shown


def week(nanoseconds: int) -> str:
    """The Monday of the week in which a moment is (UTC), as a date."""
    at = moment(nanoseconds)
    return "" if at is None else f"{at - timedelta(days=at.weekday()):%Y-%m-%d}"


def by_week(found: Iterable[RunRecord]) -> list[tuple[str, Rate]]:
    """The rate in each week with runs, the newest first; weeks are named by their Monday (UTC)."""
    groups: dict[str, list[RunRecord]] = defaultdict(list)
    for run in found:
        groups[week(run.started_ns)].append(run)
    return [(monday, rate(groups[monday])) for monday in sorted(groups, reverse=True)]


class Calendar:
    """Stretches of time for a chart: hours, days, weeks or months, whichever gives a few dozen columns at most."""

    def __init__(self, moments: Iterable[int]) -> None:
        found = sorted(moments)
        self._first, self._last = (found[0], found[-1]) if found else (0, 0)
        days = (self._last - self._first) / 86_400e9
        self.unit = "hour" if days <= 2 else "day" if days <= 45 else "week" if days <= 400 else "month"

    def key(self, nanoseconds: int) -> str:
        """The stretch in which a moment is, as text that sorts."""
        at = moment(nanoseconds)
        if at is None:
            return ""
        if self.unit == "hour":
            return f"{at:%Y-%m-%d %H:00}"
        if self.unit == "day":
            return f"{at:%Y-%m-%d}"
        return f"{at:%Y-%m}" if self.unit == "month" else f"{at - timedelta(days=at.weekday()):%Y-%m-%d}"

    def keys(self) -> list[str]:
        """All stretches from the first to the last, those without anything among them."""
        step = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}.get(self.unit)
        at, end = moment(self._first), moment(self._last)
        if at is None or end is None:
            return []
        keys: list[str] = []
        while len(keys) < 400:
            key = self.key(int(at.timestamp() * 1e9))
            if not keys or keys[-1] != key:
                keys.append(key)
            if key >= self.key(self._last):
                break
            at = at + step if step else datetime(at.year + at.month // 12, at.month % 12 + 1, 1, tzinfo=timezone.utc)
        return keys


class Used(NamedTuple):
    """What calls of one model by one agent used."""

    agent: str
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    unpriced: int


class Failure(NamedTuple):
    """A kind of failure: what failed (a tool, code, a model), its type of error, how often, in how many runs, and
    one of its messages."""

    what: str
    error_type: str
    times: int
    runs: int
    example: str


class Work(NamedTuple):
    """What model calls and failures of many runs come to.

    Attributes:
        used: by agent and model, the dearest first.
        tokens, cost: by model, in each stretch of the calendar; a call counts where its run began.
        failures: the most frequent first.
    """

    used: list[Used]
    tokens: dict[str, Counter[str]]
    cost: dict[str, Counter[str]]
    failures: list[Failure]


def work(connection: Connection, run_ids: Collection[str], calendar: Calendar, *, namespace: str | None = None) -> Work:
    """Add up the model calls and failures of these runs."""
    sums: dict[tuple[str, str], list[Any]] = {}
    tokens: dict[str, Counter[str]] = defaultdict(Counter)
    cost: dict[str, Counter[str]] = defaultdict(Counter)
    times: Counter[tuple[str, str]] = Counter()
    where: dict[tuple[str, str], set[int]] = defaultdict(set)
    texts: dict[tuple[str, str], int] = {}
    for run_pk, kind, at, agent, payload in _scanned(connection, set(run_ids), namespace):
        if kind == "model_call":
            usage = payload.get("usage")
            usage = usage if isinstance(usage, dict) else {}
            sent, answered = (_whole(usage.get(key)) for key in ("input_tokens", "output_tokens"))
            price = payload.get("cost_usd")
            dollars = float(price) if isinstance(price, (int, float)) else 0.0
            model = text_of(payload.get("model")) or "unknown"
            entry = sums.setdefault((agent or "", model), [0, 0, 0, 0.0, 0])
            for place, value in enumerate((1, sent, answered, dollars, price is None)):
                entry[place] += value
            key = calendar.key(at)
            tokens[model][key] += sent + answered
            cost[model][key] += dollars  # type: ignore[assignment]  a Counter adds up what it is given
        failed = _failure(kind, payload)
        if failed is not None:
            times[failed] += 1
            where[failed].add(run_pk)
            number = payload.get("error") or payload.get("content") or payload.get("output")
            if isinstance(number, int):
                texts.setdefault(failed, number)
    known = fetch_texts(connection, set(texts.values()))
    failures = [
        Failure(*failed, number, len(where[failed]), known.get(texts.get(failed, -1), ""))
        for failed, number in times.most_common(GROUPS)
    ]
    used = [Used(agent, model, *entry) for (agent, model), entry in sums.items()]
    return Work(sorted(used, key=lambda one: (-one.cost_usd, -one.input_tokens, one.agent)), tokens, cost, failures)


def _scanned(
    connection: Connection, wanted: set[str], namespace: str | None
) -> Iterator[tuple[int, str, int, str | None, dict[str, Any]]]:
    runs = runs_table.c
    query = select(runs.run_pk, runs.run_id, runs.started_at)
    if namespace is not None:
        query = query.where(runs.namespace == namespace)
    started = {pk: at for pk, run_id, at in connection.execute(query) if run_id in wanted}
    table = events_table.c
    found = (
        select(table.run_pk, table.kind, table.agent, table.payload)
        .where(table.kind.in_([KIND_NUMBER[kind] for kind in _SCANNED]))
        .execution_options(yield_per=BLOCK)
    )
    with connection.execute(found) as result:
        for run_pk, number, agent, payload in result:
            if run_pk in started:
                kind = KINDS[number]
                yield run_pk, kind, started[run_pk], agent, unpack(kind, payload)


def _failure(kind: str, payload: dict[str, Any]) -> tuple[str, str] | None:
    """What failed and how; None where nothing did."""
    if kind == "tool_result":
        if payload.get("ok") is not False:
            return None
        return text_of(payload.get("tool")) or "unknown tool", text_of(
            payload.get("error_type")
        ) or "an error as answer"
    if kind == "code_execution":
        code = payload.get("exit_code")
        return (f"code ({text_of(payload.get('language')) or 'unknown'})", f"exit code {code}") if code else None
    if kind == "error":
        return "an agent or the framework", text_of(payload.get("error_type")) or "error"
    if payload.get("error") is None:
        return None
    return f"model {text_of(payload.get('model')) or 'unknown'}", text_of(payload.get("error_type")) or "error"


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0


def chosen(every: Sequence[RunRecord], number: int, inside: Callable[[RunRecord], bool]) -> list[RunRecord]:
    """The runs whose details a report holds: half are the newest, the others those in which most failed, failed runs
    before others. Runs inside another are held with that.

    Args:
        every: the newest first.
        number: how many.
        inside: whether a run is inside one that is there too.
    """
    roots = [run for run in every if not inside(run)]
    if len(roots) <= number:
        return roots
    newest = roots[: (number + 1) // 2]
    rest = sorted(
        roots[len(newest) :], key=lambda run: (run.errors > 0, run.success is False, run.errors, run.started_ns),
        reverse=True,
    )  # fmt: skip
    return newest + rest[: number - len(newest)]
