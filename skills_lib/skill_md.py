"""Skill templates written as SKILL.md folders, the format of agentskills.io that many products read.

``SKILL.md`` says in words what a template is; ``references/template.json`` holds it whole, so that nothing is lost
between two installations (:mod:`.skill_files` reads it). Files are replaced at once or not at all, and nothing that
somebody has changed is overwritten without being told to.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from ..instrumentation.errors import SkillFileError
from . import front_matter
from .skill_body import body_of
from .skill_checks import check_description, check_name
from .skill_files import MAX_FILE, REFERENCES, SKILL, TEMPLATE, encoded, foreign_record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .template_record import TemplateRecord


def write_skill(
    record: TemplateRecord, folder: Path, *, runs: Sequence[tuple[str, bool]] = (), overwrite: bool = False
) -> Path:
    """Write a template as a skill's folder, which is called like the template.

    A template that came from another product is written as it came: its text, without a template's JSON.

    Args:
        record: the template.
        folder: where the skill's folder is made; it is made too where it is missing.
        runs: ids and verdicts of the runs that it was learned from.
        overwrite: replace the files of a skill of this name that is there and says something else. Other files in its
            folder are left alone.

    Returns:
        The skill's folder.

    Raises:
        SkillFileError: the template breaks the rules of the format, another skill of this name is there, a link is in
            the way, or the files cannot be written.
    """
    name = check_name(record.name, "template")
    files = _files(record, runs, f"template {name}")
    skill = folder / name
    try:
        _refuse_links(skill)
        if _holds(skill, files):
            return skill
        if not overwrite and skill.is_dir() and any(skill.iterdir()):
            raise SkillFileError(f"{skill} is there and says something else; choose another folder, or overwrite it")
        skill.mkdir(parents=True, exist_ok=True)
        for place in (
            f"{REFERENCES}/{TEMPLATE}",
            SKILL,
        ):  # the JSON first: a skill without it would be taken for another's
            if place in files:
                _replace(skill / place, files[place])
            else:
                (skill / place).unlink(missing_ok=True)
    except OSError as error:
        raise SkillFileError(f"{error.filename or skill} cannot be written: {error.strerror}") from error
    return skill


def skill_text(record: TemplateRecord, runs: Sequence[tuple[str, bool]] = ()) -> str:
    """The SKILL.md of a template, as a text.

    Raises:
        SkillFileError: the template's name or description breaks the rules of the format.
    """
    where = "template"
    front: dict[str, front_matter.Value] = {
        "name": check_name(record.name, where),
        "description": check_description(record.description, where),
    }
    if is_foreign(record):
        front["metadata"] = {"tags": ", ".join(record.tags)} if record.tags else {}
        return front_matter.write(front) + record.notes
    metadata = {
        "seasoned-template-id": record.template_id,
        "seasoned-version": str(record.version),
        "state": record.state,
        "solved": str(record.solved),
        "failed": str(record.failed),
        "tasks": str(record.tasks),
        "domain": record.domain or "",
        "task-type": record.task_type or "",
        "required-tools": " ".join(record.required_tools),
    }
    front["metadata"] = {key: text for key, text in metadata.items() if text}
    return front_matter.write(front) + body_of(record, runs)


def is_foreign(record: TemplateRecord) -> bool:
    """Whether a template is nothing but the text of another product's skill: as it was imported, but for what the
    library thinks of it."""
    alike = foreign_record(record.name, record.description, record.notes, record.tags)
    judged = ("state", "why", "metrics")
    return all(getattr(record, part) == getattr(alike, part) for part in record.__struct_fields__ if part not in judged)


def _files(record: TemplateRecord, runs: Sequence[tuple[str, bool]], where: str) -> dict[str, bytes]:
    """The skill's files by their place in its folder."""
    foreign = is_foreign(record)
    files = {} if foreign else {f"{REFERENCES}/{TEMPLATE}": encoded(record, runs, where)}
    try:
        files[SKILL] = skill_text(record, runs).encode()
    except UnicodeEncodeError as error:
        raise SkillFileError(f"{where} holds half a character (a surrogate) that UTF-8 cannot keep") from error
    if len(files[SKILL]) > MAX_FILE:
        raise SkillFileError(f"{where}: its {SKILL} would have more than {MAX_FILE} bytes")
    return files


def _refuse_links(skill: Path) -> None:
    for place in (skill, skill / SKILL, skill / REFERENCES, skill / REFERENCES / TEMPLATE):
        if place.is_symlink():
            raise SkillFileError(f"{place} is a link, and nothing is written through links; remove it")
    if skill.exists() and not skill.is_dir():
        raise SkillFileError(f"{skill} is a file; choose another folder")


def _holds(skill: Path, files: dict[str, bytes]) -> bool:
    """Whether the folder holds just these files' contents already."""
    for place in (SKILL, f"{REFERENCES}/{TEMPLATE}"):
        there = skill / place
        wanted = files.get(place)
        if there.is_file() != (wanted is not None):
            return False
        if wanted is not None and (there.stat().st_size != len(wanted) or there.read_bytes() != wanted):
            return False
    return True


def _replace(path: Path, content: bytes) -> None:
    """Put a file in its place at once: whoever reads it sees the old one or the new one, whole."""
    path.parent.mkdir(exist_ok=True)
    made = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with made.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
