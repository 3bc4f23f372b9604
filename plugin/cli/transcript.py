"""How the events of a run look: as JSON for programs, and as a transcript for people.

The transcript is made while it is read, so a run may be of any length: at most one turn is held, and of a long turn a
part, to put a tool's answer with its call. What came from people, models and tools is never taken for anything but
text (:func:`.output.clean`).
"""

from __future__ import annotations

from datetime import datetime, timezone
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

from ...instrumentation.describing import duration, text_of
from ...instrumentation.moments import Part, tool_uses
from ...instrumentation.steps import Step
from . import output
from .wording import BODY_CHARACTERS, BODY_LINES, HEAD_CHARACTERS, STYLES, colour_of, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.text import Text

    from ...instrumentation.events import Event

HELD = 400
"""Events of a turn that are held at most to put together what belongs together."""

INDENT = " " * 26
"""Before the texts of a transcript: as wide as the time and kind of an event."""


def iso(nanoseconds: int) -> str:
    """A moment in nanoseconds since the epoch as ISO 8601 in UTC, with microseconds."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, timezone.utc).replace(microsecond=rest // 1000)
    return moment.isoformat(timespec="microseconds")


def event_json(event: Event, *, prompts: bool) -> dict[str, Any]:
    """An event as ``seasoned show --json`` prints it; the prompt of a model call only where asked for."""
    out: dict[str, Any] = {
        "seq": event.seq,
        "kind": event.kind,
        "at": iso(event.at),
        "at_ns": event.at,
        "turn": event.turn,
        "agent": event.agent,
        "duration_ms": event.payload.get("duration_ms"),
    }
    for key, value in event.public().items():
        out.setdefault(key, value)
    if not prompts:
        out.pop("prompt", None)
    return out


class Inside(NamedTuple):
    """A run inside the one that is shown: when it began, its id and its task."""

    started_ns: int
    run_id: str
    task: str | None


class Transcript:
    """Makes the lines of a transcript.

    Args:
        start_ns: where time begins: times are seconds since then.
        full: long texts in full.
        prompts: with every model call, its prompt.
        width: columns of the rules between turns.
        room: columns that texts are wrapped to; None leaves that to whoever shows them.
        colours: whether there are any; without, what was injected is marked with ``>>``.
        inside: the runs inside this one, by when they began.
    """

    def __init__(
        self,
        *,
        start_ns: int,
        full: bool = False,
        prompts: bool = False,
        width: int = 100,
        room: int | None = None,
        colours: bool = False,
        inside: Sequence[Inside] = (),
    ) -> None:
        self.start_ns = start_ns
        self.full = full
        self.prompts = prompts
        self.width = width
        self.room = room
        self.mark = "┃ " if colours else ">> "
        self._inside = list(inside)[::-1]
        self._sent: dict[str | None, list[dict[str, Any]]] = {}
        self._numbers: dict[str, tuple[int, int]] = {}
        self._turn = 0
        self._last_turn = 0

    @property
    def missing(self) -> int:
        """How many numbers had no event so far."""
        return sum(highest + 1 - count for highest, count in self._numbers.values())

    def lines(self, events: Iterable[Event]) -> Iterator[Text]:
        """The transcript, event by event."""
        for held in self._stretches(events):
            if held[0].turn != self._turn:
                yield self._rule(held)
            uses = _joined(held)
            joined = {id(result) for result in uses.values()}
            told = {(step.agent, text_of(step.payload.get("content"))) for step in held if step.kind == "message"}
            answers = {text_of(result.payload.get("content")) for result in uses.values() if not result.failed}
            for step in held:
                yield from self._nested(step.at_ns)
                if id(step) not in joined:
                    yield self._step(step, uses.get(id(step)), told, answers)
        yield from self._nested(None)

    def _stretches(self, events: Iterable[Event]) -> Iterator[list[Step]]:
        """The steps of one turn after the other, of a long turn part by part."""
        held: list[Step] = []
        for event in events:
            if held and (event.turn != held[0].turn or len(held) >= HELD):
                yield held
                held = []
            highest, count = self._numbers.get(event.writer, (-1, 0))
            self._numbers[event.writer] = max(highest, event.seq), count + 1
            held.append(Step(event))
        if held:
            yield held

    def _rule(self, held: list[Step]) -> Text:
        turn = self._turn = held[0].turn
        agent = next((step.agent for step in held if step.kind == "message" and step.agent), None) or next(
            (step.agent for step in held if step.agent), None
        )
        name = output.one_line(agent, 60)
        title = f"turn {turn}" if turn else "outside of turns"
        if turn and turn <= self._last_turn:
            title += ", again"
        self._last_turn = max(self._last_turn, turn)
        text = output.plain("").append(f"\n── {title}", "dim")
        if name and turn:
            text.append(" · ", "dim")
            text.append(name, f"bold {colour_of(agent or '')}")
        text.append(" " + "─" * max(2, self.width - len(text.plain)), "dim")
        return text

    def _nested(self, until_ns: int | None) -> Iterator[Text]:
        """The runs inside that began before this."""
        while self._inside and (until_ns is None or self._inside[-1].started_ns <= until_ns):
            inner = self._inside.pop()
            text = self._begin(inner.started_ns, "nested run", "bold")
            text.append(f" {output.one_line(inner.run_id, 200)}  {output.one_line(inner.task, 120)}".rstrip(), "bold")
            yield text

    def _begin(self, at_ns: int, kind: str, style: str) -> Text:
        text = output.plain("").append(f"{(at_ns - self.start_ns) / 1e9:9.3f}  ", "dim")
        text.append(f"{kind:<14}", style)
        return text

    # -- a step ----------------------------------------------------------------------------------------------

    def _step(self, step: Step, result: Step | None, told: set[tuple[str | None, str]], answers: set[str]) -> Text:
        """A step; what another one of the turn shows, a message ``told`` or a tool's answer, is not shown twice."""
        failed = step.failed or (result is not None and result.failed)
        text = self._begin(step.at_ns, step.kind, "red" if failed else STYLES.get(step.kind, ""))
        head, body = words_of(step.event)
        if result is not None and result.duration_ms is not None:
            head += f", {duration(result.duration_ms / 1000)}"
        answer = _answer(step) if step.kind == "model_call" else ""
        if answer and (step.agent, answer) in told:
            head, answer = f"{head}; its answer is the message", ""
        elif step.kind == "message" and body and body in answers:
            head, body = f"{head}; the tool's answer", ""
        self._head(text, step, head, failed=failed)
        if step.kind == "injection":
            self._injection(text, step, body)
        elif step.kind == "model_call":
            if self.prompts and isinstance(step.payload.get("prompt"), list):
                self._prompt(text, step)
            self._body(text, answer, "red" if failed else "", first="→ " if self.prompts else "")
        elif result is not None:
            self._result(text, result)
        else:
            self._body(text, body, "red" if failed else "")
        return text

    def _head(self, text: Text, step: Step, head: str, *, failed: bool) -> None:
        line = output.one_line(head, max(2, len(head)) if self.full else HEAD_CHARACTERS)
        agent = output.one_line(step.agent, 200)
        text.append(" ")
        if agent and line.startswith(agent) and not failed:
            text.append(agent, f"bold {colour_of(step.agent or '')}" if step.kind == "message" else "bold")
            line = line[len(agent) :]
        text.append(line, "red" if failed else "")

    def _result(self, text: Text, result: Step) -> None:
        _, body = words_of(result.event)
        self._body(text, body or "nothing", "red" if result.failed else "", first="✗ " if result.failed else "→ ")

    def _injection(self, text: Text, step: Step, body: str) -> None:
        """What was put in, and of each section why."""
        sections = step.payload.get("sections")
        known = [section for section in sections if isinstance(section, dict)] if isinstance(sections, list) else []
        if not known:
            self._body(text, body, "magenta", mark=self.mark)
        for section in known:
            self._body(text, text_of(section.get("text")), "magenta", mark=self.mark)
            why = text_of(section.get("why"))
            if why:
                line = output.one_line(f"why: {why}", len(why) + 8 if self.full else HEAD_CHARACTERS)
                for piece in self._wrapped(line):
                    text.append(f"\n{INDENT}{piece}", "dim italic")

    def _prompt(self, text: Text, step: Step) -> None:
        """The prompt as sent. Messages that were in this agent's call before are counted only, unless in full."""
        prompt = [message if isinstance(message, dict) else {"content": message} for message in step.payload["prompt"]]
        before = [] if self.full else self._sent.get(step.agent, [])
        self._sent[step.agent] = prompt
        folded = 0
        for at, message in enumerate([*prompt, None]):
            if message is not None and at < len(before) and before[at] == message:
                folded += 1
                continue
            if folded:
                many = f"{folded} messages" if folded > 1 else "1 message"
                text.append(f"\n{INDENT}… {many} as in its call before (--full shows them)", "dim")
                folded = 0
            if message is None:
                break
            text.append(f"\n{INDENT}[{output.one_line(text_of(message.get('role')), 40)}]", "bold dim")
            for part in prompt_parts(prompt, at, step.payload.get("injected")):
                style, mark = ("magenta", self.mark) if part.injected else ("", "")
                self._body(text, part.text, style, mark=mark)

    def _body(self, text: Text, body: str, style: str = "", *, mark: str = "", first: str = "") -> None:
        for line in cut(body, full=self.full):
            for piece in self._wrapped(line):
                text.append(f"\n{INDENT}{mark}{first}{piece}", style)
                first = " " * len(first)

    def _wrapped(self, line: str) -> list[str]:
        """A line in pieces that stay under each other in the terminal."""
        if self.room is None or len(line) <= self.room:
            return [line]
        return wrap(line, self.room, replace_whitespace=False, tabsize=4) or [line]


def _joined(held: list[Step]) -> dict[int, Step]:
    """The results of the tool calls among some steps, by the identity of the call."""
    try:
        uses = tool_uses(step for step in held if step.kind in ("tool_call", "tool_result"))
    except TypeError:  # a tool's name or a call's id that is a list or the like
        return {}
    return {id(call): result for call, result in uses if call is not None and result is not None}


def _answer(step: Step) -> str:
    """What a model answered, or why it did not."""
    payload = step.payload
    parts = [text_of(payload.get("response"))]
    if payload.get("error"):
        parts.append(f"{text_of(payload.get('error_type'))}: {text_of(payload['error'])}")
    return "\n".join(part for part in parts if part)


def prompt_parts(prompt: Sequence[dict[str, Any]], at: int, block: str | None) -> list[Part]:
    """A prompt's message in pieces, what was injected apart from the rest, and what it has beside its content."""
    message = prompt[at]
    content = message.get("content")
    system = next((index for index, other in enumerate(prompt) if other.get("role") == "system"), None)
    if block and at == system:
        if isinstance(content, list):
            rest = text_of(content[:-1]) if content[:-1] else ""
        else:
            rest = text_of(content).removesuffix(block)
        parts = [Part(rest.rstrip("\n"), injected=False), Part(block, injected=True)]
    else:
        parts = [Part(text_of(content), injected=False)]
    more = {key: value for key, value in message.items() if key not in ("role", "content") and value is not None}
    parts.append(Part(text_of(more) if more else "", injected=False))
    return [part for part in parts if part.text]


def cut(body: str, *, full: bool) -> list[str]:
    """The lines of a text, cleaned; of a long one the first, and a line about the rest."""
    if full:
        return output.clean(body).strip("\n").split("\n") if body else []
    # so much of it is looked at that a text of any length costs little
    every = output.clean(body[: 2 * BODY_CHARACTERS]).strip("\n").split("\n") if body else []
    kept: list[str] = []
    room = BODY_CHARACTERS
    for line in every[:BODY_LINES]:
        if len(line) > room:
            kept.append(line[:room] + "…")
            room = 0
            break
        kept.append(line)
        room -= len(line)
    if len(kept) < len(every) or room == 0 or len(body) > 2 * BODY_CHARACTERS:
        kept.append(f"… ({len(body)} characters in all; --full shows them)")
    return kept
