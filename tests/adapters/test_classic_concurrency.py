"""Many chats at once, in tasks, threads and event loops, that share one assistant: nothing is ever mixed up."""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
from concurrent.futures import ThreadPoolExecutor

import autogen
import pytest
from classic_kit import RUN, Script, assistant, person, tool

from seasoned.adapters.classic_carry import Carry
from seasoned.adapters.classic_state import Chat, Place
from seasoned.instrumentation.runs import CURRENT, entered

MANY = 50


def echo(messages):
    """A model that repeats who asked what, so that each answer tells which chat it belongs to."""
    last = messages[-1]
    content = last["content"]
    if isinstance(content, list):
        content = content[0]["text"]
    return f"{last.get('name')} said {content}"


def users(count: int = MANY) -> list:
    return [person(f"user{number}", max_consecutive_auto_reply=2, default_auto_reply=f"more {number}")
            for number in range(count)]  # fmt: skip


async def gather(pairs, **options):
    with contextlib.redirect_stdout(io.StringIO()):
        await asyncio.gather(
            *(user.a_initiate_chat(bot, message=f"task of {user.name}", silent=True, **options) for user, bot in pairs)
        )


def check(recording, count: int = MANY) -> None:
    """Every run holds the words of its own user only, all of them, in order."""
    assert recording.adapter.unattributed == 0
    assert len(recording.runs) == count
    for run in recording.runs:
        events = [event for event in recording.events if event.run_id == run.run_id]
        user = next(event.agent for event in events if event.kind == "message")
        number = user.removeprefix("user")
        kinds = [event.kind for event in events]
        assert kinds == ["run_started", "message"] + ["model_call", "message", "message"] * 2 + [
            "model_call", "message", "run_finished",
        ]  # fmt: skip
        talk = recording.talk(run)
        said = [content for _, _, _, content in talk]
        assert said == [
            f"task of {user}", f"{user} said task of {user}", f"more {number}", f"{user} said more {number}",
            f"more {number}", f"{user} said more {number}",
        ]  # fmt: skip
        for event in events:
            if event.kind == "model_call":
                assert event.payload["response"].startswith(f"{user} said")
    assert CURRENT.get() is None


@pytest.mark.skipif(not RUN, reason="before AG2 replies are counted twice asynchronously")
def test_tasks(recording):
    bot = assistant("bot", echo)
    asyncio.run(gather([(user, bot) for user in users()]))
    check(recording)


def test_tasks_keep_their_model_calls_in_every_version(recording):
    bot = assistant("bot", echo)
    asyncio.run(gather([(user, bot) for user in users()]))
    assert recording.adapter.unattributed == 0
    calls = recording.of("model_call")
    assert len(calls) >= MANY
    owners = {event.run_id: event.agent for event in recording.of("message") if event.agent != "bot"}
    assert all(event.payload["response"].startswith(f"{owners[event.run_id]} said") for event in calls)


def test_threads(recording):
    bot = assistant("bot", echo)
    with ThreadPoolExecutor(MANY) as pool:
        list(pool.map(lambda user: user.initiate_chat(bot, message=f"task of {user.name}", silent=True), users()))
    check(recording)


@pytest.mark.skipif(not RUN, reason="before AG2 replies are counted twice asynchronously")
def test_event_loops_in_threads(recording):
    bot = assistant("bot", echo)
    everyone = users(40)
    groups = [everyone[start::4] for start in range(4)]
    threads = [
        threading.Thread(target=lambda group=group: asyncio.run(gather([(user, bot) for user in group])))
        for group in groups
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(recording, 40)


def test_the_injected_block_belongs_to_the_run(recording):
    bot = assistant("bot", echo)
    recording.tap.compose = lambda run, agent: f"<block of {run.run_id}>" if agent == "bot" else ""
    asyncio.run(gather([(user, bot) for user in users(20)]))
    owners = {event.agent: event.run_id for event in recording.of("message") if event.agent != "bot"}
    for prompt in Script.made["bot"].seen:
        user = prompt[-1]["name"]
        assert prompt[0]["content"].endswith(f"<block of {owners[user]}>")


def test_people_of_one_name_who_say_the_same(recording):
    """Only the identity of the messages tells their runs apart."""
    bot = assistant("bot", lambda messages: "the same for all")
    twins = [person("twin", max_consecutive_auto_reply=2) for _ in range(MANY)]

    async def talk():
        with contextlib.redirect_stdout(io.StringIO()):
            await asyncio.gather(*(twin.a_initiate_chat(bot, message="who am I", silent=True) for twin in twins))

    asyncio.run(talk())
    assert recording.adapter.unattributed == 0
    assert len(recording.runs) == MANY
    for run in recording.runs:
        answers = [message for message in recording.talk(run) if message[0] == "bot"]
        assert len(recording.of("model_call", run=run)) == len(answers) > 0


def test_one_message_before_several_agents(recording):
    """The same dictionary may be the last message of two agents in two runs."""
    carry, message = Carry(), {"name": "user", "content": "for both"}
    runs = [recording.recorder.begin() for _ in range(2)]
    agents = [person("one"), person("two")]
    for agent, run in zip(agents, runs, strict=True):
        place = Place(agent, Chat(run), leaves=True)
        carry.leaving(agent, place)
        carry.heading(place, [message])
    for agent, run in zip(agents, runs, strict=True):
        found = carry.by_message(agent, message)
        assert found is not None
        assert found.run is run
    assert carry.by_message(person("three"), message) is None


@pytest.mark.parametrize("count", [1, MANY])
def test_agents_that_copy_the_messages_first(recording, count):
    """Multimodal agents hand copies to the model wrapper, and name no agent or only its name."""
    pytest.importorskip("PIL")
    from autogen.agentchat.contrib.multimodal_conversable_agent import MultimodalConversableAgent

    bot = assistant("bot", echo, kind=MultimodalConversableAgent, human_input_mode="NEVER")
    asyncio.run(gather([(user, bot) for user in users(count)]))
    assert recording.adapter.unattributed == 0
    owners = {event.run_id: event.agent for event in recording.of("message") if event.agent != "bot"}
    calls = recording.of("model_call")
    assert {event.run_id for event in calls} == set(owners)
    assert all(event.payload["response"].startswith(f"{owners[event.run_id]} said") for event in calls)


def test_what_cannot_be_decided_is_left_alone(recording):
    """Two people of one name say the same to an agent that copies the messages: no run is guessed."""
    bot, wrapper = person("bot"), object()
    bot.client = wrapper
    carry, runs = Carry(), [recording.recorder.begin() for _ in range(2)]
    places = [Place(bot, Chat(run), leaves=True) for run in runs]
    for place in places:
        carry.leaving(bot, place)
        carry.heading(place, [{"name": "twin", "content": "who am I"}])
    sent = [{"role": "system", "content": "x"}, {"name": "twin", "content": [{"type": "text", "text": "who am I"}]}]
    assert carry.by_client(wrapper, None, sent) is None
    assert carry.by_client(wrapper, "bot", sent) is None
    carry.back(places[0])
    found = carry.by_client(wrapper, None, sent)
    assert found is not None
    assert found.run is runs[1]
    assert carry.by_client(wrapper, None, [*sent[:1], {"name": "other", "content": "who am I"}]) is None
    assert carry.by_client(object(), None, sent) is None
    carry.back(places[1])
    assert not carry.waiting
    assert not carry.expects(wrapper)


def test_calls_that_cannot_be_placed_are_counted(recording):
    recording.blocks["bot"] = "<block>"
    bot = assistant("bot", ["outside"])
    answer = bot.client.create(messages=[{"role": "user", "content": "hello"}], agent=bot)
    assert answer.choices[0].message.content == "outside"
    assert recording.events == []
    assert recording.adapter.unattributed == 1
    assert Script.made["bot"].seen == [[{"role": "user", "content": "hello"}]]


def test_one_run_of_the_application_around_many_chats(recording):
    """Then they all belong to that run, and even calls that could be any of theirs."""
    bot = assistant("bot", echo)
    run = recording.recorder.begin("all of them", explicit=True)
    with entered(run):
        asyncio.run(gather([(user, bot) for user in users(10)]))
    assert len(recording.runs) == 1
    assert {event.run_id for event in recording.events} == {run.run_id}
    assert recording.of("run_finished") == []
    assert len(recording.of("model_call")) >= 10


def test_asynchronous_tools_run_at_once(recording):
    """Several calls of one message run side by side: each result goes with its own call."""
    items = [[("wait", {"n": n}) for n in (3, 1, 2)], "done"]
    bot = assistant("bot", items)
    user = person(is_termination_msg=lambda message: message.get("content") == "done")

    async def wait(n: int) -> str:
        for _ in range(n):
            await asyncio.sleep(0)
        if n == 2:
            raise LookupError(f"no {n}")
        return f"waited {n}"

    tool(user, bot, wait)

    async def talk():
        with contextlib.redirect_stdout(io.StringIO()):
            await user.a_initiate_chat(bot, message="do it three times", silent=True)

    asyncio.run(talk())
    called = {event.payload["call_id"]: event.payload["arguments"]["n"] for event in recording.of("tool_call")}
    assert called == {"call_0": 3, "call_1": 1, "call_2": 2}
    for event in recording.of("tool_result"):
        n = called[event.payload["call_id"]]
        assert event.payload["ok"] is (n != 2)
        assert event.payload["content"] == ("Error: no 2" if n == 2 else f"waited {n}")
        assert event.payload.get("error_type") == ("LookupError" if n == 2 else None)


def test_a_thread_without_context_is_a_run_of_its_own(recording):
    """What the application starts itself in the middle of a reply, in a thread that knows nothing of it."""
    bot = assistant("bot", ["from the thread"])

    def delegate(messages):
        helper = person("helper", max_consecutive_auto_reply=0)
        thread = threading.Thread(target=lambda: helper.initiate_chat(bot, message="help", silent=True))
        thread.start()
        thread.join()
        return "delegated"

    outer = autogen.ConversableAgent("outer", llm_config=False, code_execution_config=False, human_input_mode="NEVER")
    outer.register_reply([autogen.Agent, None], lambda agent, messages, sender, config: (True, delegate(messages)))
    person(max_consecutive_auto_reply=0).initiate_chat(outer, message="please delegate it", silent=True)
    assert [run.parent for run in recording.runs] == [None, None]
    assert [content for *_, content in recording.talk(0)] == ["please delegate it", "delegated"]
    assert [content for *_, content in recording.talk(1)] == ["help", "from the thread"]
