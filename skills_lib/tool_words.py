"""What the words of tools' names tell of what people asked for.

Developers name a tool after what it does, and people who want that done say the same word: "exchange" for
``exchange_items``. It is evidence that needs no model, is the same in every domain, and can be kept without keeping
anybody's words, because the words are the tools'.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .building import ASKED, slug_words
from .clauses import name_words, stem, words_of
from .writes import WRITING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from .template_record import TemplateRecord

MAIN = 0.5
"""A step that this part of the successful runs have is one of the procedure's own."""

TELLING = 0.75
"""A word of a tool's name that is this rare, beside the rarest of the name, tells what the tool does. Rare is what
stands in few tools' names: in ``cancel_order`` beside ``get_order`` it is "cancel"."""

NOTHING: frozenset[str] = frozenset()


def is_main(step: Mapping[str, Any], record: TemplateRecord) -> bool:
    """Whether a step of a template's procedure is one of its own, and not only an occasional one."""
    return step["support"] >= MAIN * max(1, record.solved)


def main_steps(record: TemplateRecord, *, writes: bool) -> tuple[str, ...]:
    """The tools of a template's own steps, in order: those that change something, or those that only look."""
    return tuple(step["tool"] for step in record.procedure if step["writes"] is writes and is_main(step, record))


class Wording:
    """What the words of tools' names tell, among the tools that these templates call."""

    def __init__(self, records: Iterable[TemplateRecord]) -> None:
        changing: dict[str | None, set[str]] = defaultdict(set)
        tools: set[str] = set()
        for record in records:
            changing[record.domain].update(main_steps(record, writes=True))
            tools.update(step["tool"] for step in record.procedure)
        counted = Counter(word for tool in tools for word in set(name_words(tool)) if len(word) > 2)
        self._rare = {word: math.log((len(tools) + 1) / count) for word, count in counted.items()}
        self._of_domain = {
            domain: NOTHING.union(*(self.telling(tool) for tool in names)) for domain, names in changing.items()
        }
        self._verbs = {
            domain: NOTHING.union(*(self._verbs_of(tool) for tool in names)) for domain, names in changing.items()
        }

    def telling(self, tool: str) -> frozenset[str]:
        """The words of a tool's name that tell it from others, stemmed."""
        rare = {word: self._rare[word] for word in name_words(tool) if word in self._rare}
        return frozenset(word for word, how in rare.items() if how >= TELLING * max(rare.values()))

    def _verbs_of(self, tool: str) -> frozenset[str]:
        """The verb in a tool's name, stemmed; where it has none that is known, its telling words."""
        verb = next((word for word in _words(tool) if word in WRITING), None)
        return self.telling(tool) if verb is None else frozenset({stem(verb)})

    def named(self, texts: Sequence[str], domain: str | None) -> frozenset[str]:
        """The telling words of the domain's state-changing tools that most of these tasks hold."""
        return _held(texts, self._of_domain.get(domain, NOTHING))

    def asked(self, record: TemplateRecord, texts: Sequence[str]) -> frozenset[str]:
        """The telling words of its state-changing tools that people said; none where one of the tools was not asked
        for, or where its tasks name another tool: then they asked for something else, and this came of it."""
        tools = set(main_steps(record, writes=True))
        said = [self.telling(tool).intersection(record.asked) for tool in tools]
        own = {word for tool in tools for word in name_words(tool)}
        if not all(said) or _held(texts, self._verbs.get(record.domain, NOTHING)) - own:
            return NOTHING
        return NOTHING.union(*said)


def _held(texts: Sequence[str], words: frozenset[str]) -> frozenset[str]:
    """Those of some stemmed words that most of these texts hold."""
    held = Counter(word for text in texts for word in words & _stems(text))
    return frozenset(word for word, count in held.items() if count >= ASKED * len(texts))


@lru_cache(maxsize=20_000)
def _stems(text: str) -> frozenset[str]:
    return frozenset(words_of(text))


def whole_words(stems: Collection[str], tools: Iterable[str]) -> str:
    """The words of tools' names behind some stems."""
    return ", ".join(sorted({word for tool in tools for word in _words(tool) if stem(word) in stems}))


def _words(tool: str) -> list[str]:
    return slug_words(tool).replace("_", " ").split()
