"""The block: what an agent is given back, at the end of its system message.

Composed once for each agent and run, from sections that plugins keep in memory, and byte-identical within the
run. Nothing in it differs between runs unless its meaning does, because the host's response cache and the
provider's prefix cache are keyed on it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from ..instrumentation.cost import CHARACTERS_PER_TOKEN
from ..instrumentation.records import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..instrumentation.recorder import Recorder
    from ..instrumentation.runs import Run
    from .manager import Hooks


class Block(msgspec.Struct, frozen=True):
    """A composed block: its text (empty where there is nothing to say), its length and its sections."""

    text: str
    tokens: int
    sections: tuple[Section, ...]

    def public(self) -> dict[str, Any]:
        """As ``seasoned prompt --json`` prints it."""
        sections: list[dict[str, Any]] = []
        for section in self.sections:
            told = {"name": section.name, "text": section.text, "why": section.why, "priority": section.priority}
            sections.append(told if section.source is None else {**told, "source": msgspec.to_builtins(section.source)})
        return {"text": self.text, "tokens": self.tokens, "sections": sections}


def tokens(text: str) -> int:
    """The estimated length of ``text`` in tokens."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


_TAG = re.compile(r"<(?=/?experience\b)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def inert(text: str) -> str:
    """``text`` without what could end the block early or hide in it: our tag, control and invisible characters."""
    return _TAG.sub("(", _CONTROL.sub(" ", text))


def compose(agent: str, sections: Sequence[Section], budget: int) -> Block:
    """The block of ``sections`` for ``agent`` within ``budget`` tokens.

    Sections come by priority, then name. Where they do not fit, lines are dropped from the end, and a heading
    that is left alone goes too. A section that makes sense only as a whole has its room set aside first, or is left
    out.
    """
    name = inert(agent).replace('"', "'").replace("\n", " ")
    start, end = f'<experience agent="{name}">', "</experience>"
    room = budget * CHARACTERS_PER_TOKEN - len(start) - len(end) - 1
    kept: list[Section] = []
    in_order = sorted(sections, key=lambda section: (section.priority, section.name))
    whole: dict[int, str] = {}
    for number, section in enumerate(in_order):
        if section.whole:
            text = inert(section.text).strip()
            if 0 < len(text) < room:
                whole[number] = text
                room -= len(text) + 1
    for number, section in enumerate(in_order):
        if section.whole:
            if number in whole:
                kept.append(msgspec.structs.replace(section, text=whole[number]))
            continue
        lines: list[str] = []
        for line in inert(section.text).strip().split("\n") if room > 0 else ():
            if len(line) + 1 > room:
                room = 0
                break
            room -= len(line) + 1
            lines.append(line)
        if len(lines) > 1 or (lines and "\n" not in section.text.strip()):
            kept.append(msgspec.structs.replace(section, text="\n".join(lines)))
    if not kept:
        return Block("", 0, ())
    text = "\n".join((start, *(section.text for section in kept), end))
    return Block(text, tokens(text), tuple(kept))


class Composer:
    """Gives each agent its block, once for each run.

    Args:
        ready: called before the first block of the process is composed: gives the experience a moment to load.
    """

    def __init__(
        self, hooks: Hooks, recorder: Recorder, *, inject: bool, budget: int, ready: Callable[[], object]
    ) -> None:
        self._hooks = hooks
        self._recorder = recorder
        self._inject = inject
        self._budget = budget
        self._ready = ready

    def compose(self, run: Run, agent: str) -> Block:
        """The block for ``agent`` in ``run`` as it would be now; records nothing."""
        return compose(agent, self._hooks.collect("prompt_sections", run=run, agent=agent), self._budget)

    def block(self, run: Run, agent: str) -> str:
        """The text for ``agent`` in ``run``: the same at every call; its first call records the injection."""
        text = run.blocks.get(agent)
        if text is not None:
            return text
        if not self._inject:
            return run.blocks.setdefault(agent, "")
        self._ready()
        block = self.compose(run, agent)
        text = run.blocks.setdefault(agent, block.text)
        if text and text is block.text:
            sections = [{"name": s.name, "text": s.text, "why": s.why} for s in block.sections]
            payload: dict[str, Any] = {"text": text, "tokens": block.tokens, "sections": sections}
            templates = [s.source for s in block.sections if s.source is not None]
            if templates:
                payload["templates"] = templates
            self._recorder.record(run, "injection", agent, payload)
        return text
