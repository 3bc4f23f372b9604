"""Where runs of AgentChat begin, go on and end.

``run_stream`` of a team is a run (``run`` consumes it); so is a reply of an agent outside any team. Inside an agent's
reply each is a child run; in a run that the application opened with ``seasoned.run`` it belongs to that run. A team
or an agent that is used again without being reset goes on in its run until that is judged or has rested too long;
then it goes on in a new run of the same session.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from ..instrumentation.runs import CURRENT, Run
from . import AGENTCHAT as FRAMEWORK
from .agentchat_messages import HANDOFF, is_a, said, source_of, words
from .agentchat_state import USER, Chat, Core, Place
from .agentchat_streams import Watcher, awaiting, streaming

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .patching import Method

CLOSED = "closed by the application"
"""Why a run has ended whose stream was given up before its end."""


class Runs:
    """Begins, resumes and ends runs."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._last = weakref.WeakKeyDictionary[Any, Run]()

    # -- which run -------------------------------------------------------------------------------------------

    def enter(self, target: Any, names: list[str]) -> tuple[Run, bool]:
        """The run of a conversation with ``target``, a team or an agent, and whether it ends with it."""
        core = self.core
        run, place = CURRENT.get(), core.here()
        if run is not None and run.explicit and (place is None or place.agent is None):
            run.framework = run.framework or FRAMEWORK
            return run, False
        last = self._get(target)
        if last is not None and last.goes_on(run, core.tap.idle_ns):
            core.recorder.resume(last)
            return last, True
        session = last.session_id if last is not None and run is None else None
        new = core.recorder.begin(framework=FRAMEWORK, session_id=session, parent=run, agents=names)
        self._keep(target, new)
        return new, True

    def _get(self, target: Any) -> Run | None:
        try:
            return self._last.get(target)
        except TypeError:  # what cannot be held weakly, or not be hashed
            return None

    def _keep(self, target: Any, run: Run) -> None:
        try:
            self._last[target] = run
        except TypeError:
            return

    def forget(self, args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        """A team or an agent is reset, or gets another state: its next run begins a conversation of its own."""
        try:
            self._last.pop(args[0], None)
        except TypeError:
            return

    # -- what goes into it -----------------------------------------------------------------------------------

    def given(self, chat: Chat, messages: Sequence[Any]) -> None:
        """Record the messages with which the conversation is begun or gone on with. Never raises: the run has begun,
        and goes on without them."""
        try:
            handoffs = [is_a(message, HANDOFF) for message in messages]
            for message, handoff in zip(messages, handoffs, strict=True):
                source = source_of(message)
                role = "assistant" if source in chat.members and source not in _people(chat) else "user"
                # In a conversation within a conversation whoever begins it stands for the user. What is only handed
                # over says nothing about the task, unless there is nothing else.
                opens = role == "user" or (chat.run is not None and chat.run.parent is not None)
                opens = opens and (not handoff or all(handoffs))
                self.message(chat, source, chat.others(source), role, message, by_user=opens)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            self.core.caught("agentchat.message", error)

    def message(
        self, chat: Chat, sender: str, recipients: list[str], role: str, message: Any, by_user: bool = False
    ) -> None:
        """Record a message of the conversation; ``by_user`` says that it may name the run's task."""
        run = chat.run
        if run is None:
            return
        chat.speaker = sender
        content = getattr(message, "content", None)
        if content.__class__ is not str:
            content = said(message)
        if by_user and not run.task_substantial and not isinstance(content, str):
            text = words(content)
            if text.strip():
                self.core.recorder.name_task(run, text)
        self.core.recorder.message(run, sender, recipients, role, content, by_user=by_user)

    # -- how it ends -----------------------------------------------------------------------------------------

    def finish(self, run: Run, reason: str) -> None:
        """The conversation has ended."""
        self.core.recorder.finish(run, reason)
        run.scratch.pop(HISTORIES, None)

    def fail(self, run: Run, chat: Chat, error: BaseException, *, owned: bool) -> None:
        """``error`` leaves the conversation. It speaks against the agents only where a reply has raised it; what
        the framework makes of that is not recorded a second time."""
        if chat.failure is None:
            self.core.recorder.error(run, None, error)
            chat.failed(error, by_agent=False)
        from ..instrumentation.outcomes import classify_exception

        cause = chat.failure or error
        failed = chat.by_agent and classify_exception(cause) == "failure"
        if not owned:
            if failed:
                run.last_error = error  # what the framework makes of it is the same failure to who opened the run
            return
        if failed and not run.judged:
            run.outcome(False, source="exception")
        self.core.recorder.finish(run, "exception", error_type=type(cause).__name__)
        run.scratch.pop(HISTORIES, None)
        run.last_error = None  # its traceback would keep everything alive as long as the team


PERSON = "UserProxyAgent"
"""The framework's class of agents that ask people."""


def _people(chat: Chat) -> set[str]:
    """The members who stand for somebody outside: the framework's name for the user, and agents that ask people."""
    members = getattr(chat.team, "_participants", None) or ()
    return {USER, *(agent.name for agent in members if is_a(agent, PERSON))}


HISTORIES = "agentchat histories"
"""Where a run keeps what its agents last sent to a model (:class:`.agentchat_messages.History`)."""


class TeamWatcher(Watcher):
    """Follows a team's ``run_stream``."""

    __slots__ = ("finished", "outer", "owned", "runs", "team")

    timed = False

    def __init__(
        self, runs: Runs, args: tuple[Any, ...], kwargs: dict[str, Any], chat: Chat, *, owned: bool, outer: Place | None
    ) -> None:
        super().__init__(runs.core, "agentchat.team", args, kwargs, Place(chat))
        self.runs = runs
        self.team: str = chat.team._team_id  # noqa: SLF001
        self.owned = owned
        self.outer = outer
        self.finished = False

    def on_item(self, value: Any) -> None:
        """The result is the last item. The run ends before the application sees it, so that it can judge it."""
        if type(value).__name__ == "TaskResult" and not self.finished:
            self._finish(str(value.stop_reason) if value.stop_reason is not None else "stopped")
            outer = self.outer
            if outer is not None and outer.asked and value.messages:
                chat, name = outer.chat, outer.name or ""
                self.runs.message(chat, name, chat.others(name), "assistant", value.messages[-1])

    def on_done(self, error: BaseException | None) -> None:
        """The stream has ended."""
        self._left()
        if not self.active or self.finished or self.place is None:
            return
        chat = self.place.chat
        if error is None:
            self._finish("stopped")
        elif chat.run is not None:
            self.finished = True
            self.runs.fail(chat.run, chat, error, owned=self.owned)
            if self.outer is not None:
                self.outer.chat.origin = (error, chat.failure or error)

    def on_closed(self) -> None:
        """The application gave the stream up."""
        self._left()
        if self.active and not self.finished:
            self._finish(CLOSED)

    def _left(self) -> None:
        if self.place is not None and self.core.chats.get(self.team) is self.place.chat:
            del self.core.chats[self.team]

    def _finish(self, reason: str) -> None:
        self.finished = True
        if self.owned and self.place is not None and self.place.run is not None:
            self.runs.finish(self.place.run, reason)


def team_makers(core: Core, runs: Runs) -> dict[str, Any]:
    """What wraps the methods of teams."""
    tap, caught = core.tap, core.caught

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Watcher | None:
        if not tap.active:
            return None
        try:
            team, outer = args[0], core.here()
            if outer is not None and (outer.run is None or (outer.chat.team is team and outer.agent is None)):
                return None  # left alone, or the base method of a team that is followed already
            if outer is None and CURRENT.get() is None and not tap.takes(team):
                return None
            if getattr(team, "_is_running", False):
                return None  # the framework refuses that, and the run that is going on is another one
            names = [agent.name for agent in team._participants]  # noqa: SLF001
            messages = _task(kwargs.get("task"))
            run, owned = runs.enter(team, [source_of(messages[0]) if messages else USER, *names])
            chat = Chat(run, team, names)
            watcher = TeamWatcher(runs, args, kwargs, chat, owned=owned, outer=outer)
            core.chats[watcher.team] = chat
            runs.given(chat, messages)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            caught("agentchat.team", error)
            return None
        return watcher

    def run_stream(raw: Method) -> Method:
        return streaming(raw, begin)

    def forgetting(raw: Method) -> Method:
        return awaiting(raw, runs.forget)

    return {"run_stream": run_stream, "reset": forgetting, "load_state": forgetting}


class _Text:
    """A task that is given as a text."""

    __slots__ = ("content", "source")

    def __init__(self, content: str) -> None:
        self.content = content
        self.source = USER


def _task(task: Any) -> list[Any]:
    """The messages of a task; what the framework will not accept is left out."""
    if task is None:
        return []
    if isinstance(task, str):
        return [_Text(task)]
    if isinstance(task, (list, tuple)):
        return [message for message in task if hasattr(message, "content")]
    return [task] if hasattr(task, "content") else []
