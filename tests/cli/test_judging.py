"""``seasoned outcome`` and ``seasoned feedback``: what is said of runs afterwards."""

from __future__ import annotations

import pytest


def outcomes(cli) -> dict[str, tuple]:
    return {
        run["run_id"]: (run["success"], run["quality"], run["outcome_source"]) for run in cli("runs", "--json").json
    }


def test_one_run(cli, record):
    run, other = record(), record()
    answer = cli("outcome", run, "--success", "--quality", "0.9", "--json")
    assert answer.code == 0
    assert answer.json == {"judged": 1, "success": True, "runs": [run], "learned": 1}
    assert outcomes(cli) == {run: (True, 0.9, "user"), other: (None, None, None)}


def test_last_and_beginnings_and_the_word_that_counts_is_the_last(cli, record):
    record()
    run = record()
    assert cli("outcome", "last", "--success").code == 0
    assert cli("outcome", run[:-1], "--failure").code == 0
    assert outcomes(cli)[run] == (False, None, "user")
    assert len([e for e in cli("show", run, "--json").json["events"] if e["kind"] == "outcome"]) == 2


def test_all_that_the_filters_fit(cli, record):
    judged = record(domain="airline", success=False)
    mine = {record(domain="airline"), record(domain="airline")}
    record(domain="retail")
    answer = cli("outcome", "--domain", "airline", "--unknown", "--success", "--json")
    assert (answer.json["judged"], set(answer.json["runs"])) == (2, mine)
    assert outcomes(cli)[judged][0] is False
    answer = cli("outcome", "--domain", "nowhere", "--success")
    assert (answer.code, answer.out) == (0, "No run fits, so none was judged.\n")


def test_complexity_and_flags(cli, record):
    run = record()
    options = (
        "--complexity",
        "high",
        "--flag",
        "escalated=true",
        "--flag",
        "stars=4",
        "--flag",
        "by=a=b",
        "--flag",
        "odd",
    )
    assert cli("outcome", run, "--failure", *options).code == 0
    event = cli("show", run, "--json").json["events"][-1]
    assert event["complexity"] == "high"
    assert event["flags"] == {"escalated": True, "stars": 4, "by": "a=b", "odd": True}


def test_a_flag_that_was_probably_meant_otherwise_is_kept_with_a_hint(cli, record):
    run = record()
    answer = cli("outcome", run, "--success", "--flag", "escalatd")
    assert answer.code == 0
    assert "did you mean escalated?" in answer.line
    assert cli("show", run, "--json").json["events"][-1]["flags"] == {"escalatd": True}


def test_an_outcome_teaches(cli, record):
    record()
    assert cli("growth", "--json").json == []
    cli("outcome", "last", "--success")
    assert cli("growth", "desk", "--json").json["total_xp"] > 0


def test_runs_of_another_namespace_are_judged_but_learned_from_there(cli, record):
    run = record(namespace="other")
    answer = cli("outcome", run, "--success")
    assert answer.code == 0
    assert "'other'" in answer.line
    assert outcomes(cli)[run][0] is True
    assert cli("flush", "--namespace", "other", "--json").json["learned"] == 1


def test_a_nested_run_is_judged_only_by_name(cli, record, home):
    from seasoned.instrumentation.guard import Guard
    from seasoned.instrumentation.journal import Writer
    from seasoned.instrumentation.recorder import Recorder
    from seasoned.instrumentation.redaction import Redactor

    recorder = Recorder(Writer(home), Redactor(), Guard(), namespace="shop")
    outer = recorder.begin("The whole of the task", agents=["a"])
    inner = recorder.begin("A part of the task", agents=["b"], parent=outer)
    recorder.finish(inner, "done")
    recorder.finish(outer, "done")
    recorder.writer.close()
    assert cli("outcome", "--unknown", "--success", "--json").json["runs"] == [outer.run_id]
    assert cli("outcome", inner.run_id, "--failure", "--json").json["judged"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("last",),
        ("last", "--success", "--failure"),
        ("--success",),
        ("last", "--unknown", "--success"),
        ("last", "--success", "--quality", "7"),
        ("last", "--success", "--quality", "nan"),
        ("last", "--success", "--complexity", "huge"),
        ("last", "--success", "--flag", "=1"),
        ("last", "--success", "--flag", "escalated=maybe"),
        ("last", "--success", "--flag", "bold=1"),
        ("--since", "whenever", "--success"),
    ],
)
def test_wrong_usage_changes_nothing(cli, record, arguments):
    record()
    answer = cli("outcome", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert [success for success, _, _ in outcomes(cli).values()] == [None]


def test_a_run_that_is_not_there(cli, record):
    record()
    answer = cli("outcome", "r0nowhere", "--success")
    assert answer.code == 1
    assert "r0nowhere" in answer.line


# -- feedback ------------------------------------------------------------------------------------------------------


def xp(cli, agent="desk") -> int:
    return cli("growth", agent, "--json").json["total_xp"]


def test_praise_and_complaint_move_xp_and_the_last_word_of_each_source_counts(cli, record):
    run = record(success=True)
    before = xp(cli)
    answer = cli("feedback", run, "--positive", "--json")
    assert answer.code == 0
    assert answer.json == {"runs": [run], "positive": True, "agent": None, "learned": 1, "unjudged": []}
    assert xp(cli) == before + 30
    assert cli("feedback", "last", "--positive").out == "Praise for 1 run; learned again from 1.\n"
    assert xp(cli) == before + 30  # twice by the same one is once
    assert cli("feedback", run, "--negative").out == "A complaint for 1 run; learned again from 1.\n"
    assert xp(cli) == before - 10  # that was its last word
    cli("feedback", run, "--positive", "--source", "ann")
    assert xp(cli) == before  # one for and one against
    cli("feedback", run, "--positive", "--source", "bob")
    assert xp(cli) == before + 30
    live = cli("growth", "--json").json
    assert cli("rebuild", "--json").json["learned"] == 1
    assert cli("growth", "--json").json == live


def test_a_complaint_takes_at_most_what_the_run_gave(cli, record):
    run = record(success=False)
    before = xp(cli)
    assert 0 < before < 10
    cli("feedback", run, "--negative")
    assert xp(cli) == 0


def test_about_one_agent_it_is_that_agents_alone(cli, record):
    run = record(success=True)
    before = xp(cli)
    answer = cli("feedback", run, "--positive", "--agent", "desk", "--text", "Kind words", "--json")
    assert (answer.code, answer.json["agent"]) == (0, "desk")
    cli("feedback", run, "--positive")
    assert xp(cli) == before + 60
    event = cli("show", run, "--json").json["events"][-2]
    assert (event["kind"], event["agent"], event["content"], event["positive"], event["source"]) == (
        "feedback", "desk", "Kind words", True, "user",
    )  # fmt: skip


def test_feedback_on_a_run_without_an_outcome_waits_for_it(cli, record):
    first, second = record(), record()
    answer = cli("feedback", first, "--positive")
    assert answer.code == 0
    assert answer.line == f"1 of them will count once it has an outcome: seasoned outcome {first} --success"
    assert cli("feedback", first, second, "--positive", "--json").json["unjudged"] == [first, second]
    assert cli("growth", "--json").json == []
    cli("outcome", second, "--success", "--complexity", "low")
    assert xp(cli) == 10 + 20 + 30


def test_feedback_is_about_an_agent_of_a_nested_run_too(cli, home):
    from seasoned.instrumentation.guard import Guard
    from seasoned.instrumentation.journal import Writer
    from seasoned.instrumentation.recorder import Recorder
    from seasoned.instrumentation.redaction import Redactor

    recorder = Recorder(Writer(home), Redactor(), Guard(), namespace="shop")
    outer = recorder.begin("The whole of it", agents=["boss"])
    inner = recorder.begin("A part of it", agents=["helper"], parent=outer)
    for run, agent in ((inner, "helper"), (outer, "boss")):
        run.turn = 1
        recorder.message(run, agent, ["x"], "assistant", "Done.")
        recorder.finish(run, "done")
    outer.outcome(True)
    recorder.writer.close()
    assert cli("feedback", outer.run_id, "--positive", "--agent", "helper").code == 0
    assert xp(cli, "helper") == xp(cli, "boss") + 30


def test_feedback_on_runs_of_another_namespace_is_learned_there(cli, record):
    run = record(namespace="other", success=True)
    cli("flush", "--namespace", "other")
    answer = cli("feedback", run, "--positive")
    assert answer.code == 0
    assert "'other'" in answer.line
    assert cli("flush", "--namespace", "other", "--json").json["learned"] == 1


def test_feedback_on_a_run_that_is_not_there(cli, record):
    run = record(success=True)
    before = xp(cli)
    for refs in (["r0nowhere"], [run, "r0nowhere"]):
        answer = cli("feedback", *refs, "--positive")
        assert (answer.code, answer.out) == (1, "")
        assert "r0nowhere" in answer.line
    assert xp(cli) == before


def test_feedback_about_an_agent_that_took_no_part(cli, record):
    run, other = record(success=True), record(success=True, agents=("customer", "till"))
    answer = cli("feedback", other, run, "--positive", "--agent", "till")
    assert (answer.code, answer.out) == (2, "")
    words = " ".join(answer.err.replace("│", " ").split())
    assert f"'till' took no part in run {run}; customer, desk did" in words
    assert "feedback" not in {event["kind"] for event in cli("show", other, "--json").json["events"]}


@pytest.mark.parametrize(
    "arguments", [("last",), ("last", "--positive", "--negative"), ("--positive",), ("last", "--positive", "--quality")]
)
def test_wrong_usage_of_feedback_changes_nothing(cli, record, arguments):
    record(success=True)
    before = xp(cli)
    answer = cli("feedback", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert xp(cli) == before
