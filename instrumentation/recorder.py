"""The recorder: the hot path from an adapter to the journal.

``record`` takes about 5 microseconds for a short event: its texts are looked up in the run's cache (or
redacted, hashed and added to the line), the line is encoded and appended with one write. What may be slow
(database, learning, sinks) follows the journal in a thread of its own.

Adapters call it under the guard.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from .artifacts import AFTER, evolve
from .events import TEXT_KEYS, Event, as_text, encodable, encode, storable, text_ref
from .media import slim
from .prompts import PromptState, describe
from .runs import CURRENT, LATEST, Run, substantial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .artifacts import ArtifactWatch
    from .cost import Prices
    from .guard import Guard
    from .journal import Writer
    from .prompts import Reader
    from .redaction import Redactor
    from .texts import TextCache

_now = time.time_ns
INLINE_KEYS = ("arguments", "reason", "tool_calls", "flags", "sections", "caller", "path")
"""Payload keys whose values stay inside the event and may hold secrets: redacted in depth."""


class Recorder:
    """Writes the events of this process.

    Attributes:
        writer: the journal; replaced in a forked child.
        prices: the price table for model calls that come without a cost, or None.
        source: where runs come from that do not say it themselves; None for those of a working application.
        artifacts: watches the folders in which agents work, where the application names any.
        listeners: called with each :class:`Event` in full, after it is written. Empty in production, because
            it makes recording slower: for tests and for plugins that ask for it.
    """

    def __init__(
        self,
        writer: Writer,
        redactor: Redactor,
        guard: Guard,
        *,
        namespace: str,
        content: bool = True,
        domain: str | None = None,
    ) -> None:
        self.writer = writer
        self.redactor = redactor
        self.guard = guard
        self.namespace = namespace
        self.content = content
        self.domain = domain
        self.prices: Prices | None = None
        self.source: str | None = None
        self.listeners: tuple[Callable[[Event], None], ...] = ()
        self.on_start: Callable[[Run], None] | None = None
        self.on_finish: Callable[[Run], None] | None = None
        self.on_task: Callable[[Run], None] | None = None
        self.artifacts: ArtifactWatch | None = None
        self.events = 0
        self.runs_started = 0

    # -- events ----------------------------------------------------------------------------------------------

    def record(self, run: Run, kind: str, agent: str | None, payload: dict[str, Any], *, at: int | None = None) -> int:
        """Write one event and return its ``seq``. ``payload`` is this method's to change.

        Texts are given as they are; they are redacted here, before anything of them is hashed or written.
        """
        for key in INLINE_KEYS:
            if key in payload:
                payload[key] = self._inline(key, payload[key])
        if kind in AFTER:
            return self._worked(run, kind, agent, payload, at)
        return self._put(run, kind, agent, payload, at)

    def _worked(self, run: Run, kind: str, agent: str | None, payload: dict[str, Any], at: int | None) -> int:
        """A tool or program has ended: its event, and what it left behind."""
        program = evolve(run, agent, payload) if kind == "code_execution" else None
        seq = self._put(run, kind, agent, payload, at)
        if program is not None:
            run.scratch[program] = (payload["version"], seq)
        if self.artifacts is not None:
            self.guard.call("artifacts", self.artifacts.look, self, run, agent, payload.get("tool"))
        return seq

    def _put(self, run: Run, kind: str, agent: str | None, payload: dict[str, Any], at: int | None = None) -> int:
        """:meth:`record` for a payload that has nothing inline, or has it redacted already."""
        writer = self.writer
        seq = next(run.counter) if run.epoch is writer else run.next_seq(writer)
        texts: dict[str, str] = {}
        fresh: dict[str, str] = {}
        cache = run.cache
        for key in TEXT_KEYS[kind]:
            value: Any = payload.get(key)
            if value.__class__ is str and self.content:
                payload[key] = cache[value] or self._store(value, texts, fresh)
            elif value is not None:
                self._refer(cache, payload, key, value, texts, fresh)
        self._write(writer, run, seq, kind, agent, payload, texts, fresh, at)
        return seq

    def safely(self, run: Run, kind: str, payload: dict[str, Any], agent: str | None = None) -> None:
        """Write one event for the application's own call (an outcome, feedback): under the guard."""
        self.guard.call(f"recording {kind}", self.record, run, kind, agent, payload)

    def _inline(self, key: str, value: Any) -> Any:
        if self.content or key in ("reason", "flags", "caller"):
            return self.redactor.deep(value)
        if key == "tool_calls" and value:
            return [{**call, "arguments": None} if isinstance(call, dict) else None for call in value]
        return None

    def _refer(
        self, cache: TextCache, payload: dict[str, Any], key: str, value: Any,
        texts: dict[str, str], fresh: dict[str, str],
    ) -> None:  # fmt: skip
        """Put the reference of a text in its place in the payload, or its length where no content is kept."""
        if value.__class__ is not str:
            value = as_text(self.redactor.deep(slim(value)))
            payload.setdefault("json", []).append(key)
        if self.content:
            payload[key] = cache[value] or self._store(value, texts, fresh)
        else:
            payload[key] = None
            payload[key + "_chars"] = len(value)

    def _prompt_text(self, cache: TextCache, texts: dict[str, str], fresh: dict[str, str], value: Any) -> str | None:
        """The reference of a text in a prompt. What is no text is marked, because nothing beside it says so."""
        if value is None:
            return None
        text = value if value.__class__ is str else "\x01" + as_text(self.redactor.deep(slim(value)))
        return cache[text] or self._store(text, texts, fresh)

    def _store(self, text: str, texts: dict[str, str], fresh: dict[str, str]) -> str:
        """Redact a text that the run has not written yet, put it on the line, and give its reference."""
        stored = self.redactor.text(text)
        if "\x00" in stored or not stored.isascii():
            stored = storable(stored)
        ref = text_ref(stored)
        texts[ref] = stored
        fresh[text] = ref
        return ref

    def _write(
        self, writer: Writer, run: Run, seq: int, kind: str, agent: str | None, payload: dict[str, Any],
        texts: dict[str, str], fresh: dict[str, str], at: int | None = None,
    ) -> bool:  # fmt: skip
        """Encode and append the line; True where it is written. ``at`` is now where it is not given."""
        run_id, at = run.run_id, at or _now()
        try:
            data = encode((run_id, seq, kind, at, run.turn, agent, payload, texts))
        except Exception:  # noqa: BLE001  something in it that JSON cannot hold: keep it readable instead
            payload = {key: encodable(value) for key, value in payload.items()}
            data = encode((run_id, seq, kind, at, run.turn, agent and storable(agent), payload, texts))
        if not writer.append(data, run_id):
            run.cache.clear()
            return False
        if fresh:
            run.cache.update(fresh)
        self.events += 1
        if writer.pending:
            self._tell_gaps(run)
        if self.listeners:
            self._tell(run, seq, kind, agent, payload, at)
        return True

    def _tell_gaps(self, run: Run) -> None:
        """Writing works again: say in this run how many of its events were lost."""
        lost = self.writer.pending.pop(run.run_id, 0)
        if lost:
            self.record(run, "gap", None, {"lost": lost, "reason": self.writer.error})

    def _tell(self, run: Run, seq: int, kind: str, agent: str | None, payload: dict[str, Any], at: int) -> None:
        full = dict(payload)
        known = run.cache.by_reference()
        for key in TEXT_KEYS[kind]:
            ref = full.get(key)
            if ref is not None:
                full[key] = storable(self.redactor.text(known.get(ref, "")))
        event = Event(
            run_id=run.run_id, writer=self.writer.writer_id, seq=seq, kind=kind, at=at, turn=run.turn, agent=agent,
            payload=full,
        )  # fmt: skip
        for listener in self.listeners:
            self.guard.call("event listener", listener, event)

    # -- what has a shape of its own -------------------------------------------------------------------------

    def message(
        self, run: Run, sender: str, recipients: list[str], role: str, content: Any, *, by_user: bool = False
    ) -> None:
        """Record a message. ``by_user`` says that it may name the run's task."""
        payload: dict[str, Any] = {"recipients": recipients, "role": role, "content": content}
        if by_user and not run.task_substantial and content.__class__ is str and content:
            self.name_task(run, content)
            payload["task"] = True
        run.agents[sender] = None
        if content.__class__ is not str or not self.content:
            self._put(run, "message", sender, payload)
            return
        writer = self.writer  # as _put does it, for the most frequent event
        seq = next(run.counter) if run.epoch is writer else run.next_seq(writer)
        texts: dict[str, str] = {}
        fresh: dict[str, str] = {}
        payload["content"] = run.cache[content] or self._store(content, texts, fresh)
        self._write(writer, run, seq, "message", sender, payload, texts, fresh)

    def name_task(self, run: Run, task: str) -> None:
        """What the run is about, as far as it is known now."""
        run.task_substantial = substantial(task)
        run.task = task
        if self.on_task is not None:
            self.guard.call("task named", self.on_task, run)

    def transition(self, run: Run, from_agent: str, to_agent: str, reason: str) -> None:
        """Record who speaks next, and why. In most groups the reason is the same word every time."""
        if reason.__class__ is not str or reason not in self.redactor.clean:
            reason = self.redactor.label(reason)
        writer = self.writer
        seq = next(run.counter) if run.epoch is writer else run.next_seq(writer)
        payload = {"to_agent": to_agent, "reason": reason}
        self._write(writer, run, seq, "transition", from_agent, payload, {}, {})

    def model_call(
        self,
        run: Run,
        agent: str,
        messages: Sequence[dict[str, Any]],
        payload: dict[str, Any],
        *,
        block: str = "",
        response: Any = None,
        reasoning: Any = None,
        reader: Reader | None = None,
    ) -> None:
        """Record a model call with its prompt as sent: ``messages`` of the host, and our ``block`` in them.

        ``payload`` holds what is no text (model, usage, cost, tool calls, error type, duration). Where a ``reader``
        has given the messages, it is believed what it says of them, and they are not compared here.
        """
        writer = self.writer
        listed = messages if isinstance(messages, list) else list(messages)
        seq = next(run.counter) if run.epoch is writer else run.next_seq(writer)
        state: PromptState | None = run.prompts.pop(agent, None)  # from here on nobody else's
        cache = run.cache
        texts: dict[str, str] = {}
        fresh: dict[str, str] = {}
        prompt: dict[str, Any]
        content = self.content
        if content:
            # What was written to another journal, or compared by somebody else, says nothing about this prompt.
            if state is None or state.writer is not writer or state.reader is not reader:
                state = PromptState(writer, reader)
            refer = partial(self._prompt_text, cache, texts, fresh)
            prompt = describe(state, listed, refer, cache)
            prompt["block"] = refer(block) if block else None
        else:
            prompt = {"messages": len(listed)}
        payload["prompt"] = prompt
        if content and response.__class__ is str:
            payload["response"] = cache[response] or self._store(response, texts, fresh)
        elif response is None:
            payload["response"] = None
        else:
            self._refer(cache, payload, "response", response, texts, fresh)
        if reasoning is None:
            payload["reasoning"] = None
        else:
            self._refer(cache, payload, "reasoning", reasoning, texts, fresh)
        error = payload.setdefault("error", None)
        if error is not None:
            self._refer(cache, payload, "error", error, texts, fresh)
        if payload.get("tool_calls"):
            payload["tool_calls"] = self._inline("tool_calls", payload["tool_calls"])
        if self._write(writer, run, seq, "model_call", agent, payload, texts, fresh) and state is not None:
            state.take(seq, listed, prompt["keep"])
            run.prompts[agent] = state

    # -- runs ------------------------------------------------------------------------------------------------

    def begin(
        self,
        task: str | None = None,
        *,
        framework: str = "",
        domain: str | None = None,
        task_type: str | None = None,
        session_id: str | None = None,
        parent: Run | None = None,
        run_id: str | None = None,
        agents: Iterable[str] = (),
        explicit: bool = False,
        namespace: str | None = None,
        model: str | None = None,
        source: str | None = None,
        at: int | None = None,
    ) -> Run:
        """Start a run and record that. It is not made current: enter it with :func:`.runs.entered`."""
        run = Run(
            self, namespace=namespace or (parent.namespace if parent is not None else self.namespace),
            session_id=session_id,
            parent=parent, run_id=run_id, framework=framework,
            domain=domain or (parent.domain if parent is not None else self.domain), task_type=task_type,
            explicit=explicit,
        )  # fmt: skip
        if at is not None:
            run.started = at
        for name in agents:
            run.agents[name] = None
        if task:
            run.task, run.task_substantial = task, explicit or substantial(task)
        self.runs_started += 1
        if self.artifacts is not None:
            self.guard.call("artifacts", self.artifacts.started)
        self._started(run, resumed=False, model=model, source=source or self.source, at=at)
        if self.on_start is not None:
            self.guard.call("run started", self.on_start, run)
        if run.task is not None and self.on_task is not None:
            self.guard.call("task named", self.on_task, run)
        return run

    def resume(self, run: Run) -> None:
        """A follow-up in a conversation whose run is not judged yet: the run goes on."""
        run.finished = None
        run.last_error = None
        if self.artifacts is not None:
            self.guard.call("artifacts", self.artifacts.started)
        self._started(run, resumed=True)

    def _started(
        self, run: Run, *, resumed: bool, model: str | None = None, source: str | None = None, at: int | None = None
    ) -> None:
        payload: dict[str, Any] = {
            "task": run.task,
            "session": run.session_id,
            "namespace": run.namespace,
            "parent": run.parent.run_id if run.parent is not None else None,
            "framework": run.framework,
            "domain": run.domain,
            "task_type": run.task_type,
            "agents": list(run.agents),
            "resumed": resumed,
        }
        if model:
            payload["model"] = model
        if source:
            payload["source"] = source
        self.record(run, "run_started", None, payload, at=at or (None if resumed else run.started))

    def finish(self, run: Run, reason: str, *, error_type: str | None = None, at: int | None = None) -> None:
        """The run's chat has ended, for ``reason``. A follow-up may :meth:`resume` it."""
        run.finished = at or _now()
        if self.artifacts is not None:
            self.guard.call("artifacts", self.artifacts.finished)
        payload: dict[str, Any] = {
            "reason": reason, "task": run.task, "agents": list(run.agents), "framework": run.framework,
        }  # fmt: skip
        if error_type:
            payload["error_type"] = error_type
        self.record(run, "run_finished", None, payload, at=run.finished)
        run.prompts.clear()
        run.cache.clear()
        LATEST.set(run)
        if self.on_finish is not None:
            self.guard.call("run finished", self.on_finish, run)

    def error(self, run: Run, agent: str | None, error: BaseException) -> None:
        """Record an exception that leaves an agent's reply or the run; once for each exception object."""
        if run.last_error is error:
            return
        run.last_error = error
        self.record(run, "error", agent, {"error_type": type(error).__name__, "error": _message(error)})


def current() -> Run | None:
    """The run that is being worked on here, or else the one that last ended here; None where there is none."""
    return CURRENT.get() or LATEST.get()


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  a hostile __str__
        return f"<{type(error).__name__} without a message>"
