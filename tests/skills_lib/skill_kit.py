"""A template as it is learned, templates of every kind, and SKILL.md folders to read."""

from __future__ import annotations

import json
import re
import string

import msgspec
from hypothesis import strategies as st

from seasoned.skills_lib import front_matter
from seasoned.skills_lib.skill_checks import is_constant
from seasoned.skills_lib.skill_md import write_skill
from seasoned.skills_lib.template_record import TemplateRecord

RUNS = [("run-1", True), ("run-2", False)]

CANCEL = TemplateRecord(
    template_id="00ff-cancel",
    version=2,
    name="cancel-order",
    description="Solves it with get_order, cancel_order. Use it in retail for tasks such as: Cancel {{order_id}}",
    when_not="Not where cancel_order cannot be called.",
    task_template="Please cancel order {{order_id}} for {{item}}.",
    slots=[
        {"name": "order_id", "type": "id", "optional": False},
        {"name": "item", "type": "text", "optional": True},
    ],
    procedure=[
        {
            "tool": "get_order", "agent": "desk", "writes": False, "optional": True, "repeated": True, "support": 3,
            "arguments": {"order_id": {"source": "slot", "name": "order_id", "type": "id", "support": 4, "of": 4}},
        },
        {
            "tool": "cancel_order", "agent": None, "writes": True, "optional": False, "repeated": False, "support": 4,
            "arguments": {
                "items[*].id": {
                    "source": "result", "tool": "get_order", "path": "items[*].id", "type": "id", "many": True,
                    "support": 4, "of": 4,
                },
                "reason": {"source": "constant", "value": "no longer needed", "support": 4, "of": 4},
                "code": {"source": "free", "type": "code", "calls": ["json.loads"]},
            },
        },
    ],
    agent_sequence=["desk", "customer"],
    required_tools=["cancel_order"],
    checks=[
        {"text": "Call get_order before cancel_order.", "solved_with": 4, "solved": 4, "failed_with": 0, "failed": 3,
         "p": 0.0286},
    ],
    pitfalls=[
        {"text": "Call cancel_order only once.", "solved_with": 0, "solved": 4, "failed_with": 3, "failed": 3,
         "p": 0.03},
    ],
    examples=["Please cancel order W1 for a desk lamp."],
    tags=["retail"],
    domain="retail",
    task_type="data",
    tasks=3,
    solved=4,
    failed=3,
    state="ready",
    artifacts=[
        {"kind": "shell", "language": "sh", "template": "cancel {{order_id}}", "slots": [], "support": 2, "of": 4},
    ],
)  # fmt: skip


def changed(record=CANCEL, **parts):
    return msgspec.structs.replace(record, **parts)


def skill(folder, text, name="foreign-skill"):
    made = folder / name
    made.mkdir(parents=True)
    (made / "SKILL.md").write_bytes(text if isinstance(text, bytes) else text.encode())
    return made


def foreign(folder, front="name: foreign-skill\ndescription: Does a thing. Use it for things.\n", body="# Hello\n"):
    return skill(folder, f"---\n{front}---\n{body}")


def edited_json(folder, edit, record=CANCEL):
    """An exported skill whose JSON somebody changed."""
    made = write_skill(record, folder, runs=RUNS)
    file = made / "references" / "template.json"
    saved = json.loads(file.read_text())
    edit(saved)
    file.write_text(json.dumps(saved))
    return made


def set_in(*keys_and_value):
    *keys, last, value = keys_and_value

    def edit(saved):
        for key in keys:
            saved = saved[key]
        saved[last] = value

    return edit


def valid(folder):
    """The rules of agentskills.io, checked by other means than the code's own; gives the front matter's lines."""
    text = (folder / "SKILL.md").read_bytes().decode()
    before, front, body = text.split("---", 2)  # the crudest reader there is
    assert before == ""
    assert front.startswith("\n")
    assert body.startswith("\n")
    lines = front.strip("\n").split("\n")
    name = json.loads(lines[0].removeprefix("name: "))
    assert name == folder.name
    assert len(name) <= 64
    assert set(name) <= set(string.ascii_lowercase + string.digits + "-")
    assert not name.startswith("-")
    assert not name.endswith("-")
    assert "--" not in name
    assert lines[1].startswith('description: "')
    assert all(re.fullmatch(r'metadata:|  [a-z-]+: "[^\x00-\x1f]*"', line) for line in lines[2:])
    assert len(body.splitlines()) < 500
    return lines


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.sampled_from(
    [
        "---",
        "a\n---\nb",
        "```\nx\n```",
        "{{x}}",
        "<!-- x -->",
        "\u202eabc",
        "\0",
        "😀\u200d👩",
        "שלום",
        "\x85",
        "a: b #c",
        "!`id`",
    ]
)
lines = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=20).filter(
    lambda text: not front_matter.HIDDEN.search(text)
)
letters = string.ascii_letters
names = st.lists(st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=9), min_size=1, max_size=4).map(
    "-".join
)
tools = st.builds(str.__add__, st.sampled_from(letters + "_"), st.text(letters + string.digits + "_.:/-", max_size=20))
words = st.builds(
    str.__add__, st.sampled_from(string.ascii_lowercase), st.text(string.ascii_lowercase + "_", max_size=8)
)
plain_names = st.builds(str.__add__, st.sampled_from(letters), st.text(letters + string.digits + "_", max_size=20))
paths = st.lists(words | st.just("*"), min_size=1, max_size=3).map(".".join) | st.sampled_from(
    ["", "[*].id", "a[*][*].b"]
)
counts = st.integers(0, 2**63 - 1)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
sources = st.one_of(
    st.fixed_dictionaries(
        {"source": st.just("slot"), "name": plain_names, "type": words},
        optional={"many": st.just(True), "support": counts, "of": counts, "outlines": st.just(["#A9", "9-a"])},
    ),
    st.fixed_dictionaries(
        {"source": st.just("result"), "tool": tools, "path": paths, "type": words}, optional={"support": counts}
    ),
    st.fixed_dictionaries({"source": st.just("constant"), "value": json_values.filter(is_constant)}),
    st.fixed_dictionaries({"source": st.just("free"), "type": words}, optional={"calls": st.lists(tools, max_size=3)}),
)
arguments = st.sampled_from(["a", "a.b", "items[*].id", "x[*][*]", "user-name"])
steps = st.fixed_dictionaries({
    "tool": tools, "agent": st.none() | lines, "writes": st.booleans(), "optional": st.booleans(),
    "repeated": st.booleans(), "support": counts, "arguments": st.dictionaries(arguments, sources, max_size=3),
})  # fmt: skip
told = st.fixed_dictionaries({
    "text": lines, "solved_with": counts, "solved": counts, "failed_with": counts, "failed": counts,
    "p": st.floats(0, 1),
})  # fmt: skip
records = st.builds(
    TemplateRecord,
    template_id=st.text("0123456789abcdef-", min_size=1, max_size=64),
    version=st.integers(1, 2**63 - 1),
    name=names,
    description=texts.filter(str.strip),
    when_not=texts,
    task_template=texts,
    slots=st.lists(st.fixed_dictionaries({"name": plain_names, "type": words, "optional": st.booleans()}), max_size=2),
    procedure=st.lists(steps, max_size=3),
    agent_sequence=st.lists(lines, max_size=2),
    required_tools=st.lists(tools, max_size=2),
    checks=st.lists(told, max_size=2),
    pitfalls=st.lists(told, max_size=2),
    examples=st.lists(texts, max_size=3),
    tags=st.lists(texts, max_size=2),
    domain=st.none() | texts,
    task_type=st.none() | texts,
    tasks=counts,
    solved=counts,
    failed=counts,
    state=st.sampled_from(["candidate", "ready", "withdrawn", "deleted"]),
    why=texts,
    asked=st.lists(st.sampled_from(["cancel", "order"])),
    artifacts=st.lists(
        st.dictionaries(st.sampled_from(["kind", "language", "template", "support"]), json_values), max_size=2
    ),
    origin=st.just("learned"),
    notes=texts,
    metrics=st.dictionaries(words, counts, max_size=2),
)
run_lists = st.lists(st.tuples(lines, st.booleans()), max_size=3)
