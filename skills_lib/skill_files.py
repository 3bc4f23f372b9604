"""SKILL.md folders as they are read: from this package without loss, from other products as a text for people.

A folder may come from a stranger. Nothing in it is run, no link in it is followed, and only two files are read:
``SKILL.md`` and ``references/template.json``. A folder of this package's own becomes the very template that was
written, if it holds nothing that learning could not have made (:mod:`.skill_checks`). A folder of another product
becomes a candidate without a procedure: its text is kept as a note, which no agent is given.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from ..instrumentation.errors import SkillFileError
from . import front_matter
from .skill_checks import COMPATIBILITY_LIMIT, check_description, check_name, check_record
from .template_record import TemplateRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SKILL: Final = "SKILL.md"
REFERENCES: Final = "references"
TEMPLATE: Final = "template.json"
SCRIPTS: Final = "scripts"

FORMAT: Final = "seasoned skill template 1"
"""The first line of a template's JSON. Another number is another format."""

MAX_FILE: Final = 1_000_000
"""Bytes of a file that is read or written."""

MAX_NOTES: Final = 100_000
"""Characters of another product's text that are kept."""

MAX_ENTRIES: Final = 2_000
"""Files and folders of a skill that are looked at; one with more is not looked through to its end, and refused."""

NO_PROCEDURE: Final = "imported from a SKILL.md of another product: it holds no procedure that can be checked"

_FAMILY = "seasoned skill template "
_OWN_KEY = "seasoned-template-id"
_MAX_RUN_ID = 200
_MAX_TAGS, _MAX_TAG = 32, 64
_SCRIPT_ENDS = frozenset(
    (
        ".py", ".pyc", ".pyw", ".sh", ".bash", ".zsh", ".fish", ".js", ".mjs", ".cjs", ".ts", ".rb", ".pl", ".php",
        ".lua", ".ps1", ".psm1", ".bat", ".cmd", ".vbs", ".exe", ".com", ".msi", ".dll", ".so", ".dylib", ".jar",
        ".wasm", ".command",
    )
)  # fmt: skip


class Imported(msgspec.Struct, frozen=True):
    """What a folder holds.

    Attributes:
        record: the template, its ``origin`` ``imported``; its ``state`` is what the file says, and nobody's proof.
        runs: ids and verdicts of the runs that it was learned from, as the file tells them.
        foreign: whether another product wrote it.
    """

    record: TemplateRecord
    runs: list[tuple[str, bool]]
    foreign: bool


class _Run(msgspec.Struct, frozen=True):
    run_id: str
    success: bool


class _Saved(msgspec.Struct, frozen=True):
    format: str
    record: TemplateRecord
    runs: list[_Run]


class _Skill(NamedTuple):
    """A SKILL.md that keeps the rules."""

    name: str
    description: str
    metadata: dict[str, str]
    body: str


_saved = msgspec.json.Decoder(_Saved).decode


def read_skill(path: Path, *, ignore_scripts: bool = False) -> Imported:
    """The template that a skill's folder holds.

    Args:
        path: the folder, or the SKILL.md in it.
        ignore_scripts: read the folder although it holds scripts; they are left alone.

    Raises:
        SkillFileError: the folder breaks the rules of the format or is not safe to read; the message says how.
    """
    folder = _folder(path)
    _look_through(folder, ignore_scripts=ignore_scripts)
    skill = _read_front(folder)
    file = folder / REFERENCES / TEMPLATE
    raw = _read(file) if os.path.lexists(file) else None
    if raw is not None:
        saved = _own(raw, str(file), expected=_OWN_KEY in skill.metadata)
        if saved is not None:
            return _imported(saved, skill, str(file))
    tags = list(dict.fromkeys(tag for part in skill.metadata.get("tags", "").split(",") if (tag := _tag(part))))
    record = foreign_record(skill.name, skill.description, skill.body, tags[:_MAX_TAGS])
    return Imported(record, [], foreign=True)


def find_skills(paths: Iterable[Path]) -> list[Path]:
    """The skills' folders among these paths, each once, in order: a path is a skill's folder, its SKILL.md, or a folder
    in which such folders stand.

    Raises:
        SkillFileError: there is no skill at one of the paths.
    """
    found: dict[Path, None] = {}
    for path in paths:
        try:
            if path.name == SKILL and path.is_file():
                inside = [path.parent]
            elif (path / SKILL).is_file():
                inside = [path]
            else:
                inside = sorted(one for one in path.iterdir() if (one / SKILL).is_file()) if path.is_dir() else []
        except OSError as error:
            raise SkillFileError(f"{path} cannot be looked into: {error.strerror}") from error
        if not inside:
            raise SkillFileError(
                f"{path}: there is no skill; name a folder with a {SKILL}, or a folder of such folders"
            )
        found.update(dict.fromkeys(inside))
    return list(found)


def foreign_record(name: str, description: str, body: str, tags: Sequence[str] = ()) -> TemplateRecord:
    """The template that stands for another product's skill: a text for people, without a procedure."""
    return TemplateRecord(
        template_id=hashlib.sha256(f"skill:{name}".encode()).hexdigest()[:16],
        version=1,
        name=name,
        description=description,
        when_not="",
        task_template="",
        tags=list(tags),
        state="candidate",
        why=NO_PROCEDURE,
        origin="imported",
        notes=body[:MAX_NOTES],
    )


def encoded(record: TemplateRecord, runs: Sequence[tuple[str, bool]], where: str) -> bytes:
    """The JSON of a template, the same bytes for the same template.

    Raises:
        SkillFileError: the template cannot be written without loss, or could not be read again.
    """
    saved = _Saved(FORMAT, record, [_Run(run_id, success) for run_id, success in runs])
    try:
        raw = msgspec.json.format(msgspec.json.encode(saved), indent=2) + b"\n"
        same = msgspec.to_builtins(_saved(raw)) == msgspec.to_builtins(saved)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise SkillFileError(f"{where}: the template cannot be written as JSON: {error}") from error
    if not same:
        raise SkillFileError(f"{where}: the template holds values that JSON cannot keep, such as numbers without value")
    check_record(record, where)
    _check_runs(saved, where)
    if len(raw) > MAX_FILE:
        raise SkillFileError(
            f"{where}: the template has {len(raw)} bytes as JSON, more than {MAX_FILE}; delete it and learn it anew"
        )
    return raw


def _folder(path: Path) -> Path:
    """The skill's folder, without links in the way from its name to its files."""
    named = path.parent if path.name == SKILL and not path.is_dir() else path
    for place in (path, named):
        if place.is_symlink():
            raise SkillFileError(f"{place} is a link; name the folder that it leads to")
    try:
        folder = named.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise SkillFileError(f"{path}: there is no such folder") from error
    if not (folder / SKILL).is_file():
        raise SkillFileError(f"{path}: there is no {SKILL}; name a folder that holds one")
    return folder


def _look_through(folder: Path, *, ignore_scripts: bool) -> None:
    """Refuse a folder with links, with what is no file, and (if not told otherwise) with scripts."""
    for number, entry in enumerate(_entries(folder), 1):
        place = str(Path(entry.path).relative_to(folder))
        if number > MAX_ENTRIES:
            raise SkillFileError(f"{folder}: there are more than {MAX_ENTRIES} files; a skill is smaller")
        if entry.is_symlink():
            raise SkillFileError(f"{folder}: {place!a} is a link; a skill holds its files itself")
        is_folder = entry.is_dir(follow_symlinks=False)
        if not is_folder and not entry.is_file(follow_symlinks=False):
            raise SkillFileError(f"{folder}: {place!a} is neither a file nor a folder; remove it")
        if not ignore_scripts and (entry.name.lower() == SCRIPTS if is_folder else _is_script(entry)):
            raise SkillFileError(
                f"{folder}: {place!a} holds code, and seasoned never runs code from a skill; remove it, "
                "or import with scripts ignored"
            )


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Everything in a folder, level by level, in the order of names. No link is followed."""
    pending = [str(folder)]
    while pending:
        try:
            with os.scandir(pending.pop()) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise SkillFileError(f"{error.filename or folder} cannot be looked into: {error.strerror}") from error
        yield from entries
        pending += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]


def _is_script(entry: os.DirEntry[str]) -> bool:
    if Path(entry.name).suffix.lower() in _SCRIPT_ENDS:
        return True
    if os.name == "posix" and entry.stat(follow_symlinks=False).st_mode & 0o111:
        return True
    return _opening(Path(entry.path), 2) == b"#!"


def _opening(path: Path, size: int) -> bytes:
    """The first bytes of a plain file; a link is never followed, and nothing else is waited for."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
        with open(descriptor, "rb") as file:  # noqa: PTH123 a descriptor, so that the checked file is the read one
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SkillFileError(f"{path} is no plain file; remove it")
            return file.read(size)
    except OSError as error:
        raise SkillFileError(f"{path} cannot be read: {error.strerror}; a link is not followed") from error


def _read(path: Path) -> bytes:
    raw = _opening(path, MAX_FILE + 1)
    if len(raw) > MAX_FILE:
        raise SkillFileError(f"{path} has more than {MAX_FILE} bytes; a skill's files are smaller")
    return raw


def _read_front(folder: Path) -> _Skill:
    path = folder / SKILL
    where = str(path)
    try:
        text = _read(path).decode()
    except UnicodeDecodeError as error:
        raise SkillFileError(f"{where} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    front, body = front_matter.read(text, where)
    for key in ("name", "description", "license", "compatibility", "allowed-tools"):
        if not isinstance(front.get(key, ""), str):
            raise SkillFileError(f"{where}: {key} is a map; it has to be a text")
    name = check_name(front.get("name", ""), where)
    if name != folder.name:
        raise SkillFileError(f"{where}: the name {name} is not that of its folder, {folder.name!a}; make them the same")
    description = check_description(front.get("description", ""), where)
    if "compatibility" in front and not 0 < len(front["compatibility"]) <= COMPATIBILITY_LIMIT:
        raise SkillFileError(f"{where}: compatibility has to have 1 to {COMPATIBILITY_LIMIT} characters")
    metadata = front.get("metadata", {})
    if isinstance(metadata, str):
        if metadata:
            raise SkillFileError(f"{where}: metadata is a text; it has to be a map of texts")
        metadata = {}
    return _Skill(name, description, metadata, body)


def _own(raw: bytes, where: str, *, expected: bool) -> _Saved | None:
    """A template of this package's own format; None where the file is another product's, and none is expected."""
    try:
        head = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        if not expected:
            return None
        raise SkillFileError(f"{where} is damaged: {error}; export the template again") from error
    named = head.get("format") if isinstance(head, dict) else None
    if not isinstance(named, str) or not named.startswith(_FAMILY):
        if not expected:
            return None
        raise SkillFileError(f"{where} is damaged: its format is not {FORMAT!r}; export the template again")
    if named != FORMAT:
        raise SkillFileError(f"{where} has the format {named[:80]!a}; this version reads {FORMAT!r}, so update it")
    try:
        return _saved(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise SkillFileError(f"{where} is damaged: {error}; export the template again") from error


def _imported(saved: _Saved, skill: _Skill, where: str) -> Imported:
    if saved.record.name != skill.name:
        raise SkillFileError(
            f"{where} is of the template {saved.record.name[:80]!a}, and the skill is {skill.name}; "
            "export the template again"
        )
    record = msgspec.structs.replace(saved.record, description=skill.description, origin="imported")
    check_record(record, where)
    _check_runs(saved, where)
    return Imported(record, [(run.run_id, run.success) for run in saved.runs], foreign=False)


def _check_runs(saved: _Saved, where: str) -> None:
    for run in saved.runs:
        if not 0 < len(run.run_id) <= _MAX_RUN_ID or front_matter.HIDDEN.search(run.run_id):
            raise SkillFileError(f"{where}: runs: {run.run_id[:80]!a} is no run's id; remove it")


def _tag(text: str) -> str:
    tag = text.strip().strip("[]\"'").strip()
    return tag if len(tag) <= _MAX_TAG and not front_matter.HIDDEN.search(tag) else ""
