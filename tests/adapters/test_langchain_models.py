"""Model calls: what reaches the model, what is recorded of it, and that nobody else ever sees the block."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("langgraph")
pytest.importorskip("langchain.agents")

from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.globals import set_llm_cache
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_kit import (  # noqa: F401
    BLOCK,
    USAGE,
    AsyncStreaming,
    Driver,
    Scripted,
    Streaming,
    create_agent,
    driving,
    model,
    recorded,
    tool,
)
from langchain_scenarios import ASK, SCENARIOS, THREAD, add, agent
from langgraph.checkpoint.memory import InMemorySaver

from seasoned.adapters.langchain_handler import Callback, SeasonedCallbackHandler
from seasoned.adapters.langchain_middleware import SeasonedMiddleware
from seasoned.instrumentation.runs import entered

MINE = BLOCK.format("bot")


@pytest.fixture
def block(recording):
    recording.blocks["bot"] = MINE
    return MINE


def made(kind, *items, **options):
    """An agent and its model."""

    chat = model(*items, kind=kind)
    return create_agent(chat, [add], name="bot", system_prompt="You are bot.", **options), chat.script


class Ears(BaseCallbackHandler):
    """Another handler: all that it hears."""

    def __init__(self):
        self.heard: list = []

    def on_chat_model_start(self, serialized, messages, **more):
        self.heard.append(("start", str(messages)))

    def on_llm_end(self, response, **more):
        self.heard.append(("end", str(response)))

    def on_chain_end(self, outputs, **more):
        self.heard.append(("chain", str(outputs)))


class AsyncEars(AsyncCallbackHandler):
    def __init__(self):
        self.heard: list = []

    async def on_llm_start(self, serialized, prompts, **more):
        self.heard.append("llm")

    async def on_chat_model_start(self, serialized, messages, **more):
        self.heard.append("start")

    async def on_llm_new_token(self, token, **more):
        self.heard.append(token)


# -- injection ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Scripted, Streaming, AsyncStreaming])
@pytest.mark.parametrize("mode", Driver.MODES)
def test_the_block_reaches_every_call_and_nobody_else(recording, block, kind, mode):
    ears = Ears()
    bot, script = made(kind, [("add", {"a": 1, "b": 2})], "it is 3", checkpointer=InMemorySaver())
    out = Driver(mode)(bot, ASK, {**THREAD, "callbacks": [ears]})
    assert len(script.seen) == 2
    assert all(prompt[0] == ("system", f"You are bot.\n\n{block}") for prompt in script.seen)
    assert all("<experience" not in str(prompt[1:]) for prompt in script.seen)
    assert [[kind for kind, _ in prompt] for prompt in script.seen] == [
        ["system", "human"], ["system", "human", "ai", "tool"],
    ]  # fmt: skip
    assert "<experience" not in str(out)
    assert "<experience" not in str(ears.heard)
    assert [kind for kind, _ in ears.heard if kind == "start"] == ["start"] * 2
    for state in bot.get_state_history(THREAD):
        assert "<experience" not in str(state)
    calls = recording.of("model_call")
    assert all(call.payload["prompt"]["block"] for call in calls)


@pytest.mark.parametrize("mode", Driver.MODES)
def test_a_model_alone(recording, mode):
    recording.blocks["model"] = MINE
    chat = model("one")
    Driver(mode)(chat, [HumanMessage("What is the answer to it?")])
    assert chat.script.seen == [[("system", MINE), ("human", "What is the answer to it?")]]


def test_a_system_message_of_parts(recording, driver):
    recording.blocks["model"] = MINE
    parts: list = [{"type": "text", "text": "You are short."}]
    chat = model("one")
    driver(chat, [SystemMessage(parts), HumanMessage("What is the answer to it?")])
    assert chat.script.seen[0][0] == ("system", [*parts, {"type": "text", "text": MINE}])
    assert len(parts) == 1


def test_a_system_message_that_comes_later(recording, driver):
    """In one run, so that what was found out about an earlier prompt is there."""
    recording.blocks["model"] = MINE
    first, later, last = HumanMessage("What is it?"), SystemMessage("Be short."), HumanMessage("And why?")
    prompts = [[first], [first, last], [first, later, last], [later, first], [last]]
    chat = model(*"abcde")
    with entered(recording.recorder.begin("the task", explicit=True)):
        for prompt in prompts:
            driver(chat, prompt)
    mine, short = ("system", MINE), ("system", f"Be short.\n\n{MINE}")
    one, two = ("human", "What is it?"), ("human", "And why?")
    assert chat.script.seen == [[mine, one], [mine, one, two], [one, short, two], [short, one], [mine, two]]
    assert later.content == "Be short."


def test_each_agent_gets_its_own(recording, driver):
    recording.tap.compose = lambda run, agent: f"<block of {agent}>"
    seen: list = []
    answer = type(model("x").script).answer

    def spying(self, messages):
        seen.append((messages[0].type, messages[0].content))
        return answer(self, messages)

    type(model("x").script).answer = spying
    try:
        SCENARIOS["team"](driver)
    finally:
        type(model("x").script).answer = answer
    assert [content.rsplit("\n", 1)[-1] for _, content in seen] == [
        "<block of worker>", "<block of worker>", "<block of reviewer>",
    ]  # fmt: skip


def test_what_a_tool_asks_of_a_model_gets_nothing(recording, driver, block):

    helper = model("advice")

    @tool
    def consult() -> str:
        """Ask a model."""
        return helper.invoke("what now?").content

    driver(agent("bot", [("consult", {})], "done", tools=[consult]), ASK)
    assert helper.script.seen == [[("human", "what now?")]]
    calls = recording.of("model_call")
    assert [(call.agent, call.payload["response"]) for call in calls] == [
        ("bot", ""),
        ("bot", "advice"),
        ("bot", "done"),
    ]
    assert [content for *_, content in recording.talk()] == ["Please solve it for me", "done"]
    assert recording.runs[0].turn == 2


def test_a_model_that_is_built_on_another(recording, driver):
    """The inner one gets what the outer one has got: once."""
    inner = model("from within")

    class Outer(Scripted):
        def _generate(self, messages, stop=None, run_manager=None, **options):
            return inner._generate(messages)

        def _stream(self, messages, stop=None, run_manager=None, **options):
            yield from inner._stream(messages)

    recording.blocks["model"] = MINE
    driver(Outer(script=None), "What is the answer to it?")
    assert inner.script.seen == [[("system", MINE), ("human", "What is the answer to it?")]]


def test_parallel_calls_of_the_same_messages(recording):
    """Only the call itself tells which agent it is."""
    recording.tap.compose = lambda run, agent: f"<{agent}>"
    answers = {name: model(lambda messages: messages[0].content) for name in ("ann", "bob", "cec")}
    messages = [HumanMessage("What is the answer to it?")]

    async def main():
        async def ask(name):
            text = ""
            async for chunk in answers[name].astream(messages, {"run_name": name}):
                text += chunk.content
            return text

        return await asyncio.gather(*map(ask, answers))

    assert asyncio.run(main()) == ["<ann>", "<bob>", "<cec>"]


def test_interleaved_streams_in_one_task(recording):
    recording.tap.compose = lambda run, agent: f"<{agent}> and more"
    chats = [model(lambda messages: messages[0].content).with_config(run_name=name) for name in ("ann", "bob")]
    streams = [chat.stream("What is the answer to it?") for chat in chats]
    heads = [next(stream).content for stream in streams]
    rests = ["".join(chunk.content for chunk in stream) for stream in streams]
    assert [head + rest for head, rest in zip(heads, rests, strict=True)] == ["<ann> and more", "<bob> and more"]


def test_the_cache_of_langchain_keeps_hitting(recording, block):
    set_llm_cache(InMemoryCache())
    try:
        bot, script = made(Scripted, "one", "not asked", "not asked either")
        for _ in range(3):
            bot.invoke({"messages": [HumanMessage("What is the answer to it?", id="q")]})
    finally:
        set_llm_cache(None)
    assert len(script.seen) == 1
    assert [call.payload["cached"] for call in recording.of("model_call")] == [False, True, True]
    assert [call.payload["cost_usd"] for call in recording.of("model_call")][1:] == [0.0, 0.0]
    assert len(recording.runs) == 3


def test_a_class_that_is_defined_later(recording):
    recording.blocks["model"] = MINE

    class Late(Scripted):
        def _stream(self, messages, stop=None, run_manager=None, **options):
            yield ChatGenerationChunk(message=AIMessageChunk(content=self.script.answer(messages).content))

    original = Late.__dict__["_stream"]
    chat = model("one two", kind=Late)
    assert "".join(chunk.content for chunk in chat.stream("hello there everybody")) == "one two"
    assert chat.script.seen[0][0] == ("system", MINE)
    recording.stop()
    assert Late.__dict__["_stream"] is original


def test_the_generic_fake_of_langchain(recording, driver):
    recording.blocks["model"] = MINE
    chat = GenericFakeChatModel(messages=iter([AIMessage("one two")]))
    driver(chat, "What is the answer to it?")
    (call,) = recording.of("model_call")
    assert (call.payload["response"], call.agent) == ("one two", "model")
    assert call.payload["prompt"]["block"]


def test_a_failing_composer(recording, caplog):
    recording.tap.compose = lambda run, agent: 1 / 0
    chat = model("one")
    assert chat.invoke("hello there everybody").content == "one"
    assert chat.script.seen == [[("human", "hello there everybody")]]
    assert recording.guard.failures.pop("langchain.inject") == 1


# -- recording ---------------------------------------------------------------------------------------------------


def test_what_is_recorded(recording, driver, block):
    class Table:
        def cost(self, model, given, made):
            return (given + made) / 10 if model == "scripted" else None

    recording.recorder.prices = Table()
    SCENARIOS["one_agent"](driver)
    first, second = recording.of("model_call")
    assert (first.agent, first.turn, second.turn) == ("bot", 1, 2)
    payload = first.payload
    assert (payload["model"], payload["cost_usd"], payload["cached"]) == ("scripted", 1.0, False)
    assert payload["usage"] == {"input_tokens": 7, "output_tokens": 3}
    assert payload["duration_ms"] >= 0
    assert payload["tool_calls"] == [{"id": "call_1", "name": "add", "arguments": {"a": 1, "b": 2}}]
    assert [new[:2] for new in payload["prompt"]["new"]] == [["system", None], ["user", None]]
    prompt = second.payload["prompt"]
    assert (prompt["base"], prompt["keep"]) == (first.seq, 2)
    assert [new[0] for new in prompt["new"]] == ["assistant", "tool"]


def test_usage_in_detail(recording):
    told = {
        "input_tokens": 7, "output_tokens": 3, "total_tokens": 10, "input_token_details": {"cache_read": 5},
        "output_token_details": {"reasoning": 2},
    }  # fmt: skip
    chat = model(
        AIMessage("one", usage_metadata=told, response_metadata={"model_name": "big-1"}),  # type: ignore[arg-type]
        AIMessage("two"),
    )
    chat.invoke("hello there everybody")
    chat.invoke("hello there everybody")
    first, second = (call.payload for call in recording.of("model_call"))
    assert first["usage"] == {"input_tokens": 7, "output_tokens": 3, "reasoning_tokens": 2, "cached_tokens": 5}
    assert first["model"] == "big-1"
    assert "usage" not in second


def test_reasoning(recording, driver):
    SCENARIOS["reasoning"](driver)
    first = recording.of("model_call")[0]
    assert (first.payload["reasoning"], first.payload["response"]) == ("let me think", "calling")


def test_retries_and_fallbacks(recording):
    for name in ("retried", "fell_back"):
        SCENARIOS[name](Driver("invoke"))
    calls = [(call.payload.get("error_type"), call.payload["response"]) for call in recording.of("model_call")]
    assert calls == [("ConnectionError", None), (None, "at last"), ("RuntimeError", None), (None, "from the second")]
    assert recording.of("error", "outcome") == []
    assert recording.reasons() == ["finished", "finished"]


# -- other handlers ----------------------------------------------------------------------------------------------


def test_asynchronous_handlers_hear_all(recording):
    """``run_inline`` would starve them."""
    ears = AsyncEars()
    asyncio.run(_all(model("one two three").astream("hello there everybody", {"callbacks": [ears]})))
    assert ears.heard[0] == "start"
    assert "".join(ears.heard[1:]) == "one two three"


async def _all(stream):
    return [item async for item in stream]


def test_a_callback_is_both_kinds_of_function(recording):
    import inspect

    done = []
    callback = Callback("on_chain_start", lambda *args: done.append(args), recording.tap, everywhere=True)
    assert inspect.iscoroutinefunction(callback)
    assert not asyncio.iscoroutine(callback(1))

    async def main():
        assert await callback(2) is None

    asyncio.run(main())
    assert done == [(1,), (2,)]
    failing = Callback("broken", _failing, recording.tap, everywhere=True)
    failing()
    assert recording.guard.failures.pop("langchain.broken") == 1


def _failing() -> None:
    raise ZeroDivisionError


def test_no_thread_is_used_for_us(recording, monkeypatch):
    """An ordinary handler is called in a thread of a pool for every token."""

    async def main():
        loop = asyncio.get_running_loop()

        def refuse(*args):
            raise AssertionError("a thread was used")

        monkeypatch.setattr(loop, "run_in_executor", refuse)
        return [chunk.content async for chunk in model("one two").astream("hello there everybody")]

    assert "".join(asyncio.run(main())) == "one two"
    assert len(recording.of("model_call")) == 1


# -- without any patch -------------------------------------------------------------------------------------------


@pytest.fixture
def unpatched(recording):
    """A recording whose adapter is not installed: nothing global."""
    recording.adapter.uninstall()
    return recording


def test_the_handler_and_the_middleware_alone(unpatched, driver):
    unpatched.blocks["bot"] = MINE
    handler = SeasonedCallbackHandler(unpatched.tap)
    bot, script = made(
        AsyncStreaming, [("add", {"a": 1, "b": 2})], "it is 3", middleware=[SeasonedMiddleware(unpatched.tap)]
    )
    driver(bot, ASK, {"callbacks": [handler]})
    assert all(prompt[0] == ("system", f"You are bot.\n\n{MINE}") for prompt in script.seen)
    assert unpatched.kinds() == [
        "run_started", "message", "model_call", "tool_call", "tool_result", "model_call", "message", "run_finished",
    ]  # fmt: skip
    assert handler.latest is unpatched.runs[0]
    prompts = [call.payload["prompt"] for call in unpatched.of("model_call")]
    assert all(prompt["block"] for prompt in prompts)
    assert (prompts[1]["keep"], len(prompts[1]["new"])) == (2, 2)
    assert "<experience" not in str([event.payload for event in unpatched.of("message", "run_started")])
    model("two").invoke("hello there everybody")
    assert len(unpatched.runs) == 1


def test_the_middleware_without_a_run_changes_nothing(unpatched):
    unpatched.blocks["bot"] = MINE
    bot, script = made(Scripted, "one", middleware=[SeasonedMiddleware(unpatched.tap)])
    bot.invoke(ASK)
    assert script.seen[0][0] == ("system", "You are bot.")
    assert unpatched.events == []


def test_the_middleware_beside_the_adapter(recording, driver, block):
    """The block is there once, and the same is recorded as without it."""
    SCENARIOS["one_agent"](driver)
    expected = recording.outline()
    before = [call.payload["prompt"] for call in recording.of("model_call")]
    recording.events.clear()
    recording.runs.clear()
    bot, script = made(
        AsyncStreaming, [("add", {"a": 1, "b": 2})], "it is 3", middleware=[SeasonedMiddleware(recording.tap)]
    )
    driver(bot, ASK, {"callbacks": [SeasonedCallbackHandler(recording.tap)]})
    assert [prompt[0] for prompt in script.seen] == [("system", f"You are bot.\n\n{block}")] * 2
    assert recording.outline() == expected
    after = [call.payload["prompt"] for call in recording.of("model_call")]
    assert [prompt["block"] for prompt in after] == [prompt["block"] for prompt in before]
    assert [[new[:3] for new in prompt["new"]] for prompt in after] == [
        [new[:3] for new in prompt["new"]] for prompt in before
    ]


def test_the_middleware_without_a_system_message(recording, block):

    chat = model("one")
    bot = create_agent(chat, [], name="bot", middleware=[SeasonedMiddleware(recording.tap)])
    bot.invoke(ASK)
    assert chat.script.seen == [[("system", block), ("human", "Please solve it for me")]]
    (call,) = recording.of("model_call")
    assert [new[0] for new in call.payload["prompt"]["new"]] == ["user"]
    assert call.payload["usage"]["input_tokens"] == USAGE["input_tokens"]


def test_a_prompt_that_the_block_is_taken_out_of_is_compared_as_it_is(recording, block):
    """It has a message less than what the model was called with, so what is known about that one does not hold."""
    chat = model([("add", {"a": 1, "b": 2})], "it is 3")
    bot = create_agent(chat, [add], name="bot", middleware=[SeasonedMiddleware(recording.tap)])
    bot.invoke(ASK)
    assert chat.script.seen[1][0] == ("system", block)
    prompts = [call.payload["prompt"] for call in recording.of("model_call")]
    assert [(prompt["keep"], [new[0] for new in prompt["new"]]) for prompt in prompts] == [
        (0, ["user"]), (1, ["assistant", "tool"]),
    ]  # fmt: skip
