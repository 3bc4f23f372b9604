"""Prompts in a report, as models were sent them, with what was put in marked and the reason of each of its lines.

A prompt repeats the one before and adds a little. A message stands in the page once, where it was sent first; later
prompts name it there, so that a long run does not fill the page with copies, and a script shows it on demand.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..growth.attributes import MODIFIERS
from ..instrumentation.describing import text_of
from .report_nodes import Node, h, name
from .report_texts import count, counted, said

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..instrumentation.steps import Step

BEGINNING = 90
"""Characters of a message that stand in its headline."""


class Prompts:
    """Shows the prompts of one run, each message once.

    Args:
        prefix: of the messages' ids.
        most: characters of one message that are kept.
        way: gives the command that shows a step in full.
    """

    def __init__(self, prefix: str, most: int, way: Callable[[Step], str]) -> None:
        self._prefix, self._most, self._way = prefix, most, way
        self._numbers: dict[str, int] = {}
        self._keys: dict[int, tuple[Any, str]] = {}
        self._injections: dict[str, Mapping[str, Any]] = {}

    def given(self, injection: Step) -> None:
        """Note what an agent was given, for the reasons of its lines."""
        self._injections[text_of(injection.payload.get("text"))] = injection.payload

    def of(self, step: Step) -> list[Node]:
        """The prompt of a model call; nothing where it was not kept or not read."""
        prompt = step.payload.get("prompt")
        if not isinstance(prompt, list) or not prompt:
            return []
        block_text = step.payload.get("injected")
        system = next((at for at, message in enumerate(prompt) if message.get("role") == "system"), None)
        shown: list[Node] = []
        again: list[int] = []
        for at, message in enumerate(prompt):
            injected = block_text if at == system and block_text else None
            key = self._key(message)
            number = self._numbers.get(key)
            if number is not None:
                again.append(number)
                continue
            shown += self._repeated(again)
            again = []
            number = self._numbers[key] = len(self._numbers) + 1
            shown.append(self._message(step, message, injected, number))
        shown += self._repeated(again)
        return [h("p", f"Prompt, {counted(len(prompt), 'message')}", class_="label"), h("ol", shown, class_="prompt")]

    def _key(self, message: dict[str, Any]) -> str:
        """The message's content, as a key. Prompts share their messages, so most are looked at only once."""
        known = self._keys.get(id(message))
        if known is None or known[0] is not message:
            known = (message, json.dumps(message, ensure_ascii=False, sort_keys=True, default=str))
            self._keys[id(message)] = known
        return known[1]

    def _message(self, step: Step, message: Mapping[str, Any], injected: str | None, number: int) -> Node:
        content = message.get("content")
        text = text_of(content)
        rest = {key: value for key, value in message.items() if key not in ("role", "content", "name")}
        beginning = " ".join(text[: BEGINNING * 3].split())[:BEGINNING]
        summary = h(
            "summary", h("b", text_of(message.get("role")) or "unknown"), " ",
            [name(text_of(message["name"])), " "] if message.get("name") else None,
            h("span", f"{count(len(text))} characters", " · with experience" if injected else "", class_="soft small"),
            h("span", " ", name(beginning), class_="beginning soft"),
        )  # fmt: skip
        body: list[Any] = []
        if content is None and not rest:
            body.append(h("p", "Its content is not known.", class_="soft small"))
        elif injected and not isinstance(content, list) and text.endswith(injected):
            body += said(text.removesuffix(injected), self._most, self._way(step))
        elif injected and isinstance(content, list):
            body += said(text_of(content[:-1]), self._most, self._way(step)) if content[:-1] else []
        elif text:
            body += said(text, self._most, self._way(step))
        if injected:
            body.append(h("div", block(self._injections.get(injected) or {"text": injected}), class_="put-in"))
        if rest:
            body += said(
                json.dumps(rest, ensure_ascii=False, indent=2, default=str), self._most, self._way(step), code=True
            )
        return h("li", h("details", summary, h("div", body, class_="inside")), id=f"{self._prefix}message-{number}")

    def _repeated(self, numbers: Sequence[int]) -> list[Node]:
        if not numbers:
            return []
        first, last = f"{self._prefix}message-{numbers[0]}", f"{self._prefix}message-{numbers[-1]}"
        what = ["the message sent before: "] if len(numbers) == 1 else [f"{len(numbers)} messages sent before: "]
        where: list[Any] = [h("a", f"message {numbers[0]}", href=f"#{first}")]
        if len(numbers) > 1:
            where += [" to ", h("a", f"message {numbers[-1]}", href=f"#{last}")]
        told = ",".join(f"{self._prefix}message-{number}" for number in numbers)
        button = h("button", "show", class_="again scripted", data_again=told, data_act="again", hidden=True)
        return [h("li", h("span", what, where, " ", class_="soft small"), button, class_="repeated")]


def block(payload: Mapping[str, Any]) -> list[Node]:
    """What an agent was given: each line, and under it why it is there."""
    sections = payload.get("sections")
    if not isinstance(sections, list) or not all(isinstance(section, dict) for section in sections):
        return [h("mark", h("pre", text_of(payload.get("text")), class_="text", dir="auto"), class_="given")]
    out: list[Node] = []
    for section in sections:
        reasons, rest = line_reasons(section)
        lines = [
            h("li", h("mark", line, dir="auto"),
              h("span", "because ", reasons[line], class_="why") if line in reasons else None)
            for line in text_of(section.get("text")).split("\n")
        ]  # fmt: skip
        why = h("p", "because ", rest, class_="why") if rest else None
        out.append(h("div", h("ul", lines), why, class_="given"))
    for template in payload.get("templates") or ():
        if isinstance(template, dict):
            facts = f"version {text_of(template.get('version'))}, {text_of(template.get('template_id'))}"
            out.append(h("p", "from the template ", h("b", name(text_of(template.get("name")))), f" ({facts})",
                         class_="why"))  # fmt: skip
    return out


_TRAIT_OF = {sentence: trait for trait, sentence in MODIFIERS.items()}


def line_reasons(section: Mapping[str, Any]) -> tuple[dict[str, str], str]:
    """Why each line of a section is there, and what is left of the section's reason that fits no line.

    The reason of a whole section names, one after another, the skills and traits that its lines are about.
    """
    parts = [part for part in text_of(section.get("why")).split("; ") if part]
    keyed = {part.split(":")[0].split(" is ")[0].strip().casefold(): part for part in parts}
    reasons: dict[str, str] = {}
    used: set[str] = set()
    for line in text_of(section.get("text")).split("\n"):
        said_by = line.removeprefix("- ")
        about = _TRAIT_OF.get(said_by) or said_by.split(":")[0]
        words = about.casefold().split()
        for size in range(len(words), 0, -1):
            key = " ".join(words[:size])
            key = key if key in keyed else key.replace(" ", "_")
            if line.startswith("- ") and key in keyed:
                reasons[line] = keyed[key]
                used.add(keyed[key])
                break
    return reasons, "; ".join(part for part in parts if part not in used) if not reasons else ""
