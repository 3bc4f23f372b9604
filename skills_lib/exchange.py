"""Templates that leave the library as files, and come back from files: their place in the store.

A file's counts and state are what somebody else says. So a template that comes from a file is kept and found like any
other but given to no agent, until enough runs here have made one of their own in its place, or somebody vouches for it
(``trust``). What was learned here is never overwritten by a file: the file becomes a further version of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import func, select

from ..instrumentation.errors import SkillFileError
from .changes import library_changed, lock
from .pools import IMPORTED
from .skill_checks import numbered
from .skill_files import NO_PROCEDURE, find_skills, foreign_record, read_skill
from .skill_md import is_foreign, write_skill
from .tables import skill_templates
from .template_record import TemplateRecord
from .template_rows import insert, names

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sqlalchemy import Connection

    from .library import SkillLibrary

WHY_NOT = "imported: it is given to nobody before its like was learned here, or somebody vouches for it (--trust)"
WHY_TRUSTED = "imported, and somebody vouched for it"

_record = msgspec.json.Decoder(TemplateRecord).decode


class Brought(msgspec.Struct, frozen=True):
    """What an import did with one folder.

    Attributes:
        path: the folder.
        template_id: of the template; "" where it was refused.
        name: under which it is kept.
        version: under which it is kept.
        new: False where the same was there already.
        error: why it was refused, or None.
    """

    path: str
    template_id: str = ""
    name: str = ""
    version: int = 0
    new: bool = False
    error: str | None = None


def export(library: SkillLibrary, records: Iterable[TemplateRecord], folder: Path, *, overwrite: bool) -> list[Path]:
    """Write templates as SKILL.md folders below ``folder``; returns the folders.

    Raises:
        SkillFileError: a folder is there that says something else (unless ``overwrite``), or cannot be written.
    """
    written: list[Path] = []
    for record in records:
        runs = [(one["run_id"], one["success"]) for one in record.provenance] or library.runs_behind(record.template_id)
        plain = msgspec.structs.replace(record, provenance=[], metrics={})
        if record.origin != "learned":
            plain = msgspec.structs.replace(plain, why="")
        written.append(write_skill(plain, folder, runs=runs, overwrite=overwrite))
    return written


def bring_in(
    library: SkillLibrary, paths: Iterable[Path], *, trust: bool = False, ignore_scripts: bool = False
) -> list[Brought]:
    """Take templates in from folders or SKILL.md files; each by itself, so that one that is refused stops no other.

    Args:
        library: where to.
        paths: folders of skills, skills, or SKILL.md files.
        trust: give them to agents like templates that were learned here.
        ignore_scripts: take a skill in that has scripts, and leave those alone.
    """
    done: list[Brought] = []
    for path in find_skills(paths):
        try:
            found = read_skill(path, ignore_scripts=ignore_scripts)
        except SkillFileError as error:
            done.append(Brought(str(path), error=str(error)))
            continue
        record = msgspec.structs.replace(
            found.record,
            origin="trusted" if trust and not found.foreign else "imported",
            state=_standing(found.record.state, trust=trust),
            why=NO_PROCEDURE if found.foreign else WHY_TRUSTED if trust else WHY_NOT,
            provenance=[{"run_id": run_id, "success": success} for run_id, success in found.runs],
            metrics={},
        )
        with library.store.writing() as connection:
            lock(connection)
            done.append(_take(connection, library.namespace, record, str(path)))
            library_changed(connection)
    return done


def _standing(state: str, *, trust: bool) -> str:
    """The state here of a template whose file tells ``state``. That it was withdrawn, deleted or merged elsewhere is no
    state of a library that does not hold it: it is a candidate here, or, where somebody vouches for one that was
    withdrawn, ready to prove itself again."""
    return "ready" if state == "ready" or (trust and state == "withdrawn") else "candidate"


def _take(connection: Connection, namespace: str, record: TemplateRecord, path: str) -> Brought:
    """Keep a template from a file: under its own id, as a new version where there is one of that id."""
    table = skill_templates.c
    before = connection.execute(
        select(table.version, table.body, table.pool, table.state)
        .where(table.namespace == namespace, table.template_id == record.template_id)
        .order_by(table.version.desc())
        .limit(1)
    ).first()
    pool = f"{IMPORTED}{record.template_id}"
    old: TemplateRecord | None = None
    if before is not None:
        old = _record(before.body)
        if (
            before.state not in ("deleted", "merged")
            and _says(old) == _says(record)
            and old.origin in (record.origin, "learned")
        ):
            return Brought(path, old.template_id, old.name, old.version)
        record = msgspec.structs.replace(record, version=before.version + 1, name=old.name)
        pool = pool if before.state in ("deleted", "merged") else before.pool
    else:
        name = numbered(record.name, names(connection, namespace))
        if name != record.name and is_foreign(record):  # what another product wrote is identified by its name
            other = foreign_record(name, record.description, record.notes, record.tags)
            record = msgspec.structs.replace(record, template_id=other.template_id)
            pool = f"{IMPORTED}{record.template_id}"
        record = msgspec.structs.replace(record, name=name)
    newest = connection.execute(select(func.max(table.made_ns)).where(table.namespace == namespace)).scalar()
    insert(
        connection, namespace, record, pool=pool, signature=IMPORTED, made_ns=newest or 0, before=old,
        reason="imported from a SKILL.md",
    )  # fmt: skip
    return Brought(path, record.template_id, record.name, record.version, new=True)


def _says(record: TemplateRecord) -> Any:
    """What a template says, whoever keeps it."""
    return msgspec.structs.replace(record, version=0, name="", origin="", why="", provenance=[], metrics={})
