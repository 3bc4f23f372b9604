"""What agents have earned reaches the model, the same in every call, and nothing else; host caches keep hitting."""

from __future__ import annotations

import logging
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from scripted_kit import ScriptedClient

import seasoned
from seasoned.plugin import runtime

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

autogen = pytest.importorskip("autogen")

ROSTER = """
[agents.tess.skills.failure_analysis]
name = "Failure Analysis"
domain = "debugging"
level = 3
xp = 240
"""
MARK = '<experience agent="tess">'


class Client(ScriptedClient):
    """Answers by counting."""

    def answer(self, messages: list[dict[str, Any]]) -> tuple[str | None, list[dict[str, Any]] | None]:
        return f"answer to {len(messages)} messages", None


@pytest.fixture(autouse=True)
def _quiet(clean_folder: Path) -> Iterator[None]:
    (clean_folder / "agents.toml").write_text(ROSTER)
    logging.getLogger("autogen.oai.client").setLevel(logging.ERROR)
    Client.sent.clear()
    yield
    seasoned.disable()


def on(**settings: Any) -> runtime.Runtime:
    seasoned.enable(home="home", namespace="test", roster="agents.toml", summary=False, **settings)
    active = runtime.get()
    assert active is not None
    return active


def agents(cache_seed: int | None = None) -> tuple[Any, Any]:
    tess = autogen.AssistantAgent(
        "tess", system_message="You are Tess.",
        llm_config={
            "config_list": [{"model": "scripted", "model_client_cls": "Client", "api_key": "x"}],
            "cache_seed": cache_seed,
        },
    )  # fmt: skip
    tess.register_model_client(Client)
    user = autogen.UserProxyAgent(
        "user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply="go on"
    )
    return tess, user


def chat(*, cache_seed: int | None = None) -> Any:
    tess, user = agents(cache_seed)
    with seasoned.run(domain="debugging") as run:
        result = user.initiate_chat(tess, message="why does the test fail?", max_turns=3, silent=True)
        run.outcome(success=True)
    return SimpleNamespace(tess=tess, user=user, result=result, run=run)


def test_the_block_reaches_every_call_and_nothing_else() -> None:
    active = on()
    done = chat()
    assert len(Client.sent) == 3
    systems = [messages[0]["content"] for messages in Client.sent]
    assert len(set(systems)) == 1
    assert systems[0].startswith("You are Tess.\n\n" + MARK)
    assert "failure_analysis L3: Identifies root cause" in systems[0]
    assert "Failure Analysis: Level 3" in systems[0]
    assert all("<experience" not in str(messages[1:]) for messages in Client.sent)
    assert done.tess.system_message == "You are Tess."
    assert "<experience" not in str((done.result, done.tess.chat_messages, done.user.chat_messages))
    assert seasoned.flush().error is None
    injections = [event for event in active.service.events_of(done.run.run_id) if event.kind == "injection"]
    assert [(event.agent, event.payload["text"]) for event in injections] == [
        ("tess", systems[0][len("You are Tess.\n\n") :])
    ]


def test_the_hosts_cache_keeps_hitting_while_experience_grows() -> None:
    on()
    for _ in range(5):  # levels and rounded rates settle: 5 of 5
        chat()
        seasoned.flush()
    Client.sent.clear()
    chat(cache_seed=7)
    asked = len(Client.sent)
    assert asked == 3
    assert MARK in Client.sent[0][0]["content"]
    for _ in range(3):  # more runs, more experience points, the same level and rate
        seasoned.flush()
        chat(cache_seed=7)
    assert len(Client.sent) == asked


def test_the_block_stays_the_same_within_a_run_whatever_is_learned_meanwhile() -> None:
    on()
    tess, user = agents()
    with seasoned.run("a long run of one agent", domain="debugging"):
        user.initiate_chat(tess, message="first question of several", max_turns=1, silent=True)
        for number in range(3):
            thread = threading.Thread(target=chat)  # other runs succeed meanwhile, and change the experience
            thread.start()
            thread.join()
            seasoned.flush()
            user.initiate_chat(tess, message=f"next question {number}", max_turns=1, silent=True)
    mine = [messages for messages in Client.sent if "question" in messages[1]["content"]]
    others = [messages for messages in Client.sent if "question" not in messages[1]["content"]]
    assert len(mine) == 4
    assert len({messages[0]["content"] for messages in mine}) == 1
    assert len({messages[0]["content"] for messages in others}) > 1


def test_inject_off_records_and_learns_only() -> None:
    active = on(inject=False)
    done = chat()
    assert all("<experience" not in str(messages) for messages in Client.sent)
    assert seasoned.flush().error is None
    with active.store.reading() as connection:
        growth: Any = active.hooks.get_plugin("growth")
        profile = growth.profile_json(connection, "tess")
    assert profile["total_xp"] > 0
    assert "injection" not in {event.kind for event in active.service.events_of(done.run.run_id)}


def test_experience_grows_and_is_there_after_switching_off_and_on() -> None:
    on()
    for _ in range(3):
        chat()
    seasoned.flush()
    before = Client.sent[0][0]["content"]
    seasoned.disable()
    Client.sent.clear()
    on()
    chat()
    after = Client.sent[0][0]["content"]
    assert MARK in after
    assert "(about 100% success)" in after
    assert "(about 100% success)" not in before
