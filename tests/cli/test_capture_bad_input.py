"""What can be wrong with an execution given to ``seasoned capture``: one clear line, and nothing is recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def good(**more) -> dict:
    return {"prompt": "Sort the list of numbers", "success": True, "agent": "a", "steps": [{"tool": "s"}], **more}


def written(content) -> str:
    text = content if isinstance(content, (str, bytes)) else json.dumps(content)
    Path("x.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    return "x.json"


def nothing_recorded(cli) -> bool:
    answer = cli("runs", "--json")
    return answer.code == 1 or answer.json == []


BAD = [
    ({}, "there is no task"),
    ({"task": " \n"}, "task is empty"),
    ({"prompt": "\x00\x01"}, "prompt is empty"),
    ({"task": 3}, "task is 3"),
    ({"task": "a" * 1_000_001}, "1000001 characters"),
    (good(success="yes"), "success is"),
    (good(success=1), "success is 1"),
    (good(quality=1.5), "quality is 1.5"),
    (good(quality_score=-0.1), "quality_score is -0.1"),
    (good(quality=True), "quality is true"),
    ('{"task": "a b c", "quality": NaN}', "quality is NaN"),
    (good(complexity="huge"), "low, medium, high, critical"),
    (good(complexity_score=2), "complexity_score is 2"),
    (good(duration_ms=-1), "duration_ms is -1"),
    (good(duration_ms=1e300), "duration_ms is 1e+300"),
    (good(at="yesterday"), "yesterday"),
    (good(at=[]), "at is a JSON list"),
    (good(at=99_999_999_999), "2262"),
    (good(at=60, duration_ms=120_000), "before 1970"),
    (good(steps={"tool": "s"}), "steps is a JSON object"),
    (good(steps=["s"]), "steps[0] is \"s\""),
    (good(steps=[{"tool": "s"}, {"arguments": {}}]), "steps[1] names no tool"),
    (good(steps=[{"tool": "s", "arguments": [1]}]), "steps[0].arguments"),
    (good(steps=[{"tool": "s", "outcome": "purple"}]), "purple"),
    (good(steps=[{"tool": "a\nb"}]), "control characters"),
    (good(steps=None, steps_json="[{"), "steps_json is not JSON"),
    (good(artifacts=[{"type": "test"}]), "artifacts[0] names no file"),
    (good(artifacts=[{"path": "a", "content": 1}]), "artifacts[0].content"),
    (good(agent="a\x1b[31m"), "control characters"),
    (good(agent="\ud800"), "broken letters"),
    (good(agent="a" * 201), "201 characters"),
    (good(agent_chain=[1]), "agent_chain"),
    (good(execution_id="a b"), "one word"),
    (good(user_acceptance="true"), "user_acceptance"),
    (good(x=json.loads("[" * 200 + "]" * 200)), "levels deep"),
    ("[" * 100_000, "nested too deeply"),
    ('{"task": "a b c",\n "success": tru}', "line 2 column 13"),
    ('{"task": "a\nb"}', "line 1 column 12"),
    ('{"task": "a\x00b"}', "line 1 column 12"),
    (b'{"task": "\xff"}', "UTF-8"),
    ("", "empty"),
    ("[]", "empty list"),
    ("3", "the record is 3"),
    (b" " * (64 * 1024 * 1024 + 1), "64 MB"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "said"), BAD, ids=[said for _, said in BAD])
def test_a_bad_file_is_told_in_one_line_and_nothing_is_recorded(cli, content, said):
    answer = cli("capture", written(content))
    assert (answer.code, answer.out) == (1, "")
    assert answer.line.startswith("seasoned: nothing was captured: x.json")
    assert said in answer.line
    assert len(answer.line) < 400
    assert nothing_recorded(cli)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "--task"),
        (("--success",), 2, "--task"),
        (("--task", "Do it now", "--success", "--failure"), 2, "--failure"),
        (("x.json", "--task", "Do it now"), 2, "not both"),
        (("x.json", "--success"), 2, "not both"),
        (("--task", "Do it now", "--step", "a", "--steps-json", "[]"), 2, "--steps-json"),
        (("--task", "Do it now", "--at", "someday"), 2, "someday"),
        (("--task", "Do it now", "--quality", "good"), 2, "as a number"),
        (("--task", " "), 1, "task is empty"),
        (("--task", "Do it now", "--quality", "1.5"), 1, "quality is 1.5"),
        (("--task", "Do it now", "--quality", "nan"), 1, "quality"),
        (("--task", "Do it now", "--complexity", "huge"), 1, "critical"),
        (("--task", "Do it now", "--step", "a {b"), 1, "--step 'a' is not JSON"),
        (("--task", "Do it now", "--step", "a [1]"), 1, "JSON object"),
        (("--task", "Do it now", "--step", ""), 1, "names no tool"),
        (("--task", "Do it now", "--steps-json", '[{"tool": }]'), 1, "--steps-json is not JSON (Expecting value: line"),
        (("--task", "Do it now", "--steps-json", "[{}]"), 1, "steps[0] names no tool"),
        (("--task", "Do it now", "--artifacts", "{}"), 1, "--artifacts-json"),
        (("nowhere.json",), 1, "nowhere.json: cannot be read: No such file"),
        ((".",), 1, "cannot be read"),
    ],
)  # fmt: skip
def test_bad_arguments(cli, arguments, code, said):
    answer = cli("capture", *arguments)
    assert (answer.code, answer.out) == (code, "")
    assert said in (answer.line if code == 1 else answer.err)
    assert nothing_recorded(cli)
