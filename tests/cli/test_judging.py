"""``seasoned outcome``: outcomes that are given afterwards."""

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
