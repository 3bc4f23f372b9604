"""Conversations of groups, nested ones, people's input, and kinds of agents; see ``classic_scenarios.py``."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import io
from typing import Any

import autogen
from classic_kit import RUN, Driver, Script, ScriptedClient, assistant, config, group, person, says_done, speaker, tool
from classic_scenarios import SCENARIOS, attempt, histories, result, scenario

try:
    from autogen.agentchat.group.patterns import DefaultPattern
except ImportError:
    DefaultPattern = None  # type: ignore[assignment,misc]

# -- groups ------------------------------------------------------------------------------------------------------


def three() -> list[Any]:
    """Three agents that always have something to say."""
    return [speaker(name, f"{name} says") for name in ("ann", "bob", "cec")]


@scenario
def round_robin(d):
    agents = three()
    manager = group(agents, rounds=5)
    return [result(d.chat(agents[0], manager)), manager.groupchat.messages, histories(*agents, manager)]


@scenario
def random_order(d):
    import random

    agents = three()
    manager = group(agents, rounds=5, method="random")
    random.seed(3)
    return [result(d.chat(agents[0], manager)), manager.groupchat.messages]


@scenario
def chosen_by_model(d):
    Script("selector", ["bob", "nobody at all", "cec"])
    ann, bob, cec = three()
    bot = assistant("bot", ["from the model, DONE"])
    manager = group(
        [ann, bob, cec, bot],
        rounds=8,
        method="auto",
        manager={"is_termination_msg": says_done},
        select_speaker_auto_llm_config=config("selector"),
        select_speaker_auto_model_client_cls=ScriptedClient,
    )
    Script.made["selector"].items.append("bot")
    return [result(d.chat(ann, manager)), manager.groupchat.messages, histories(ann, bob, cec, bot, manager)]


@scenario
def chosen_by_function(d):
    agents = three()

    def pick(last, groupchat):
        return agents[(agents.index(last) + 2) % 3] if len(groupchat.messages) < 4 else None

    manager = group(agents, rounds=9, method=pick)
    return [result(d.chat(agents[0], manager)), manager.groupchat.messages]


@scenario
def chosen_by_hand(d):
    agents = three()
    manager = group(agents, rounds=3, method="manual")
    typed = iter(["3", "2", "q"])
    with _typing(lambda prompt: next(typed)):
        chat = d.chat(agents[0], manager)
    return [result(chat), manager.groupchat.messages]


@scenario
def group_ends_early(d):
    ann, bob = three()[:2]
    mute = person("mute", default_auto_reply=None, max_consecutive_auto_reply=0)
    silent = group([ann, bob, mute], rounds=9)
    first = [attempt(lambda: result(d.chat(ann, silent))), silent.groupchat.messages]
    sink = group(
        [ann, bob],
        rounds=9,
        method="round_robin",
        allowed_or_disallowed_speaker_transitions={ann: [bob]},
        speaker_transitions_type="allowed",
    )
    second = [attempt(lambda: result(d.chat(ann, sink))), sink.groupchat.messages]
    broken = speaker("broken", lambda messages: {}["nothing"])
    raising = group([ann, bob, broken], rounds=9)
    third = [attempt(lambda: d.chat(ann, raising)), raising.groupchat.messages]
    return [first, second, third]


@scenario
def introduced(d):
    agents = three()
    manager = group(agents, rounds=3, send_introductions=True)
    return [result(d.chat(agents[0], manager)), manager.groupchat.messages, histories(*agents)]


@scenario
def group_with_tools(d):
    bot = assistant("bot", [[("add", {"a": 1, "b": 2})], "the sum is 3, DONE"])
    executor = person("executor", default_auto_reply="")
    user = person()

    def add(a: int, b: int) -> int:
        return a + b

    tool(executor, bot, add)
    manager = group(
        [user, bot, executor],
        rounds=8,
        method=lambda last, chat: executor if "tool_calls" in chat.messages[-1] else bot,
        manager={"is_termination_msg": says_done},
    )
    return [result(d.chat(user, manager)), manager.groupchat.messages, histories(user, bot, executor)]


@scenario
def resumed(d):
    agents = three()
    manager = group(agents, rounds=3)
    first = result(d.chat(agents[0], manager))
    agent, message = d.resume(manager, manager.groupchat.messages)
    second = result(d.chat(agent, manager, message=message, clear_history=False))
    fresh = three()
    again = group(fresh, rounds=2)
    agent, message = d.resume(again, again.messages_to_string(manager.groupchat.messages))
    third = result(d.chat(agent, again, message=message, clear_history=False))
    bad = attempt(lambda: d.resume(again, []))
    return [first, second, third, bad, manager.groupchat.messages, again.groupchat.messages, histories(*agents)]


@scenario
def group_appended_by_hand(d):
    agents = three()

    def pick(last, groupchat):
        if len(groupchat.messages) == 2:
            groupchat.append({"role": "user", "content": "a note from outside"}, agents[2])
        return agents[(agents.index(last) + 1) % 3]

    manager = group(agents, rounds=4, method=pick)
    return [result(d.chat(agents[0], manager)), manager.groupchat.messages]


@scenario
def history_cleared(d):
    user = speaker("user", lambda messages: {"role": "user", "content": "please CLEAR HISTORY bob now"})
    bob = speaker("bob", "bob says")
    manager = group([bob, user], rounds=4, enable_clear_history=True)
    return [result(d.chat(bob, manager)), manager.groupchat.messages, histories(user, bob)]


# -- chats within chats ------------------------------------------------------------------------------------------


@scenario
def nested(d):
    user = person(max_consecutive_auto_reply=1)
    outer = assistant("outer", ["not asked"])
    writer, critic = assistant("writer", ["a draft", "a better draft"] * 2), speaker("critic", "improve it")
    queue = [
        {"recipient": writer, "message": "Write about the matter", "max_turns": 1, "summary_method": "last_msg"},
        {"recipient": critic, "sender": writer, "message": "Judge the draft", "max_turns": 1},
    ]
    if d.asynchronous:
        for number, chat in enumerate(queue):
            chat |= {"chat_id": number, "prerequisites": list(range(number))}
        outer.register_nested_chats(queue, trigger=user, use_async=True)
    else:
        outer.register_nested_chats(queue, trigger=user)
    return [attempt(lambda: result(d.chat(user, outer, max_turns=2))), histories(user, outer, writer, critic)]


@scenario
def queued(d):
    user = person(max_consecutive_auto_reply=0)
    one, two = assistant("one", ["first result"]), assistant("two", ["second result"])
    queue = [
        {"chat_id": 1, "recipient": one, "message": "Do the first thing", "summary_method": "last_msg"},
        {"chat_id": 2, "prerequisites": [1], "recipient": two, "message": "Do the second thing"},
    ]
    return [[result(chat) for chat in d.chats(user, queue)], histories(user, one, two)]


@scenario
def group_within_group(d):
    inner_agents = three()
    inner = group(inner_agents, rounds=2, manager={"name": "inner"})
    dan = speaker("dan", "dan says")
    outer = group([dan, inner], rounds=4, manager={"name": "outer"})
    return [attempt(lambda: result(d.chat(dan, outer))), outer.groupchat.messages, inner.groupchat.messages]


@scenario
def society_of_mind(d):
    try:
        contrib: Any = importlib.import_module("autogen.agentchat.contrib.society_of_mind_agent")
    except ImportError:
        return None
    agents = three()
    inner = group(agents, rounds=3, manager={"name": "inner"})
    Script("society", ["what we think", "what we still think"])
    society = contrib.SocietyOfMindAgent("society", chat_manager=inner, llm_config=config("society"))
    society.register_model_client(ScriptedClient)
    user = person(max_consecutive_auto_reply=1)
    return [result(d.chat(user, society)), histories(user)]


# -- people ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _typing(answer: Any):
    """Somebody types: ``answer`` says what, for each prompt. Also in threads, which have no stream of their own."""
    from autogen.io.base import IOStream

    class Stream:
        def print(self, *_values, **_options):
            pass

        def send(self, _event):
            pass

        def input(self, prompt="", *, password=False):
            return answer(prompt)

    stream: Any = Stream()
    before = IOStream.get_global_default()
    IOStream.set_global_default(stream)
    try:
        with IOStream.set_default(stream):
            yield
    finally:
        IOStream.set_global_default(before)


@scenario
def typed(d):
    bot = assistant("bot", ["one", "two", "three"])
    user = person(human_input_mode="ALWAYS")
    answers = iter(["tell me more", "", "exit"])
    with _typing(lambda prompt: next(answers)):
        chat = d.chat(user, bot)
    return [result(chat), histories(user, bot)]


class Typist(autogen.UserProxyAgent):
    """Answers from a list instead of the keyboard."""

    answers: list[str] = []

    def get_human_input(self, prompt, **options):
        return self.answers.pop(0)

    async def a_get_human_input(self, prompt, **options):
        await asyncio.sleep(0)
        return self.get_human_input(prompt, **options)


@scenario
def typed_by_override(d):
    bot = assistant("bot", ["one", "two"])
    user = person(kind=Typist, human_input_mode="ALWAYS")
    Typist.answers[:] = ["go further", "exit"]
    return [result(d.chat(user, bot)), histories(user, bot)]


# -- kinds of agents ---------------------------------------------------------------------------------------------


class Overriding(autogen.ConversableAgent):
    """Overrides what the adapter wraps, and calls its base class."""

    trace: list[str] = []

    def generate_reply(self, *args, **kwargs):
        self.trace.append("generate_reply")
        return super().generate_reply(*args, **kwargs)

    async def a_generate_reply(self, *args, **kwargs):
        self.trace.append("generate_reply")
        return await super().a_generate_reply(*args, **kwargs)

    def _process_received_message(self, message, sender, silent):
        self.trace.append("received")
        return super()._process_received_message(message, sender, silent)

    def receive(self, *args, **kwargs):
        self.trace.append("receive")
        return super().receive(*args, **kwargs)

    async def a_receive(self, *args, **kwargs):
        self.trace.append("receive")
        return await super().a_receive(*args, **kwargs)

    def initiate_chat(self, *args, **kwargs):
        self.trace.append("initiate_chat")
        return super().initiate_chat(*args, **kwargs)

    async def a_initiate_chat(self, *args, **kwargs):
        self.trace.append("initiate_chat")
        return await super().a_initiate_chat(*args, **kwargs)

    def execute_function(self, func_call, *args, **kwargs):
        self.trace.append("execute_function")
        self._function_map["seen"] = len
        return super().execute_function(func_call, *args, **kwargs)

    async def a_execute_function(self, func_call, *args, **kwargs):
        self.trace.append("execute_function")
        return await super().a_execute_function(func_call, *args, **kwargs)


@scenario
def overridden(d):
    Overriding.trace.clear()
    bot = assistant("bot", [[("boom", {"x": 7})], "it is DONE"], kind=Overriding)
    user = person(kind=Overriding, is_termination_msg=says_done)

    def boom(x: int) -> int:
        raise ValueError(f"the tool exploded at {x}")

    tool(user, bot, boom)
    return [result(d.chat(user, bot)), Overriding.trace, sorted(user.function_map), histories(user, bot)]


@scenario
def multimodal(d):
    try:
        images: Any = importlib.import_module("PIL.Image")
    except ImportError:
        return None
    from autogen.agentchat.contrib.multimodal_conversable_agent import MultimodalConversableAgent

    picture = images.new("RGB", (2, 2), "red")
    bot = assistant("bot", ["a red square", "still red"], kind=MultimodalConversableAgent, human_input_mode="NEVER")
    user = person(max_consecutive_auto_reply=1)
    content = [
        {"type": "text", "text": "What can you see in this picture?"},
        {"type": "image_url", "image_url": {"url": picture}},
    ]
    chat = d.chat(user, bot, message={"content": content}, silent=True)
    return [str(chat.chat_history).replace(hex(id(picture)), "0x"), chat.summary]


@scenario
def in_the_background(d):
    """``agent.run()``: the chat happens in a thread (or a task) of its own."""
    if not RUN:
        return None
    bot = assistant("bot", ["one", "two"])
    user = person(max_consecutive_auto_reply=1)

    async def later() -> Any:
        response = await user.a_run(bot, message="Please solve it for me")
        await response.process()
        return [await response.summary, await response.messages]

    with contextlib.redirect_stdout(io.StringIO()):
        if d.asynchronous:
            seen = asyncio.run(later())
        else:
            response = user.run(bot, message="Please solve it for me")
            response.process()
            seen = [response.summary, list(response.messages)]
    return [seen, histories(user, bot)]


@scenario
def handed_off(d):
    """AG2's group patterns: agents hand over to each other by tool calls and after their work."""
    if DefaultPattern is None:
        return None
    from autogen.agentchat import a_initiate_group_chat, initiate_group_chat
    from autogen.agentchat.group import AgentTarget, TerminateTarget

    desk = assistant("desk", [[("transfer", {})], "not asked"], kind=autogen.ConversableAgent)
    expert = assistant("expert", ["solved"], kind=autogen.ConversableAgent)
    from autogen.agentchat.group import ReplyResult

    def transfer() -> Any:
        return ReplyResult(message="To the expert", target=AgentTarget(expert))

    desk.register_for_llm(description="transfer")(transfer)
    desk.register_model_client(ScriptedClient)
    expert.handoffs.set_after_work(TerminateTarget())
    pattern = DefaultPattern(initial_agent=desk, agents=[desk, expert], user_agent=None)
    with contextlib.redirect_stdout(io.StringIO()):
        if d.asynchronous:
            chat, _, last = asyncio.run(a_initiate_group_chat(pattern, "Please solve it for me", max_rounds=8))
        else:
            chat, _, last = initiate_group_chat(pattern, "Please solve it for me", max_rounds=8)
    return [result(chat), last.name if last else None]


__all__ = ["SCENARIOS", "Driver"]
