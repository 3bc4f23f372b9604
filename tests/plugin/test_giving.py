"""A learned procedure reaches the agent whose steps it holds, is recorded, measured, and withdrawn when it harms."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from scripted_kit import ScriptedClient

import seasoned
from seasoned.plugin import runtime
from seasoned.skills_lib import giving
from seasoned.skills_lib.library import SkillLibrary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from seasoned.instrumentation.runs import Run

autogen = pytest.importorskip("autogen")

HEADING = "A PROCEDURE THAT WORKED FOR TASKS LIKE THIS"
ITEMS = ("a red blanket", "two garden chairs", "my new headset", "a desk lamp")


class Client(ScriptedClient):
    """Calls the tools of the script, one by one, and then says that it is done."""

    script: tuple[str, ...] = ()

    def answer(self, messages: list[dict[str, Any]]) -> tuple[str | None, list[dict[str, Any]] | None]:
        done = sum(message["role"] == "tool" for message in messages)
        if done >= len(Client.script):
            return "Done. TERMINATE", None
        order = next(
            word.strip(".,") for m in messages if m["role"] == "user" for word in m["content"].split() if "#" in word
        )
        function = {"name": Client.script[done], "arguments": json.dumps({"order_id": order})}
        return None, [{"id": f"c{done}", "type": "function", "function": function}]


@pytest.fixture(autouse=True)
def _quiet(clean_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(giving, "PATIENCE", 30.0)  # however busy the machine is that tests
    logging.getLogger("autogen.oai.client").setLevel(logging.ERROR)
    Client.sent.clear()
    Client.script = ("get_order", "cancel_order")
    yield
    seasoned.disable()


def on(**settings: Any) -> runtime.Runtime:
    seasoned.enable(home="home", namespace="shop", summary=False, **settings)
    active = runtime.get()
    assert active is not None
    return active


def task_for(number: int) -> str:
    return f"Please cancel order #W{1000 + number} for {ITEMS[number % len(ITEMS)]} because it was ordered by mistake."


def chat(task: str, *, success: bool = True, agent: str = "desk") -> Run:
    """One conversation in the real framework: a customer, and an agent with two tools."""
    llm = {"config_list": [{"model": "scripted", "model_client_cls": "Client", "api_key": "x"}], "cache_seed": None}
    desk = autogen.AssistantAgent(agent, system_message="You run the desk.", llm_config=llm)
    user = autogen.UserProxyAgent(
        "customer", human_input_mode="NEVER", code_execution_config=False,
        is_termination_msg=lambda message: "TERMINATE" in str(message.get("content")),
    )  # fmt: skip
    for name in ("get_order", "cancel_order"):

        def tool(order_id: str) -> str:
            return json.dumps({"status": "pending", "order": order_id})

        tool.__name__ = name
        autogen.register_function(tool, caller=desk, executor=user, name=name, description=name)
    desk.register_model_client(Client)  # registering a function makes the clients anew
    with seasoned.run(domain="retail") as run:
        user.initiate_chat(desk, message=task, max_turns=6, silent=True)
        run.outcome(success)
    return run


def learned(count: int = 4) -> runtime.Runtime:
    """Recording is on, and so many runs were learned from."""
    active = on()
    for number in range(count):
        chat(task_for(number))
    assert seasoned.flush().error is None
    Client.sent.clear()
    return active


def library(active: runtime.Runtime) -> SkillLibrary:
    return SkillLibrary(active.store, "shop")


def system() -> str:
    return Client.sent[-1][0]["content"]


def test_the_procedure_reaches_the_agent_with_the_tasks_own_values() -> None:
    active = learned()
    run = chat("Please cancel order #W7777 for a piano because it was ordered by mistake.")
    texts = {messages[0]["content"] for messages in Client.sent}
    assert len(texts) == 1  # the same in each call of the run
    assert f"{HEADING} (nearly always):\n1. get_order(order_id = #W7777)\n2. cancel_order(order_id = " in system()
    assert "piano" not in system()
    seasoned.flush()
    (injection,) = [event for event in active.service.events_of(run.run_id) if event.kind == "injection"]
    (template,) = library(active).templates()
    assert injection.payload["templates"] == [
        {"template_id": template.template_id, "name": template.name, "version": template.version}
    ]
    (section,) = [one for one in injection.payload["sections"] if one["name"] == "procedure"]
    assert template.name in section["why"]
    assert "likely to fit" in section["why"]


def test_nothing_is_given_from_too_little_or_to_another_agent_or_for_another_task() -> None:
    on()
    for number in range(2):
        chat(task_for(number))
    seasoned.flush()
    chat(task_for(7))
    assert HEADING not in system()  # two runs are a candidate
    seasoned.flush()
    chat(task_for(8), agent="clerk")
    assert HEADING not in system()  # the steps are the desk's
    chat("Write a poem about the order #W1 of things and the autumn leaves")
    assert HEADING not in system()
    chat(task_for(9))
    assert HEADING in system()


def test_what_became_of_it_is_filed() -> None:
    active = learned()
    chat(task_for(11))
    Client.script = ("cancel_order",)
    chat(task_for(12))
    Client.script = ()
    chat(task_for(13))
    seasoned.flush()
    (template,) = library(active).templates()
    assert template.metrics == {
        "given": 3, "succeeded": 3, "failed": 0, "followed": 1, "adapted": 1, "abandoned": 1, "set_aside": 0,
        "failed_aside": 0,
    }  # fmt: skip
    done = library(active).adaptations(template.template_id)
    assert "get_order" in json.dumps(done)


def test_it_is_withdrawn_when_more_runs_that_got_it_failed_and_comes_back_with_their_verdicts() -> None:
    active = learned(6)
    bad = chat(task_for(21), success=False)
    seasoned.flush()
    (template,) = library(active).templates()
    assert (template.state, template.why) == ("withdrawn", "withdrawn: 1 of the 1 runs that were given it failed")
    chat(task_for(22))
    assert HEADING not in system()
    bad.outcome(True)
    seasoned.flush()
    chat(task_for(23))
    assert HEADING in system()
    assert library(active).templates()[0].metrics["failed"] == 0


def test_a_withdrawn_template_can_be_restored_and_stays_so_after_a_rebuild() -> None:
    active = learned()
    chat(task_for(24), success=False)
    seasoned.flush()
    (template,) = library(active).templates()
    assert template.state == "withdrawn"
    assert library(active).restore(template.template_id) == 1
    active.service.rebuild()
    assert library(active).templates()[0].state == "ready"
    chat(task_for(25))
    assert HEADING in system()
    chat(task_for(26), success=False)
    chat(task_for(27), success=False)
    seasoned.flush()
    assert library(active).templates()[0].why == "withdrawn: 2 of the 3 runs that were given it failed"


def test_a_rebuild_keeps_what_was_given_and_what_became_of_it() -> None:
    active = learned()
    chat(task_for(31))
    seasoned.flush()
    before = library(active).templates()
    active.service.rebuild()
    assert library(active).templates() == before
    assert before[0].metrics["given"] == 1


def test_forgetting_the_run_forgets_its_use() -> None:
    active = learned()
    run = chat(task_for(41), success=False)
    seasoned.flush()
    active.service.forget(run_ids=[run.run_id])
    (template,) = library(active).templates()
    assert template.metrics == {}
    chat(task_for(42))
    assert HEADING in system()


def test_inject_off_gives_nothing() -> None:
    learned()
    seasoned.disable()
    on(inject=False)
    chat(task_for(51))
    assert HEADING not in system()


def test_the_preview_shows_the_procedure() -> None:
    active = learned()
    block = active.preview("desk", task=task_for(61), domain="retail")
    assert HEADING in block.text
    assert [section.name for section in block.sections][-1] == "procedure"
    assert HEADING not in active.preview("desk", task="What is the capital of France?", domain="retail").text


def test_a_new_process_gives_it_in_its_first_run() -> None:
    learned()
    seasoned.disable()
    Client.sent.clear()
    on()
    chat(task_for(71))
    assert all(HEADING in messages[0]["content"] for messages in Client.sent)
