"""Telling tools that change something from those that look."""

from __future__ import annotations

import pytest

from seasoned.skills_lib.steps import Step, Trace
from seasoned.skills_lib.writes import effects, verb_writes


@pytest.mark.parametrize(
    ("tool", "writes"),
    [
        ("get_order_details", False), ("find_user_id_by_email", False), ("calculate", False), ("think", False),
        ("listFlights", False), ("run_python", False), ("cancel_pending_order", True), ("modify_user_address", True),
        ("book_reservation", True), ("updateUser", True), ("api.orders.delete", True), ("shop_get_cart", False),
        ("order_delete", True), ("transfer_to_human_agents", True), ("frobnicate", None), ("", None),
    ],
)  # fmt: skip
def test_the_verb_in_the_name(tool, writes):
    assert verb_writes(tool) is writes


def trace(*steps, said=()):
    return Trace(run_id="r", steps=steps, said=said)


def test_the_configuration_decides():
    found = effects([], {"get_and_consume": True, "send_probe": False})
    assert (found.writes("get_and_consume"), found.writes("send_probe")) == (True, False)
    assert found.of("send_probe").why == "configured"


def test_the_same_answer_again_is_a_look_up():
    again = Step(tool="frob", arguments={"a": 1}, ok=True, result={"b": 2})
    found = effects([trace(again, again)] * 3)
    assert (found.of("frob").writes, found.of("frob").why) == (False, "repeated")


def test_a_look_ups_answer_that_changed_is_a_write():
    def look(state):
        return Step(tool="get_state", ok=True, result={"state": state})

    runs = [trace(look(number), Step(tool="frob", ok=True, result="ok"), look(number + 1)) for number in range(3)]
    assert (effects(runs).of("frob").writes, effects(runs).of("frob").why) == (True, "changed")
    assert effects(reversed(runs)).of("frob") == effects(runs).of("frob")
    assert effects(runs[:2]).of("frob").why == "unknown"


def test_what_people_are_asked_to_confirm_is_a_write():
    run = trace(Step(tool="frob", heard=1), said=("Yes, please go ahead.",))
    assert (effects([run] * 3).of("frob").writes, effects([run] * 3).of("frob").why) == (True, "confirmed")
    other = trace(Step(tool="frob", heard=1), said=("I live in York.",))
    assert effects([other] * 5).of("frob").why == "unknown"
