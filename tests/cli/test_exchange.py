"""Templates leave as SKILL.md folders and come back, without loss and without being trusted."""

from __future__ import annotations

import re

import pytest

ITEMS = ("a red blanket", "two garden chairs", "my new headset", "a desk lamp")
TASK = "Please cancel order W7 for my sofa, ordered by mistake."


@pytest.fixture
def learned(cli, record):
    for number, item in enumerate(ITEMS):
        record(
            f"Please cancel order W{100 + number} for {item}, ordered by mistake.", success=True, tool="cancel_order"
        )
    return cli("skills", "show", "cancel-order", "--json").json


def test_out_and_into_another_home_without_loss(cli, learned, tmp_path):
    done = cli("skills", "export", "--to", str(tmp_path / "out"), "--json")
    assert done.json == {"exported": [str(tmp_path / "out" / "cancel-order")]}
    other = tmp_path / "other"
    brought = cli("skills", "import", str(tmp_path / "out"), "--home", str(other), "--json")
    assert brought.json == {
        "imported": 1, "skipped": 0, "errors": [],
        "templates": [{"template_id": learned["template_id"], "name": "cancel-order", "version": 1}],
    }  # fmt: skip
    shown = cli("skills", "show", "cancel-order", "--home", str(other), "--json").json
    assert shown["origin"] == "imported"
    assert {**shown, "origin": "learned", "why": learned["why"]} == learned
    again = cli("skills", "import", str(tmp_path / "out" / "cancel-order"), "--home", str(other), "--json").json
    assert (again["imported"], again["skipped"]) == (0, 1)
    back = cli("skills", "export", "cancel-order", "--home", str(other), "--to", str(tmp_path / "back"), "--json")
    assert back.code == 0
    third = tmp_path / "third"
    cli("skills", "import", str(tmp_path / "back"), "--home", str(third))
    assert cli("skills", "show", "cancel-order", "--home", str(third), "--json").json == shown


def test_what_is_imported_is_found_and_given_to_nobody_unless_somebody_vouches(cli, learned, tmp_path):
    cli("skills", "export", "--to", str(tmp_path / "out"))
    for trust, given in ((), False), (("--trust",), True):
        other = tmp_path / f"home{len(trust)}"
        answer = cli("skills", "import", str(tmp_path / "out"), "--home", str(other), *trust)
        assert answer.code == 0
        assert ("--trust vouches" in answer.err) is not given
        assert cli("similar", TASK, "--home", str(other), "--json").json["matches"][0]["name"] == "cancel-order"
        block = cli("prompt", "desk", "--task", TASK, "--home", str(other), "--json").json["text"]
        assert ("cancel_order(" in block) is given


@pytest.mark.parametrize("state", ["withdrawn", "merged", "deleted", "whatever"])
def test_what_a_template_was_elsewhere_does_not_hide_it_here(cli, learned, tmp_path, state):
    cli("skills", "export", "--to", str(tmp_path / "out"))
    for file in (tmp_path / "out").rglob("*.*"):
        text, count = re.subn(r'("?state"?: ?"?)ready', rf"\1{state}", file.read_text())
        assert count
        file.write_text(text)
    for trust, expected in ((), "candidate"), (("--trust",), "ready" if state == "withdrawn" else "candidate"):
        other = tmp_path / f"home{len(trust)}"
        assert cli("skills", "import", str(tmp_path / "out"), "--home", str(other), *trust).code == 0
        shown = cli("skills", "show", "cancel-order", "--home", str(other), "--json").json
        assert shown["state"] == expected
        block = cli("prompt", "desk", "--task", TASK, "--home", str(other), "--json").json["text"]
        assert ("cancel_order(" in block) is (expected == "ready")


def test_a_deleted_template_comes_back_from_its_file(cli, learned, tmp_path):
    cli("skills", "export", "--to", str(tmp_path / "out"))
    cli("skills", "delete", "cancel-order", "--yes")
    assert cli("skills", "list", "--json").json == []
    assert cli("skills", "import", str(tmp_path / "out"), "--json").json["imported"] == 1
    assert [one["name"] for one in cli("skills", "list", "--json").json] == ["cancel-order"]


def test_what_is_there_and_says_something_else_is_not_overwritten(cli, learned, tmp_path):
    cli("skills", "export", "--to", str(tmp_path))
    assert cli("skills", "export", "--to", str(tmp_path)).code == 0  # the same again
    skill = tmp_path / "cancel-order" / "SKILL.md"
    skill.write_text(skill.read_text() + "\nMine.\n")
    refused = cli("skills", "export", "--to", str(tmp_path))
    assert refused.code == 1
    assert "cancel-order" in refused.line
    assert cli("skills", "export", "--to", str(tmp_path), "--overwrite").code == 0


def test_bad_files_are_refused_one_by_one(cli, learned, tmp_path):
    cli("skills", "export", "--to", str(tmp_path / "in"))
    bad = {
        "Loud": "---\nname: Loud\ndescription: x\n---\n",
        "runs": "---\nname: runs\ndescription: It runs.\n---\nHi\n",
    }
    for name, text in bad.items():
        (tmp_path / "in" / name).mkdir()
        (tmp_path / "in" / name / "SKILL.md").write_text(text)
    (tmp_path / "in" / "runs" / "scripts").mkdir()
    (tmp_path / "in" / "runs" / "scripts" / "run.sh").write_text("rm -rf /")
    other = tmp_path / "other"
    answer = cli("skills", "import", str(tmp_path / "in"), "--home", str(other), "--json")
    assert answer.code == 1
    assert answer.json["imported"] == 1
    assert {error["path"].rsplit("/", 1)[1] for error in answer.json["errors"]} == {"Loud", "runs"}
    kept = cli("skills", "import", str(tmp_path / "in" / "runs"), "--home", str(other), "--ignore-scripts", "--json")
    assert kept.json["imported"] == 1
    assert cli("skills", "show", "runs", "--home", str(other), "--json").json["procedure"] == []
    missing = cli("skills", "import", str(tmp_path / "nowhere"), "--home", str(other))
    assert (missing.code, "nowhere" in missing.line) == (1, True)


def test_a_stranger_of_the_same_name_gets_another(cli, learned, tmp_path):
    (tmp_path / "cancel-order").mkdir()
    text = "---\nname: cancel-order\ndescription: Cancels what you like.\n---\nDo it.\n"
    (tmp_path / "cancel-order" / "SKILL.md").write_text(text)
    (kept,) = cli("skills", "import", str(tmp_path / "cancel-order"), "--json").json["templates"]
    assert kept["name"] == "cancel-order-2"
    assert cli("skills", "export", "cancel-order-2", "--to", str(tmp_path / "out")).code == 0
    assert "Do it." in (tmp_path / "out" / "cancel-order-2" / "SKILL.md").read_text()
