"""Conversations of every sort, each driven synchronously or asynchronously.

Every function takes a :class:`~classic_kit.Driver`, plays one conversation, and returns what an application could
see of it. They serve the tests of what is recorded and the matrix of what must not change (``classic_matrix.py``).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import autogen
from classic_kit import Script, ScriptedClient, assistant, config, person, says_done, speaker, tool

if TYPE_CHECKING:
    from collections.abc import Callable

    from classic_kit import Driver

SCENARIOS: dict[str, Callable[[Driver], Any]] = {}


def scenario(function: Callable[[Driver], Any]) -> Callable[[Driver], Any]:
    """Lists a conversation under its function's name."""
    SCENARIOS[function.__name__] = function
    return function


def histories(*agents: Any) -> dict[str, Any]:
    """What each agent remembers of each other, and its system message."""
    return {
        agent.name: {
            "system": agent.system_message,
            "with": {other.name: messages for other, messages in agent.chat_messages.items()},
        }
        for agent in agents
    }


def result(chat: Any) -> dict[str, Any]:
    """What a chat returned."""
    return {"history": chat.chat_history, "summary": chat.summary, "human": chat.human_input, "cost": chat.cost}


def attempt(function: Callable[[], Any]) -> Any:
    """What a call returned or raised."""
    try:
        return {"returned": function()}
    except BaseException as error:  # noqa: BLE001  compared, not handled
        return {"raised": type(error).__name__, "text": str(error)}


# -- two agents --------------------------------------------------------------------------------------------------


@scenario
def two_agents(d):
    bot = assistant("bot", ["first answer", "second answer", "it is DONE"])
    user = person(is_termination_msg=says_done)
    return [result(d.chat(user, bot)), histories(user, bot)]


@scenario
def turns_limited(d):
    bot = assistant("bot", ["one", "two", "three"])
    user = person()
    return [result(d.chat(user, bot, max_turns=2)), histories(user, bot)]


@scenario
def replies_limited(d):
    bot = assistant("bot", ["one", "two", "three", "four"])
    user = person(max_consecutive_auto_reply=2)
    return [result(d.chat(user, bot)), histories(user, bot)]


@scenario
def follow_up(d):
    bot = assistant("bot", ["one", "two", "three"])
    user = person(max_consecutive_auto_reply=0)
    first = result(d.chat(user, bot))
    second = result(d.chat(user, bot, message="and a follow-up question", clear_history=False))
    third = result(d.chat(user, bot, message="something else entirely"))
    return [first, second, third, histories(user, bot)]


@scenario
def sent_by_hand(d):
    bot = assistant("bot", ["one", "two"])
    user = person(max_consecutive_auto_reply=0)
    returned = [
        d.send(user, "here is some context for you", bot, request_reply=False, silent=True),
        d.send(user, "and now the question itself", bot, request_reply=True),
    ]
    return [returned, histories(user, bot)]


@scenario
def summarised(d):
    bot = assistant("bot", ["one", "a summary of it all"])
    user = person(max_consecutive_auto_reply=0)
    chat = d.chat(user, bot, summary_method="reflection_with_llm", summary_args={"summary_prompt": "Sum it up."})
    return [result(chat), histories(user, bot)]


@scenario
def hooked(d):
    bot = assistant("bot", ["one", "two"])
    user = person(max_consecutive_auto_reply=1)
    seen = []

    def before_reply(messages):
        seen.append(len(messages))
        return [*messages[:-1], {**messages[-1], "content": f"{messages[-1]['content']} (hooked)"}]

    def before_send(sender, message, recipient, silent):
        seen.append([sender.name, recipient.name])
        return f"{message}!" if isinstance(message, str) else {**message, "content": f"{message['content']}!"}

    bot.register_hook("process_all_messages_before_reply", before_reply)
    bot.register_hook("process_message_before_send", before_send)
    user.register_hook("process_last_received_message", lambda content: f"{content}?")
    return [result(d.chat(user, bot)), seen, histories(user, bot), Script.made["bot"].seen]


@scenario
def templated(d):
    """A message whose content is filled in from a context at the last moment: braces mean something then."""
    bot = assistant("bot", ["one"])
    bot.llm_config["config_list"][0]["allow_format_str_template"] = True
    bot.client = (
        bot._create_client(bot.llm_config)
        if hasattr(bot, "_create_client")
        else autogen.OpenAIWrapper(**bot.llm_config)
    )
    bot.register_model_client(ScriptedClient)
    user = person(max_consecutive_auto_reply=0)
    message = {"content": "Solve {problem} for me", "context": {"problem": "the riddle"}}
    return [attempt(lambda: result(d.chat(user, bot, message=message))), histories(user, bot)]


# -- tools and code ----------------------------------------------------------------------------------------------


def with_tools(items: list[Any]) -> tuple[Any, Any]:
    """Two agents, of which one may call ``add``, ``boom`` and ``later`` and the other executes them."""
    bot = assistant("bot", items)
    user = person(is_termination_msg=says_done, max_consecutive_auto_reply=8)

    def add(a: int, b: int) -> int:
        return a + b

    def boom(x: int) -> int:
        raise ValueError(f"the tool exploded at {x}")

    def nothing() -> None:
        return None

    async def later(x: int) -> str:
        if x < 0:
            raise LookupError("there is no such thing")
        return f"later {x}"

    for function in (add, boom, nothing, later):
        tool(user, bot, function)
    return user, bot


@scenario
def tools(d):
    user, bot = with_tools(
        [
            [("add", {"a": 1, "b": 2})],
            [("boom", {"x": 7})],
            [("add", {"a": 1, "b": 2}), ("nothing", {}), ("add", {"a": 3, "b": 4})],
            [("missing", {"x": 1})],
            [("add", "{not json")],
            "it is DONE",
        ]
    )
    return [result(d.chat(user, bot)), histories(user, bot)]


@scenario
def asynchronous_tools(d):
    user, bot = with_tools([[("later", {"x": 1})], [("later", {"x": -1})], "it is DONE"])
    return [attempt(lambda: result(d.chat(user, bot))), histories(user, bot)]


@scenario
def functions(d):
    """The older form of a tool call."""
    bot = assistant("bot", [{"function_call": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}, "it is DONE"])
    user = person(is_termination_msg=says_done, function_map={"add": lambda a, b: str(a + b)})
    return [result(d.chat(user, bot)), histories(user, bot)]


@scenario
def tool_uses_its_agent(d):
    """A tool that looks at its own agent's functions and calls another of them."""
    bot = assistant("bot", [[("outer", {})], "it is DONE"])
    user = person(is_termination_msg=says_done)
    seen = []

    def inner() -> str:
        return "inner result"

    def outer() -> str:
        ok, answer = user.execute_function({"name": "inner", "arguments": "{}"})
        seen.append([ok, answer, user.function_map["inner"] is vars(user)["_function_map"]["inner"]])
        return "outer result"

    tool(user, bot, inner)
    tool(user, bot, outer)
    return [result(d.chat(user, bot)), seen, histories(user, bot)]


@scenario
def code_in_an_executor(d):
    from autogen.coding import LocalCommandLineCodeExecutor

    bot = assistant(
        "bot",
        ["Run\n```python\nprint(6 * 7)\n```\nand\n```sh\necho two\n```", "```python\nraise SystemExit(3)\n```", "DONE"],
    )
    executor = LocalCommandLineCodeExecutor(timeout=30, work_dir="code")
    user = person(code_execution_config={"executor": executor}, is_termination_msg=says_done)
    return [result(d.chat(user, bot)), histories(user, bot)]


@scenario
def code_the_old_way(d):
    import autogen.code_utils

    autogen.code_utils.is_docker_running = lambda: False  # it would look, and leave its connection open
    bot = assistant("bot", ["```python\nprint(6 * 7)\n```", "```python\nraise SystemExit(3)\n```", "DONE"])
    settings = {"work_dir": "old", "use_docker": False, "last_n_messages": 1}
    user = person(code_execution_config=settings, is_termination_msg=says_done)
    return [result(d.chat(user, bot)), histories(user, bot)]


# -- what is exceptional -----------------------------------------------------------------------------------------


@scenario
def reply_raises(d):
    bot = speaker("bot", lambda messages: 1 / 0)
    user = person()
    return [attempt(lambda: d.chat(user, bot)), histories(user, bot)]


@scenario
def model_raises(d):
    bot = assistant("bot", ["one", RuntimeError("the model is down")])
    user = person(max_consecutive_auto_reply=3)
    return [attempt(lambda: d.chat(user, bot)), histories(user, bot)]


@scenario
def interrupted(d):
    def press(messages):
        raise KeyboardInterrupt

    bot = speaker("bot", press)
    user = person()
    return [attempt(lambda: d.chat(user, bot)) if not d.asynchronous else None, histories(user, bot)]


@scenario
def wrong_calls(d):
    bot, user = speaker("bot", "hello"), person(max_consecutive_auto_reply=0)
    return [
        attempt(lambda: d.chat(user, None)),
        attempt(lambda: d.send(user, {"nothing": 1}, bot)),
        attempt(lambda: user.generate_reply()),
        attempt(lambda: user.initiate_chat()),
        attempt(lambda: user.send("x")),
        attempt(lambda: user.execute_function(None)),
        attempt(lambda: autogen.OpenAIWrapper(config_list=[{"model": "m", "api_key": "x"}]).create()),
        histories(user, bot),
    ]


# -- replies without a chat --------------------------------------------------------------------------------------


@scenario
def replies_by_hand(d):
    bot = assistant("bot", ["one", "two", "three", "four"])
    first = [{"role": "user", "content": "What is the answer to it?"}]
    one = d.reply(bot, messages=first)
    more = [*first, {"role": "assistant", "content": one}, {"role": "user", "content": "And to the other?"}]
    two = d.reply(bot, messages=more)
    replaced = assistant("replaced", ["not asked"])
    replaced.replace_reply_func(
        autogen.ConversableAgent.generate_oai_reply, lambda agent, messages, sender, config: (True, "by hand")
    )
    three = replaced.generate_reply(messages=first)
    four = bot.generate_reply(messages=first, exclude=[autogen.ConversableAgent.generate_oai_reply])
    return [one, two, three, four, histories(bot), Script.made["bot"].seen]


@scenario
def agents_as_objects(d):
    """What applications do with agents beside letting them talk."""
    user, bot = with_tools([[("add", {"a": 1, "b": 2})], "it is DONE"])
    twin = copy.deepcopy(user)
    first = result(d.chat(twin, bot))
    replaced = {"add": lambda a, b: "replaced"}
    twin._function_map = replaced
    same = twin.function_map is replaced and vars(twin)["_function_map"] is replaced
    del twin._function_map
    return [
        first,
        sorted(user.function_map),
        same,
        hasattr(twin, "_function_map"),
        attempt(lambda: twin._function_map),
        user.can_execute_function("add"),
        [f["reply_func"].__name__ for f in user._reply_func_list],
        autogen.ConversableAgent.generate_oai_reply in [f["reply_func"] for f in user._reply_func_list],
        histories(user, bot),
    ]


@scenario
def cached(d):
    """Model responses from the host's caches, of both kinds."""
    user = person(max_consecutive_auto_reply=0)
    bot = assistant("bot", ["one", "not asked"])
    bot.client = autogen.OpenAIWrapper(**config("bot", cache_seed=7))
    bot.register_model_client(ScriptedClient)
    first = [result(d.chat(user, bot)), result(d.chat(user, bot)), Script.made["bot"].calls]
    other = assistant("other", ["two", "not asked"])
    from autogen import Cache

    with Cache.disk(cache_seed=8, cache_path_root="cache") as cache:
        second = [result(d.chat(user, other, cache=cache)), result(d.chat(user, other, cache=cache))]
    return [first, second, Script.made["other"].calls]
