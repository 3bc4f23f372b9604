"""The transcript of a run in a report: its turns, and in each what was said, called, run, handed over or lost.

A tool's call and its result stand together, wherever the result came. What failed is open, red and says so in words;
what only matters to somebody who looks closely (prompts, snapshots) is folded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..instrumentation.describing import described, duration, money, text_of
from ..instrumentation.moments import ToolUse, tool_uses
from .report_nodes import Node, h, name
from .report_prompts import Prompts, block
from .report_texts import count, counted, laid_out, said, since, typed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..instrumentation.steps import Step

COLOURS = 8
"""Colours of speakers; with more agents they come again."""


class Transcript:
    """Makes the transcript of one run.

    Args:
        run_id: the run; commands that show more name it.
        start_ns: when it began.
        agents: in order of appearance, for their colours.
        prefix: of the ids of its turns, for several runs in a page.
        level: of the turns' headings.
        most: characters of one text that are kept.
    """

    def __init__(
        self, run_id: str, start_ns: int, agents: Sequence[str], *, prefix: str = "", level: int = 3, most: int = 20_000
    ) -> None:
        self._run_id, self._start, self._prefix, self._level, self._most = run_id, start_ns, prefix, level, most
        self._agents = {agent: number for number, agent in enumerate(agents)}
        self._uses: dict[int, ToolUse] = {}
        self._answers: set[str] = set()
        self._prompts = Prompts(prefix, most, self._way)
        self._contents = False

    @property
    def without_contents(self) -> bool:
        """Whether there were messages, and not one of them had its content."""
        return bool(self._uses is not None and self._messages and not self._contents)

    _messages = 0

    def turns(self, found: Sequence[tuple[int, Sequence[Step]]]) -> list[Node]:
        """The nodes of these turns, each given by its number and its steps."""
        everything = [step for _, steps in found for step in steps]
        for use in tool_uses(everything):
            step = use.call or use.result
            if step is not None:
                self._uses[id(step)] = use
            if use.call is not None and use.result is not None:
                self._uses[id(use.result)] = ToolUse(None, None)  # told with its call
            if use.result is not None:
                self._answers.add(text_of(use.result.payload.get("content")))
        for step in everything:
            if step.kind == "message":
                self._messages += 1
                self._contents = self._contents or step.payload.get("content") is not None
        return [self._turn(number, steps) for number, steps in found]

    def _turn(self, number: int, steps: Sequence[Step]) -> Node:
        agent = _speaker(steps)
        anchor = f"{self._prefix}turn-{number}"
        shown = [node for step in steps for node in self._step(step, agent)]
        failed = sum(step.failed for step in steps)
        begun, ended = steps[0].at_ns, steps[-1].at_ns
        took = ended - begun
        heading = h(
            f"h{self._level}",
            h("a", f"Turn {number}", href=f"#{anchor}", class_="anchor"),
            [h("span", " ", name(agent, "bdi", class_="speaker"))] if agent else None,
            id=f"{anchor}-h",
        )
        facts = since(begun - self._start) + (f", {duration(took / 1e9)}" if took >= 1e6 else "")
        return h(
            "section",
            h("div", heading, h("p", facts, class_="soft small"),
              h("p", f"✕ {counted(failed, 'failure')}", class_="bad small") if failed else None, class_="by"),
            h("div", shown or h("p", "Nothing else was recorded in it.", class_="soft small"), class_="steps"),
            class_=f"turn c{self._colour(agent)}", id=anchor, aria_labelledby=f"{anchor}-h", tabindex="-1",
        )  # fmt: skip

    def _colour(self, agent: str | None) -> int:
        if agent is None:
            return COLOURS
        return self._agents.setdefault(agent, len(self._agents)) % COLOURS

    def _way(self, step: Step) -> str:
        return f"seasoned show {typed(self._run_id)} --turn {step.turn} --full"

    def _said(self, step: Step, value: Any, *, code: bool = False) -> list[Node]:
        return said(laid_out(value) if code else text_of(value), self._most, self._way(step), code=code)

    # -- kinds of steps --------------------------------------------------------------------------------------

    def _step(self, step: Step, agent: str | None) -> list[Node]:
        show: Callable[[Step, str | None], list[Node]] = getattr(self, f"_{step.kind}", self._other)
        return show(step, agent)

    def _message(self, step: Step, agent: str | None) -> list[Node]:
        payload = step.payload
        content = payload.get("content")
        if content in (None, "") or (payload.get("role") == "tool" and text_of(content) in self._answers):
            if content is None and payload.get("role") == "user":
                return [h("p", "A message; its content was not kept.", class_="soft small line")]
            return []  # it carried calls only, or its tool's result tells it
        to = [text_of(one) for one in payload.get("recipients") or [] if one is not None]
        who = [name(step.agent), " "] if step.agent != agent else []
        head = [*who, h("span", "to ", *_listed(to), class_="soft")] if to else who
        body = self._said(step, content, code=payload.get("role") == "tool")
        kind = "message user" if payload.get("role") == "user" else "message"
        return [h("div", h("p", head, class_="head small") if head else None, body, class_=kind)]

    def _model_call(self, step: Step, agent: str | None) -> list[Node]:
        payload = step.payload
        failed = step.failed
        usage = payload.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        facts: list[Any] = []
        if usage:
            facts.append(f"{_figure(usage.get('input_tokens'))} + {_figure(usage.get('output_tokens'))} tokens")
        cost = payload.get("cost_usd")
        if isinstance(cost, (int, float)):
            facts.append(money(cost))
        if step.duration_ms is not None:
            facts.append(duration(step.duration_ms / 1000))
        if payload.get("cached"):
            facts.append("from the cache")
        if payload.get("internal"):
            facts.append("the framework's own")
        if payload.get("injected"):
            facts.append("with experience")
        summary = h(
            "summary", h("b", "model call"), " ", *self._other_agent(step, agent),
            name(text_of(payload.get("model")) or "unknown model"), _facts(facts), _failed(failed),
        )  # fmt: skip
        parts: list[Any] = self._prompts.of(step)
        for title, key in (("Reasoning", "reasoning"), ("Answer", "response")):
            if payload.get(key) not in (None, ""):
                parts += [h("p", title, class_="label"), *self._said(step, payload[key])]
        if payload.get("tool_calls"):
            parts += [h("p", "Calls that it asked for", class_="label"),
                      *self._said(step, payload["tool_calls"], code=True)]  # fmt: skip
        if failed:
            why = f"{text_of(payload.get('error_type'))}: {text_of(payload.get('error'))}"
            parts += [h("p", "Error", class_="label"), *self._said(step, why)]
        if not parts:
            parts = [h("p", "Neither its prompt nor its answer was kept.", class_="soft small")]
        return [h("details", summary, h("div", parts, class_="inside"), class_=_kind("model", failed), open=failed)]

    def _tool_call(self, step: Step, agent: str | None) -> list[Node]:
        use = self._uses.get(id(step), ToolUse(step, None))
        return self._use(use, agent) if use.call or use.result else []

    _tool_result = _tool_call

    def _use(self, use: ToolUse, agent: str | None) -> list[Node]:
        call, result = use.call, use.result
        step = call or result
        assert step is not None  # noqa: S101  one of the two is there
        failed = result is not None and result.failed
        facts: list[Any] = []
        caller = text_of(call.payload.get("caller")) if call is not None else ""
        if result is None:
            facts.append("no answer was recorded")
        elif result.duration_ms is not None:
            facts.append(duration(result.duration_ms / 1000))
        if result is not None and call is not None and result.turn != call.turn:
            facts.append(f"answered in turn {result.turn}")
        summary = h(
            "summary", h("b", "tool"), " ", *self._other_agent(step, agent), h("code", name(use.tool or "?")),
            [" for ", name(caller)] if caller and caller != step.agent else None, _facts(facts), _failed(failed),
        )  # fmt: skip
        parts: list[Any] = []
        if call is not None:
            arguments = call.payload.get("arguments")
            shown = self._said(step, arguments, code=True) if arguments not in (None, {}, "") else _nothing()
            parts += [h("p", "Arguments", class_="label"), *shown]
        if result is not None:
            content, error = result.payload.get("content"), result.payload.get("error")
            parts += [h("p", "Result", class_="label")]
            if failed and (error is not None or result.payload.get("error_type")):
                why = f"{text_of(result.payload.get('error_type')) or 'failed'}: {text_of(error)}"
                parts += [h("div", self._said(result, why), class_="wrong")]
            if content not in (None, "") and content != error:
                parts += self._said(result, content, code=True)
            elif not failed:
                parts += _nothing()
        return [h("details", summary, h("div", parts, class_="inside"), class_=_kind("tool", failed), open=failed)]

    def _code_execution(self, step: Step, agent: str | None) -> list[Node]:
        payload, failed = step.payload, step.failed
        facts = [f"exit code {text_of(payload.get('exit_code')) or 'unknown'}"]
        if step.duration_ms is not None:
            facts.append(duration(step.duration_ms / 1000))
        summary = h(
            "summary", h("b", "code"), " ", *self._other_agent(step, agent),
            name(text_of(payload.get("language")) or "unknown language"), _facts(facts), _failed(failed),
        )  # fmt: skip
        parts: list[Any] = []
        for title, key in (("Code", "code"), ("Output", "output")):
            shown = said(text_of(payload.get(key)), self._most, self._way(step), code=True)
            parts += [h("p", title, class_="label"), *(shown if payload.get(key) else _nothing())]
        return [h("details", summary, h("div", parts, class_="inside"), class_=_kind("code", failed), open=True)]

    def _transition(self, step: Step, _agent: str | None) -> list[Node]:
        reason = text_of(step.payload.get("reason"))
        to = name(text_of(step.payload.get("to_agent")) or "?")
        return [h("p", "→ ", to, f" ({reason[:200]})" if reason else "", class_="line soft small")]

    def _human_input(self, step: Step, _agent: str | None) -> list[Node]:
        head = h("p", h("b", "typed by a person"), " for ", name(step.agent), class_="head small")
        return [h("div", head, self._said(step, step.payload.get("content")), class_="message user")]

    def _artifact(self, step: Step, agent: str | None) -> list[Node]:
        payload = step.payload
        facts = [f"{key} {text_of(payload[key])[:80]}" for key in ("change", "size", "language") if payload.get(key)]
        summary = h("summary", h("b", "file"), " ", *self._other_agent(step, agent),
                    h("code", name(text_of(payload.get("path")))), _facts(facts))  # fmt: skip
        content = payload.get("content")
        body = self._said(step, content, code=True) if content is not None else _nothing("Its content was not kept.")
        return [h("details", summary, h("div", body, class_="inside"), class_="fold file")]

    def _context_snapshot(self, step: Step, agent: str | None) -> list[Node]:
        summary = h("summary", h("b", "shared context"), " ", *self._other_agent(step, agent),
                    text_of(step.payload.get("reason"))[:200])  # fmt: skip
        body = self._said(step, step.payload.get("content"), code=True)
        return [h("details", summary, h("div", body, class_="inside"), class_="fold")]

    def _injection(self, step: Step, _agent: str | None) -> list[Node]:
        self._prompts.given(step)
        tokens = step.payload.get("tokens")
        head = ["given to ", name(step.agent), h("span", f" · {_figure(tokens)} tokens", class_="soft small")]
        summary = h("summary", h("b", "experience"), " ", head)
        return [h("details", summary, h("div", block(step.payload), class_="inside"), class_="fold injected")]

    def _error(self, step: Step, _agent: str | None) -> list[Node]:
        head = h("p", h("b", "✕ error"), " ", name(text_of(step.payload.get("error_type"))),
                 [" at ", name(step.agent)] if step.agent else None, class_="head")  # fmt: skip
        return [h("div", head, self._said(step, step.payload.get("error")), class_="message wrong", data_seq=step.seq)]

    def _gap(self, step: Step, _agent: str | None) -> list[Node]:
        return [h("p", h("b", "✕ gap "), described(step.event)[0], class_="message wrong")]

    def _outcome(self, step: Step, _agent: str | None) -> list[Node]:
        success = step.payload.get("success")
        mood = "good" if success else "wrong" if success is False else ""
        title, reason = described(step.event)
        return [h("div", h("p", h("b", "outcome "), title[:1000]), self._said(step, reason) if reason else None,
                  class_=f"message {mood}")]  # fmt: skip

    def _run_started(self, step: Step, _agent: str | None) -> list[Node]:
        word = "the run went on" if step.payload.get("resumed") else "the run began"
        return [h("p", word, class_="line soft small")]

    def _run_finished(self, step: Step, _agent: str | None) -> list[Node]:
        reason = text_of(step.payload.get("reason"))
        return [h("p", "the run ended", f": {reason[:300]}" if reason else "", class_="line soft small")]

    def _feedback(self, step: Step, _agent: str | None) -> list[Node]:
        title, text = described(step.event)
        return [h("div", h("p", h("b", title[:300]), class_="head small"), self._said(step, text) if text else None,
                  class_="message user")]  # fmt: skip

    def _other(self, step: Step, agent: str | None) -> list[Node]:
        """A kind that only a newer version knows."""
        summary = h("summary", h("b", step.kind.replace("_", " ")[:80]), " ", *self._other_agent(step, agent))
        return [h("details", summary, h("div", self._said(step, step.payload, code=True), class_="inside"),
                  class_="fold")]  # fmt: skip

    def _other_agent(self, step: Step, agent: str | None) -> list[Any]:
        return [name(step.agent), " "] if step.agent and step.agent != agent else []


def _speaker(steps: Sequence[Step]) -> str | None:
    """Whose turn it was: the sender of its first message, else whoever did something first."""
    for kinds in (("message",), ("model_call", "tool_call", "code_execution", "human_input")):
        for step in steps:
            if step.kind in kinds and step.agent is not None:
                return step.agent
    return None


def _kind(kind: str, failed: bool) -> str:
    return f"fold {kind} failed" if failed else f"fold {kind}"


def _failed(failed: bool) -> Node | None:
    return h("span", " ✕ failed", class_="bad") if failed else None


def _facts(facts: Sequence[Any]) -> Node | None:
    return h("span", " · " + " · ".join(map(str, facts)), class_="soft small") if facts else None


def _figure(value: Any) -> str:
    return count(value) if isinstance(value, int) else text_of(value)[:40] or "?"


def _listed(names: Sequence[str]) -> list[Any]:
    parts: list[Any] = []
    for one in names[:6]:
        parts += [", "] if parts else []
        parts.append(name(one))
    return [*parts, f" and {len(names) - 6} more"] if len(names) > 6 else parts


def _nothing(words: str = "None.") -> list[Node]:
    return [h("p", words, class_="soft small")]
