"""``seasoned learn``, ``skills`` and ``similar``: the library from the terminal."""

from __future__ import annotations

import pytest

ITEMS = ("a red blanket", "two garden chairs", "my new headset", "a desk lamp")


@pytest.fixture
def learned(cli, record):
    """Runs of one kind of task, and what ``learn`` said about them."""
    for number, item in enumerate(ITEMS):
        record(
            f"Please cancel order W{100 + number} for {item}, ordered by mistake.", success=True, tool="cancel_order"
        )
    return cli("learn", "--json")


def test_learning_lists_and_shows(cli, learned):
    assert learned.code == 0
    assert cli("learn").out == "0 new tasks; 0 templates made, 0 changed.\n"
    (listed,) = cli("skills", "list", "--json").json
    assert (listed["name"], listed["state"], listed["solved"]) == ("cancel-order", "ready", 4)
    assert "cancel-order" in cli("skills", "list").out
    shown = cli("skills", "show", "cancel-order", "--json").json
    assert {key: shown[key] for key in listed} == listed
    assert shown["task_template"].startswith("Please cancel order {{")
    assert all({"name", "type"} <= slot.keys() for slot in shown["slots"])
    (step,) = shown["procedure"]
    assert (step["tool"], step["writes"], step["optional"], step["agent"]) == ("cancel_order", True, False, "desk")
    assert [run["success"] for run in shown["runs"]] == [True] * 4
    page = cli("skills", "show", shown["template_id"][:5]).out
    assert "1. cancel_order(" in page
    assert "Learned from 4 runs" in page


def test_a_task_that_fits_and_one_that_does_not(cli, learned):
    answer = cli("similar", "Please cancel order W7 for my sofa, ordered by mistake.", "--json")
    assert answer.code == 0
    (match,) = answer.json["matches"]
    assert match["name"] == "cancel-order"
    assert not answer.json["abstained"]
    assert "cancel-order" in cli("similar", "Please cancel order W7 for my sofa, ordered by mistake.").out
    nothing = cli("similar", "Compose a sonnet about autumn leaves", "--json").json
    assert (nothing["matches"], nothing["abstained"]) == ([], True)
    assert cli("similar", "Compose a sonnet about autumn leaves").out.startswith("Nothing fits")
    conditions = (
        "--domain",
        "airline",
        "--type",
        "booking",
        "--tags",
        "x,y",
        "--limit",
        "3",
        "--min-similarity",
        "0.5",
    )
    assert cli("similar", "Please cancel order W7 for my sofa", *conditions, "--json").json["matches"] == []


@pytest.mark.parametrize("task", ["", " ", "x" * 200_000, "\u202e\x1b[2J", "Größe 尺码 🎫", "%s {} ' -- ;"])
def test_any_text_is_only_a_task(cli, learned, task):
    answer = cli("similar", task, "--json")
    assert (answer.code, answer.json["abstained"]) == (0, True)


def test_the_prompt_says_why_each_line_of_a_procedure_is_in_it(cli, learned):
    task = "Please cancel order W7 for my sofa, ordered by mistake."
    sections = {one["name"]: one for one in cli("prompt", "desk", "--task", task, "--json").json["sections"]}
    lines = sections["procedure"]["lines"]
    assert [line["text"] for line in lines] == sections["procedure"]["text"].split("\n")
    assert lines[0]["why"] == "4 of 4 runs of 4 tasks succeeded"
    assert lines[1]["why"].startswith("in 4 of 4 successful runs")
    assert sections["procedure"]["source"]["name"] == "cancel-order"
    assert "because in 4 of 4 successful runs" in cli("prompt", "desk", "--task", task).out


def test_versions_and_deleting(cli, learned, record):
    assert cli("skills", "diff", "cancel-order", "--json").json == []
    assert "one version" in cli("skills", "diff", "cancel-order").out
    for number in range(20):
        record(f"Please cancel order W{500 + number} for item {number}, ordered by mistake.", success=True, tool="void")
    assert cli("learn", "--json").json["changed"] == 1
    (change,) = cli("skills", "diff", "cancel-order", "--json").json
    assert (change["version"], change["changed"]["procedure"]["added"]) == (2, ["void"])
    assert "Version 2" in cli("skills", "diff", "cancel-order").out
    assert cli("skills", "show", "cancel-order", "--version", "1", "--json").json["version"] == 1
    assert cli("skills", "delete", "cancel-order").code == 2  # nobody can be asked here
    assert cli("skills", "delete", "cancel-order", "--yes", "--json").json["deleted"]
    assert cli("skills", "list", "--json").json == []
    assert "seasoned learn" in cli("skills", "list").err
    gone = cli("skills", "show", "cancel-order")
    assert gone.code == 1
    assert "seasoned skills list" in gone.line


@pytest.mark.parametrize("arguments", [("show",), ("list", "cancel-order"), ("burn", "cancel-order"), ()])
def test_wrong_usage(cli, arguments):
    assert cli("skills", *arguments).code == 2


def test_where_nothing_is_recorded(cli, home):
    for command in (("learn",), ("skills", "list"), ("similar", "A task")):
        answer = cli(*command)
        assert answer.code == 1
        assert "Nothing is recorded" in answer.line
    assert not home.exists()
