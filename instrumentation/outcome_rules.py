"""Ready-made outcome rules, configured in the table ``[outcome]``; ``docs/outcomes.md`` shows each.

A rule judges from what happened: from what another agent said, from how a program ended, from what a tool gave back.
It never lets anybody be judged by its own words: a rule on messages names the agent that speaks them, and that
agent earns nothing by the verdict. What did not happen says nothing: then the rule leaves the run to the next.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import ConfigError
from .records import OutcomeRule, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .events import Event
    from .reading import RunRecord

_EXCERPT = 80
"""How many characters of the text that decided are quoted in the reason."""


def rules_from(config: Mapping[str, Any]) -> list[OutcomeRule]:
    """The rules that a configuration asks for, in the order in which it names them.

    Each key is a kind of rule, ``termination_text``, ``exit_code`` or ``pattern``; its value is a table of that
    rule's settings, or a list of such tables. ``exit_code = true`` stands for an empty table.

    Raises:
        ConfigError: for an unknown kind or setting, a missing one, an ill-typed value or a pattern that is none.
    """
    rules: list[OutcomeRule] = []
    for kind, given in config.items():
        if kind not in _KINDS:
            raise ConfigError(f"[outcome] has no rule {kind!r}; {_nearest(kind, _KINDS)}")
        if given is False:
            continue
        tables = given if isinstance(given, list) else [{} if given is True else given]
        for number, table in enumerate(tables, 1):
            place = f"[outcome.{kind}]" if len(tables) == 1 else f"[[outcome.{kind}]] number {number}"
            if not isinstance(table, dict):
                raise ConfigError(f"{place} is {table!r}, but must be a table of settings; see docs/outcomes.md")
            rules.append(OutcomeRule(name=kind, judge=_KINDS[kind](_Settings(place, table))))
    return rules


class _Settings:
    """One rule's table, read setting by setting."""

    def __init__(self, place: str, table: Mapping[str, Any]) -> None:
        self.place = place
        self._table = table

    def only(self, *names: str) -> None:
        for name in self._table:
            if name not in names:
                raise ConfigError(f"{self.place} has an unknown setting {name!r}; {_nearest(name, names)}")

    def text(self, name: str) -> str | None:
        value = self._table.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{self.place}: {name} is {value!r}, but must be a text in quotes that is not empty")
        return value

    def pattern(self, name: str) -> re.Pattern[str] | None:
        source = self.text(name)
        if source is None:
            return None
        try:
            pattern = re.compile(source)
        except (re.error, OverflowError, RecursionError) as error:
            raise ConfigError(
                f"{self.place}: {name} is not a regular expression: {error}; correct {source!r}"
            ) from error
        if pattern.search(""):
            raise ConfigError(f"{self.place}: {name} = {source!r} matches the empty text, so it would always decide")
        return pattern

    def one_of(self, *names: str) -> None:
        if not any(name in self._table for name in names):
            raise ConfigError(f"{self.place} needs {' or '.join(names)}: without either it could never decide")


class _Words(NamedTuple):
    """What a text must say to decide."""

    success: re.Pattern[str] | None
    failure: re.Pattern[str] | None

    def verdict(self, texts: Iterable[str], said: str, *, kind: str, excluded: tuple[str, ...]) -> Verdict | None:
        """By the last text that says one of the two; one that says both is no evidence for success."""
        for text in texts:
            for success, pattern in ((False, self.failure), (True, self.success)):
                found = None if pattern is None else pattern.search(text)
                if found is not None:
                    reason = f"{said} {_quoted(found)}"
                    return Verdict(success=success, reason=reason, source=f"rule:{kind}", excluded=excluded)
        return None


def _termination_text(settings: _Settings) -> Callable[[RunRecord, Sequence[Event]], Verdict | None]:
    settings.only("agent", "success", "failure")
    agent = settings.text("agent")
    if agent is None:
        raise ConfigError(
            f"{settings.place} needs agent, the name of the agent whose words decide: nobody is judged by its own "
            f"words, so somebody other than those who did the work must say them"
        )
    settings.one_of("success", "failure")
    words = _Words(*(_literal(settings.text(name)) for name in ("success", "failure")))

    def judge(run: RunRecord, events: Sequence[Event]) -> Verdict | None:  # noqa: ARG001  the contract's signature
        said = (
            _text(event, "content") for event in reversed(events) if event.kind == "message" and event.agent == agent
        )
        return words.verdict(said, f"{agent} said", kind="termination_text", excluded=(agent,))

    return judge


def _exit_code(settings: _Settings) -> Callable[[RunRecord, Sequence[Event]], Verdict | None]:
    settings.only("agent")
    agent = settings.text("agent")

    def judge(run: RunRecord, events: Sequence[Event]) -> Verdict | None:  # noqa: ARG001  the contract's signature
        for event in reversed(events):
            if event.kind == "code_execution" and agent in (None, event.agent):
                code = event.payload.get("exit_code")
                if isinstance(code, int) and not isinstance(code, bool):
                    reason = f"the last program ended with exit code {code}"
                    return Verdict(success=code == 0, reason=reason, source="rule:exit_code")
        return None

    return judge


_PLACES = {
    "tool_result": ("tool_result", ("content", "error")),
    "code_output": ("code_execution", ("output",)),
    "message": ("message", ("content",)),
}


def _pattern(settings: _Settings) -> Callable[[RunRecord, Sequence[Event]], Verdict | None]:
    settings.only("where", "agent", "tool", "success", "failure")
    where = settings.text("where")
    if where not in _PLACES:
        given = "needs where" if where is None else f"has where = {where!r}"
        raise ConfigError(f"{settings.place} {given}; it is one of {', '.join(_PLACES)}")
    agent, tool = settings.text("agent"), settings.text("tool")
    if where == "message" and agent is None:
        raise ConfigError(
            f"{settings.place} with where = 'message' needs agent, the name of the agent whose words decide: nobody is "
            f"judged by its own words, so somebody other than those who did the work must say them"
        )
    if tool is not None and where != "tool_result":
        raise ConfigError(f"{settings.place}: tool goes with where = 'tool_result' only; take it out or change where")
    settings.one_of("success", "failure")
    words = _Words(settings.pattern("success"), settings.pattern("failure"))
    kind, keys = _PLACES[where]
    excluded = (agent,) if where == "message" and agent is not None else ()
    said = {"tool_result": f"the result of {tool or 'a tool'}", "code_output": "the program's output"}.get(where)
    said = f"{agent} said" if said is None else f"{said} was"

    def judge(run: RunRecord, events: Sequence[Event]) -> Verdict | None:  # noqa: ARG001  the contract's signature
        texts = (
            "\n".join(filter(None, (_text(event, key) for key in keys)))
            for event in reversed(events)
            if event.kind == kind and agent in (None, event.agent) and tool in (None, event.payload.get("tool"))
        )
        return words.verdict(texts, said, kind="pattern", excluded=excluded)

    return judge


_KINDS: dict[str, Callable[[_Settings], Callable[[RunRecord, Sequence[Event]], Verdict | None]]] = {
    "termination_text": _termination_text,
    "exit_code": _exit_code,
    "pattern": _pattern,
}


def _literal(text: str | None) -> re.Pattern[str] | None:
    """``text`` as words of their own: ``APPROVED`` is said neither by ``DISAPPROVED`` nor by ``NOT APPROVED``."""
    if text is None:
        return None
    before = r"(?<!\w)" if re.match(r"\w", text) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", text) else ""
    return re.compile(r"(?<![Nn][Oo][Tt] )(?<!n't )(?<!N'T )" + before + re.escape(text) + after)


def _text(event: Event, key: str) -> str:
    value = event.payload.get(key)
    return value if isinstance(value, str) else ""


def _quoted(found: re.Match[str]) -> str:
    words = " ".join(found[0].split())
    return repr(words if len(words) <= _EXCERPT else words[: _EXCERPT - 1] + "…")


def _nearest(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(name), list(names), n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
