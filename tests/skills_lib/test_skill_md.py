"""Templates go out as SKILL.md folders and come back unchanged, whatever texts they hold."""

from __future__ import annotations

import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from procedure_kit import cancelling
from skill_kit import CANCEL, RUNS, changed, records, run_lists, valid

from seasoned.instrumentation.errors import SkillFileError
from seasoned.skills_lib import front_matter
from seasoned.skills_lib.building import Solved, build
from seasoned.skills_lib.skill_files import MAX_FILE, read_skill
from seasoned.skills_lib.skill_md import skill_text, write_skill


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # records are large
@given(records, run_lists)
@example(CANCEL, RUNS)
def test_what_is_written_is_valid_and_comes_back_as_it_was(record, runs):
    with TemporaryDirectory() as folder:
        made = write_skill(record, Path(folder), runs=runs)
        valid(made)
        assert made == Path(folder) / record.name
        for path in (made, made / "SKILL.md"):
            found = read_skill(path)
            assert found.record == changed(record, origin="imported")
            assert repr(found.record) == repr(changed(record, origin="imported"))  # the order of arguments as well
            assert found.runs == runs
            assert not found.foreign
        again = write_skill(found.record, Path(folder) / "again", runs=found.runs)
        assert read_skill(again) == found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(records)
@example(CANCEL)
def test_parsers_of_yaml_read_the_front_matter_as_it_was_meant(record):
    yaml = pytest.importorskip("yaml")
    text = skill_text(record)
    front, body = text.removeprefix("---\n").split("\n---\n", 1)
    found = yaml.safe_load(front)
    read = front_matter.read(text, "SKILL.md")
    assert found == read.front
    assert body == read.body
    assert found["name"] == record.name
    assert found["description"] == record.description
    assert found["metadata"]["seasoned-template-id"] == record.template_id
    assert found["metadata"].get("domain", "") == (record.domain or "")
    assert all(isinstance(value, str) for value in found["metadata"].values())
    assert "allowed-tools" not in found


def test_what_was_learned_here_goes_out_and_comes_back(tmp_path):
    traces = [cancelling(number) for number in range(6)]
    traces += [cancelling(number, success=False, look=False) for number in range(6, 12)]
    record = build("0123456789abcdef" * 4, [Solved(trace, trace.task, "retail", None) for trace in traces])
    assert record is not None
    assert record.procedure
    assert record.checks
    made = write_skill(record, tmp_path, runs=[(trace.run_id, bool(trace.success)) for trace in traces])
    valid(made)
    assert read_skill(made).record == changed(record, origin="imported")


# -- what stands in the Markdown ------------------------------------------------------------------------------------


def test_the_text_says_what_people_and_agents_need(tmp_path):
    text = (write_skill(CANCEL, tmp_path, runs=RUNS) / "SKILL.md").read_text()
    for wanted in (
        "4 successful and 3 failed runs of 3 tasks",
        "Please cancel order {{order_id}} for {{item}}.",
        "- `item`: text, optional",
        "1. `get_order(order_id = {order_id: id})`: optional, once for each of several, in most successful runs",
        "in most successful runs, by `desk`",
        '2. `cancel_order(items[*].id = several items[*].id of get_order, reason = "no longer needed", code = <code>)`',
        "`: changes something, in every successful run",
        "- Call get_order before cancel_order. (4 of 4 successful runs, 0 of 3 failed ones)",
        "- Call cancel_order only once.",
        "1. `desk`\n2. `customer`",
        "Shared by 2 of 4 programs:\n\n```sh\ncancel {{order_id}}\n```",
        "```text\nPlease cancel order W1 for a desk lamp.\n```",
        "Not where cancel_order cannot be called.",
        '  required-tools: "cancel_order"',
    ):
        assert wanted in text


HOSTILE = (
    "---\nname: other\n---\n# Heading\n````\n```!\nid\n```\n"
    "!`id` <script> [a](b) {{x}}\u202e\u200b\x1b[31m\x85\u2028end"
)


def test_hostile_texts_stay_within_their_quotes(tmp_path):
    record = changed(
        description=HOSTILE, when_not=HOSTILE, task_template=HOSTILE, examples=[HOSTILE] * 3, domain=HOSTILE,
        agent_sequence=["`desk`!"], artifacts=[{"kind": HOSTILE, "language": "sh\nrm", "template": HOSTILE}],
    )  # fmt: skip
    made = write_skill(record, tmp_path)
    valid(made)
    text = (made / "SKILL.md").read_text()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028\u202e]", text)
    assert "!`" not in text
    assert "`!" not in text
    body = text.split("\n---\n", 1)[1]
    outside, fence, inside = [], None, 0
    for line in body.split("\n"):
        marks = re.match("`{3,}", line)
        if fence is None and marks:
            fence, inside = marks.group(), inside + 1
        elif fence is not None and line.startswith(fence) and not line.strip("`"):
            fence = None
        elif fence is None:
            outside.append(line)
    assert fence is None
    assert inside == 5  # the task, three examples, one code template
    headings = [line for line in outside if line.startswith("#")]
    assert headings[0] == "# cancel-order"
    assert "# Heading" not in headings
    for line in outside:
        assert not line.startswith(("---", "==="))
        assert "<script>" not in re.sub(r"\\<", "", line)
        assert "[a]" not in line
    assert read_skill(made).record == changed(record, origin="imported")


def test_the_text_stays_short_and_the_json_keeps_all(tmp_path):
    step = CANCEL.procedure[0]
    record = changed(
        procedure=[{**step, "tool": f"tool_{number}", "optional": number % 2 == 0} for number in range(100)],
        slots=[{"name": f"slot_{number}", "type": "id", "optional": False} for number in range(300)],
        checks=CANCEL.checks * 200,
        pitfalls=CANCEL.pitfalls * 200,
        agent_sequence=["desk"] * 300,
        task_template="word\n" * 900,
        examples=["one\ntwo\r\nthree\rfour\n" * 300] * 9,
        artifacts=[{"template": "line\n" * 500, "language": "python"}] * 9,
    )
    made = write_skill(record, tmp_path)
    valid(made)
    text = (made / "SKILL.md").read_text()
    assert "Optional steps are left out here; references/template.json has them all." in text
    assert "tool_1(" in text
    assert "tool_2(" not in text
    assert "(More is in references/template.json.)" in text
    assert text.count("```python\n") == 2  # as many as there is room for
    assert text.count("```text\none\ntwo\n") == 4
    assert read_skill(made).record == changed(record, origin="imported")


# -- writing --------------------------------------------------------------------------------------------------------


def test_nothing_of_somebody_elses_is_overwritten_unasked(tmp_path):
    made = write_skill(CANCEL, tmp_path, runs=RUNS)
    before = {path: path.stat().st_ino for path in made.rglob("*")}
    assert write_skill(CANCEL, tmp_path, runs=RUNS) == made
    assert {path: path.stat().st_ino for path in made.rglob("*")} == before  # nothing was written
    (made / "own.txt").write_text("mine")
    newer = changed(version=3)
    with pytest.raises(SkillFileError, match="overwrite"):
        write_skill(newer, tmp_path)
    assert read_skill(made).record.version == 2
    with (made / "SKILL.md").open() as reader:
        write_skill(newer, tmp_path, overwrite=True)
        assert 'seasoned-version: "2"' in reader.read()  # who reads it meanwhile reads the old one, whole
    assert read_skill(made).record.version == 3
    assert (made / "own.txt").read_text() == "mine"
    assert sorted(path.name for path in made.rglob("*")) == ["SKILL.md", "own.txt", "references", "template.json"]


@pytest.mark.parametrize("place", ["", "SKILL.md", "references", "references/template.json"])
def test_nothing_is_written_through_a_link(tmp_path, place):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("kept")
    made = tmp_path / "skills" / "cancel-order"
    link = made / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside / "file" if "." in place else outside)
    for overwrite in (False, True):
        with pytest.raises(SkillFileError, match="link"):
            write_skill(CANCEL, tmp_path / "skills", overwrite=overwrite)
    assert [path.name for path in outside.iterdir()] == ["file"]
    assert (outside / "file").read_text() == "kept"


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    made = write_skill(CANCEL, tmp_path)
    before = (made / "references" / "template.json").read_bytes()
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(SkillFileError, match="No space left"):
        write_skill(changed(version=9), tmp_path, overwrite=True)
    assert (made / "references" / "template.json").read_bytes() == before
    assert len(list(made.rglob("*"))) == 3


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"name": "../evil"}, "name"),
        ({"description": " "}, "description"),
        ({"description": "x" * 1025}, "1025"),
        ({"examples": ["\ud800"]}, "JSON|surrogate"),
        ({"artifacts": [{"value": float("nan")}]}, "cannot keep"),
        ({"artifacts": [{"value": {1: 2}}]}, "cannot keep"),
        ({"examples": ["x" * MAX_FILE]}, "bytes"),
        ({"required_tools": ["no tool"]}, "required_tools"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(tmp_path, parts, said):
    with pytest.raises(SkillFileError, match=said):
        write_skill(changed(**parts), tmp_path)
    assert list(tmp_path.rglob("*")) == []
