"""The procedure: what kind of task a run was, and the templates learned from runs.

This room and ``growth`` never import each other; they meet through the hooks and the store. The names here load when
they are first used, because the hooks of this room are imported by every process that records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .index import Match, TaskIndex
    from .induction import TaskSlot, TaskTemplate, induce_template
    from .library import SkillLibrary
    from .planning import Plan
    from .template_record import TemplateRecord

__all__ = [
    "Match", "Plan", "SkillLibrary", "TaskIndex", "TaskSlot", "TaskTemplate", "TemplateRecord", "induce_template",
]  # fmt: skip

_HOMES = {
    "Match": "index",
    "Plan": "planning",
    "SkillLibrary": "library",
    "TaskIndex": "index",
    "TaskSlot": "induction",
    "TaskTemplate": "induction",
    "TemplateRecord": "template_record",
    "induce_template": "induction",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
