"""What the library knows about a new task: the templates that it is like, or that it is like none.

The matcher compares the task with every known task; a template's score is that of its best one. Where the matcher
abstains nothing is offered, however near the nearest is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from .template_record import TemplateRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from .pools import Pools

LOOKED_AT = 24
"""Known tasks that are looked at for each template that is wanted: several may belong to one."""


class Similar(msgspec.Struct, frozen=True):
    """A template that a task is like.

    Attributes:
        template: its newest version.
        score: the probability, 0 to 1, that the task follows it.
        parts: the likenesses that the score was made from.
        explanation: in words, what task and template have in common.
    """

    template: TemplateRecord
    score: float
    parts: dict[str, float]
    explanation: str

    def public(self) -> dict[str, Any]:
        """As ``seasoned similar --json`` prints it."""
        runs = self.template.solved + self.template.failed
        return {
            "template_id": self.template.template_id,
            "name": self.template.name,
            "version": self.template.version,
            "score": round(self.score, 4),
            "parts": {name: round(value, 4) for name, value in self.parts.items()},
            "success_rate": round(self.template.solved / runs, 4) if runs else None,
            "runs": runs,
            "explanation": self.explanation,
        }


class Answer(msgspec.Struct, frozen=True):
    """What the library says about a task: matches, the best first; none where it abstains."""

    matches: tuple[Similar, ...]
    confidence: float
    abstained: bool

    def public(self) -> dict[str, Any]:
        """As ``seasoned similar --json`` prints it."""
        return {
            "matches": [match.public() for match in self.matches],
            "abstained": self.abstained,
            "confidence": round(self.confidence, 4),
        }


def similar(
    pools: Pools,
    templates: Mapping[str, TemplateRecord],
    task: str,
    *,
    task_type: str | None = None,
    domain: str | None = None,
    tags: Collection[str] = (),
    without: Collection[str] = (),
    limit: int = 5,
    least: float = 0.0,
) -> Answer:
    """The templates that a task is like.

    Args:
        pools: the known tasks.
        templates: the newest version of each template, by its pool.
        task: the new task's text.
        task_type: counts where it is given.
        domain: counts where it is given; templates of another domain are not offered.
        tags: a template must have all of these.
        without: and none of these.
        limit: at most so many.
        least: the lowest score that is offered.
    """
    confidence = pools.index.confidence(task, task_type, domain)
    if confidence < pools.index.threshold:
        return Answer((), confidence, abstained=True)
    found: dict[str, Similar] = {}
    for match in pools.index.search(task, limit * LOOKED_AT, task_type, domain):
        template = templates.get(pools.of[str(match.id)])
        if template is None or template.template_id in found or match.score < least:
            continue
        if template.state == "withdrawn":
            continue
        if domain is not None and template.domain is not None and template.domain != domain:
            continue
        if not set(tags) <= set(template.tags) or set(without) & set(template.tags):
            continue
        found[template.template_id] = Similar(template, match.score, dict(match.parts), match.explain)
        if len(found) == limit:
            break
    return Answer(tuple(found.values()), confidence, abstained=not found)
