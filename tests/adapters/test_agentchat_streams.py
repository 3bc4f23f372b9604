"""A wrapped stream or coroutine behaves as the bare one does, whatever its consumer does to it."""

from __future__ import annotations

import inspect
from contextvars import ContextVar

import pytest

from seasoned.adapters.agentchat_state import PLACE, Chat, Core, Place
from seasoned.adapters.agentchat_streams import Watcher, awaiting, streaming
from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.journal import Writer
from seasoned.instrumentation.recorder import Recorder
from seasoned.instrumentation.redaction import Redactor
from seasoned.instrumentation.runs import CURRENT
from seasoned.instrumentation.tap import Tap

OUTSIDE: ContextVar[str] = ContextVar("outside", default="")


class Noting(Watcher):
    """Notes what it is told."""

    def __init__(self, core, args, kwargs, place, told):
        super().__init__(core, "test", args, kwargs, place)
        self.told = told

    def on_item(self, value):
        self.told.append(value)
        assert PLACE.get() is not self.place

    def on_done(self, error):
        self.told.append(("done", type(error).__name__ if error else None))

    def on_closed(self):
        self.told.append("closed")


@pytest.fixture
def watched(tmp_path):
    """What begins a watcher, and what it was told."""
    guard = Guard()
    recorder = Recorder(Writer(tmp_path), Redactor(), guard, namespace="tests")
    core, told = Core(Tap(recorder, guard, lambda _run, _agent: "")), []
    place = Place(Chat(recorder.begin("a task")))

    def begin(args, kwargs):
        return Noting(core, args, kwargs, place, told)

    yield begin, told
    assert guard.failures == {}, guard.last
    assert CURRENT.get() is None
    assert PLACE.get() is None
    recorder.writer.close()


async def talk(seen):
    """Says back what it gets, and notes what happens to it."""
    said = None
    try:
        for number in range(4):
            try:
                said = yield f"{number} {said}"
            except KeyError as error:
                seen.append(repr(error))
                said = "caught"
    finally:
        seen.append("cleaned up")


def plain(seen):
    """The same from a function that only returns the stream."""
    return talk(seen)


async def consume(function) -> list:
    """Everything that a consumer can do."""
    seen: list = []
    stream = function(seen)
    seen.append(await stream.__anext__())
    seen.append(await stream.asend("hello"))
    seen.append(await stream.athrow(KeyError("thrown")))
    seen.append(await stream.__anext__())
    with pytest.raises(StopAsyncIteration):
        await stream.__anext__()
    stream = function(seen)
    seen.append(await stream.__anext__())
    await stream.aclose()
    stream = function(seen)
    seen.append(await stream.__anext__())
    with pytest.raises(LookupError, match="not for it"):
        await stream.athrow(LookupError("not for it"))
    return seen


@pytest.mark.parametrize("function", [talk, plain])
async def test_a_stream(watched, function):
    begin, told = watched
    wrapped = streaming(function, begin)
    assert inspect.isasyncgenfunction(wrapped) is inspect.isasyncgenfunction(function)
    assert await consume(wrapped) == await consume(function)
    assert told == [
        "0 None", "1 hello", "2 caught", "3 None", ("done", None),
        "0 None", "closed",
        "0 None", ("done", "LookupError"),
    ]  # fmt: skip


async def test_a_stream_that_is_left_alone():
    assert await consume(streaming(talk, lambda _args, _kwargs: None)) == await consume(talk)


@pytest.mark.parametrize("function", [lambda *_: None, lambda *_: 7])
async def test_what_is_no_stream(watched, function):
    begin, told = watched
    assert streaming(function, begin)() == function()
    assert told == [("done", None)]


async def test_what_cannot_be_called(watched):
    begin, told = watched
    for function in (talk, plain):
        stream = streaming(function, begin)
        with pytest.raises(TypeError):
            await stream("too", "many").__anext__()
    assert told == [("done", "TypeError")] * 2


async def test_a_coroutine(watched):
    begin, told = watched

    async def answer(error=None):
        assert PLACE.get() is not None
        if error is not None:
            raise error
        return "answer"

    def returning(error=None):
        return answer(error)

    for function in (answer, returning):
        wrapped = awaiting(function, begin)
        assert inspect.iscoroutinefunction(wrapped) is inspect.iscoroutinefunction(function)
        assert await wrapped() == "answer"
        with pytest.raises(KeyError):
            await wrapped(KeyError("x"))
    assert told == ["answer", ("done", None), ("done", "KeyError")] * 2


async def test_a_coroutine_that_is_dropped(watched):
    begin, told = watched

    class Never:
        def __await__(self):
            yield

    async def waiting():
        await Never()

    coroutine = awaiting(waiting, begin)()
    coroutine.send(None)
    assert PLACE.get() is not None
    coroutine.close()
    assert told == ["closed"]


async def test_what_a_stream_sets_for_its_consumer_stays(watched):
    """A context variable of the host's own goes where it goes without us."""
    begin, _ = watched

    async def sets(_seen):
        OUTSIDE.set("set inside")
        yield 1

    token = OUTSIDE.set("")
    async for _ in streaming(sets, begin)([]):
        assert OUTSIDE.get() == "set inside"
    OUTSIDE.reset(token)
