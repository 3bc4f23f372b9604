"""Tools, workbenches, code and people."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("autogen_agentchat.teams")

from agentchat_kit import Driver, Speaker, assistant, drained
from agentchat_scenarios import SCENARIOS, Executor, add, boom
from autogen_agentchat.base import Response
from autogen_agentchat.messages import TextMessage
from autogen_core import CancellationToken, Image
from autogen_core.code_executor import CodeBlock
from autogen_core.tools import (
    BaseTool,
    FunctionTool,
    ImageResultContent,
    StaticStreamWorkbench,
    StaticWorkbench,
    TextResultContent,
    ToolResult,
    Workbench,
)
from pydantic import BaseModel

from seasoned.instrumentation.runs import entered

TASK = "Please solve it for me"


def results(heard) -> list[tuple]:
    """(tool, call, ok, content, error_type, error) of the results."""
    keys = ("tool", "call_id", "ok", "content", "error_type", "error")
    return [tuple(event.payload.get(key) for key in keys) for event in heard.of("tool_result")]


def calls(heard) -> list[tuple]:
    """(agent, tool, call, arguments) of the calls."""
    keys = ("tool", "call_id", "arguments")
    return [(event.agent, *(event.payload.get(key) for key in keys)) for event in heard.of("tool_call")]


async def test_tools_and_what_goes_wrong(heard):
    await SCENARIOS["tools"](Driver("run"))
    assert calls(heard) == [
        ("ann", "add", "call_0", {"a": 1, "b": 2}),
        ("ann", "boom", "call_1", {"x": 7}),
        ("ann", "missing", "call_0", {}),
        ("ann", "add", "call_1", "{not json"),
        ("ann", "add", "call_2", {"a": "what"}),
    ]
    fine, raised, missing, broken, invalid = results(heard)
    assert fine == ("add", "call_0", True, "3", None, None)
    assert raised[2:] == (False, "tool exploded at 7", "ValueError", "tool exploded at 7")
    assert missing[4:] == ("ToolNotFound", "tool 'missing' not found in any workbench")
    assert broken[4] == "JSONDecodeError"
    assert invalid[4] == "ValidationError"
    assert all(event.payload["duration_ms"] >= 0 for event in heard.of("tool_result"))


async def test_a_workbench_of_the_old_kind(heard):
    await SCENARIOS["workbench"](Driver("run"))
    assert [(tool, ok, kind) for tool, _, ok, _, kind, _ in results(heard)] == [
        ("add", True, None), ("boom", False, "ValueError"),
    ]  # fmt: skip


async def test_a_workbench_of_the_applications_own(heard):
    class Own(Workbench):
        async def list_tools(self) -> Any:
            return [{"name": "look", "description": "look"}]

        async def call_tool(self, name, arguments=None, cancellation_token=None, call_id=None):
            from PIL import Image as Picture

            picture = ImageResultContent(content=Image(Picture.new("RGB", (2, 2), "red")))
            return ToolResult(name=name, result=[TextResultContent(content="seen"), picture], is_error=bool(arguments))

        async def start(self): ...
        async def stop(self): ...
        async def reset(self): ...
        async def save_state(self):
            return {}

        async def load_state(self, state): ...

    agent = assistant("ann", [[("look", {})], [("look", {"at": "it"})]], workbench=Own())
    await agent.run(task=TASK)
    await agent.run(task=TASK)
    good, bad = results(heard)
    assert good[2] is True
    assert '"text":"seen"' in good[3]
    assert '"media_type":"image/x-raw"' in good[3]
    assert "Image" not in good[3]
    assert bad[4] == "ToolError"


async def test_called_by_the_application_itself(heard):
    bench: Any
    stream: Any
    bench, stream = (
        kind([FunctionTool(add, "a"), FunctionTool(boom, "b")]) for kind in (StaticWorkbench, StaticStreamWorkbench)
    )
    run, token = heard.recorder.begin(TASK, explicit=True), CancellationToken()
    with entered(run):
        assert (await bench.call_tool("add", {"a": 1, "b": 2}, call_id="c1")).to_text() == "3"
        assert (await bench.call_tool("boom", {"x": 1})).is_error
        assert (await drained(stream.call_tool_stream("add", {"a": 1, "b": 2}))).to_text() == "3"
        assert (await bench.call_tool("missing", {})).is_error
        assert await FunctionTool(add, "a").run_json({"a": 3, "b": 4}, token) == 7
        with pytest.raises(ValueError, match="exploded"):
            await FunctionTool(boom, "b").run_json({"x": 1}, token)
    assert calls(heard)[0] == (None, "add", "c1", {"a": 1, "b": 2})
    assert [(tool, ok, content, kind) for tool, _, ok, content, kind, _ in results(heard)] == [
        ("add", True, "3", None),
        ("boom", False, "tool exploded at 1", "ValueError"),
        ("add", True, "3", None),
        ("missing", False, "Tool missing not found.", "ToolNotFound"),
        ("add", True, "7", None),
        ("boom", False, None, "ValueError"),
    ]


async def test_an_agent_that_calls_its_tools_itself(heard):
    tool = FunctionTool(add, "a")

    class Own(Speaker):
        async def on_messages(self, messages, cancellation_token):
            total = await tool.run_json({"a": 1, "b": 2}, cancellation_token, call_id="own")
            return Response(chat_message=TextMessage(content=str(total), source=self.name))

    await Own("own", "").run(task=TASK)
    assert calls(heard) == [("own", "add", "own", {"a": 1, "b": 2})]


async def test_a_tool_that_calls_another_one(heard):
    inner = FunctionTool(boom, "b")

    async def outer(x: int) -> str:
        try:
            await inner.run_json({"x": x}, CancellationToken())
        except ValueError:
            return "caught"
        return "not"

    await assistant("ann", [[("outer", {"x": 1})]], tools=[outer]).run(task=TASK)
    assert [call[1] for call in calls(heard)] == ["outer", "boom"]
    assert [(tool, ok, kind) for tool, _, ok, _, kind, _ in results(heard)] == [
        ("boom", False, "ValueError"), ("outer", True, None),
    ]  # fmt: skip


async def test_a_tool_whose_method_is_overridden(heard):
    class Args(BaseModel):
        x: int

    class Own(BaseTool[Args, Any]):
        component_type = "tool"

        def __init__(self):
            super().__init__(Args, str, "own", "own")

        async def run(self, args, cancellation_token):
            raise LookupError("not there")

        async def run_json(self, args, cancellation_token, call_id=None):
            return await super().run_json(args, cancellation_token, call_id)

    await assistant("ann", [[("own", {"x": 1})]], tools=[Own()]).run(task=TASK)
    assert len(calls(heard)) == 1
    assert results(heard) == [("own", "call_0", False, "not there", "LookupError", "not there")]


async def test_tools_at_the_same_time(heard):
    gate = asyncio.Event()

    async def first() -> str:
        await gate.wait()
        raise KeyError("first")

    async def second() -> str:
        gate.set()
        raise IndexError("second")

    await assistant("ann", [[("first", {}), ("second", {})]], tools=[first, second]).run(task=TASK)
    assert {(tool, kind) for tool, *_, kind, _ in results(heard)} == {("first", "KeyError"), ("second", "IndexError")}


async def test_results_of_every_kind(heard):
    class Odd:
        def __str__(self):
            return "odd"

    def give(what: str):
        return {"bytes": b"\x00\xff", "none": None, "odd": Odd(), "long": "x" * 1_000_000}[what]

    items = [[("give", {"what": what})] for what in ("bytes", "none", "odd", "long")]
    agent = assistant("ann", items, tools=[FunctionTool(give, "gives")])
    for _ in items:
        await agent.run(task=TASK)
    contents = [content for _, _, _, content, _, _ in results(heard)]
    assert contents[:3] == ["b'\\x00\\xff'", "None", "odd"]
    assert len(contents[3]) == 1_000_000


async def test_what_cannot_be_encoded(heard):
    """A tool called directly gives the value itself."""

    class Odd:
        def __repr__(self):
            raise RuntimeError("hostile")

    tool: Any = FunctionTool(lambda: Odd(), "odd", name="odd")
    run = heard.recorder.begin(TASK, explicit=True)
    tool.return_value_as_string = lambda _value: ""
    with entered(run):
        await tool.run_json({}, CancellationToken())
    assert results(heard)[0][2] is True


async def test_a_cancelled_tool(heard):
    started = asyncio.Event()

    async def wait() -> str:
        started.set()
        await asyncio.sleep(60)
        return ""

    task = asyncio.ensure_future(assistant("ann", [[("wait", {})]], tools=[wait]).run(task=TASK))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(5):
        await asyncio.sleep(0)
    assert heard.reasons() == ["exception"]


async def test_an_agent_as_a_tool(heard):
    await SCENARIOS["agent_as_tool"](Driver("run"))
    outer, agent, team = heard.runs
    assert [agent.parent, team.parent] == [outer, outer]
    assert [e.agent for e in heard.of("tool_result", run=outer)] == ["ann", "ann"]
    assert [e.agent for e in heard.of("message", run=agent)] == ["user", "helper"]


# -- code --------------------------------------------------------------------------------------------------------


async def test_code(heard):
    await SCENARIOS["code"](Driver("run"))
    keys = ("language", "code", "exit_code", "output")
    assert [(e.agent, *(e.payload[key] for key in keys)) for e in heard.of("code_execution")] == [
        ("coder", "python", "good\n", 0, "ran good"), ("coder", "sh", "bad\n", 1, "ran bad"),
    ]  # fmt: skip


async def test_code_that_cannot_be_run(heard):
    await SCENARIOS["code_that_raises"](Driver("run"))
    [event] = heard.of("code_execution")
    assert (event.payload["exit_code"], event.payload["output"]) == (None, "RuntimeError: no sandbox")


async def test_several_blocks_and_an_executor_on_another(heard):
    class Outer(Executor):
        async def execute_code_blocks(self, code_blocks, cancellation_token):
            return await Executor().execute_code_blocks(code_blocks, cancellation_token)

    blocks = [CodeBlock(code="one", language="python"), CodeBlock(code="two", language="sh")]
    run = heard.recorder.begin(TASK, explicit=True)
    with entered(run):
        await Outer().execute_code_blocks(blocks, CancellationToken())
    [event] = heard.of("code_execution")
    assert event.payload["code"] == "one\n\ntwo"
    assert event.payload["blocks"] == ["python", "sh"]


# -- people ------------------------------------------------------------------------------------------------------


async def test_a_person(heard):
    await SCENARIOS["person"](Driver("run"))
    [event] = heard.of("human_input")
    assert (event.agent, event.payload["content"]) == ("human", "looks good, DONE")
    assert heard.talk()[-1] == ("human", ("ann",), "user", "looks good, DONE")


async def test_a_person_who_fails(heard):
    await SCENARIOS["person_who_fails"](Driver("run"))
    assert heard.of("human_input") == []
    assert [e.agent for e in heard.of("error")] == ["human"]
