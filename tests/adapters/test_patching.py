"""Wrapping methods of classes so that it can be undone, whoever else does the same."""

from __future__ import annotations

import asyncio
import functools
import inspect

import pytest
import wrapt

from seasoned.adapters.patching import Family, Patches, is_ours, subclasses


class Base:
    def work(self, value: int = 1) -> int:
        """What it does."""
        return value

    async def later(self, value: int = 1) -> int:
        await asyncio.sleep(0)
        return value

    @staticmethod
    def static() -> str:
        return "static"


@pytest.fixture
def kinds():
    """A family of classes for each test: their attributes are changed."""

    class Root(Base):
        work, later = Base.work, Base.later
        static = staticmethod(Base.static)

    class Mixin:
        def work(self, value: int = 1) -> int:
            return super().work(value + 100)  # type: ignore[misc]

    class Child(Root):
        def work(self, value: int = 1) -> int:
            return super().work(value + 10)

        async def later(self, value: int = 1) -> int:
            return await super().later(value + 10)

    class Grandchild(Mixin, Child):
        pass

    return Root, Child, Grandchild


@pytest.fixture
def calls():
    return []


@pytest.fixture
def makers(calls):
    def work(raw, layer):
        def work(self, *args, **kwargs):
            if layer.stacked and layer.inside(self):
                return layer.beneath(raw, self, args, kwargs)
            calls.append("work")
            return raw(self, *args, **kwargs)

        return work

    def later(raw, layer):
        async def later(self, *args, **kwargs):
            if layer.stacked and layer.inside(self):
                return await layer.a_beneath(raw, self, args, kwargs)
            calls.append("later")
            return await raw(self, *args, **kwargs)

        return later

    return {"work": work, "later": later}


def test_a_wrapper_looks_like_what_it_wraps(kinds, makers):
    root = kinds[0]
    original = root.__dict__["work"]
    patches = Patches()
    Family(patches, root, makers)
    assert root.work is not original
    assert root.work.__name__ == "work"
    assert root.work.__doc__ == "What it does."
    assert inspect.signature(root.work) == inspect.signature(original)
    assert inspect.iscoroutinefunction(root.later)
    assert not inspect.iscoroutinefunction(root.work)
    assert root().work(value=5) == 5
    with pytest.raises(TypeError, match=r"work\(\) got an unexpected keyword argument 'nothing'"):
        root().work(nothing=1)


def test_restoring_gives_the_very_same_functions(kinds, makers):
    before = [dict(kind.__dict__) for kind in kinds]
    patches = Patches()
    Family(patches, kinds[0], makers)
    assert kinds[1].__dict__["work"] is not before[1]["work"]
    patches.restore()
    patches.restore()
    for kind, attributes in zip(kinds, before, strict=True):
        for name in ("work", "later"):
            assert kind.__dict__.get(name) is attributes.get(name)


def test_only_the_outermost_wrapper_observes(kinds, makers, calls):
    root, child, grandchild = kinds
    Family(Patches(), root, makers)
    assert root().work() == 1
    assert calls == ["work"]
    assert child().work() == 11
    assert calls == ["work"] * 2
    assert grandchild().work() == 111  # an override in a class that does not even belong to the family
    assert calls == ["work"] * 3
    assert asyncio.run(grandchild().later()) == 11
    assert calls == ["work"] * 3 + ["later"]


def test_a_call_within_the_call_is_observed(kinds, makers, calls):
    """An agent whose reply begins a chat of its own is at work twice."""
    root, child, _ = kinds

    def again(self, value=1):
        return value if value > 100 else self.work(100)

    root.work = again
    Family(Patches(), root, makers)
    assert child().work(1) == 110
    assert calls == ["work", "work"]


def test_classes_that_come_later(kinds, makers, calls):
    root = kinds[0]
    family = Family(Patches(), root, makers)

    class Late(root):
        def work(self, value: int = 1) -> int:
            return value * 1000

    assert Late().work() == 1000
    assert calls == []
    family.prepare(Late)
    family.prepare(Late)
    assert Late().work() == 1000
    assert calls == ["work"]


def test_somebody_who_wraps_after_us_stays(kinds, makers, calls):
    root = kinds[0]
    original = root.__dict__["work"]
    patches = Patches()
    Family(patches, root, makers)
    ours = root.work

    @functools.wraps(ours)
    def theirs(self, *args, **kwargs):
        calls.append("theirs")
        return ours(self, *args, **kwargs)

    root.work = theirs
    assert is_ours(ours)
    assert not is_ours(theirs)  # although functools.wraps has copied our mark
    patches.restore()
    assert root.work is theirs
    assert root().work(3) == 3
    assert calls == ["theirs", "work"]

    again = Patches()
    Family(again, root, makers)  # switched on once more: around theirs, and once
    calls.clear()
    assert root().work(3) == 3
    assert calls == ["work", "theirs", "work"]
    again.restore()
    assert root.work is theirs
    assert original is not theirs


def test_somebody_who_wrapped_before_us_with_a_descriptor(kinds, makers, calls):
    """OpenTelemetry's instrumentors leave wrapt objects in the class, which must learn the instance."""
    root = kinds[0]
    seen = []

    def theirs(wrapped, instance, args, kwargs):
        seen.append(instance)
        return wrapped(*args, **kwargs)

    wrapt.wrap_function_wrapper(root, "work", theirs)
    wrapt.wrap_function_wrapper(root, "later", theirs)
    before = root.__dict__["work"]
    patches = Patches()
    Family(patches, root, makers)
    target = root()
    assert target.work(4) == 4
    assert asyncio.run(target.later(5)) == 5
    assert calls == ["work", "later"]
    assert seen == [target, target]
    assert inspect.iscoroutinefunction(root.later)
    patches.restore()
    assert root.__dict__["work"] is before


def test_wrapping_twice_changes_nothing(kinds, makers, calls):
    root = kinds[0]
    first, second = Patches(), Patches()
    Family(first, root, makers)
    ours = root.work
    Family(second, root, makers)
    assert root.work is ours
    second.restore()
    assert root.work is ours
    root().work()
    assert calls == ["work"]


def test_what_is_no_ordinary_method_is_left_alone(kinds):
    root = kinds[0]
    patches = Patches()
    assert not patches.wrap(root, "static", lambda raw: raw)
    assert not patches.wrap(root, "missing", lambda raw: raw)
    assert not patches.wrap(kinds[2], "later", lambda raw: raw)  # inherited: it is wrapped where it is defined
    assert not patches.add(root, "work", None)
    assert patches.add(root, "extra", 1)
    patches.restore()
    assert not hasattr(root, "extra")


def test_every_subclass_is_found(kinds):
    assert set(kinds[1:]) <= set(subclasses(kinds[0]))
