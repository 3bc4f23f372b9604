"""Messages, turns, transitions and human input: each once, in order, by whom and to whom."""

from __future__ import annotations

import base64

import autogen
import pytest
from classic_group_scenarios import SCENARIOS
from classic_kit import assistant, group, person, speaker, tool


def texts(recording) -> list:
    return [(sender, content) for sender, _, _, content in recording.talk()]


def test_every_message_of_a_group_once(recording, driver):
    agents = [speaker(name, name) for name in ("ann", "bob", "cec")]
    manager = group(agents, rounds=7)
    driver.chat(agents[0], manager)
    assert texts(recording) == [(message["name"], message["content"]) for message in manager.groupchat.messages]
    recipients = [recipients for _, recipients, *_ in recording.talk()]
    assert recipients[:3] == [("bob", "cec"), ("ann", "cec"), ("ann", "bob")]


def test_from_somebody_outside_the_group(recording, driver):
    agents = [speaker(name, name) for name in ("ann", "bob")]
    driver.chat(person("eve"), group(agents, rounds=2))
    assert recording.talk()[0] == ("eve", ("ann", "bob"), "user", "Please solve it for me")


def test_roles(recording, driver):
    bot = assistant("bot", [[("add", {"a": 1, "b": 2})], "three"])
    user = person(is_termination_msg=lambda message: message.get("content") == "three")

    def add(a: int, b: int) -> int:
        return a + b

    tool(user, bot, add)
    driver.chat(user, bot)
    assert recording.talk() == [
        ("user", ("bot",), "user", "Please solve it for me"),
        ("bot", ("user",), "assistant", None),
        ("user", ("bot",), "tool", "3"),
        ("bot", ("user",), "assistant", "three"),
    ]


def test_empty_and_equal_messages_are_messages(recording, driver):
    says = ["", "same", "same", "same", ""]
    bot = assistant("bot", says)
    user = person(max_consecutive_auto_reply=20, default_auto_reply="same")
    driver.chat(user, bot, "same", max_turns=5)
    assert [content for _, content in texts(recording)][1::2] == says
    assert len(texts(recording)) == 10


def test_introductions_once(recording, driver):
    SCENARIOS["introduced"](driver)
    intros = [message for message in recording.talk() if message[0] == "chat_manager"]
    assert len(intros) == 1
    assert intros[0][1] == ("ann", "bob", "cec")


def test_what_the_manager_says_instead(recording, driver):
    """A hook changes what the manager passes on: it is recorded once more, as the manager's, not for each member."""
    agents = [speaker(name, name) for name in ("ann", "bob", "cec")]
    manager = group(agents, rounds=2)
    if not driver.asynchronous:  # before AG2 such hooks are left out asynchronously
        manager.register_hook(
            "process_message_before_send", lambda sender, message, recipient, silent: {**message, "content": "censored"}
        )
        driver.chat(agents[0], manager)
        assert texts(recording) == [
            ("ann", "Please solve it for me"), ("chat_manager", "censored"), ("bob", "bob 0"),
            ("chat_manager", "censored"),
        ]  # fmt: skip


def test_a_message_appended_to_the_group_by_hand(recording, driver):
    SCENARIOS["group_appended_by_hand"](driver)
    assert texts(recording)[2] == ("cec", "a note from outside")
    assert recording.reasons() == ["maximum rounds (4) reached"]
    assert len(texts(recording)) == 5


def test_a_group_as_a_member_of_a_group(recording, driver):
    SCENARIOS["group_within_group"](driver)
    assert texts(recording) == [("dan", "Please solve it for me"), ("ann", "ann says 0")]


def test_a_history_that_is_loaded_through_a_manager(recording, driver):
    """As agents do that keep a group inside: nothing of it is said now."""
    members = [speaker(name, name) for name in ("ann", "bob")]
    manager = group(members, rounds=2)

    def prime(messages):
        for member in members:
            manager.send({"role": "user", "name": "user", "content": "from before"}, member, False, True)
        return "primed"

    driver.chat(person(max_consecutive_auto_reply=0), speaker("outer", prime))
    assert texts(recording) == [("user", "Please solve it for me"), ("outer", "primed")]
    assert len(members[0].chat_messages[manager]) == 1


def test_pictures_are_described(recording, driver):
    raw = b"\x89PNG not really a picture"
    uri = "data:image/png;base64," + base64.b64encode(raw).decode()
    link = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
    picture = {"type": "image_url", "image_url": {"url": uri}}
    content = [{"type": "text", "text": "What can you see here?"}, picture, link]
    bot = assistant("bot", ["a cat"])
    driver.chat(person(max_consecutive_auto_reply=0), bot, {"content": content}, silent=True)
    assert picture["image_url"]["url"] == uri  # the application's own
    for event in recording.of("message")[:1]:
        assert uri[30:] not in event.payload["content"]
        assert '"media_type":"image/png"' in event.payload["content"]
        assert f'"bytes":{len(raw)}' in event.payload["content"]
        assert "https://example.com/cat.png" in event.payload["content"]
    assert recording.runs[0].task == "What can you see here?"
    journal = b"".join(path.read_bytes() for path in recording.recorder.writer.folder.glob("*.jsonl"))
    assert uri[30:].encode() not in journal


# -- turns and speakers ------------------------------------------------------------------------------------------


def test_turns_are_counted(recording, driver):
    SCENARIOS["round_robin"](driver)
    assert [event.turn for event in recording.of("message")] == [0, 1, 2, 3, 4]
    assert recording.of("run_finished")[0].turn == 4


def test_a_reply_that_asks_for_itself_again_is_one_turn(recording, driver):
    bot = assistant("bot", ["one"])

    def again(agent, messages, sender, config):
        return True, agent.generate_reply(messages=messages, sender=sender, exclude=[again])

    bot.register_reply([autogen.Agent, None], again)
    driver.chat(person(max_consecutive_auto_reply=0), bot)
    assert recording.runs[0].turn == 1
    assert len(recording.of("model_call")) == 1


def test_a_turn_that_leaves_nothing_is_none(recording, driver):
    user, bot = person(max_consecutive_auto_reply=0), assistant("bot", ["one"])
    driver.chat(user, bot)
    assert recording.runs[0].turn == 1


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("round_robin", ["round_robin"] * 4),
        ("random_order", ["random"] * 4),
        ("chosen_by_hand", ["manual"] * 2),
        ("chosen_by_function", ["pick"] * 3),
        ("chosen_by_model", ["auto: bob", "auto: cec", "auto: bot"]),
        (
            "handed_off",
            [
                "group_transition: initial agent", "group_transition: tool call transfer",
                "group_transition: handoff to expert",
            ],
        ),
    ],
)  # fmt: skip
def test_transitions_and_their_reasons(recording, driver, name, reasons):
    if SCENARIOS[name](driver) is not None:
        assert [event.payload["reason"] for event in recording.of("transition")] == reasons


def test_transitions_lead_from_speaker_to_speaker(recording, driver):
    SCENARIOS["chosen_by_function"](driver)
    steps = [(event.agent, event.payload["to_agent"]) for event in recording.of("transition")]
    assert steps == [("ann", "cec"), ("cec", "bob"), ("bob", "ann")]


def test_the_machinery_of_a_selection_is_no_conversation(recording, driver):
    SCENARIOS["chosen_by_model"](driver)
    assert len(recording.runs) == 1
    assert {sender for sender, *_ in recording.talk()} == {"ann", "bob", "cec", "bot"}
    internal = [event for event in recording.of("model_call") if event.payload.get("internal")]
    assert [event.agent for event in internal] == ["speaker_selection_agent"] * 4
    assert [event.payload["response"] for event in internal] == ["bob", "nobody at all", "cec", "bot"]


def test_agents_may_have_the_names_of_the_machinery(recording, driver):
    user = person("checking_agent", max_consecutive_auto_reply=0)
    driver.chat(user, assistant("speaker_selection_agent", ["an answer"]))
    assert len(recording.talk()) == 2
    (call,) = recording.of("model_call")
    assert not call.payload.get("internal")


# -- people ------------------------------------------------------------------------------------------------------


def test_what_is_typed(recording, driver):
    SCENARIOS["typed"](driver)
    typed = [(event.agent, event.payload["content"]) for event in recording.of("human_input")]
    assert typed[:2] == [("user", "tell me more"), ("user", "")] or not hasattr(autogen, "LLMConfig")
    assert ("user", "tell me more") in texts(recording)


def test_what_is_typed_into_an_override(recording, driver):
    """The asynchronous one calls the synchronous one: still once."""
    SCENARIOS["typed_by_override"](driver)
    typed = [event.payload["content"] for event in recording.of("human_input")]
    assert typed == ["go further", "exit"]


def test_outside_any_run_nothing_is_recorded(recording):
    user = person()
    user.execute_function({"name": "nothing", "arguments": "{}"})
    chat = autogen.GroupChat([user, person("other")], messages=[], speaker_selection_method="round_robin")
    chat.append({"role": "user", "content": "hello"}, user)
    chat.select_speaker(user, user)
    assert recording.events == []
