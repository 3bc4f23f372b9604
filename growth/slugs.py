"""The identity of skills, domains and tools: one spelling for what people and programs write in several.

It stands by itself because the rules, the rosters and the skills all need it.
"""

from __future__ import annotations

import re

GENERAL = "general"
"""The skill, and the domain, of work about which nothing more is known."""

_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_WORD = re.compile(r"[\W_]+")
_SLUG_LIMIT = 64


def slug(text: str) -> str:
    """The identity of a skill or domain: lower case, words joined by underscores; empty where there are none.

    ``getUserDetails``, ``get-user-details`` and ``Get user details`` are the same one. What comes out can be put
    in a prompt: letters, digits and underscores, at most 64 of them.
    """
    return _NOT_WORD.sub("_", _BREAK.sub(" ", text)).strip("_").lower()[:_SLUG_LIMIT].strip("_")


def title_of(skill: str) -> str:
    """How a slug is shown: ``failure_analysis`` is "Failure Analysis"."""
    return " ".join(word[:1].upper() + word[1:] for word in skill.split("_") if word)
