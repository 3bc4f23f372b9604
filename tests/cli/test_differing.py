"""``seasoned diff``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.journal import Writer
from seasoned.instrumentation.recorder import Recorder
from seasoned.instrumentation.redaction import Redactor

BUNDLED = Path(__file__).parents[2] / "plugin" / "data" / "runs_tau_airline.jsonl.gz"


def test_the_same_is_code_0_and_a_line(cli, record):
    first, second = record(success=True), record(success=True)
    answer = cli("diff", first, second)
    assert answer.code == 0
    assert answer.out.splitlines()[0] == "The same in all 2 turns."
    assert answer.out.splitlines()[-1] == "── turns 0 to 1: the same"
    assert cli("diff", first, second, "--json").json == {
        "same": True, "parting": None, "outcome": [],
        "turns": [{"left": n, "right": n, "same": True, "changes": []} for n in (0, 1)],
    }  # fmt: skip
    assert cli("diff", first, second, "--full").out.count("  the same") == 2


def test_different_is_code_1_and_says_where_they_part(cli, record):
    first, second = record(answer="Refunded.", success=True), record(answer="Not\nrefunded.", success=False)
    answer = cli("diff", first, second)
    assert answer.code == 1
    lines = answer.out.splitlines()
    assert lines[0] == (
        "The same up to turn 0, then desk said something else. 1 of 2 turns differ. The outcome differs."
    )
    assert lines[2].startswith(f"- {first}  success")
    assert lines[3].startswith(f"+ {second}  failure")
    assert "  -Refunded." in lines
    assert "  +Not" in lines
    assert "  +refunded." in lines
    assert "── turn 0: the same" in lines
    begin = next(at for at, line in enumerate(lines) if line.startswith("── outcome"))
    assert lines[begin + 1 : begin + 4] == ["  outcome: success", "  -true", "  +false"]
    found = cli("diff", first, second, "--json")
    assert found.code == 1
    assert found.json["same"] is False
    assert found.json["parting"] == {"left": 1, "right": 1}
    assert found.json["turns"][1]["changes"] == [
        {"kind": "message", "name": "desk", "key": "content", "left": "Refunded.", "right": "Not\nrefunded."}
    ]
    assert {change["key"] for change in found.json["outcome"]} == {"success", "quality"}


def test_another_tool_call(cli, record):
    first, second = record(), record(tool="cancel_order")
    answer = cli("diff", first, second)
    assert "tool call refund_order: only in the first run" in answer.out
    assert "tool call cancel_order: only in the other run" in answer.out


def talk(home, prompts: list[str]) -> str:
    recorder = Recorder(Writer(home), Redactor(), Guard(), namespace="shop")
    run = recorder.begin(framework="x", agents=["desk"], explicit=True)
    sent = [{"role": "system", "content": "You are a clerk."}]
    for number, prompt in enumerate(prompts, 1):
        run.turn = number
        sent = [*sent, {"role": "user", "content": prompt}]
        recorder.model_call(run, "desk", sent, {"model": "gpt-4o"}, response="yes")
        recorder.message(run, "desk", ["all"], "assistant", "yes")
    recorder.finish(run, "done")
    recorder.writer.close()
    return run.run_id


def test_a_difference_between_prompts_is_told_once(cli, home):
    first, second = talk(home, ["be quick", "b", "c", "d"]), talk(home, ["be slow", "b", "c", "d"])
    answer = cli("diff", first, second)
    assert answer.code == 1
    assert answer.out.startswith("The same up to turn 0, then desk was sent another prompt. 4 of 5 turns differ.")
    assert answer.out.count("+be slow") == 1
    assert answer.out.count("1 more difference in the prompt, of what was told above") == 3
    assert cli("diff", first, second, "--full").out.count("+be slow") == 4
    without = cli("diff", first, second, "--no-prompts")
    assert without.code == 0


def test_turns_that_only_one_run_has(cli, home):
    first, second = talk(home, ["a"]), talk(home, ["a", "b"])
    answer = cli("diff", first, second)
    assert answer.out.startswith("The same up to turn 1, then only the other run has turn 2 (desk).")
    assert "── turn 2, only in the other run · desk" in answer.out
    assert "+   yes" in answer.out
    assert cli("diff", first, second, "--json").json["turns"][-1]["left"] is None


def test_hostile_texts_do_nothing(cli, record):
    first = record(answer="fine \x1b[31m one \u202e", agents=("you", "de\x1b]0;x\x07sk"))
    second = record(answer="bad \x9b2J two [red]x[/red]\n" + "y" * 500_000, agents=("you", "de\x1b]0;x\x07sk"))
    out = cli("diff", first, second).out
    assert not set(out) & {"\x1b", "\x07", "\x9b", "\u202e"}
    assert "two [red]x[/red]" in out
    assert max(map(len, out.splitlines())) < 3_000
    assert json.loads(cli("diff", first, second, "--json").out)["turns"][1]["changes"][0]["right"].endswith("y")


@pytest.mark.parametrize(("left", "right"), [("t0", "t1"), ("t1", "t3")])
def test_trials_of_a_real_task(cli, left, right):
    assert cli("import", str(BUNDLED)).code == 0
    runs = [f"tau_airline/gpt-4o/0/{trial}" for trial in (left, right)]
    found = cli("diff", *runs, "--json").json
    for side in ("left", "right"):
        numbers = [turn[side] for turn in found["turns"] if turn[side] is not None]
        assert numbers == list(range(len(numbers)))
    back = cli("diff", *reversed(runs), "--json").json
    assert [(turn["right"], turn["left"], turn["same"]) for turn in back["turns"] if turn["same"]] == [
        (turn["left"], turn["right"], turn["same"]) for turn in found["turns"] if turn["same"]
    ]
    assert cli("diff", runs[0], runs[0]).code == 0
