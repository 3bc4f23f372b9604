"""Where runs of LangChain and LangGraph begin, go on and end.

The outermost runnable is a run, but only once something happens in it that is worth one: a model, a tool or a node
of a graph begins. A prompt or a parser alone leaves nothing. A graph that is called within a tool is a child run;
a graph that is a node of another is part of that one's run.

A conversation goes on in its run until that is judged or has rested too long. It is recognised by its ``thread_id``
and by what is in the state: an earlier message of the run, or a resumption after an interrupt. A state without any
of the run's messages was reset. An application that keeps the history itself is recognised by the ids of the
replies in it, which LangChain makes unique.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from ..instrumentation.runs import CURRENT, Run
from . import LANGCHAIN as FRAMEWORK
from .langchain_messages import Said, given, lean, messages_in
from .langchain_state import USER, Core, Memory, Node, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .langchain_state import Step

_KEPT = 4096
"""How many threads, and how many replies, are remembered to recognise a follow-up by."""

_GENERIC = ("Runnable", "LangGraph", "Chat", "Prompt")
"""How the names begin that LangChain itself gives to runnables: they name nobody."""


def named(name: str | None) -> bool:
    """Whether a runnable's name was given by the application."""
    return bool(name) and not str(name).startswith(_GENERIC)


class Sessions:
    """The last run of each conversation."""

    def __init__(self) -> None:
        self._threads: OrderedDict[Any, Run] = OrderedDict()
        self._replies: OrderedDict[str, Run] = OrderedDict()

    def of_thread(self, key: Any) -> Run | None:
        """The last run of a thread."""
        return self._threads.get(key)

    def of_messages(self, messages: Sequence[Any]) -> Run | None:
        """The run whose reply is the last one in a history that an application keeps."""
        if self._replies:
            for message in reversed(messages):
                identity = message.get("id") if isinstance(message, dict) else getattr(message, "id", None)
                if isinstance(identity, str) and (found := self._replies.get(identity)) is not None:
                    return found
        return None

    def keep_thread(self, key: Any, run: Run) -> None:
        """``run`` is the last one of a thread."""
        _keep(self._threads, key, run)

    def keep_reply(self, identity: Any, run: Run) -> None:
        """A reply of this id was given in ``run``."""
        if isinstance(identity, str):
            _keep(self._replies, identity, run)


def _keep(known: OrderedDict[Any, Run], key: Any, run: Run) -> None:
    known[key] = run
    known.move_to_end(key)
    if len(known) > _KEPT:
        with contextlib.suppress(KeyError):  # another thread was faster
            while len(known) > _KEPT:
                known.popitem(last=False)


class Runs:
    """Begins and ends the runs of scopes."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.sessions = Sessions()
        self.dropped: Callable[[Node, BaseException], None] = _ignore

    # -- beginning -------------------------------------------------------------------------------------------

    @staticmethod
    def scope(metadata: Any) -> Scope:
        """The scope of an outermost runnable, which is to be its head; its run has not begun yet."""
        scope = Scope(None, CURRENT.get())
        scope.thread = metadata.get("thread_id")
        scope.graph = "ls_integration" in metadata
        return scope

    def inner(self, graph: Node, caller: str | None) -> Scope:
        """The scope of a graph that is called within a tool; its run has not begun yet."""
        scope = Scope(graph.scope, None)
        scope.head = graph
        scope.caller = caller
        scope.graph = True
        graph.scope = scope
        return scope

    def begin(self, scope: Scope, state: Any = None) -> Run:
        """The run of a scope, begun if it has not been. ``state`` is what its first part is called with: the history
        of the conversation is in it."""
        with scope.lock:
            return scope.run if scope.run is not None else self._begin(scope, state)

    def _begin(self, scope: Scope, state: Any) -> Run:
        head, outer = scope.head, scope.outer
        inputs = head.inputs if head is not None else None
        name = head.name if head is not None else None
        answers = _answers(inputs)
        known = messages_in(state)
        history = known or []
        current = scope.current
        if outer is not None:
            parent: Run | None = self.begin(outer)
            run = self._child(scope, outer, parent, name)
        elif current is not None and current.explicit and current.finished is None:
            scope.owned = False
            current.framework = current.framework or FRAMEWORK
            run = current
        else:
            parent = current if current is not None and current.finished is None else None
            with self.core.lock:  # of two follow-ups at once only one goes on with the run
                run = self._root(scope, parent, name, known, resumes=bool(answers) or inputs is None)
        memory = run.scratch.get(FRAMEWORK)
        if memory is None:
            memory = run.scratch[FRAMEWORK] = scope.memory
        scope.memory = memory
        scope.run = run
        if history and not memory.seen and (answers or inputs is None):
            self._resumed(run, history)
        self._heard(scope, run, memory, inputs)
        for value in answers:
            scope.answers.append(value)
            self.core.recorder.record(run, "human_input", USER, {"content": _storable(value)})
        for message in history:
            memory.note(message)
        return run

    def _child(self, scope: Scope, outer: Scope, parent: Run, name: str | None) -> Run:
        """The run of a graph within a tool: the one that an interrupt has stopped, or a new one."""
        last = outer.memory.children.pop(name, None)
        if last is not None and self.goes_on(last, parent):
            self.core.recorder.resume(last)
            return last
        return self.core.recorder.begin(framework=FRAMEWORK, parent=parent, agents=_agents(scope.head))

    def _root(
        self, scope: Scope, parent: Run | None, name: str | None, history: list[Any] | None, *, resumes: bool
    ) -> Run:
        recorder = self.core.recorder
        session, last = None, None
        if scope.thread is not None:
            session = recorder.redactor.text(str(scope.thread))
            last = self.sessions.of_thread((session, name))
            if last is not None and not resumes and history is not None and not self._same(last, history):
                last = None
        if last is None:
            earlier = history or []
            if not earlier and scope.head is not None:
                earlier = [item.message for item in given(scope.head.inputs) if item.message is not None]
            found = self.sessions.of_messages(earlier)
            if found is not None and (session is None or session == found.session_id):
                last = found
        if last is not None and self.goes_on(last, parent):
            recorder.resume(last)
            return last
        if session is None and last is not None and parent is None:
            session = last.session_id
        session = session if parent is None else None
        return recorder.begin(framework=FRAMEWORK, session_id=session, parent=parent, agents=_agents(scope.head))

    @staticmethod
    def _same(last: Run, history: list[Any]) -> bool:
        """Whether the state of a thread still holds what was said in its last run."""
        memory = last.scratch.get(FRAMEWORK)
        if not isinstance(memory, Memory) or not memory.seen:
            return True
        return any(getattr(message, "id", None) in memory.seen for message in history)

    def goes_on(self, last: Run, parent: Run | None) -> bool:
        """:meth:`.Run.goes_on` for ``last``, with the time that a conversation may rest here."""
        return last.goes_on(parent, self.core.tap.idle_ns)

    def _resumed(self, run: Run, history: list[Any]) -> None:
        """A thread goes on whose beginning was recorded elsewhere, if at all: what it is about is in its state."""
        content = f"{len(history)} earlier message{'s' * (len(history) != 1)}"
        self.core.recorder.record(run, "context_snapshot", None, {"reason": "resumed", "content": content})
        for message in history:
            if run.task_substantial:
                break
            if getattr(message, "type", None) == "human" and isinstance(message.content, str) and message.content:
                self.core.recorder.name_task(run, message.content)

    # -- what people say -------------------------------------------------------------------------------------

    def _heard(self, scope: Scope, run: Run, memory: Memory, inputs: Any) -> None:
        """Find what is new in what the runnable was called with."""
        update = getattr(inputs, "update", None) if _is_command(inputs) else None
        items = given(update if _is_command(inputs) else inputs)
        scope.unnamed = not items and not _is_command(inputs) and inputs is not None
        start = 0
        for index, item in enumerate(items):
            if item.role in ("assistant", "tool") or (item.message is not None and memory.knows(item.message)):
                start = index + 1
        earlier = sum(
            item.role != "system" and not (item.message is not None and memory.knows(item.message))
            for item in items[:start]
        )
        if earlier and not memory.seen and not memory.objects:
            content = f"{earlier} earlier message{'s' * (earlier != 1)}"
            self.core.recorder.record(run, "context_snapshot", None, {"reason": "given", "content": content})
        scope.waiting = [item for item in items[start:] if item.role != "system"]
        for item in items:
            if item.message is not None:
                memory.note(item.message)

    def heard(self, scope: Scope, agent: str | None, prompt: list[dict[str, Any]] | None = None) -> None:
        """Record what the user said and nobody was asked for yet: ``agent`` is who is asked now. Where nothing of
        what a chain was called with is a text of the user's, it is the last one in its first ``prompt``."""
        if scope.run is None or not (scope.waiting or scope.unnamed):
            return
        receiver = agent or scope.entry or _name(scope.head)
        with scope.lock:  # whoever comes at the same time waits until it is written
            if scope.unnamed and prompt is not None:
                last = next((message for message in reversed(prompt) if message["role"] == "user"), None)
                if last is not None and not scope.waiting:
                    scope.waiting = [Said("user", last["content"], last.get("name"), None)]
            for item in scope.waiting:
                self._message(scope, scope.run, item, receiver)
            scope.waiting = []
            scope.unnamed = scope.unnamed and prompt is None

    def _message(self, scope: Scope, run: Run, item: Said, receiver: str) -> None:
        sender = item.name or scope.caller or USER
        by_user = item.role == "user"
        if by_user and not run.task_substantial and isinstance(item.content, list):
            parts = [part for part in item.content if isinstance(part, dict)]
            text = " ".join(part["text"] for part in parts if isinstance(part.get("text"), str))
            if text.strip():
                self.core.recorder.name_task(run, text)
        self.core.recorder.message(run, sender, [receiver], item.role, lean(item.content), by_user=by_user)

    # -- ending ----------------------------------------------------------------------------------------------

    def close(self, scope: Scope, run_id: Any, error: BaseException | None) -> None:
        """The outermost runnable of a scope has ended; ``error`` is what leaves it, if anything does."""
        if scope.run is None and scope.graph and not isinstance(error, GeneratorExit) and scope.outer is None:
            self.begin(scope)  # a graph that stopped before its first node
        run = scope.run
        if error is not None and not stops(error):
            self._drop(scope, error)
        self.core.closed(scope)
        if run is None:
            return
        self.heard(scope, None)
        recorder = self.core.recorder
        if error is not None and stops(error):
            scope.interrupted, error = True, None
        if isinstance(error, GeneratorExit):
            if scope.owned:
                recorder.finish(run, "stream abandoned")
        elif error is not None:
            self._failed(scope, run, error)
        elif scope.owned:
            recorder.finish(run, "interrupt" if scope.interrupted else "finished")
        if scope.interrupted and scope.outer is not None and scope.head is not None:
            scope.outer.memory.children[scope.head.name] = run
        if scope.owned:
            self._rest(scope, run)
            if scope.outer is None:
                self.core.ended(run_id, run)

    def _drop(self, scope: Scope, error: BaseException) -> None:
        """What is still going on in a scope that an exception ends was cancelled: LangChain tells nobody."""
        for run_id in list(scope.open):
            node = self.core.take(run_id)
            if node is not None and scope.run is not None:
                self.dropped(node, error)

    def cut(self, step: Step, error: BaseException) -> None:
        """What is still going on in a step that was cancelled was cancelled with it, and before it."""
        for run_id in list(step.scope.open):
            node = self.core.nodes.get(run_id)
            if node is not None and node is not step and node.step is step:
                self.core.take(run_id)
                self.dropped(node, error)

    def _rest(self, scope: Scope, run: Run) -> None:
        """Keep what recognises a follow-up, and let go of the rest."""
        memory = scope.memory
        memory.prompts.clear()
        memory.objects.clear()
        memory.blocks.clear()
        memory.systems.clear()
        memory.bare.clear()
        if scope.thread is not None and scope.outer is None and scope.head is not None:
            session = self.core.recorder.redactor.text(str(scope.thread))
            self.sessions.keep_thread((session, scope.head.name), run)

    def _failed(self, scope: Scope, run: Run, error: BaseException) -> None:
        """An exception ends the run. It speaks against the agents only where it came out of a model, a tool or a
        node: how the application calls the framework says nothing about them."""
        from ..instrumentation.outcomes import classify_exception

        recorder = self.core.recorder
        if scope.fault is not None and _alike(scope.fault, error):
            error = scope.fault
        recorder.error(run, getattr(scope.head, "agent", None), error)
        if scope.owned:
            if scope.fault is error and not run.judged and classify_exception(error) == "failure":
                run.outcome(False, source="exception")
            recorder.finish(run, "exception", error_type=type(error).__name__)
            run.last_error = None  # its traceback would keep everything alive as long as the conversation
        scope.fault = None


def _alike(one: BaseException, other: BaseException) -> bool:
    """Whether it is the same exception: asyncio makes some anew on their way from a thread."""
    return one is other or (type(one) is type(other) and one.args == other.args)


def _ignore(_node: Node, _error: BaseException) -> None:
    """What records calls that were cancelled, before it is set."""


def _name(head: Node | None) -> str:
    """Whom the user addresses, where nobody has been asked for anything."""
    if head is None:
        return FRAMEWORK
    return str(head.label or (head.name if named(head.name) else FRAMEWORK))


def _agents(head: Node | None) -> list[str]:
    """Who takes part, as far as it is known at the beginning."""
    return [head.label] if head is not None and isinstance(head.label, str) else []


def _is_command(inputs: Any) -> bool:
    kind = type(inputs)
    return kind.__name__ == "Command" and kind.__module__.startswith("langgraph")


def _answers(inputs: Any) -> list[Any]:
    """What people answer to interrupts with this ``Command(resume=...)``."""
    if not _is_command(inputs) or inputs.resume is None:
        return []
    resume = inputs.resume
    if isinstance(resume, dict) and resume and all(isinstance(key, str) and _is_interrupt(key) for key in resume):
        return list(resume.values())
    return [resume]


def _is_interrupt(key: str) -> bool:
    """Whether it looks like an interrupt's id, by which several may be answered at once."""
    return len(key) == 32 and all(letter in "0123456789abcdef" for letter in key)


def _storable(value: Any) -> Any:
    return value if isinstance(value, (str, list, dict)) else str(value)


def stops(error: BaseException) -> bool:
    """Whether it is one of the exceptions with which LangGraph itself stops or leaves a graph: no error."""
    return any(
        kind.__name__ == "GraphBubbleUp" and kind.__module__.startswith("langgraph") for kind in type(error).__mro__
    )
