"""A template with typed, named slots, induced from task texts that ask for the same kind of thing.

The texts are aligned all together (:mod:`.alignment`), what their shared words are is decided by their class, their
surroundings and the library (:mod:`.slots`), and what is left between them becomes slots with a type
(:mod:`.slot_types`) and a name (:mod:`.slot_names`).

A template keeps the texts it was made from and is made anew when one is added. So the order in which texts come does
not matter, and growing a template run by run gives what all the texts at once give. Only the first
:data:`MAX_EVIDENCE` different texts are kept for this; a later text that already fits is counted and no more, and
one that does not fit takes the place of the kept text that comes last in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from .known_texts import KnownTexts
from .slot_names import Namer, SlotContext, name_slot
from .slot_types import common_type
from .slots import gather, literals, runs
from .template_text import Matcher, Part, render, write
from .tokens import QUOTES, clean, tokenise

if TYPE_CHECKING:
    from .slot_features import Evidence

MAX_EVIDENCE = 64
"""Different texts that shape one template. With as many, one more changes nothing but an exception."""

MAX_EXAMPLES = 8
"""Values kept of each slot."""

MAX_EXAMPLE = 200
"""Characters of a kept value."""


class TaskSlot(msgspec.Struct, frozen=True):
    """A place in a template that each task fills with its own value."""

    name: str
    """A valid identifier, unlike the names of the template's other slots."""
    type: str
    """One of :data:`.slot_types.TYPES`."""
    examples: tuple[str, ...] = ()
    """Different values seen, in the order of the sorted texts; at most :data:`MAX_EXAMPLES`."""
    optional: bool = False
    """Whether a text had nothing here."""


class TaskTemplate(msgspec.Struct, frozen=True):
    """What tasks of one kind have in common, and where they differ. Plain data; equal texts make equal templates."""

    parts: tuple[Part, ...] = ()
    """Literal text and numbers of slots, in order."""
    slots: tuple[TaskSlot, ...] = ()
    evidence: tuple[str, ...] = ()
    """The texts it was made from, sorted."""
    seen: int = 0
    """Texts that were given, repetitions included."""

    @property
    def text(self) -> str:
        """The template with ``{{name}}`` where the slots are."""
        return write(self.parts, [slot.name for slot in self.slots])

    @property
    def open(self) -> bool:
        """Whether the texts have no word in common: then the template is one slot, fits any text and tells nothing."""
        return bool(self.slots) and not any(isinstance(part, str) and part.strip() for part in self.parts)

    def match(self, text: str) -> dict[str, str] | None:
        """The value of each slot as the text has it, by name; None where the text does not fit.

        Case and white space do not count. Every text that the template was made from fits. Where a text fits in
        several ways, each slot but the last takes as few words as it can.
        """
        values = _matcher(self.parts, self.slots).match(clean(text))
        return None if values is None else {self.slots[number].name: value for number, value in values.items()}

    def render(self, values: Mapping[str, str]) -> str:
        """The task with these values. Raises KeyError where a slot has none."""
        return render(self.parts, {number: values[slot.name] for number, slot in enumerate(self.slots)})

    def refine(self, *texts: str, library: Library = None, namer: Namer | None = None) -> TaskTemplate:
        """The template of the texts so far and these: what :func:`induce_template` makes of all of them."""
        return _grown(self, texts, library, namer)

    add = refine

    def renamed(self, names: Mapping[str, str]) -> TaskTemplate:
        """The same template with other names for some slots (old name: new name), made valid and unlike one another."""
        taken: list[str] = []
        for slot in self.slots:
            context = SlotContext(slot.examples, slot.type, "", "")
            wanted = names.get(slot.name, slot.name)
            taken.append(name_slot(context, taken, lambda _, wanted=wanted: wanted))
        slots = tuple(msgspec.structs.replace(slot, name=name) for slot, name in zip(self.slots, taken, strict=True))
        return msgspec.structs.replace(self, slots=slots)


Library = KnownTexts | Iterable[str | TaskTemplate] | None
"""What else is known: texts of other tasks, templates (their texts count), or both, prepared or not."""


def induce_template(texts: Iterable[str], library: Library = None, namer: Namer | None = None) -> TaskTemplate:
    """The template of texts that ask for the same kind of thing.

    One text, or texts that differ in case and white space only, make a template without slots; no text at all makes
    an empty one, which fits the empty text. Texts without a word in common make an :attr:`TaskTemplate.open` one.

    ``library`` helps to tell a slot's ends: other known tasks, of this kind or of others, and templates. For many
    inductions prepare it once with :func:`known_texts`. ``namer`` may name slots (:data:`.slot_names.Namer`).
    """
    return _grown(TaskTemplate(), list(texts), library, namer)


def known_texts(library: Library) -> KnownTexts | None:
    """A library made ready for many inductions."""
    if library is None or isinstance(library, KnownTexts):
        return library
    texts: list[str] = []
    for entry in library:
        if isinstance(entry, TaskTemplate):
            texts.extend(entry.evidence)
        else:
            texts.append(clean(entry))
    return KnownTexts(texts)


def _grown(template: TaskTemplate, texts: Sequence[str], library: Library, namer: Namer | None) -> TaskTemplate:
    known = known_texts(library)
    given = [clean(text) for text in texts]
    evidence = sorted({*template.evidence, *given})
    later = evidence[MAX_EVIDENCE:]
    made = _made(evidence[:MAX_EVIDENCE], known, namer)
    for text in later:
        if made.match(text) is None:
            made = _made(sorted({*made.evidence[: MAX_EVIDENCE - 1], text}), known, namer)
    return msgspec.structs.replace(made, seen=template.seen + len(given))


def _made(texts: list[str], known: KnownTexts | None, namer: Namer | None) -> TaskTemplate:
    """The template of sorted, different texts."""
    different: dict[tuple[str, ...], str] = {}
    for text in texts:
        different.setdefault(tuple(token.key for token in tokenise(text)), text)
    if not different:
        return TaskTemplate()
    evidence = gather(list(different.values()), known)
    parts, optional = _parts(evidence, len(different))
    return _with_slots(parts, optional, texts, namer)


def _parts(evidence: Evidence, own: int) -> tuple[tuple[Part, ...], frozenset[int]]:
    """Literals as one of the first ``own`` texts writes them, slots between; and which slots a text leaves empty."""
    texts, tokens = evidence.texts, evidence.tokens
    columns = literals(evidence)
    found = runs(columns, [len(row) for row in tokens])
    if not found:
        sizes = [len(row) for row in tokens]
        return ((0,) if any(sizes) else ()), frozenset((0,) if not all(sizes) else ())
    bounds: list[list[tuple[int, int]]] = []  # for each slot: the tokens it holds in each text
    if found[0].opens:
        bounds.append([(0, place) for place in columns[0].places])
    for left, right in pairwise(found):
        ends = zip(columns[left.last - 1].places, columns[right.first].places, strict=True)
        bounds.append([(end + 1, start) for end, start in ends])
    if found[-1].closes:
        bounds.append([(place + 1, len(row)) for place, row in zip(columns[-1].places, tokens, strict=True)])
    empty = [sum(spans[number][0] == spans[number][1] for spans in bounds) for number in range(len(texts))]
    shown = min(range(own), key=lambda number: (empty[number], number))
    text, row = texts[shown], tokens[shown]
    parts: list[Part] = []
    slot = 0
    for run in found:
        if run.opens and not (parts and isinstance(parts[-1], int)):
            parts.append(slot)
            slot += 1
        first, last = columns[run.first].places[shown], columns[run.last - 1].places[shown]
        start = row[first - 1].end if first and run.opens else row[first].start
        end = row[last + 1].start if last + 1 < len(row) and run.closes else row[last].end
        parts.append(" ".join(f"-{text[start:end]}-".split())[1:-1])
        if run.closes:
            parts.append(slot)
            slot += 1
    optional = frozenset(number for number, spans in enumerate(bounds) if any(low == high for low, high in spans))
    return tuple(parts), optional


def _with_slots(
    parts: tuple[Part, ...], optional: frozenset[int], texts: Sequence[str], namer: Namer | None
) -> TaskTemplate:
    matcher = Matcher(parts, optional)
    rows = [values for values in map(matcher.match, texts) if values is not None]
    slots: list[TaskSlot] = []
    for place, part in enumerate(parts):
        if isinstance(part, str):
            continue
        values = list(dict.fromkeys(row[part] for row in rows if row[part]))
        before = parts[place - 1] if place else ""
        after = parts[place + 1] if place + 1 < len(parts) else ""
        before, after = (side if isinstance(side, str) else "" for side in (before, after))
        quoted = before[-1:] in QUOTES | {"“", "‘", "«"} and after[:1] in QUOTES | {"”", "’", "»"}  # noqa: RUF001
        context = SlotContext(tuple(values), common_type(values, quoted=quoted), before, after)
        name = name_slot(context, [slot.name for slot in slots], namer)
        examples = tuple(value[:MAX_EXAMPLE] for value in values[:MAX_EXAMPLES])
        slots.append(TaskSlot(name, context.type, examples, part in optional))
    return TaskTemplate(parts, tuple(slots), tuple(texts))


@lru_cache(maxsize=256)
def _matcher(parts: tuple[Part, ...], slots: tuple[TaskSlot, ...]) -> Matcher:
    return Matcher(parts, frozenset(number for number, slot in enumerate(slots) if slot.optional))
