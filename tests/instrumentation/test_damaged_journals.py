"""A journal with something wrong in it: that is told of, and the rest is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from seasoned.instrumentation import reading
from seasoned.instrumentation.events import encode, text_ref
from seasoned.instrumentation.journal import segments

if TYPE_CHECKING:
    from tests.instrumentation.conftest import Recording


BAD_LINES = [
    b"{not json\n",
    b"[1,2,3]\n",
    b'["r1",5,"message"]\n',
    b"\xff\xfe\x00garbage\n",
    b"[" * 5_000 + b"\n",
    ("r1", 5, "dance", {}, {}),
    ("r1", 5, "message", {"content": "no reference"}, {}),
    ("r1", 5, "message", {"content": {"a": 1}}, {}),
    ("r1", 5, "model_call", {"prompt": {"new": [["user"]]}}, {}),
    ("r1", 5, "message", {}, {"at": 2**70}),
    ("r1", 5, "message", {}, {"at": -1}),
    ("r1", 2**40, "message", {}, {}),
    ("", 5, "message", {}, {}),
    ("x" * 201, 5, "message", {}, {}),
    ("r1", 5, "message", {}, {"agent": "a\x00b"}),
    encode(["r1", 5, "message", 1, 0, None, {}, {text_ref("one thing"): "another thing"}]) + b"\n",
]


@pytest.mark.parametrize("bad", BAD_LINES, ids=map(str, range(len(BAD_LINES))))
def test_a_bad_line_is_told_of_and_its_neighbours_are_kept(recording: Recording, bad: Any) -> None:
    if isinstance(bad, tuple):
        run_id, seq, kind, payload, changes = bad
        bad = recording.line(run_id, seq, kind, payload, **changes)
    before = recording.message("r1", 0, "before")
    offset = len(recording.header() + before)
    path = recording.left_behind(before, bad, recording.message("r1", 1, "after"))
    recording.ingest()
    assert [event.payload["content"] for event in recording.events("r1")] == ["before", "after"]
    [problem] = recording.ingester.problems
    assert f"{path}, line 3 (byte {offset})" in problem
    with recording.store.reading() as connection:
        assert reading.problems(connection) == [problem]
    assert not path.parent.exists()


def test_blank_lines_are_nothing(recording: Recording) -> None:
    recording.left_behind(b"\n   \n" + recording.message("r1", 0, "kept") + b"\n\n")
    assert recording.ingest().events == 1
    assert recording.ingester.problems == []


def test_thousands_of_bad_lines_are_counted_not_listed(recording: Recording) -> None:
    recording.left_behind(b"garbage\n" * 5_000 + recording.message("r1", 0, "kept"))
    assert recording.ingest().events == 1
    assert len(recording.ingester.problems) < 50
    assert "more lines" in recording.ingester.problems[-1]


def test_a_segment_without_a_header_is_still_read(recording: Recording) -> None:
    recording.left_behind(recording.message("r1", 0, "first"), recording.message("r1", 1, "second"), header=b"")
    assert recording.ingest().events == 2
    [problem] = recording.ingester.problems
    assert "line 1" in problem
    assert "header" in problem


def test_a_segment_with_a_garbled_header_is_still_read(recording: Recording) -> None:
    recording.left_behind(recording.message("r1", 0, "first"), header=b'{"seasoned_jou\xff\n')
    assert recording.ingest().events == 1
    assert len(recording.ingester.problems) == 1


def test_a_journal_of_another_version_is_left_alone(recording: Recording) -> None:
    path = recording.left_behind(recording.message("r1", 0, "from the future"), header=recording.header(version=99))
    data = path.read_bytes()
    recording.left_behind(recording.message("r2", 0, "from now"), writer="wnow")
    assert recording.ingest().events == 1
    assert recording.ingest(recording.another_ingester()).events == 0
    assert path.read_bytes() == data
    [problem] = recording.ingester.problems
    assert str(path) in problem
    assert "format 99" in problem
    assert "pip install" in problem
    assert recording.ingester.backlog() == 0


def test_the_last_line_of_a_dead_writer_is_torn(recording: Recording) -> None:
    whole = recording.message("r1", 0, "whole")
    offset = len(recording.header() + whole)
    path = recording.left_behind(whole, recording.message("r1", 1, "cut off")[:-20])
    assert recording.ingest().events == 1
    [problem] = recording.ingester.problems
    assert f"{path}, line 3 (byte {offset})" in problem
    assert "end" in problem
    assert not path.exists()


def test_a_last_line_that_lacks_only_its_end_is_kept(recording: Recording) -> None:
    recording.left_behind(recording.message("r1", 0, "whole")[:-1])
    assert recording.ingest().events == 1
    assert recording.ingester.problems == []


def test_the_last_line_of_a_living_writer_is_waited_for(recording: Recording) -> None:
    recorder = recording.recorder()
    recorder.begin("Something under way")
    [segment] = segments(recording.home)
    rest = recording.message("r1", 0, "written in two parts")
    with segment.path.open("ab", buffering=0) as file:
        file.write(rest[:30])
        assert recording.ingest().events == 1
        assert recording.ingester.backlog() == 30
        file.write(rest[30:])
    assert recording.ingest().events == 1
    assert recording.ingester.problems == []
    assert recording.events("r1")[0].payload["content"] == "written in two parts"


def test_a_line_longer_than_a_step_is_read(recording: Recording) -> None:
    recorder = recording.recorder()
    run = recorder.begin("A long text")
    long = "0123456789" * 20_000
    recorder.message(run, "ann", ["bob"], "user", long)
    while recording.ingester.step(max_bytes=1_000).bytes:
        pass
    assert recording.events(run.run_id)[1].payload["content"] == long


def test_what_the_database_refuses_is_skipped_alone(anywhere: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a number too large for a column would be, if the reader let it through."""
    monkeypatch.setattr("seasoned.instrumentation.tail._INT", 1 << 80)
    lines = [
        anywhere.message("r1", 0, "before"),
        anywhere.line("r1", 1, "message", {}, turn=2**70),
        anywhere.message("r1", 2, "after"),
    ]
    anywhere.left_behind(*lines)
    anywhere.ingest()
    contents = [event.payload["content"] for event in anywhere.events("r1")]
    assert contents[0] == "before"
    assert contents[-1] == "after"
    assert anywhere.scalar("SELECT count(*) FROM events WHERE turn = 0") == 2
    if anywhere.store.dialect == "postgresql":
        assert len(contents) == 2
        assert "the database refuses it" in anywhere.ingester.problems[0]


def test_what_is_no_lines_fault_skips_no_line(recording: Recording) -> None:
    recorder = recording.recorder()
    recorder.begin("Something precious")
    recording.store.prepare()
    with recording.store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE events RENAME TO hidden")
    with pytest.raises(Exception, match="no such table"):
        recording.ingester.step()
    with recording.store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO events")
    assert recording.ingest().events == 1
