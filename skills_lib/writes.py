"""Which tools change something, and which only look.

A procedure must say so: a look-up done twice costs a moment, a cancellation done twice costs a customer. Nobody
declares it, so it is told from evidence, in this order:

1. What the configuration says.
2. The verb in the tool's name. Names are written by developers to be understood, and a first word such as ``get`` or
   ``cancel`` is the strongest evidence there is.
3. What happened around it. A tool whose same call gave the same answer again only looks; one that people were asked to
   confirm, or after which the answer of a look-up was another than before, writes.
4. Where all this says nothing, it is taken for a look-up, as most tools are.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from .steps import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .steps import Trace

LOOKING = frozenset(
    """
    analyse analyze browse calc calculate check compare compute count describe detect download echo estimate
    evaluate explain extract fetch filter find get has inspect is list load look lookup match measure monitor open
    parse peek ping plan poll predict preview query read recall recommend reflect resolve retrieve review scan
    screenshot search see select show solve stat status suggest summarise summarize test think track translate
    validate verify view wait whoami
    """.split()  # noqa: SIM905  a list of words is read more easily as words
)
"""First words of names of tools that look, work out or judge."""

WRITING = frozenset(
    """
    accept add append apply approve archive assign ban block book buy cancel change charge checkout claim close
    commit configure confirm convert copy create debit delete deny deploy disable dispatch drop edit email enable
    end enrol enroll escalate exchange execute file fill finish flag forward grant hire insert install invite issue
    join kill lock log make merge message modify move notify order patch pause pay place post publish purchase push
    put reboot refuel refund register reject release remove rename renew replace reply report reschedule reserve
    reset restart restore resume return revert revoke save schedule sell send set share ship sign start stop store
    submit subscribe suspend swap switch sync toggle transfer trigger type unblock undo uninstall unlock unsubscribe
    update upgrade upload upsert withdraw write
    """.split()  # noqa: SIM905  a list of words is read more easily as words
)
"""First words of names of tools that change something, here or in the world."""

_CONFIRMED = re.compile(
    r"\W*(?:yes|yeah|yep|sure|ok|okay|confirm\w*|correct|proceed|go ahead|please (?:do|proceed)|agreed?|absolutely|"
    r"that(?:'s| is| works| sounds)|sounds good)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_LEAST = 3
"""Observations of what happened around a tool that outweigh a name that says nothing."""


class Effect(msgspec.Struct, frozen=True):
    """What a tool does.

    Attributes:
        writes: whether it changes something.
        why: ``configured``, ``name``, ``repeated``, ``changed``, ``confirmed`` or ``unknown``.
    """

    writes: bool
    why: str


class Effects:
    """Evidence about tools, gathered from runs; the same runs in any order say the same."""

    def __init__(self, configured: Mapping[str, bool] | None = None) -> None:
        self._configured = dict(configured or {})
        self._calls: Counter[str] = Counter()
        self._same: Counter[str] = Counter()
        self._changed: Counter[str] = Counter()
        self._confirmed: Counter[str] = Counter()

    def add(self, trace: Trace) -> None:
        """Take in what happened in a run."""
        answers: dict[str, tuple[str, int]] = {}
        heard = 0
        for number, step in enumerate(trace.steps):
            self._calls[step.tool] += 1
            if step.heard > heard and _CONFIRMED.match(trace.said[step.heard - 1]):
                self._confirmed[step.tool] += 1
            heard = max(heard, step.heard)
            if step.ok is False or step.result is None:
                continue
            call = f"{step.tool} {_digest(step.arguments)}"
            answer = _digest(step.result)
            before = answers.get(call)
            answers[call] = (answer, number)
            if before is None or verb_writes(step.tool):
                continue
            if before[0] == answer:
                self._same[step.tool] += 1
            else:
                between = {other.tool for other in trace.steps[before[1] + 1 : number]} - {step.tool}
                if len(between) == 1:  # with more tools in between nobody knows which it was
                    self._changed[between.pop()] += 1

    def of(self, tool: str) -> Effect:
        """What this tool does, as far as is known."""
        if tool in self._configured:
            return Effect(self._configured[tool], "configured")
        named = verb_writes(tool)
        if named is not None:
            return Effect(named, "name")
        changed, same, confirmed = self._changed[tool], self._same[tool], self._confirmed[tool]
        if changed >= _LEAST and changed > same:
            return Effect(True, "changed")
        if same >= _LEAST:
            return Effect(False, "repeated")
        if confirmed >= _LEAST and 2 * confirmed > self._calls[tool]:
            return Effect(True, "confirmed")
        return Effect(False, "unknown")

    def writes(self, tool: str) -> bool:
        """Whether this tool changes something."""
        return self.of(tool).writes


def effects(traces: Iterable[Trace], configured: Mapping[str, bool] | None = None) -> Effects:
    """The evidence of these runs."""
    found = Effects(configured)
    for trace in traces:
        found.add(trace)
    return found


def verb_writes(tool: str) -> bool | None:
    """Whether the verb in a tool's name says that it changes something; None where it says nothing.

    The first word that is a verb of either kind decides, among the first two words and the last: ``get_order``,
    ``api_get_order`` and ``order_delete`` are all readable so.
    """
    if tool.startswith(PROGRAM):
        return False
    words = [word.lower() for word in _WORD.findall(re.split(r"[.:/]", tool)[-1])]
    for word in dict.fromkeys([*words[:2], *words[-1:]]):
        if word in LOOKING:
            return False
        if word in WRITING:
            return True
    return None


def _digest(value: Any) -> str:
    try:
        text = json.dumps(value, sort_keys=True, default=str)
    except (TypeError, ValueError, RecursionError):
        text = repr(type(value))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
