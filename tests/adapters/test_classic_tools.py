"""Tools and code: calls, results, and failures as failures."""

from __future__ import annotations

import autogen
import pytest
from classic_group_scenarios import SCENARIOS
from classic_kit import RUN, Driver, assistant, person, says_done, tool


def results(recording) -> list:
    return [
        (event.payload["tool"], event.payload["ok"], event.payload["content"], event.payload.get("error_type"))
        for event in recording.of("tool_result")
    ]


def test_calls_and_results(recording):
    SCENARIOS["tools"](Driver("sync"))
    calls = [
        (event.agent, event.payload["tool"], event.payload["arguments"], event.payload["caller"])
        for event in recording.of("tool_call")
    ]
    assert calls == [
        ("user", "add", {"a": 1, "b": 2}, "bot"),
        ("user", "boom", {"x": 7}, "bot"),
        ("user", "add", {"a": 1, "b": 2}, "bot"),
        ("user", "nothing", {}, "bot"),
        ("user", "add", {"a": 3, "b": 4}, "bot"),
        ("user", "missing", {"x": 1}, "bot"),
        ("user", "add", "{not json", "bot"),
    ]
    found = results(recording)
    assert found[0] == ("add", True, "3", None)
    assert found[1] == ("boom", False, "Error: the tool exploded at 7", "ValueError")
    assert found[5] == ("missing", False, "Error: Function missing not found.", "ToolNotFound")
    assert found[6][3] == "JSONDecodeError"
    assert recording.of("tool_result")[1].payload["error"] == "the tool exploded at 7"
    assert all(event.payload["duration_ms"] >= 0 for event in recording.of("tool_result"))


def test_each_result_follows_its_call(recording, driver):
    """Ids repeat (every message counts from call_0), so only the order tells."""
    SCENARIOS["tools"](driver)
    events = recording.of("tool_call", "tool_result")
    for call, result in zip(events[::2], events[1::2], strict=True):
        assert (call.kind, result.kind) == ("tool_call", "tool_result")
        assert call.payload["tool"] == result.payload["tool"]
        assert call.payload["call_id"] == result.payload["call_id"]
    assert [event.payload["call_id"] for event in recording.of("tool_call")][:5] == [
        "call_0", "call_0", "call_0", "call_1", "call_2",
    ]  # fmt: skip


def test_shared_context_is_recorded_when_a_tool_has_changed_it(recording):
    if not hasattr(autogen.ConversableAgent("probe", llm_config=False), "context_variables"):
        pytest.skip("this line of AutoGen has no context variables")
    seats = [[("book", {"seat": seat})] for seat in (4, 4, 9)]
    bot, user = assistant("bot", [*seats, "DONE"]), person(is_termination_msg=says_done)

    def book(seat: int) -> str:
        user.context_variables.set("seat", seat)
        return "booked"

    tool(user, bot, book)
    user.initiate_chat(bot, message="Book me a seat, please", silent=True)
    snapshots = recording.of("context_snapshot")
    assert [(event.agent, event.payload["content"], event.payload["reason"]) for event in snapshots] == [
        ("user", '{"seat":4}', "tool"), ("user", '{"seat":9}', "tool"),
    ]  # fmt: skip


def test_asynchronous_tools(recording, driver):
    SCENARIOS["asynchronous_tools"](driver)
    assert results(recording) == [
        ("later", True, "later 1", None),
        ("later", False, "Error: there is no such thing", "LookupError"),
    ]
    assert recording.of("tool_result")[1].payload["error"] == "there is no such thing"


def test_the_older_functions(recording, driver):
    SCENARIOS["functions"](driver)
    assert results(recording) == [("add", True, "3", None)]
    assert recording.of("tool_call")[0].payload["caller"] == "bot"


def test_an_empty_result_is_a_result(recording, driver):
    bot = assistant("bot", [[("empty", {})], "DONE"])
    user = person(is_termination_msg=says_done)

    def empty() -> str:
        return ""

    tool(user, bot, empty)
    driver.chat(user, bot)
    assert results(recording) == [("empty", True, "", None)]


def test_a_tool_that_uses_its_own_agent(recording, driver):
    SCENARIOS["tool_uses_its_agent"](driver)
    kinds = [(event.kind, event.payload["tool"]) for event in recording.of("tool_call", "tool_result")]
    assert kinds == [("tool_call", "outer"), ("tool_call", "inner"), ("tool_result", "inner"), ("tool_result", "outer")]


def test_a_tool_that_is_an_object(recording, driver):
    class Multiply:
        def __call__(self, a, b):
            return str(a * b)

    bot = assistant("bot", [[("multiply", {"a": 2, "b": 3})], [("multiply", {"a": 2})], "DONE"])
    user = person(is_termination_msg=says_done, function_map={"multiply": Multiply()})
    driver.chat(user, bot)
    first, second = results(recording)
    assert first == ("multiply", True, "6", None)
    assert second[1::2] == (False, "TypeError")


@pytest.mark.skipif(not RUN, reason="since AG2")
def test_a_plain_function_that_returns_something_to_await(recording, driver):
    async def wait(x):
        if x < 0:
            raise LookupError("not here")
        return f"waited {x}"

    bot = assistant("bot", [[("start", {"x": 1})], [("start", {"x": -1})], "DONE"])
    user = person(is_termination_msg=says_done, function_map={"start": lambda x: wait(x)})
    if driver.asynchronous:
        driver.chat(user, bot)
        assert results(recording)[1][1::2] == (False, "LookupError")
    else:
        bot = assistant("bot", [[("start", {"x": 1})], "DONE"])
        driver.chat(user, bot)
    assert results(recording)[0] == ("start", True, "waited 1", None)


def test_what_leaves_the_execution_is_recorded_and_goes_on(recording, driver):
    class Strict(autogen.UserProxyAgent):
        def execute_function(self, func_call, *args, **kwargs):
            raise PermissionError("not allowed")

        async def a_execute_function(self, func_call, *args, **kwargs):
            raise PermissionError("not allowed")

    bot = assistant("bot", [[("add", {})]])
    user = person(kind=Strict)
    with pytest.raises(PermissionError):
        driver.chat(user, bot)
    assert results(recording) == [("add", False, None, "PermissionError")]
    assert recording.of("error")[0].agent == "user"


def test_an_override_that_does_all_by_itself(recording, driver):
    class Own(autogen.UserProxyAgent):
        def execute_function(self, func_call, *args, **kwargs):
            return False, {"name": func_call["name"], "role": "function", "content": "Error: I would rather not"}

        async def a_execute_function(self, func_call, *args, **kwargs):
            return self.execute_function(func_call)

    bot = assistant("bot", [[("add", {})], "DONE"])
    driver.chat(person(kind=Own, is_termination_msg=says_done), bot)
    assert results(recording) == [("add", False, "Error: I would rather not", "ToolError")]


def test_overrides_count_once(recording, driver):
    seen = SCENARIOS["overridden"](driver)
    assert results(recording) == [("boom", False, "Error: the tool exploded at 7", "ValueError")]
    assert len(recording.runs) == 1
    assert [content for *_, content in recording.talk()] == [
        "Please solve it for me", None, "Error: the tool exploded at 7", "it is DONE",
    ]  # fmt: skip
    assert "seen" in seen[2] or driver.asynchronous  # what an override puts into the functions stays there


@pytest.mark.parametrize("name", ["code_in_an_executor", "code_the_old_way"])
def test_code(recording, driver, name):
    SCENARIOS[name](driver)
    first, second = recording.of("code_execution")
    assert first.agent == second.agent == "user"
    assert first.payload["language"] == "python"
    assert first.payload["code"].startswith("print(6 * 7)")
    assert first.payload["exit_code"] == 0
    assert "42" in first.payload["output"]
    assert second.payload["exit_code"] == 3
    assert second.payload["code"] == "raise SystemExit(3)"
    if name == "code_in_an_executor":
        assert first.payload["code"] == "print(6 * 7)\n\necho two"
        assert first.payload["blocks"] == ["python", "sh"]


def test_an_executor_of_the_applications_own(recording, driver):
    from autogen.coding import MarkdownCodeExtractor

    class Base:
        code_extractor = MarkdownCodeExtractor()

        def execute_code_blocks(self, blocks):
            if "explode" in blocks[0].code:
                raise OSError("no room left")
            return type("Result", (), {"exit_code": 0, "output": "done"})()

        def restart(self):
            pass

    class Derived(Base):
        def execute_code_blocks(self, blocks):
            return super().execute_code_blocks(blocks)

    before = Derived.execute_code_blocks, Base.execute_code_blocks
    bot = assistant("bot", ["```python\nfine\n```", "```python\nexplode\n```"])
    user = person(code_execution_config={"executor": "commandline-local"})
    user._code_executor = Derived()
    with pytest.raises(OSError, match="no room left"):
        driver.chat(user, bot)
    first, second = recording.of("code_execution")
    assert (first.payload["exit_code"], first.payload["output"]) == (0, "done")
    assert (second.payload["exit_code"], second.payload["output"]) == (None, "OSError: no room left")
    recording.stop()
    assert (Derived.execute_code_blocks, Base.execute_code_blocks) == before
