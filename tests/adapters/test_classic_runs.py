"""Where runs begin, go on and end, synchronously and asynchronously."""

from __future__ import annotations

import asyncio
import contextlib
import io

import autogen
import pytest
from classic_group_scenarios import SCENARIOS
from classic_kit import RUN, assistant, group, person, says_done, speaker

from seasoned.instrumentation import outcomes
from seasoned.instrumentation.recorder import current
from seasoned.instrumentation.runs import CURRENT, entered


def contents(recording, run=None) -> list:
    return [content for *_, content in recording.talk(run)]


# -- beginning and ending ----------------------------------------------------------------------------------------


def test_a_chat_is_a_run(recording, driver):
    user, bot = person(max_consecutive_auto_reply=0), assistant("bot", ["the answer"])
    driver.chat(user, bot, "What is the answer to it?")
    (run,) = recording.runs
    (started,) = recording.of("run_started")
    assert started.payload["agents"] == ["user", "bot"]
    assert started.payload["framework"] == "autogen"
    assert started.payload["parent"] is None
    assert run.task == "What is the answer to it?"
    assert run.finished is not None
    assert CURRENT.get() is None
    if not driver.asynchronous:  # asyncio.run has a context of its own
        assert current() is run


def test_every_chat_from_the_start_is_a_session_of_its_own(recording, driver):
    user, bot = person(max_consecutive_auto_reply=0), assistant("bot", ["one", "two"])
    driver.chat(user, bot)
    driver.chat(user, bot)
    first, second = recording.runs
    assert first.session_id != second.session_id


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("two_agents", ["user ended the chat"]),
        ("turns_limited", ["maximum turns (2) reached"]),
        ("replies_limited", ["maximum consecutive auto replies of user reached"]),
        ("sent_by_hand", ["message sent", "message sent"]),
        ("round_robin", ["maximum rounds (5) reached"]),
        ("chosen_by_model", ["termination condition of chat_manager met"]),
        ("chosen_by_function", ["no next speaker after ann"]),
        ("group_ends_early", ["no reply by mute", "no next speaker after bob", "exception"]),
        ("model_raises", ["exception"]),
        ("typed_by_override", ["user ended the chat"]),
        ("handed_off", ["no next speaker after expert"]),
    ],
)
def test_why_it_ended(recording, driver, name, reasons):
    if SCENARIOS[name](driver) is not None:
        assert recording.reasons() == reasons


@pytest.mark.skipif(not RUN, reason="since AG2 turns also end by the partner's condition")
def test_why_a_chat_with_limited_turns_ended_early(recording, driver):
    user, bot = person(), assistant("bot", ["one", "two DONE"], is_termination_msg=says_done)
    driver.chat(user, bot, max_turns=5)
    assert recording.reasons() == ["termination condition of bot met"]


# -- sessions ----------------------------------------------------------------------------------------------------


def test_a_follow_up_stays_in_the_run(recording, driver):
    user, bot = person(max_consecutive_auto_reply=0), assistant("bot", ["one", "two"])
    driver.chat(user, bot, "What is the answer to it?")
    driver.chat(user, bot, "And why is it so?", clear_history=False)
    (run,) = recording.runs
    assert [event.payload["resumed"] for event in recording.of("run_started")] == [False, True]
    assert contents(recording) == ["What is the answer to it?", "one", "And why is it so?", "two"]
    assert run.task == "What is the answer to it?"
    assert [event.turn for event in recording.of("model_call")] == [1, 2]


def test_a_follow_up_from_the_other_side_stays_in_the_run(recording, driver):
    user, bot = person(max_consecutive_auto_reply=0), assistant("bot", ["one"])
    driver.chat(user, bot)
    driver.chat(bot, user, "Is there anything else?", clear_history=False, max_turns=1)
    assert len(recording.runs) == 1


@pytest.mark.parametrize("why", ["judged", "rested", "explicit"])
def test_a_follow_up_begins_a_new_run_of_the_session(recording, driver, why):
    user, bot = person(max_consecutive_auto_reply=0), assistant("bot", ["one", "two"])
    if why == "explicit":
        with entered(run := recording.recorder.begin("a task", explicit=True)):
            driver.chat(user, bot)
        recording.recorder.finish(run, "closed")
    else:
        driver.chat(user, bot)
    if why == "judged":
        recording.runs[0].outcome(True)
    if why == "rested":
        recording.tap.idle_ns = 0
    driver.chat(user, bot, clear_history=False)
    first, second = recording.runs
    assert first.session_id == second.session_id
    assert contents(recording, second) == ["Please solve it for me", "two"]


def test_keeping_a_history_that_is_empty_is_no_follow_up(recording, driver):
    user, bot = person(max_consecutive_auto_reply=0), assistant("bot", ["one", "two"])
    driver.chat(user, bot)
    user.clear_history()
    bot.clear_history()
    driver.chat(user, bot, clear_history=False)
    first, second = recording.runs
    assert first.session_id != second.session_id


def test_a_group_goes_on_whoever_speaks_first(recording, driver):
    agents = [speaker(name, name) for name in ("ann", "bob")]
    manager = group(agents, rounds=2)
    driver.chat(agents[0], manager)
    driver.chat(agents[1], manager, "And something else?", clear_history=False)
    assert len(recording.runs) == 1
    assert contents(recording) == ["Please solve it for me", "bob 0", "And something else?", "ann 0"]


def test_a_group_that_is_written_to_by_hand(recording, driver):
    agents = [speaker(name, name) for name in ("ann", "bob")]
    user, manager = person(), group(agents, rounds=2)
    driver.send(user, "What is the answer to it?", manager, request_reply=True)
    driver.send(user, "And why is it so?", manager, request_reply=True)
    assert len(recording.runs) == 1
    assert contents(recording) == ["What is the answer to it?", "ann 0", "And why is it so?", "ann 1"]
    assert recording.reasons() == ["maximum rounds (2) reached"] * 2


def test_a_resumed_group(recording, driver):
    """Its history is not new, and the message it goes on with was recorded before; in another process it was not."""
    agents = [speaker(name, name) for name in ("ann", "bob")]
    manager = group(agents, rounds=3)
    driver.chat(agents[0], manager)
    kept = manager.messages_to_string(manager.groupchat.messages)
    agent, message = driver.resume(manager, kept, silent=True)
    assert len(recording.of("message")) == 3
    driver.chat(agent, manager, message, clear_history=False)
    assert len(recording.runs) == 1
    (snapshot,) = recording.of("context_snapshot")
    assert snapshot.payload["reason"] == "resumed"
    assert snapshot.payload["content"] == "2 earlier messages"
    assert contents(recording) == ["Please solve it for me", "bob 0", "ann 0", "bob 1", "ann 1"]

    again = group([speaker(name, name) for name in ("ann", "bob")], rounds=2)
    agent, message = driver.resume(again, kept, silent=True)
    driver.chat(agent, again, message, clear_history=False)
    assert contents(recording, 1) == ["ann 0", "bob 0"]
    assert recording.of("context_snapshot", "message", run=1)[0].kind == "context_snapshot"


def test_a_group_resumed_within_a_run(recording, driver):
    agents = [speaker(name, name) for name in ("ann", "bob")]
    manager = group(agents, rounds=2)
    given = [{"role": "user", "name": name, "content": f"{name} earlier"} for name in ("ann", "bob", "ann")]
    with entered(recording.recorder.begin("the task", explicit=True)):
        agent, message = driver.resume(manager, given, silent=True)
        assert recording.of("message") == []
        driver.chat(agent, manager, message, clear_history=False)
    assert contents(recording) == ["ann earlier", "bob 0"]
    assert [event.payload["content"] for event in recording.of("context_snapshot")] == ["2 earlier messages"]


# -- runs within runs --------------------------------------------------------------------------------------------


def test_nested_chats_are_child_runs(recording, driver):
    SCENARIOS["nested"](driver)
    outer, first, second, *_ = recording.runs
    assert outer.parent is None
    assert first.parent is outer
    assert second.parent is outer
    assert first.session_id == outer.session_id
    assert first.task == "Write about the matter"
    assert len({event.run_id for event in recording.of("run_finished")}) == len(recording.runs)


def test_a_nested_conversation_goes_on_within_its_parent_only(recording, driver):
    """Each time the outer agent is asked, it goes on with the same inner conversation."""
    helper, inner = person("helper", max_consecutive_auto_reply=0), assistant("inner", ["one", "two", "three"])

    def delegate(messages):
        helper.initiate_chat(inner, message="help me with that", silent=True, clear_history=False)
        return "done"

    driver.chat(person(default_auto_reply="and again"), speaker("outer", delegate), max_turns=2)
    outer, child = recording.runs
    assert contents(recording, child) == ["help me with that", "one", "help me with that", "two"]
    driver.chat(helper, inner, "and now without anybody", clear_history=False)
    assert len(recording.runs) == 3
    assert recording.runs[2].parent is None
    assert recording.runs[2].session_id == outer.session_id


def test_a_run_that_the_application_opens(recording, driver):
    """What it does on the first level belongs to that run, whatever it is; what agents begin is a child."""
    user, bot = person(max_consecutive_auto_reply=0), assistant("bot", ["one", "two", "three"])
    inner = assistant("inner", ["from within"])

    def delegate(messages):
        person("helper", max_consecutive_auto_reply=0).initiate_chat(inner, message="help me", silent=True)
        return "delegated"

    outer = speaker("outer", delegate)
    run = recording.recorder.begin("The whole of it", explicit=True)
    with entered(run):
        driver.chat(user, bot)
        driver.send(user, "sent by hand", bot, request_reply=True)
        driver.reply(bot, messages=[{"role": "user", "content": "asked directly"}])
        driver.chat(user, outer, "please delegate")
        assert CURRENT.get() is run
    assert len(recording.runs) == 2
    assert recording.runs[1].parent is run
    assert contents(recording, run) == [
        "Please solve it for me", "one", "sent by hand", "two", "asked directly", "three", "please delegate",
        "delegated",
    ]  # fmt: skip
    assert contents(recording, 1) == ["help me", "from within"]
    assert [event.run_id for event in recording.of("run_finished")] == [recording.runs[1].run_id]
    assert run.task == "The whole of it"
    assert run.framework == "autogen"
    assert {event.run_id for event in recording.of("model_call")} == {run.run_id, recording.runs[1].run_id}


@pytest.mark.skipif(not RUN, reason="since AG2")
def test_a_chat_in_the_background_belongs_to_the_run_around_it(recording):
    user, bot = person(max_consecutive_auto_reply=0), assistant("bot", ["one"])
    run = recording.recorder.begin("The whole of it", explicit=True)
    with entered(run), contextlib.redirect_stdout(io.StringIO()):
        response = user.run(bot, message="Please solve it for me")
        response.process()
    assert recording.runs == [run]
    assert contents(recording, run) == ["Please solve it for me", "one"]
    with contextlib.redirect_stdout(io.StringIO()):
        bot = assistant("bot", ["two"])
        response = user.run(bot, message="Please solve it for me")
        response.process()
    assert len(recording.runs) == 2


# -- replies without a chat --------------------------------------------------------------------------------------


def test_a_reply_that_the_application_asks_for(recording, driver):
    bot = assistant("bot", ["the answer"])
    reply = driver.reply(bot, messages=[{"role": "user", "content": "What is the answer to it?", "name": "eve"}])
    assert reply == "the answer"
    assert recording.talk() == [
        ("eve", ("bot",), "user", "What is the answer to it?"),
        ("bot", ("eve",), "assistant", "the answer"),
    ]
    (call,) = recording.of("model_call")
    assert call.agent == "bot"
    assert call.turn == 1
    assert recording.reasons() == ["reply by bot"]


def test_a_history_that_the_application_keeps(recording, driver):
    bot = assistant("bot", ["one", "two", "three"])
    history = [{"role": "user", "content": "What is the answer to it?"}]
    for question in ("And why is that so?", "What else is there?"):
        history.append({"role": "assistant", "content": driver.reply(bot, messages=history)})
        history.append({"role": "user", "content": question})
    driver.reply(bot, messages=history)
    (run,) = recording.runs
    assert contents(recording, run) == [
        "What is the answer to it?", "one", "And why is that so?", "two", "What else is there?", "three",
    ]  # fmt: skip
    driver_other = [{"role": "user", "content": "Quite another matter"}]
    other = assistant("bot", ["four"])
    driver.reply(other, messages=driver_other)
    assert recording.runs[1].session_id != run.session_id


def test_a_history_from_elsewhere(recording, driver):
    bot = assistant("bot", ["one"])
    given = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    driver.reply(bot, messages=given)
    assert contents(recording) == ["c", "one"]
    (snapshot,) = recording.of("context_snapshot")
    assert (snapshot.payload["reason"], snapshot.payload["content"]) == ("given", "2 earlier messages")


def test_replies_that_fail_or_do_not_come(recording, driver):
    broken = speaker("broken", lambda messages: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        driver.reply(broken, messages=[{"role": "user", "content": "hello there everybody"}])
    mute = person("mute", default_auto_reply=None)
    assert driver.reply(mute, messages=[{"role": "user", "content": "hello there"}]) is None
    assert recording.reasons() == ["exception", "no reply by mute"]
    (error,) = recording.of("error")
    assert (error.agent, error.payload["error_type"]) == ("broken", "ZeroDivisionError")


def test_received_by_hand(recording):
    """A message handed to an agent directly is recorded once, though its reply is asked for outside a chat."""
    user, bot = person(), assistant("bot", ["one"])
    user.reply_at_receive[bot] = False
    with entered(recording.recorder.begin("the task", explicit=True)):
        bot.receive("What is the answer to it?", user, request_reply=True, silent=True)
    assert contents(recording) == ["What is the answer to it?", "one"]


# -- what goes wrong ---------------------------------------------------------------------------------------------


@pytest.fixture
def judge(monkeypatch):
    monkeypatch.setattr(
        outcomes, "classify_exception", lambda error: "failure" if isinstance(error, KeyError) else "unknown"
    )


@pytest.mark.parametrize(("error", "judged"), [(KeyError("gone"), True), (TimeoutError("slow"), False)])
def test_an_exception_that_leaves_the_run(recording, driver, judge, error, judged):
    def fail(messages):
        raise error

    user, bad = person(), speaker("bad", fail)
    manager = group([user, bad], rounds=4)
    with pytest.raises(type(error)) as caught:
        driver.chat(user, manager)
    assert caught.value is error
    (event,) = recording.of("error")
    assert (event.agent, event.payload["error_type"]) == ("bad", type(error).__name__)
    (finished,) = recording.of("run_finished")
    assert finished.payload["reason"] == "exception"
    assert finished.payload["error_type"] == type(error).__name__
    verdicts = [(event.payload["success"], event.payload["source"]) for event in recording.of("outcome")]
    assert verdicts == ([(False, "exception")] if judged else [])
    assert recording.runs[0].judged is judged
    assert recording.runs[0].last_error is None
    assert CURRENT.get() is None


def test_the_applications_own_mistakes_judge_nobody(recording, driver, judge):
    user, bot = person(), speaker("bot", "hello")
    with pytest.raises(KeyError):
        driver.chat(user, bot, lambda *_: {}["nothing"])
    assert recording.of("outcome") == []
    assert recording.reasons() == ["exception"]


def test_a_verdict_that_is_there_stays(recording, driver, judge):
    def fail(messages):
        recording.runs[0].outcome(True)
        raise KeyError("afterwards")

    with pytest.raises(KeyError):
        driver.chat(person(), speaker("bad", fail))
    assert [event.payload["source"] for event in recording.of("outcome")] == ["user"]


def test_a_failing_nested_chat(recording, driver, judge):
    def fail(messages):
        raise KeyError("within")

    inner = speaker("inner", fail)

    def delegate(messages):
        with contextlib.suppress(KeyError):
            person("helper").initiate_chat(inner, message="help me", silent=True)
        return "it went wrong, but I know what to do"

    driver.chat(person(max_consecutive_auto_reply=0), speaker("outer", delegate))
    outer, child = recording.runs
    assert [event.run_id for event in recording.of("error", "outcome")] == [child.run_id] * 2
    assert not outer.judged
    assert recording.reasons() == ["exception", "maximum consecutive auto replies of user reached"]


def test_cancellation_and_interrupts(recording):
    started = asyncio.Event()

    async def wait(recipient, messages, sender, config):
        started.set()
        await asyncio.sleep(60)
        return True, "too late"

    slow = speaker("slow", "never")
    slow.register_reply([autogen.Agent, None], wait)

    async def main():
        task = asyncio.ensure_future(person().a_initiate_chat(slow, message="take your time", silent=True))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    def press(messages):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        person().initiate_chat(speaker("bot", press), message="press the key", silent=True)
    assert [event.payload["error_type"] for event in recording.of("error")] == ["CancelledError", "KeyboardInterrupt"]
    assert recording.reasons() == ["exception", "exception"]
