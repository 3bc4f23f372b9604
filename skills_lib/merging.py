"""Which templates say the same thing, and are made one.

Pools are begun by the wording of tasks, and one request is worded in many ways: a customer's chat opens with a greeting
or half of the matter, and each opening begins a pool of its own. What was then done shows which of them are the same.
So once their templates are there, pools of one domain become one where both hold:

- *The procedure is the same*: the same state-changing steps in the same order, mostly the same sources of their
  arguments, no constants that contradict each other. Pools that changed other things are never made one.
- *The tasks are alike*: people asked for those very steps (they said the telling word of each tool's name, as in
  "exchange" for ``exchange_items``) and did not open with another one, or the matcher says that the tasks mostly follow
  one template. Where nothing was changed only the matcher counts, because everything begins with a look-up.

Tasks that only failed have no procedure. They go where the matcher would have sent them, or to the template whose tools
they ask for by name and no others: to the one that they would have been given, whose record of successes and failures
is the truer for it.

Making two pools one means that the tasks of one are filed under the other. Its template is kept as ``merged``, with the
reason, and filed under the other pool as well, so that forgetting a run of it forgets its words. Only pools that share
domain and steps are compared, and not with each other but by what they have in common, so thousands cost no more than
looking once at each.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from sqlalchemy import func, select, update

from .building import ID_DIGITS
from .sketches import lot
from .tables import POOLED_RUNS, fingerprinted_runs, skill_templates, task_pools
from .template_record import MERGED
from .tool_words import NOTHING, Wording, is_main, main_steps, whole_words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from .pools import Pools
    from .template_record import TemplateRecord

SURE_CONSTANT = 3
"""Runs that must show a constant before it can contradict another: of one run every value is constant."""

LIKE = 0.5
"""How sure the matcher must be that tasks of two pools follow one template: its own threshold, lower than the one to
pool by words alone (:data:`.pools.SURE`), because the procedure agrees as well."""

ALIKE = 0.3
"""How alike look-ups and sources of arguments must be. Pools of few runs differ in both by chance."""

LOOKED_AT = 24
"""Known tasks that are looked at for each task of a pool."""

TASKS = 8
"""Tasks of a pool that the matcher is asked about; of more, those with the lowest hash."""


class Merge(NamedTuple):
    """Two pools that become one.

    Attributes:
        into: the pool that stays.
        pool: the pool whose tasks go there.
        reason: why, in a line: which template, and how alike they are. Names of templates and tools and figures only.
    """

    into: str
    pool: str
    reason: str


def merges(
    templates: Mapping[str, TemplateRecord],
    pools: Pools,
    changed: Collection[str] | None = None,
    settled: Collection[str] = (),
) -> list[Merge]:
    """The pools that are to become one, each named once as the one that goes; none of them stays for another.

    The pool that stays is one whose template somebody deleted (which then stays deleted), else one that is settled,
    else the one that began first. The same templates and tasks give the same merges, in whatever order they are given.

    Args:
        templates: the newest template of each pool, with the state that it is in. Those that are neither candidates
            nor ready nor deleted take no part.
        pools: the tasks, all placed.
        changed: only pools among these are looked at anew, each with all others; all of them where None.
        settled: pools whose template agents were given before, so that its id should stay.
    """
    known = {
        pool: record
        for pool, record in templates.items()
        if record.state in ("candidate", "ready", "deleted") and record.origin == "learned"
    }
    members = pools.members()
    began = {pool: number for number, pool in enumerate(members)}
    looked_at = sorted((pool for pool in began if changed is None or pool in changed), key=began.__getitem__)
    texts = {pool: [pools.texts[name] for name in names] for pool, names in members.items()}
    wording = Wording(known.values())
    groups: dict[tuple[str | None, bool, tuple[str, ...]], list[str]] = defaultdict(list)
    for pool in sorted(known.keys() & began.keys(), key=began.__getitem__):
        shared = _group(known[pool])
        if shared is not None:
            groups[shared].append(pool)
    likeness = {pool: _likeness(pool, members[pool], pools) for pool in looked_at}
    found: list[Merge] = []
    for (_, writes, _), group in groups.items():
        if len(group) < 2 or not any(pool in likeness for pool in group):
            continue

        def rank(pool: str) -> tuple[int, int]:
            return (0 if known[pool].state == "deleted" else 1 if pool in settled else 2, began[pool])

        asked = {pool: wording.asked(known[pool], texts[pool]) if writes else NOTHING for pool in group}
        found += _within(sorted(group, key=rank), known, likeness, asked)
    stays = {merge.pool: merge.into for merge in found}
    leads = [pool for pool in known if pool in began and pool not in stays and known[pool].state != "deleted"]
    by_words: dict[tuple[str | None, frozenset[str]], list[str]] = defaultdict(list)
    for pool in sorted(leads, key=began.__getitem__):
        by_words[known[pool].domain, wording.asked(known[pool], texts[pool])].append(pool)
    for pool in began:
        if pool in templates:
            continue
        near = {other: sure for other, sure in likeness.get(pool, {}).items() if other in known}
        best = max(near, key=lambda other: (near[other], -began[other]), default=None)
        if best is not None and near[best] >= LIKE and known[best].state != "deleted":
            into = stays.get(best, best)
            found.append(Merge(into, pool, f"{_only_failed(known[into])}, and are like those at {near[best]:.2f}"))
            continue
        domain = pools.domain(members[pool][0])
        words = wording.named(texts[pool], domain)
        if words and (domain, words) in by_words:
            into = max(by_words[domain, words], key=lambda lead: (known[lead].solved, -began[lead]))
            named = whole_words(words, main_steps(known[into], writes=True))
            found.append(Merge(into, pool, f"{_only_failed(known[into])}, and asked for it by name ({named})"))
    return found


def _only_failed(into: TemplateRecord) -> str:
    return f"merged into {into.template_id}: its tasks only failed"


def apply(
    connection: Connection,
    namespace: str,
    found: Iterable[Merge],
    pools: Pools,
    drafts: Mapping[str, TemplateRecord] | None = None,
) -> None:
    """File the tasks of the pools that go under those that stay, and keep their templates as merged.

    Args:
        connection: one that may write; all or nothing belongs to its transaction.
        namespace: whose pools.
        found: as :func:`merges` gives them.
        pools: the tasks in memory, which are brought up to date.
        drafts: templates that were not kept yet, by pool: one that goes is kept as merged from the beginning.
    """
    kept, placed, filed = skill_templates.c, task_pools.c, fingerprinted_runs.c
    moved: dict[str, str] = {}
    for into, pool, reason in found:
        newest = connection.execute(
            select(func.max(filed.finished_ns))
            .select_from(POOLED_RUNS)
            .where(filed.namespace == namespace, placed.pool.in_((into, pool)))
        ).scalar()
        last = connection.execute(
            select(kept.template_id, kept.version)
            .where(kept.namespace == namespace, kept.pool == pool, kept.state != MERGED)
            .order_by(kept.version.desc())
            .limit(1)
        ).first()
        draft = (drafts or {}).get(pool)
        if last is not None:
            connection.execute(
                update(skill_templates)
                .where(kept.namespace == namespace, kept.template_id == last.template_id, kept.version == last.version)
                .values(reason=reason, made_ns=newest or 0)
            )
        elif draft is not None:
            row = {"pool": pool, "name": draft.name, "state": MERGED, "signature": "", "content": draft.content}
            body = msgspec.json.encode(draft).decode()
            connection.execute(
                skill_templates.insert().values(
                    namespace=namespace, template_id=draft.template_id, version=draft.version, body=body, diff="{}",
                    reason=reason, made_ns=newest or 0, **row,
                )
            )  # fmt: skip
        connection.execute(
            update(skill_templates)
            .where(kept.namespace == namespace, kept.pool == pool)
            .values(pool=into, state=MERGED)
        )
        connection.execute(
            update(task_pools).where(placed.namespace == namespace, placed.pool == pool).values(pool=into)
        )
        moved[pool] = into
    if moved:
        pools.merged(moved)


def revive(connection: Connection, namespace: str, pools: Collection[str]) -> int:
    """Take templates up again whose pools are there again, because tasks were placed anew; returns how many rows that
    were. They would otherwise stand in the way of the same templates, learned again."""
    kept, count = skill_templates.c, 0
    merged = connection.execute(
        select(kept.template_id).where(kept.namespace == namespace, kept.state == MERGED).distinct()
    ).scalars()
    of_id = {pool[:ID_DIGITS]: pool for pool in pools}
    for template_id in [one for one in merged if one in of_id]:
        count += connection.execute(
            update(skill_templates)
            .where(kept.namespace == namespace, kept.template_id == template_id, kept.state == MERGED)
            .values(pool=of_id[template_id], state="candidate", signature="")
        ).rowcount
    return count


def _group(record: TemplateRecord) -> tuple[str | None, bool, tuple[str, ...]] | None:
    """What pools must share to be compared: the domain, and what they change, or look up where they change nothing."""
    changing = main_steps(record, writes=True)
    if changing:
        return record.domain, True, changing
    looking = tuple(sorted(set(main_steps(record, writes=False))))
    return (record.domain, False, looking) if looking else None


def _within(
    members: Sequence[str],
    known: Mapping[str, TemplateRecord],
    likeness: Mapping[str, Mapping[str, float]],
    asked: Mapping[str, frozenset[str]],
) -> list[Merge]:
    """The merges among pools with the same steps, given in the order in which they have a claim to stay."""
    near: dict[str, dict[str, float]] = defaultdict(dict)
    inside = set(members)
    for pool in inside & likeness.keys():
        for other, sure in likeness[pool].items():
            if other in inside and sure >= LIKE:
                near[pool][other] = max(sure, near[pool].get(other, 0.0))
                near[other][pool] = near[pool][other]
    stays: dict[str, str] = {}  # of each pool seen so far, the one that stays for it
    asking: list[str] = []  # pools that stay and were asked for by name
    found: list[Merge] = []
    for pool in members:
        mine = known[pool]
        nearest: dict[str, float] = dict.fromkeys(asking, 0.0) if asked[pool] else {}
        for other, sure in near[pool].items():
            if other in stays:
                nearest[stays[other]] = max(sure, nearest.get(stays[other], 0.0))
        fitting = [
            (same + sure, lead)
            for lead, sure in nearest.items()
            if mine.state != "deleted" and (same := same_procedure(known[lead], mine)) >= ALIKE
        ]
        lead = max(fitting, key=lambda one: one[0])[1] if fitting else pool
        stays[pool] = lead
        if lead != pool:
            words = asked[pool] & asked[lead]
            found.append(Merge(lead, pool, _reason(known[lead], mine, nearest[lead], words)))
        elif asked[pool]:
            asking.append(pool)
    return found


def same_procedure(left: TemplateRecord, right: TemplateRecord) -> float:
    """How alike two procedures with the same state-changing steps are, 0..1: half by the look-ups and how many runs
    have them, half by where the arguments of the state-changing steps come from. 0 where constants contradict."""
    shares = [
        {step["tool"]: step["support"] / max(1, one.solved) for step in one.procedure if not step["writes"]}
        for one in (left, right)
    ]
    tools = shares[0].keys() | shares[1].keys()
    most = sum(max(share.get(tool, 0.0) for share in shares) for tool in tools)
    least = sum(min(share.get(tool, 0.0) for share in shares) for tool in tools)
    looked = least / most if most else 1.0
    agreeing: list[float] = []
    for one, other in zip(_changing(left), _changing(right), strict=False):
        mine, theirs = one["arguments"], other["arguments"]
        for name in sorted(mine.keys() & theirs.keys()):
            if _contradict(mine[name], theirs[name], min(one["support"], other["support"])):
                return 0.0
            sources = {mine[name].get("source"), theirs[name].get("source")}
            agreeing.append(1.0 if len(sources) == 1 else 0.5 if "free" in sources else 0.0)
        agreeing += [0.0] * len(mine.keys() ^ theirs.keys())
    return (looked + (sum(agreeing) / len(agreeing) if agreeing else 1.0)) / 2


def _changing(record: TemplateRecord) -> list[dict[str, Any]]:
    return [step for step in record.procedure if step["writes"] and is_main(step, record)]


def _contradict(one: Mapping[str, Any], other: Mapping[str, Any], runs: int) -> bool:
    """Whether both are always given the same, and not the same as each other."""
    constant = one.get("source") == other.get("source") == "constant"
    return constant and runs >= SURE_CONSTANT and one.get("value") != other.get("value")


def _likeness(pool: str, names: Sequence[str], pools: Pools) -> dict[str, float]:
    """How sure the matcher typically is (the median over the pool's tasks) that a task of this pool and one of another
    of its domain follow one template."""
    tasks = sorted(names, key=lot)[:TASKS]
    scores: dict[str, list[float]] = defaultdict(list)
    for name in tasks:
        domain = pools.domain(name)
        best: dict[str, float] = {}
        for match in pools.index.search(pools.texts[name], LOOKED_AT, None, domain):
            other = str(match.id)
            if pools.domain(other) == domain and pools.of[other] != pool:
                best.setdefault(pools.of[other], match.score)
        for other, score in best.items():
            scores[other].append(score)
    middle = (len(tasks) - 1) // 2  # of an even number the better of the two middle ones
    return {other: sorted(found, reverse=True)[middle] for other, found in scores.items() if len(found) > middle}


def _reason(lead: TemplateRecord, other: TemplateRecord, sure: float, words: Collection[str]) -> str:
    steps = main_steps(other, writes=True)
    same = f"the same changes ({', '.join(steps)})" if steps else "the same look-ups, and no changes"
    alike = f"look-ups and arguments {same_procedure(lead, other):.0%} alike"
    tasks = [f"tasks alike at {sure:.2f}"] if sure else []
    tasks += [f"asked for by name ({whole_words(words, steps)})"] if words else []
    return f"merged into {lead.template_id}: {same}, {alike}, {', '.join(tasks)}"
