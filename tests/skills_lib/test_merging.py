"""Templates that say the same become one: by what was done and what was asked for, whatever order it came in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desk_kit import SECOND, START, Desk

from seasoned.skills_lib import merging
from seasoned.skills_lib.library import SkillLibrary
from seasoned.skills_lib.tables import task_pools

if TYPE_CHECKING:
    from desk_kit import Calls

OPENINGS = (
    "Hello, my new kettle leaks all over the kitchen.",
    "The blue jumper that came on Monday pinches under both arms.",
    "Could somebody have a look at what happened with parcel number nine?",
    "Good morning! These headphones crackle whenever it rains outside.",
    "We bought chairs for grandmother, and they wobble badly.",
    "A strange smell comes out of my lunch box since yesterday.",
)
"""Openings of a chat that have nothing in common, and name nothing that a tool does."""


def told(library: SkillLibrary) -> list[tuple[str, str, int, int, int]]:
    return sorted((one.name, one.state, one.solved, one.failed, one.tasks) for one in library.templates())


def test_chats_whose_openings_share_nothing_are_one_template_where_people_asked_for_the_same(desk):
    for opening in OPENINGS:
        desk.exchange(opening, "I would like to exchange it, please.")
    library = desk.library()
    assert (library.learn().made, library.learn().made) == (1, 0)
    (template,) = library.templates()
    assert (template.name, template.state, template.solved, template.tasks) == ("exchange-items", "ready", 6, 6)
    assert template.why == "ready: 6 successful runs of 6 tasks"
    assert len(library.runs_behind(template.template_id)) == 6
    assert {row.pool for row in desk.rows(task_pools)} == {row.pool for row in desk.rows()}
    gone = desk.merged()
    assert len(gone) == 5
    assert all(row.reason.startswith(f"merged into {template.template_id}: the same changes") for row in gone)
    assert all("asked for by name (exchange" in row.reason for row in gone)
    newest = max(row.made_ns for row in desk.rows())
    assert newest == START + 6 * 60 * SECOND + SECOND  # when: the end of the newest run, not a clock


def test_without_asking_for_it_chats_that_share_nothing_stay_apart(desk):
    for opening in OPENINGS[:4]:
        desk.exchange(opening)
    assert told(desk.learned()) == [(name, "candidate", 1, 0, 1) for name, *_ in told(desk.library())]
    assert len(desk.rows()) == 4
    assert len({row.name for row in desk.rows()}) == 4


def test_other_changes_are_never_merged_however_alike_the_tasks_are(desk):
    for number in range(8):
        tool = ("exchange_items", "return_items")[number % 2]
        desk.exchange(OPENINGS[number % 6], "I would like to exchange or return it, please.", tool=tool)
    library = desk.learned()
    for template in library.templates():
        assert len({step["tool"] for step in template.procedure if step["writes"]}) == 1
    assert [name for name, *_ in told(library)] == ["exchange-items", "return-items"]


def test_another_order_of_the_same_changes_is_another_template(desk):
    for number, opening in enumerate(OPENINGS):
        tools = ["exchange_items", "return_items"][:: 1 if number % 2 else -1]
        calls: Calls = [(tool, {"order_id": f"#W{number}"}) for tool in tools]
        desk.chat(opening, calls, f"Exchange one and return the other of #W{number}.")
    assert [one[2] for one in told(desk.learned())] == [3, 3]


def test_other_domains_are_other_templates(desk):
    for number, opening in enumerate(OPENINGS):
        desk.exchange(opening, "I want to exchange it.", domain=("retail", "wholesale")[number % 2])
    assert [one[2] for one in told(desk.learned())] == [3, 3]


def test_an_opening_that_asks_for_another_change_is_another_request(desk):
    for opening in OPENINGS[:3]:
        desk.exchange(opening, "I want to exchange it.")
    for number in range(3):
        desk.chat(f"Please return order #W{number}", [("return_items", {"order_id": f"#W{number}"})])
    odd = "My sister wants to return her tent, poles and everything."
    desk.exchange(odd, "Alright, then exchange it.")
    by_examples = {tuple(one.examples): one for one in desk.learned().templates()}
    assert by_examples[(odd,)].state == "candidate"
    assert sorted(one.solved for one in by_examples.values()) == [1, 3, 3]


def test_constants_that_contradict_each_other_keep_templates_apart(desk):
    for number in range(4):
        for status in ("open", "closed"):
            opening = OPENINGS[number] if status == "open" else f"{OPENINGS[number][::-1]}"
            calls: Calls = [("get_ticket", {}), ("update_ticket", {"ticket": f"#T{number}", "status": status})]
            for again in range(3):
                desk.chat(f"{opening} {'!' * again}", calls, f"Update ticket #T{number}, please.")
    found = desk.learned().templates()
    values = [
        source["value"] for one in found for step in one.procedure for source in step["arguments"].values()
        if source["source"] == "constant"
    ]  # fmt: skip
    assert {"open", "closed"} <= set(values)
    assert len(found) >= 2


def test_tasks_that_only_failed_count_against_the_template_they_would_have_been_given(desk):
    for opening in OPENINGS:
        desk.exchange(opening, "I would like to exchange it, please.")
    assert [one.state for one in desk.learned().templates()] == ["ready"]
    for number in range(7):
        desk.exchange(f"Exchange my {('vase', 'sofa', 'rug', 'fan', 'cup', 'pan', 'bed')[number]}", success=False)
    library = desk.learned()
    (template,) = library.templates()
    assert (template.state, template.solved, template.failed) == ("candidate", 6, 7)
    assert template.why == "candidate: it failed more often than it succeeded (6 of 13)"
    assert len(library.runs_behind(template.template_id)) == 13


def test_failures_that_say_nothing_stay_by_themselves(desk):
    for opening in OPENINGS[:3]:
        desk.exchange(opening, "I would like to exchange it, please.")
    desk.exchange("Hello, is anybody there?", success=False)
    (template,) = desk.learned().templates()
    assert (template.solved, template.failed) == (3, 0)


def test_learning_again_changes_nothing_and_learning_on_the_way_gives_the_same(desk, tmp_path):
    other = Desk(tmp_path / "other")
    try:
        for number, opening in enumerate((*OPENINGS, "Please return order #W77", "Please return order #W78")):
            for each in (desk, other):
                tool = "return_items" if "return" in opening else "exchange_items"
                each.exchange(opening, "I would like to exchange it, please.", tool=tool)
            if number % 2:
                other.learned()
        library = desk.learned()
        before = desk.rows(), desk.rows(task_pools)
        library.learn()
        assert (desk.rows(), desk.rows(task_pools)) == before
        assert told(library) == told(other.learned())
        assert {row.fingerprint: row.pool for row in desk.rows(task_pools)} == {
            row.fingerprint: row.pool for row in other.rows(task_pools)
        }
    finally:
        other.workspace.close(flush=False)


def test_a_new_opening_joins_what_was_merged_and_other_libraries_see_it(desk):
    for opening in OPENINGS[:3]:
        desk.exchange(opening, "I would like to exchange it, please.")
    first = desk.learned()
    (template,) = first.templates()
    desk.exchange(OPENINGS[3], "I would like to exchange it, please.")
    desk.workspace.flush(60)
    watching = SkillLibrary(desk.workspace.store, "desk")
    watching.similar(OPENINGS[3])
    first.learn()
    (grown,) = first.templates()
    assert (grown.template_id, grown.name, grown.solved) == (template.template_id, template.name, 4)
    assert [match.template.template_id for match in watching.similar(OPENINGS[3]).matches] == [grown.template_id]


def test_forgetting_one_of_the_merged_runs_forgets_all_that_held_its_words(desk):
    runs = [desk.exchange(opening, "I would like to exchange it, please.") for opening in OPENINGS]
    desk.learned()
    assert OPENINGS[3] in "".join(row.body for row in desk.rows())
    desk.workspace.service.forget(run_ids=[runs[3].run_id])
    assert desk.rows() == []
    assert told(desk.learned()) == [("exchange-items", "ready", 5, 0, 5)]
    assert OPENINGS[3] not in "".join(row.body for row in desk.rows())


def test_a_rebuild_gives_the_same_template_and_no_version(desk):
    for opening in OPENINGS:
        desk.exchange(opening, "I would like to exchange it, please.")
    before = desk.learned().templates()
    rows = len(desk.rows())
    for _ in range(2):
        desk.workspace.service.rebuild()
        again = desk.library()
        again.learn()
        assert again.templates() == before
        assert len(desk.rows()) == rows


def test_what_is_like_a_deleted_template_stays_deleted(desk):
    for opening in OPENINGS[:4]:
        desk.exchange(opening, "I would like to exchange it, please.")
    library = desk.learned()
    library.delete(library.templates()[0].template_id)
    desk.exchange(OPENINGS[4], "I would like to exchange it, please.")
    assert desk.learned().templates() == []
    desk.workspace.service.rebuild()
    assert desk.learned().templates() == []


def test_pools_are_not_compared_with_each_other_one_by_one(desk, monkeypatch):
    for number in range(24):
        word = "".join(chr(ord("a") + (number * step) % 26) for step in (1, 3, 5, 7, 11))
        desk.exchange(f"{word} {word[::-1]} {word[2:]}{word[:2]}")
    compared = []
    real = merging.same_procedure
    monkeypatch.setattr(merging, "same_procedure", lambda *two: compared.append(two) or real(*two))
    desk.learned()
    assert len(desk.rows()) >= 12
    assert len(compared) < 24
