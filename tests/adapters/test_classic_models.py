"""Model calls: what reaches the model, what is recorded of it, and that nobody else ever sees the block."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import autogen
import pytest
from classic_group_scenarios import SCENARIOS
from classic_kit import BLOCK, CLIENT, Script, assistant, config, person, speaker

from seasoned.adapters import classic_responses
from seasoned.adapters.classic_responses import arguments, cost_of, model_of, reader

MINE = BLOCK.format("bot")


@pytest.fixture
def block(recording):
    recording.blocks["bot"] = MINE
    return MINE


def prompts(name: str = "bot") -> list:
    return Script.made[name].seen


# -- injection ---------------------------------------------------------------------------------------------------


def test_the_block_reaches_every_call_of_its_agent_and_nobody_else(recording, driver, block):
    user, bot = person(max_consecutive_auto_reply=2), assistant("bot", ["one", "two", "three"])
    system = copy.deepcopy(bot._oai_system_message)
    chat = driver.chat(user, bot)
    assert prompts()
    assert all(prompt[0] == {"role": "system", "content": f"You are bot.\n\n{block}"} for prompt in prompts())
    assert all("<experience" not in str(prompt[1:]) for prompt in prompts())
    assert bot._oai_system_message == system
    assert bot.system_message == "You are bot."
    for place in (chat.chat_history, chat.summary, user.chat_messages, bot.chat_messages, bot.llm_config):
        assert "<experience" not in str(place)


def test_without_a_system_message_there_is_one(recording, driver, block):
    bot = assistant("bot", ["one"])
    bot._oai_system_message = []
    driver.chat(person(max_consecutive_auto_reply=0), bot)
    assert prompts()[0][0] == {"role": "system", "content": block}
    assert prompts()[0][1]["content"] == "Please solve it for me"


def test_a_system_message_of_parts(recording, driver, block):
    bot = assistant("bot", ["one"])
    parts = [{"type": "text", "text": "You are bot."}]
    bot._oai_system_message = [{"role": "system", "content": parts}]
    driver.chat(person(max_consecutive_auto_reply=0), bot)
    assert prompts()[0][0]["content"][0] == parts[0]
    assert block in prompts()[0][0]["content"][1]["text"]
    assert len(parts) == 1


def test_braces_in_a_template(recording, driver, block):
    """Messages with a context may be templates of ``str.format``, where the block's braces would mean something."""
    SCENARIOS["templated"](driver)
    system, question = prompts()[0][:2]
    assert system["content"].endswith(block)
    assert question["content"] == "Solve the riddle for me"


def test_a_system_message_that_is_a_function_is_left_alone(recording, driver, block):
    bot = assistant("bot", ["one"])
    bot._oai_system_message = [{"role": "system", "content": lambda context: f"You are {context['who']}."}]
    message = {"content": "Who are you then?", "context": {"who": "bot"}}
    driver.chat(person(max_consecutive_auto_reply=0), bot, message)
    assert prompts()[0][0]["content"] == "You are bot."
    (call,) = recording.of("model_call")
    assert call.payload["prompt"]["block"] is None


def test_the_machinery_gets_nothing(recording, driver):
    recording.tap.compose = lambda run, agent: f"<block of {agent}>"
    SCENARIOS["chosen_by_model"](driver)
    assert "<block" not in str(prompts("selector"))
    assert prompts("bot")[0][0]["content"].endswith("<block of bot>")


def test_the_models_of_others_get_nothing(recording, driver, block):
    """What an agent asks of a model that is not its own is recorded, not changed."""
    helper = autogen.OpenAIWrapper(**config("helper"))
    Script("helper", ["advice"])
    helper.register_model_client(CLIENT)
    bot = assistant("bot", ["not asked"])

    def consult(agent, messages, sender, config):
        answer = helper.create(messages=[{"role": "user", "content": "what now?"}])
        return True, answer.choices[0].message.content

    bot.register_reply([autogen.Agent, None], consult)
    driver.chat(person(max_consecutive_auto_reply=0), bot)
    assert prompts("helper") == [[{"role": "user", "content": "what now?"}]]
    (call,) = recording.of("model_call")
    assert (call.agent, call.payload["response"]) == ("bot", "advice")


def test_a_caching_host_keeps_hitting(recording, driver, block):
    pytest.importorskip("diskcache")
    seen = SCENARIOS["cached"](driver)
    assert seen[0][2] == 1
    assert seen[2] == 1
    calls = recording.of("model_call")
    assert [event.payload["cached"] for event in calls] == [False, True, False, True]
    assert [event.payload["cost_usd"] for event in calls] == [0.25, 0.0, 0.25, 0.0]


def test_after_a_tool_was_registered(recording, driver, block):
    """The agent's client is made again by that: wrapping it instead of its class would be lost."""
    SCENARIOS["tools"](driver)
    assert all(prompt[0]["content"].endswith(block) for prompt in prompts())


# -- recording ---------------------------------------------------------------------------------------------------


def test_what_is_recorded(recording, driver, block):
    driver.chat(person(max_consecutive_auto_reply=0), assistant("bot", ["the answer"]))
    (call,) = recording.of("model_call")
    payload = call.payload
    assert (call.agent, call.turn, payload["model"], payload["response"]) == ("bot", 1, "bot", "the answer")
    assert payload["cost_usd"] == 0.25
    assert payload["cached"] is False
    assert payload["duration_ms"] >= 0
    assert [new[:2] for new in payload["prompt"]["new"]] == [["system", None], ["user", "user"]]
    assert payload["prompt"]["block"] is not None


def test_a_call_that_fails(recording, driver, block):
    SCENARIOS["model_raises"](driver)
    good, bad = recording.of("model_call")
    assert "error" not in {key for key, value in good.payload.items() if value}
    assert (bad.payload["error_type"], bad.payload["error"]) == ("RuntimeError", "the model is down")
    assert bad.payload["model"] == "bot"
    assert [event.agent for event in recording.of("error")] == ["bot"]


def test_reasoning_and_tool_calls(recording, driver):
    items = [
        {"content": "answer", "reasoning_content": "thinking about it"},
        {"content": "answer", "reasoning": [{"text": "first"}, {"text": "second"}]},
    ]
    driver.chat(person(max_consecutive_auto_reply=9), assistant("bot", items), max_turns=2)
    thoughts = [event.payload["reasoning"] for event in recording.of("model_call")]
    assert thoughts == ["thinking about it", "first\n\nsecond"]


def test_the_summary_of_a_model(recording, driver):
    SCENARIOS["summarised"](driver)
    assert [event.payload["response"] for event in recording.of("model_call")] == ["one", "a summary of it all"]


def test_a_client_of_the_applications_own(recording, driver, block):
    """Whatever has ``create`` can be an agent's client."""

    class Own:
        def create(self, **given):
            self.given = given
            message = SimpleNamespace(content="own answer")
            return SimpleNamespace(choices=[SimpleNamespace(message=message)], model="own")

        def extract_text_or_completion_object(self, response):
            return [response.choices[0].message.content]

        total_usage_summary = actual_usage_summary = None

    before = Own.create
    bot = assistant("bot", [])
    bot.client = own = Own()
    driver.chat(person(max_consecutive_auto_reply=0), bot)
    (call,) = recording.of("model_call")
    assert (call.agent, call.payload["model"], call.payload["response"]) == ("bot", "own", "own answer")
    assert own.given["messages"][0]["content"].endswith(block)
    recording.stop()
    assert Own.create is before


def test_calls_of_nobody_are_left_alone(recording):
    Script("helper", ["advice"])
    helper = autogen.OpenAIWrapper(**config("helper"))
    helper.register_model_client(CLIENT)
    helper.create(messages=[{"role": "user", "content": "what now?"}])
    assert recording.events == []
    assert recording.adapter.unattributed == 0


def test_only_agents_with_a_model_make_model_calls(recording, driver):
    driver.chat(person(max_consecutive_auto_reply=0), speaker("bot", "hello"))
    assert recording.of("model_call") == []


# -- reading responses -------------------------------------------------------------------------------------------


def answer_of(given):
    return classic_responses.answer_of(given, reader(given))


def usage_in(given):
    return classic_responses.usage_in(given, reader(given))


def response(**message) -> SimpleNamespace:
    return SimpleNamespace(choices=[SimpleNamespace(message=SimpleNamespace(**message))])


def test_forms_of_a_response():
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    made = [{"id": "c1", "name": "add", "arguments": {"a": 1}}]
    objects = SimpleNamespace(id="c1", function=SimpleNamespace(name="add", arguments='{"a": 1}'))
    assert answer_of(response(content="text")) == ("text", [], None)
    assert answer_of(response(content=None, tool_calls=[call])) == (None, made, None)
    assert answer_of(response(content=None, tool_calls=[objects])) == (None, made, None)
    assert answer_of({"choices": [{"message": {"content": "text", "thinking": "hm"}}]}) == ("text", [], "hm")
    assert answer_of(SimpleNamespace(choices=[SimpleNamespace(text="completion")])) == ("completion", [], None)
    assert answer_of("text") == ("text", [], None)
    assert answer_of(None) == (None, [], None)
    assert answer_of(object()) == (None, [], None)


def test_the_unified_response_of_newer_clients():
    models = pytest.importorskip("autogen.llm_clients.models")
    blocks = [
        models.ReasoningContent(reasoning="let me think"),
        models.TextContent(text="the answer"),
        models.ToolCallContent(id="c1", name="add", arguments='{"a": 1}'),
    ]
    unified = models.UnifiedResponse(
        id="r", model="gpt-x", provider="p", messages=[models.UnifiedMessage(role="assistant", content=blocks)]
    )
    assert answer_of(unified) == ("the answer", [{"id": "c1", "name": "add", "arguments": {"a": 1}}], "let me think")
    assert model_of(reader(unified), None, {}) == "gpt-x"


class Slots:
    """A usage record without a dictionary."""

    __slots__ = ("completion_tokens", "prompt_tokens")

    def __init__(self):
        self.prompt_tokens, self.completion_tokens = 3, 4


def test_usage():
    plain = SimpleNamespace(prompt_tokens=3, completion_tokens=4, total_tokens=7)
    details = SimpleNamespace(**vars(plain), completion_tokens_details=SimpleNamespace(reasoning_tokens=2))
    both = {"input_tokens": 3, "output_tokens": 4}
    assert usage_in(SimpleNamespace(usage=plain)) == both
    assert usage_in(SimpleNamespace(usage=details)) == {**both, "reasoning_tokens": 2}
    assert usage_in(SimpleNamespace(usage=Slots())) == both
    assert usage_in(SimpleNamespace(usage=vars(plain))) == both
    assert usage_in(SimpleNamespace(usage=None)) is None
    assert usage_in("text") is None


def computed(**members):
    """An object that has no member of its own, only properties."""
    properties = {name: property(lambda _self, value=value: value) for name, value in members.items()}
    return type("Computed", (), properties)()


def slotted(**members):
    """An object without a dictionary."""
    thing = type("Slotted", (), {"__slots__": tuple(members)})()
    for name, value in members.items():
        setattr(thing, name, value)
    return thing


def default(**members):
    """An object whose class holds its members."""
    return type("Default", (), members)()


def asked(**members):
    """An object that makes up its members when it is asked for them."""

    def __getattr__(_self, name):  # noqa: N807  a method of the class below
        try:
            return members[name]
        except KeyError:
            raise AttributeError(name) from None

    return type("Asked", (), {"__getattr__": __getattr__})()


def further(**members):
    """An object of pydantic that has no field for any of its members."""
    pydantic = pytest.importorskip("pydantic")
    return pydantic.create_model("Further", __config__={"extra": "allow", "protected_namespaces": ()})(**members)


@pytest.mark.parametrize("kind", [dict, SimpleNamespace, computed, slotted, default, asked, further])
def test_wherever_an_object_keeps_its_members_they_are_read(kind):
    usage = SimpleNamespace(prompt_tokens=3, completion_tokens=4)
    message = kind(content="text", tool_calls=[{"id": "c"}], function_call=None, reasoning_content="hm")
    given = kind(choices=[kind(message=message)], model="m", usage=usage, cost=0.5)
    read = reader(given)
    assert answer_of(given) == ("text", [{"id": "c", "name": None, "arguments": None}], "hm")
    assert model_of(read, None, {"model": "asked for"}) == "m"
    assert usage_in(given) == {"input_tokens": 3, "output_tokens": 4}
    assert cost_of(read, None, None, None) == 0.5
    empty = kind()
    assert answer_of(empty) == (None, [], None)
    assert model_of(reader(empty), None, {"model": "asked for"}) == "asked for"
    assert answer_of(kind(choices=[kind(text="completion")])) == ("completion", [], None)


def test_a_usage_record_of_three_fields_may_hold_more():
    pydantic = pytest.importorskip("pydantic")
    counts = {"prompt_tokens": (int, 3), "completion_tokens": (int, 4), "total_tokens": (int, 7)}
    usage = pydantic.create_model("Usage", __config__={"extra": "allow"}, **counts)(cache_read_input_tokens=2)
    assert usage_in(SimpleNamespace(usage=usage)) == {"input_tokens": 5, "output_tokens": 4, "cached_tokens": 2}


@pytest.mark.parametrize(
    ("given", "read"), [('{"a": 1}', {"a": 1}), ("{oops", "{oops"), ({"a": 1}, {"a": 1}), (None, None), ("", "")]
)
def test_arguments(given, read):
    assert arguments(given) == read


class Table:
    """A price table that knows one model."""

    def cost(self, model, input_tokens, output_tokens):
        return (input_tokens + output_tokens) / 10 if model == "known" else None


@pytest.mark.parametrize(
    ("said", "model", "cost"),
    [(0.5, "known", 0.5), (0, "known", 3.0), (None, "known", 3.0), (0, "other", 0.0), (None, "other", None)],
)
def test_costs(said, model, cost):
    usage = {"input_tokens": 10, "output_tokens": 20}
    assert cost_of(reader(SimpleNamespace(cost=said)), model, usage, Table()) == cost  # type: ignore[arg-type]
    assert cost_of(reader(SimpleNamespace()), model, None, None) is None


def test_a_picture_in_an_answer_is_described_as_in_a_message(recording):
    run = recording.recorder.begin("Draw it for me")
    picture = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{'QUJD' * 100}"}}]
    recording.recorder.model_call(run, "bot", [], {}, response=picture)
    (event,) = recording.of("model_call")
    assert "image/png" in event.payload["response"]
    assert "QUJD" not in event.payload["response"]
