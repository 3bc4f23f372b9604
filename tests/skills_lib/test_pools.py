"""Which tasks are pooled by their words alone, and that the pools stay what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seasoned.skills_lib.pools import Pools
from seasoned.skills_lib.tables import task_pools

if TYPE_CHECKING:
    from desk_kit import Desk

ITEMS = ("a red blanket", "two garden chairs", "my new headset", "a desk lamp")
GREETINGS = (
    "Hi! I need help with something.",
    "Hello there, can you help me with an order?",
    "Hi, I have a question about my account.",
    "Good day! Could you assist me with a problem?",
)


def ask(desk: Desk, *texts: str) -> Pools:
    for text in texts:
        desk.chat(text, [("get_order", {})])
    return place(desk)


def place(desk: Desk) -> Pools:
    assert desk.workspace.flush(60).error is None
    pools = Pools("desk")
    with desk.workspace.store.writing() as connection:
        pools.place(connection)
    return pools


def test_requests_that_differ_in_their_values_are_one_pool_and_greetings_are_not(desk):
    requests = [
        f"Please cancel order #W{n} for {item} because it was ordered by mistake." for n, item in enumerate(ITEMS)
    ]
    pools = ask(desk, *requests, *GREETINGS)
    members = [[pools.texts[name] for name in names] for names in pools.members().values()]
    assert requests in members
    assert len(members) == 1 + len(GREETINGS)


def test_pools_tell_what_is_new_and_come_in_the_order_in_which_they_began(desk):
    pools = ask(desk, *GREETINGS)
    assert [pools.texts[names[0]] for names in pools.members().values()] == list(GREETINGS)
    assert pools.touched == set(pools.members())
    assert all(pools.domain(name) == "retail" for name in pools.of)
    pools.touched.clear()
    with desk.workspace.store.writing() as connection:
        assert pools.place(connection) == 0
    assert pools.touched == set()
    again = place(desk)
    assert (again.of, again.touched) == (pools.of, set())


def test_tasks_that_were_filed_under_another_pool_are_seen_there(desk):
    pools = ask(desk, *GREETINGS)
    first, second, *_ = pools.members()
    with desk.workspace.store.writing() as connection:
        connection.execute(task_pools.update().where(task_pools.c.pool == second).values(pool=first))
        pools.place(connection)
    assert len(pools.members()[first]) == 2
    assert second not in pools.members()
