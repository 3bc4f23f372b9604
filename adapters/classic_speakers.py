"""Who speaks next in a group of classic AutoGen, and why.

The reason is the method of selection: its name, the name of the application's function, or the words of the model
that was asked. In AG2's group patterns it is the handoff that was decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..instrumentation.runs import CURRENT, Run
from .classic_state import PLACE, Core, Place, Selection, name_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token

    from .patching import Layer, Maker, Method

_NEVER_ASKS = frozenset(("round_robin", "random"))
"""Methods of selection that ask neither a model nor the application, so that nothing has to be noted for them."""

_NO_SPEAKER = frozenset(("NoEligibleSpeaker", "NoEligibleSpeakerError"))
"""The exception with which a selection ends the chat, by its names in the supported versions."""

_PATTERN = "group_transition"
"""The function with which AG2's group patterns select a speaker."""


class Speakers:
    """Follows one selection from its beginning to its end. Nothing in it raises."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def begin(self, group: Any, run: Run) -> tuple[str, Selection | None, Token[Place | None] | None]:
        """The method's name, and what is to be ended again."""
        try:
            method = group.speaker_selection_method
            if isinstance(method, str):
                named = method
            else:
                named = _function(method)
                if named == _PATTERN:
                    named = f"{named}: {_handoff(group)}"
            place, selection = PLACE.get(), Selection()
            agent, muted = (place.agent, place.muted) if place is not None else (None, False)
            return named, selection, PLACE.set(Place(agent, self.core.chat_in(run), selection, muted))
        except Exception as error:  # noqa: BLE001  the guard's purpose
            self.core.caught("classic.select_speaker", error)
            return "unknown", None, None

    def chosen(self, run: Run, last: Any, chosen: Any, method: Any, selection: Selection | None) -> None:
        """A speaker was selected."""
        core = self.core
        try:
            if type(chosen) not in core.seen:
                core.see(chosen)
            place = PLACE.get()
            chat = place.chat if place is not None and place.run is run else core.chat_in(run)
            chat.marks += 1
            reason = f"{method}: {selection.words}" if selection is not None and selection.words else method
            core.recorder.transition(run, name_of(last), name_of(chosen), reason)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            core.caught("classic.transition", error)

    def nobody(self, run: Run, last: Any, error: BaseException) -> None:
        """No speaker was selected."""
        try:
            if type(error).__name__ in _NO_SPEAKER:
                self.core.chat_in(run).ended = (name_of(last), "speaker")
        except Exception as trouble:  # noqa: BLE001  the guard's purpose
            self.core.caught("classic.transition", trouble)


def group_makers(core: Core) -> Mapping[str, Maker]:
    """What wraps the methods of GroupChat that select a speaker."""
    tap, current = core.tap, CURRENT.get
    speakers = Speakers(core)

    def select_speaker(raw: Method, layer: Layer) -> Method:
        def select_speaker(self: Any, *args: Any, **kwargs: Any) -> Any:
            run = current()
            if run is None or not tap.active:
                return raw(self, *args, **kwargs)
            if layer.stacked and layer.inside(self):
                return layer.beneath(raw, self, args, kwargs)
            last = args[0] if args else kwargs.get("last_speaker")
            method, selection = getattr(self, "speaker_selection_method", None), None
            token = None
            if method.__class__ is not str or method not in _NEVER_ASKS:
                method, selection, token = speakers.begin(self, run)
            try:
                chosen = raw(self, *args, **kwargs)
            except BaseException as error:
                speakers.nobody(run, last, error)
                raise
            finally:
                if token is not None:
                    core.reset(PLACE, token)
            speakers.chosen(run, last, chosen, method, selection)
            return chosen

        return select_speaker

    def a_select_speaker(raw: Method, layer: Layer) -> Method:
        async def a_select_speaker(self: Any, *args: Any, **kwargs: Any) -> Any:
            run = current()
            if run is None or not tap.active:
                return await raw(self, *args, **kwargs)
            if layer.stacked and layer.inside(self):
                return await layer.a_beneath(raw, self, args, kwargs)
            last = args[0] if args else kwargs.get("last_speaker")
            method, selection = getattr(self, "speaker_selection_method", None), None
            token = None
            if method.__class__ is not str or method not in _NEVER_ASKS:
                method, selection, token = speakers.begin(self, run)
            try:
                chosen = await raw(self, *args, **kwargs)
            except BaseException as error:
                speakers.nobody(run, last, error)
                raise
            finally:
                if token is not None:
                    core.reset(PLACE, token)
            speakers.chosen(run, last, chosen, method, selection)
            return chosen

        return a_select_speaker

    return {"select_speaker": select_speaker, "a_select_speaker": a_select_speaker}


def _function(method: Any) -> str:
    """The name of the application's function that selects speakers."""
    inner = getattr(method, "func", method)  # of a functools.partial
    return getattr(inner, "__name__", None) or type(inner).__name__


def _handoff(group: Any) -> str:
    """What decides in a group pattern, in the order in which the pattern itself looks at it."""
    last = group.messages[-1] if group.messages else {}
    names = [(call.get("function") or {}).get("name", "") for call in last.get("tool_calls") or ()]
    if names:
        return f"tool call {', '.join(names)}"
    for agent in group.agents:
        if type(agent).__name__ == "GroupToolExecutor" and agent.has_next_target():
            return f"handoff to {agent.get_next_target().display_name()}"
    if len(group.messages) == 1:
        return "initial agent"
    return "return from the tool" if last.get("role") == "tool" else "after work"
