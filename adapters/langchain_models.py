"""Model calls of LangChain, from their callbacks: what was sent, what came back, and the agent's text in it.

The callbacks get the messages before anything of ours is in them. What was put in below them is noted by
:mod:`.langchain_inject` at the call; what the middleware has put in is found at the end of the system message, and
taken out again, so that a prompt is recorded in the same way whichever way the block went.
"""

from __future__ import annotations

import asyncio
import functools
import operator
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ..instrumentation.cost import usage_of
from .langchain_messages import Prompts, answer, calls_of
from .langchain_runs import named
from .langchain_state import USER, Asked, Core, ModelCall, Node, Scope, Step, ToolCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..instrumentation.runs import Run
    from .langchain_graphs import Graphs
    from .langchain_runs import Runs

_clock = time.perf_counter_ns
_NOTHING: dict[str, Any] = {}


class Models:
    """Records model calls."""

    def __init__(self, core: Core, runs: Runs, graphs: Graphs) -> None:
        self.core = core
        self.nodes = core.nodes
        self.lock = core.lock
        self.runs = runs
        self.graphs = graphs
        runs.dropped = self._dropped

    # -- callbacks -------------------------------------------------------------------------------------------

    def chat_start(
        self, serialized: Any, messages: Any, *, run_id: Any, parent_run_id: Any = None, metadata: Any = None,
        name: str | None = None, invocation_params: Any = None, **_: Any,
    ) -> ModelCall | None:  # fmt: skip
        """A model is called, with one list of messages in ``messages``; None where that is known already."""
        nodes = self.nodes
        own = run_id.int if run_id.__class__ is UUID else run_id
        if own in nodes:
            return None
        if metadata is None:
            metadata = _NOTHING
        prompt = messages[0]
        parent = nodes.get(parent_run_id.int if parent_run_id.__class__ is UUID else parent_run_id)
        scope = parent.scope if parent is not None else self.runs.scope(metadata)
        node = ModelCall(
            parent, scope, name, metadata.get("langgraph_checkpoint_ns"), metadata.get("lc_agent_name"), None
        )
        step: Step | None = None
        if parent is None:
            scope.head, node.inputs = node, prompt
        else:
            step = node.step = parent.step
            node.tool = parent.tool
        if step is not None and node.tool is None:
            agent = node.agent = step.agent
            if step.internal:
                node.internal, node.own = True, False
        else:
            agent = node.agent = self._who(node, serialized)
            node.internal = step is not None and step.internal
            node.own = node.tool is None
        params = invocation_params or _NOTHING
        model = params.get("model") or params.get("model_name") or metadata.get("ls_model_name")
        if model is not None:
            node.model = _asked_for(params, metadata)
        if scope.run is None:
            self.runs.begin(scope, prompt)
        memory = scope.memory
        if isinstance(prompt, str):
            node.prompt = [{"role": "user", "content": prompt}]
        else:
            prompts = node.prompts = memory.prompts.pop(agent, None) or Prompts()
            node.prompt = prompts.convert(prompt)
        if node.own:
            if memory.blocks:
                self._take_out(node, memory.blocks.get(agent))
            if scope.waiting or scope.unnamed:
                self.runs.heard(scope, agent, node.prompt)
            if step is not None and not step.told:
                self.graphs.activate(step, agent)
        nodes[own] = node
        scope.open.add(own)
        node.started = _clock()
        return node

    def text_start(self, serialized: Any, prompts: Any, **told: Any) -> None:
        """A model of the older kind is called, with one text in ``prompts``. It gets no block."""
        call = self.chat_start(serialized, prompts, **told)
        if call is not None:
            call.spent = True

    def _who(self, call: ModelCall, serialized: Any) -> str:
        """The agent that asks. What is named for the class of the model that it wraps is named for nobody."""
        if call.tool is not None and call.tool.agent is not None:
            return call.tool.agent
        if call.step is not None:
            return call.step.agent
        if call.label is not None:
            return str(call.label)
        around: Node | None = call
        kind = _class(serialized)
        while around is not None:
            if named(around.name) and around.name != kind:
                return str(around.name)
            around = around.parent
        return "model"

    @staticmethod
    def _take_out(call: ModelCall, block: str | None) -> None:
        """Find the block that the middleware has put into the prompt."""
        for place, message in enumerate(call.prompt):
            if message["role"] != "system":
                continue
            content = message["content"]
            if block and isinstance(content, str) and content.endswith(block):
                bare = content[: -len(block)].removesuffix("\n\n")
            elif block and isinstance(content, list) and content and content[-1] == {"type": "text", "text": block}:
                bare = content[:-1]
            else:
                return
            call.block, call.spent = block, True
            call.prompt = call.prompt.copy()
            if bare:
                call.prompt[place] = {**message, "content": bare}
            else:
                del call.prompt[place]
            return

    def end(self, response: Any, *, run_id: Any, **_: Any) -> None:
        """A model has answered."""
        own = run_id.int if run_id.__class__ is UUID else run_id
        call = self.nodes.pop(own, None)
        if call is None:
            return
        scope = call.scope
        scope.open.discard(own)
        if isinstance(call, ModelCall):
            try:
                self._answered(call, response, _clock() - call.started)
            finally:
                if scope.head is call:
                    self.runs.close(scope, run_id, None)

    def token(self, *_told: Any, run_id: Any, chunk: Any = None, **_: Any) -> None:
        """A piece of a streamed answer. It is kept for the case that no more comes: then nobody else has it."""
        if chunk is None:
            return
        call = self.core.find(run_id)
        if isinstance(call, ModelCall):
            if call.heard is None:
                call.heard = []
            call.heard.append(chunk)

    def error(self, error: BaseException, *, run_id: Any, response: Any = None, **_: Any) -> None:
        """A call has failed, or nobody listens to it any more; ``response`` is what had come until then."""
        call = self.core.take(run_id)
        if not isinstance(call, ModelCall):
            return
        scope = call.scope
        if not isinstance(error, GeneratorExit):
            scope.fault = error
        try:
            self._failed(call, error, response, _clock() - call.started)
        finally:
            if scope.head is call:
                self.runs.close(scope, run_id, error)

    def _dropped(self, node: Node, error: BaseException) -> None:
        """A call was cancelled without a word."""
        if isinstance(node, ModelCall):
            self._failed(node, _cancelled(error), None, _clock() - node.started)
        elif isinstance(node, ToolCall) and node.scope.run is not None:
            elapsed = _clock() - node.started
            self.core.recorder.record(
                node.scope.run, "tool_result", node.agent, failure(node, _cancelled(error), elapsed)
            )

    # -- recording -------------------------------------------------------------------------------------------

    def _answered(self, call: ModelCall, response: Any, elapsed: int) -> None:
        scope = call.scope
        run = scope.run
        if run is None:
            return
        calls: Sequence[dict[str, Any]]
        message = _message(response)
        if message is None:  # a model of the older kind
            text, reasoning, told, calls = getattr(_generation(response), "text", None), None, None, ()
        else:
            text, reasoning = answer(message)
            told = getattr(message, "usage_metadata", None)
            calls = calls_of(message)
        model = call.model
        if getattr(message, "response_metadata", None) or getattr(response, "llm_output", None):
            model = _answering(message, response) or model
        usage = _usage(told) if told else _older_usage(response)
        cached = isinstance(told, dict) and told.get("total_cost") == 0
        payload: dict[str, Any] = {
            "model": model,
            "cost_usd": 0.0 if cached else self._cost(model, usage) if model is not None and usage else None,
            "cached": cached,
            "duration_ms": round(elapsed / 1e6, 3),
        }
        if usage:
            payload["usage"] = usage
        if calls:
            payload["tool_calls"] = calls
        if not call.own:
            if call.internal:
                payload["internal"] = True
            self._record(call, run, payload, text, reasoning)
            return
        with self.lock:
            run.turn += 1
        self._record(call, run, payload, text, reasoning)
        self._spoke(call, scope, run, message, text, calls)

    def _spoke(
        self, call: ModelCall, scope: Scope, run: Run, message: Any, text: Any, calls: Sequence[dict[str, Any]]
    ) -> None:
        """What an agent's own model said is what the agent says."""
        agent, memory = call.agent, scope.memory
        run.agents[agent] = None
        for asked in calls:
            memory.calls[asked["id"]] = Asked(agent, asked["name"] or "", asked["arguments"])
        if message is not None:
            memory.note(message)
            identity = message.id
            if identity is not None:
                self.runs.sessions.keep_reply(identity, run)
        if not text:
            return
        step = call.step
        if isinstance(text, str):
            while step is not None and step.scope is scope:
                if step.replies is None:
                    step.replies = {text}
                else:
                    step.replies.add(text)
                step = step.outer
        self.core.recorder.message(run, agent, [scope.caller or USER], "assistant", text)

    def _failed(self, call: ModelCall, error: BaseException, response: Any, elapsed: int) -> None:
        run = call.scope.run
        if run is None:
            return
        payload: dict[str, Any] = {
            "model": call.model,
            "error_type": type(error).__name__,
            "error": message_of(error),
            "duration_ms": round(elapsed / 1e6, 3),
        }
        if call.internal:
            payload["internal"] = True
        text, reasoning = None, None
        message = _message(response)
        if message is None and call.heard:
            message = getattr(functools.reduce(operator.add, call.heard), "message", None)
        if message is not None:
            text, reasoning = answer(message)
            calls = calls_of(message)
            if calls:
                payload["tool_calls"] = calls
        if call.own:
            run.agents[call.agent] = None
        self._record(call, run, payload, text or None, reasoning)

    def _record(self, call: ModelCall, run: Run, payload: dict[str, Any], text: Any, reasoning: Any) -> None:
        prompt, prompts = call.prompt, call.prompts
        if prompts is None:
            self.core.recorder.model_call(
                run, call.agent, prompt, payload, block=call.block, response=text, reasoning=reasoning
            )
            return
        # A prompt that the block was taken out of again is not the one that was compared with the last.
        reader = prompts if prompt is prompts.dicts else None
        self.core.recorder.model_call(
            run, call.agent, prompt, payload, block=call.block, response=text, reasoning=reasoning, reader=reader
        )
        call.scope.memory.prompts[call.agent] = prompts

    def _cost(self, model: str, usage: dict[str, int]) -> float | None:
        prices = self.core.recorder.prices
        if prices is None:
            return None
        return prices.cost(model, usage.get("input_tokens") or 0, usage.get("output_tokens") or 0)


def _cancelled(error: BaseException) -> BaseException:
    """What has ended a call that was dropped: what ended the run, if that reaches everything, else its cancellation."""
    return error if not isinstance(error, Exception) else asyncio.CancelledError()


def failure(call: ToolCall, error: BaseException, elapsed: int) -> dict[str, Any]:
    """The payload of the result of a tool that has raised."""
    return {
        "tool": call.name,
        "call_id": call.call_id,
        "ok": False,
        "content": None,
        "error_type": type(error).__name__,
        "error": message_of(error),
        "duration_ms": round(elapsed / 1e6, 3),
    }


def _class(serialized: Any) -> str | None:
    """The class of a model."""
    path = (serialized or _NOTHING).get("id") or (None,)
    return path[-1]


def _generation(response: Any) -> Any:
    """The first thing that a model has generated, or None."""
    generations = getattr(response, "generations", None)
    return generations[0][0] if generations and generations[0] else None


def _message(response: Any) -> Any:
    """The message that a chat model answered, or None."""
    try:
        message = response.generations[0][0].message
    except (AttributeError, IndexError, TypeError):  # a model of the older kind, or no answer at all
        return None
    return message if hasattr(message, "content") else None


def _answering(message: Any, response: Any) -> str | None:
    """The model that says it has answered."""
    told = getattr(message, "response_metadata", None)
    model = _named(told) if told else None
    if model is None:
        told = getattr(response, "llm_output", None)
        model = _named(told) if told else None
    return model


def _named(told: Any) -> str | None:
    model = told.get("model_name") or told.get("model")
    return model if isinstance(model, str) and model else None


def _asked_for(params: Any, metadata: Any) -> str | None:
    """The model that is asked, by the parameters of the call, or as LangSmith would have it."""
    for model in (params.get("model"), params.get("model_name"), metadata.get("ls_model_name")):
        if isinstance(model, str) and model:
            return model
    return None


def _usage(told: Any) -> dict[str, int] | None:
    """The tokens of a message. Two plain numbers are taken directly: trying all spellings takes 6 microseconds."""
    try:
        given, made = told["input_tokens"], told["output_tokens"]
        if len(told) == 3 and "total_tokens" in told and given.__class__ is int and made.__class__ is int:
            return {"input_tokens": given, "output_tokens": made}
    except (KeyError, TypeError):
        pass
    return usage_of(told)


def _older_usage(response: Any) -> dict[str, int] | None:
    """The tokens where the message does not tell them."""
    output = getattr(response, "llm_output", None)
    if not output:
        return None
    told = output.get("token_usage") or output.get("usage")
    return usage_of(told) if told else None


def message_of(error: BaseException) -> str:
    """What an exception says."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001  a hostile __str__
        return f"<{type(error).__name__} without a message>"
