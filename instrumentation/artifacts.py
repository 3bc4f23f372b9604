"""What agents make: files that tools and programs create or change, and how generated code goes on from block to block.

An application declares its working folders (the setting ``artifacts``); nothing else on the disk is looked at. After
every tool call and program the folders are compared with what they were, and what is new is recorded with the agent
that was at work. What changed between runs is the application's own doing: it is taken for granted at the next start.

Agents that work in one folder at the same time cannot be told apart by it: whoever finishes first after a change is
taken for its maker.
"""

from __future__ import annotations

import os
import threading
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .recorder import Recorder
    from .runs import Run

MAX_FILES: Final = 2_000
"""Files of a folder that are looked at, by name; a folder with more is watched in part."""

MAX_TEXT: Final = 1_000_000
"""Bytes of a file up to which its text is kept; of larger ones, and of what is no text, only facts are."""

LEFT_OUT: Final = frozenset(("__pycache__", "node_modules", "site-packages", "venv"))
"""Folders that tools fill and nobody writes; those that begin with a dot are left out as well."""

AFTER: Final = frozenset(("tool_result", "code_execution"))
"""Kinds of events after which the folders are looked at."""


class _Seen(NamedTuple):
    """A file as it was last seen: its times and size, how often it has changed here, and the hash of its content."""

    mark: tuple[int, int]
    version: int = 0
    hash: str | None = None


class ArtifactWatch:
    """Watches an application's working folders.

    Args:
        folders: where agents work; one that does not exist yet may come.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = [folder.absolute() for folder in folders]
        self._seen: dict[str, _Seen] = {}
        self._lock = threading.Lock()
        self._running = 0

    def started(self) -> None:
        """A run begins: what changed while none was going on is no agent's work."""
        with self._lock:
            if self._running == 0:
                self._seen = {
                    path: self._known(path, mark) for folder in self._folders for path, mark in _files(folder)
                }
            self._running += 1

    def finished(self) -> None:
        """A run has ended."""
        with self._lock:
            self._running = max(0, self._running - 1)

    def _known(self, path: str, mark: tuple[int, int]) -> _Seen:
        before = self._seen.get(path)
        return before if before is not None and before.mark == mark else _Seen(mark, before.version if before else 0)

    def look(self, recorder: Recorder, run: Run, agent: str | None, tool: str | None) -> None:
        """Record what has changed since the last look, as made by ``agent`` with ``tool``."""
        with self._lock:
            found = {path: mark for folder in self._folders for path, mark in _files(folder)}
            changed = [path for path, mark in found.items() if self._mark_of(path) != mark]
            gone = [path for path in self._seen if path not in found]
            for path in changed:
                before = self._seen.get(path)
                payload, digest = self._read(recorder, path)
                if before is not None and before.hash is not None and before.hash == digest:
                    self._seen[path] = before._replace(mark=found[path])  # touched, and the same
                    continue
                version = (before.version if before else 0) + 1
                self._seen[path] = _Seen(found[path], version, digest)
                payload["change"] = "created" if before is None else "changed"
                self._tell(recorder, run, agent, tool, payload, version, before)
            for path in gone:
                before = self._seen.pop(path)
                payload = {"path": self._shown(path), "content": None, "change": "deleted"}
                self._tell(recorder, run, agent, tool, payload, before.version + 1, before)

    def _mark_of(self, path: str) -> tuple[int, int] | None:
        seen = self._seen.get(path)
        return None if seen is None else seen.mark

    @staticmethod
    def _tell(
        recorder: Recorder,
        run: Run,
        agent: str | None,
        tool: str | None,
        payload: dict[str, Any],
        version: int,
        before: _Seen | None,
    ) -> None:
        facts = {"version": version, "parent": before.hash if before else None, "tool": tool}
        recorder.record(run, "artifact", agent, {**payload, **facts})

    def _read(self, recorder: Recorder, path: str) -> tuple[dict[str, Any], str | None]:
        """What is kept of a file, and the hash of its content: of the redacted text, or of bytes that are no text."""
        payload: dict[str, Any] = {"path": self._shown(path), "content": None}
        try:
            with open(path, "rb") as file:  # noqa: PTH123  a plain open is what is measured here
                data = file.read(MAX_TEXT + 1)
        except OSError:
            return payload, None  # gone again, or not ours to read
        payload["size"] = len(data) if len(data) <= MAX_TEXT else None
        if not recorder.content:
            return payload, None
        try:
            text = data.decode() if len(data) <= MAX_TEXT else None
        except UnicodeDecodeError:
            text = None
        if text is None or "\x00" in text:
            digest = sha256(data).hexdigest() if len(data) <= MAX_TEXT else None
        else:
            payload["content"] = text
            payload["lines"] = text.count("\n") + (not text.endswith("\n") and bool(text))
            digest = sha256(recorder.redactor.text(text).encode("utf-8", "surrogatepass")).hexdigest()
        payload["sha256"] = digest
        return payload, digest

    def _shown(self, path: str) -> str:
        """The path from the folder on, the folder's own name included."""
        for folder in self._folders:
            if Path(path).is_relative_to(folder):
                return str(Path(folder.name) / Path(path).relative_to(folder))
        return Path(path).name


def _files(folder: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """The plain files below a folder with their times of change (nanoseconds) and sizes; links are not followed."""
    waiting, count = [str(folder)], 0
    while waiting:
        try:
            entries = sorted(os.scandir(waiting.pop()), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name in LEFT_OUT:
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    facts = entry.stat(follow_symlinks=False)
                    yield entry.path, (facts.st_mtime_ns, facts.st_size)
                    count += 1
            except OSError:
                continue
            if count >= MAX_FILES:
                return


def evolve(run: Run, agent: str | None, payload: dict[str, Any]) -> tuple[str, str | None, Any]:
    """Number an agent's programs of one language within a run, and name the event of the one before, which a program
    mostly mends. Returns where the run keeps the last one: its number and its event's ``seq``."""
    key = ("code", agent, payload.get("language"))
    version, before = run.scratch.get(key, (0, None))
    payload["version"], payload["parent_seq"] = version + 1, before
    return key
