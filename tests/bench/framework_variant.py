"""One measurement of ``bench_frameworks``, in its own process: ``framework_variant.py VARIANT CASE MESSAGES FOLDER``.

Three agents in a round robin write messages of 320 B, every one different, each by one call of a scripted model that is
sent the whole history: a ``RoundRobinGroupChat`` of AutoGen AgentChat, or a graph of three nodes in LangGraph. A short
conversation goes first, so that what each recorder loads or opens at the first event is not counted.

Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ag2_variant import SIZE, WARM_UP, openinference, plain, seasoned
from common import bytes_below, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AGENTS = ("ada", "ben", "cleo")
INSTRUMENTORS = {
    "agentchat": ("openinference.instrumentation.autogen_agentchat", "AutogenAgentChatInstrumentor"),
    "langgraph": ("openinference.instrumentation.langchain", "LangChainInstrumentor"),
}


def agentchat(contents: Iterator[str], count: int) -> Callable[[], int]:
    """A team of AutoGen AgentChat, ready to run; running returns how many messages there are."""
    agents = importlib.import_module("autogen_agentchat.agents")
    teams = importlib.import_module("autogen_agentchat.teams")
    conditions = importlib.import_module("autogen_agentchat.conditions")
    models = importlib.import_module("autogen_core.models")
    used = models.RequestUsage(prompt_tokens=80, completion_tokens=80)
    info = {"vision": False, "function_calling": False, "json_output": False, "structured_output": False,
            "family": "unknown"}  # fmt: skip

    class Client(models.ChatCompletionClient):
        async def create(self, messages: Any, **_: Any) -> Any:
            return models.CreateResult(finish_reason="stop", content=next(contents), usage=used, cached=False)

        def create_stream(self, messages: Any, **_: Any) -> Any:
            raise NotImplementedError

        async def close(self) -> None: ...
        def actual_usage(self) -> Any:
            return used

        def total_usage(self) -> Any:
            return used

        def count_tokens(self, messages: Any, **_: Any) -> int:
            return 0

        def remaining_tokens(self, messages: Any, **_: Any) -> int:
            return 0

        capabilities = property(lambda self: info)
        model_info = property(lambda self: info)

    members = [agents.AssistantAgent(name, Client(), system_message=f"You are {name}.") for name in AGENTS]
    team = teams.RoundRobinGroupChat(members, termination_condition=conditions.MaxMessageTermination(count))

    def run() -> int:
        return len(asyncio.run(team.run(task=next(contents))).messages)

    return run


def langgraph(contents: Iterator[str], count: int) -> Callable[[], int]:
    """A graph of three nodes in a ring, ready to be invoked; invoking returns how many messages there are."""
    graphs = importlib.import_module("langgraph.graph")
    core = importlib.import_module("langchain_core.language_models")
    outputs = importlib.import_module("langchain_core.outputs")
    messages = importlib.import_module("langchain_core.messages")
    used = {"input_tokens": 80, "output_tokens": 80, "total_tokens": 160}

    class Scripted(core.BaseChatModel):
        _llm_type = "scripted"

        def _generate(self, said: Any, stop: Any = None, run_manager: Any = None, **_: Any) -> Any:
            message = messages.AIMessage(next(contents), usage_metadata=used)
            return outputs.ChatResult(generations=[outputs.ChatGeneration(message=message)])

    model = Scripted()
    builder = graphs.StateGraph(graphs.MessagesState)
    for place, name in enumerate(AGENTS):
        system = messages.SystemMessage(f"You are {name}.")

        def node(state: Any, system: Any = system) -> Any:
            return {"messages": [model.invoke([system, *state["messages"]])]}

        def onward(state: Any, after: str = AGENTS[(place + 1) % len(AGENTS)]) -> str:
            return graphs.END if len(state["messages"]) >= count else after

        builder.add_node(name, node)
        builder.add_conditional_edges(name, onward)
    builder.add_edge(graphs.START, AGENTS[0])
    graph = builder.compile()

    def run() -> int:
        asked = {"messages": [messages.HumanMessage(next(contents))]}
        return len(graph.invoke(asked, {"recursion_limit": count + 10})["messages"])

    return run


CASES = {"agentchat": agentchat, "langgraph": langgraph}
VARIANTS = ("plain", "seasoned", "OpenInference, batch")


def main(name: str, case: str, count: int, place: Path) -> dict[str, Any]:
    """Measure one conversation: microseconds and bytes are for each message."""
    logging.disable(logging.WARNING)
    for module in ("autogen_agentchat.teams", "langgraph.graph")[case == "langgraph" :][:1]:
        importlib.import_module(module)
    peer = openinference(*INSTRUMENTORS[case], max_queue_size=100_000)
    variant = {"plain": plain, "seasoned": seasoned, "OpenInference, batch": peer}[name](place)
    variant.start()
    contents = itertools.cycle(texts(count + WARM_UP + 1, SIZE))

    def chat(messages: int) -> tuple[float, float]:
        run = CASES[case](contents, messages)
        cpu, start = time.process_time(), time.perf_counter()
        found = run()
        elapsed, cpu = time.perf_counter() - start, time.process_time() - cpu
        if found != messages:
            raise RuntimeError(f"the conversation has {found} messages instead of {messages}")
        return elapsed, cpu

    chat(WARM_UP)
    variant.settle()
    before = bytes_below(place)
    wall, cpu = chat(count)
    middle = time.perf_counter()
    variant.settle()
    return {
        "us": wall / count * 1e6,
        "cpu_us": cpu / count * 1e6,
        "settle_s": time.perf_counter() - middle,
        "bytes": (bytes_below(place) - before) / count,
        "recorded": variant.recorded(),
    }


if __name__ == "__main__":
    os.environ.pop("SEASONED_ENABLED", None)
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))))
