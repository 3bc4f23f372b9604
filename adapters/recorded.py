"""The recorded-run format: one run for each line of a JSONL file, plain or gzipped.

A record is ``{run_id, task, domain, framework, model, outcome, agents, messages}``; each message has ``role``,
``agent`` (who spoke) and ``content``, and may have ``tool_calls`` or, for a tool's answer, ``tool_call_id`` and
``tool_name``. Only what is named in the structs below is ever read: a record may carry annotations for judging,
and those must not find their way into learning. A record that this package wrote also has its events exactly, under
the key ``seasoned`` (:mod:`.recorded_exact`), and they count then.

Files come from anywhere, so every line stands alone: a bad one is told with its place and the others are kept.
Real runs use a call id several times, so an answer belongs to the first unanswered call with its id in the
nearest message that asked (:func:`exchanges`), never to an id alone.
"""

from __future__ import annotations

import ast
import gzip
import json
import re
import warnings
import zlib
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ..instrumentation.errors import RunFormatError
from ..instrumentation.runs import substantial
from . import recorded_exact
from .recorded_exact import Exact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

MAX_ID = 200
"""Characters of a run's id, as :mod:`..instrumentation.tail` reads them."""

ERROR_MARK = "Error"
"""How the content of a tool's answer begins when the tool failed: AutoGen writes ``Error: ...``."""

_SHAPE = "a record needs run_id and messages, and each message role, agent and content (a text or null)"


class RecordedCall(msgspec.Struct, frozen=True):
    """A tool call that a message asks for; ``arguments`` are an object or a text that holds one."""

    name: str
    arguments: dict[str, Any] | str | None = None
    id: str | None = None


class RecordedMessage(msgspec.Struct, frozen=True):
    """One message; ``at`` is when, in seconds since the epoch or as ISO 8601, where the record knows it."""

    role: str
    agent: str
    content: str | None = None
    tool_calls: tuple[RecordedCall, ...] | None = None
    tool_call_id: str | None = None
    tool_name: str | None = None
    recipient: str | None = None
    at: float | str | None = None


class RecordedOutcome(msgspec.Struct, frozen=True):
    """How the run went: ``success`` is None where nobody trustworthy judged it."""

    success: bool | None = None
    reward: float | None = None

    @property
    def quality(self) -> float | None:
        """The reward, where it is one from 0 to 1."""
        return self.reward if self.reward is not None and 0 <= self.reward <= 1 else None


_NONE = msgspec.Raw(b"null")


class _Envelope(msgspec.Struct, frozen=True):
    """A record whose messages are still to be checked one by one, so that an error can tell which it is."""

    run_id: str
    messages: list[Any]
    task: str | None = None
    domain: str | None = None
    framework: str | None = None
    model: str | None = None
    outcome: RecordedOutcome | None = None
    agents: tuple[str, ...] = ()
    started_at: float | str | None = None
    seasoned: msgspec.Raw = _NONE


class RecordedRun(msgspec.Struct, frozen=True):
    """A recorded run, checked. Make one with :func:`parse`. ``exact`` are its events, where the record has them."""

    run_id: str
    messages: tuple[RecordedMessage, ...]
    task: str | None
    domain: str | None
    framework: str
    model: str | None
    outcome: RecordedOutcome
    agents: tuple[str, ...]
    started_at: float | str | None
    exact: Exact | None = None

    @property
    def parent(self) -> str | None:
        """The run inside which it happened, where its events say so."""
        started = (event for event in self.exact.events if event.kind == "run_started") if self.exact else ()
        return next((event.payload["parent"] for event in started if event.payload.get("parent") is not None), None)

    @property
    def one_sided(self) -> bool:
        """Whether ``role`` is written from one participant's side, as AutoGen's own histories do, and so does
        not tell a person from a model."""
        return self.framework.lower().startswith(("ag2", "autogen"))


class BadRecord(NamedTuple):
    """A line that could not be read: the file, the line's number from 1 (0: the file itself), and why."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}" if self.line else f"{self.file}: {self.reason}"


def parse(record: Mapping[str, Any] | RecordedRun, place: str = "record") -> RecordedRun:
    """Check a decoded record; raises :class:`RunFormatError` that names ``place``, the fault and the mend."""
    if isinstance(record, RecordedRun):
        return record
    exact = record.get(recorded_exact.KEY)
    envelope = _converted(
        {key: value for key, value in record.items() if key != recorded_exact.KEY}, _Envelope, place, ""
    )
    if exact is not None:
        try:
            packed = msgspec.Raw(msgspec.json.encode(exact))
        except (ValueError, TypeError, RecursionError) as error:
            raise recorded_exact.damaged(place, error) from None
        envelope = msgspec.structs.replace(envelope, seasoned=packed)
    return _checked(envelope, place)


def _checked(envelope: _Envelope, place: str) -> RecordedRun:
    if not envelope.run_id.strip():
        raise RunFormatError(f"{place}: run_id is empty; give every run an id of its own")
    if len(envelope.run_id) > MAX_ID:
        raise RunFormatError(
            f"{place}: run_id is {len(envelope.run_id)} characters long; at most {MAX_ID} are kept, so shorten it"
        )
    messages = []
    for index, raw in enumerate(envelope.messages):
        message = _converted(raw, RecordedMessage, place, f"messages[{index}]")
        if not message.agent:
            raise RunFormatError(f"{place}: messages[{index}].agent is empty; it must say who spoke")
        moment(message.at, f"{place}: messages[{index}].at")
        messages.append(message)
    moment(envelope.started_at, f"{place}: started_at")
    speakers = dict.fromkeys(message.agent for message in messages if message.role != "system")
    return RecordedRun(
        run_id=envelope.run_id,
        messages=tuple(messages),
        task=envelope.task,
        domain=envelope.domain,
        framework=envelope.framework or "",
        model=envelope.model,
        outcome=envelope.outcome or RecordedOutcome(),
        agents=tuple(dict.fromkeys((*speakers, *envelope.agents))),
        started_at=envelope.started_at,
        exact=None if envelope.seasoned == _NONE else recorded_exact.checked(envelope.seasoned, envelope.run_id, place),
    )


def _converted(raw: Any, kind: type[Any], place: str, where: str) -> Any:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        reason = str(error)
        if where:
            reason = reason.replace("`$", f"`{where}") if "`$" in reason else f"{reason} - at `{where}`"
        raise RunFormatError(f"{place}: {reason.replace('$.', '')}; {_SHAPE}") from None


def read(paths: Iterable[Path], errors: list[BadRecord] | None = None) -> Iterator[RecordedRun]:
    """The runs of these files, in order.

    What cannot be read is added to ``errors`` and skipped; without a list for them, the first one raises
    :class:`RunFormatError`.
    """

    def fail(path: Path, line: int, reason: str) -> None:
        bad = BadRecord(str(path), line, reason)
        if errors is None:
            raise RunFormatError(str(bad))
        errors.append(bad)

    for path in paths:
        number = 0
        try:
            with _opened(path) as file:
                for raw in file:
                    number += 1
                    if not raw.strip():
                        continue
                    try:
                        yield _parsed(raw, f"{path}:{number}")
                    except RunFormatError as error:
                        fail(path, number, str(error).removeprefix(f"{path}:{number}: "))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            fail(path, number + 1, f"the gzip data is damaged from here on ({error}); make or fetch the file again")
        except OSError as error:
            fail(path, 0, f"cannot be read: {error.strerror or error}")


def _opened(path: Path) -> BinaryIO:
    """The file's lines as bytes; gzip is known by its first two bytes, whatever the file is called."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


_decode_envelope = msgspec.json.Decoder(_Envelope).decode


def _parsed(raw: bytes, place: str) -> RecordedRun:
    """A line as a run. One with all its events can be long, and is not taken apart into Python objects before it is
    known which of them are needed."""
    if b'"seasoned"' in raw:
        try:
            envelope = _decode_envelope(raw)
        except (ValueError, RecursionError):
            pass  # the careful way tells what is wrong with it
        else:
            return _checked(envelope, place)
    return parse(_decoded(raw), place)


def _decoded(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw.decode())
    except UnicodeDecodeError as error:
        raise RunFormatError(f"not UTF-8 ({error.reason} at byte {error.start}); save the file as UTF-8") from None
    except RecursionError:
        raise RunFormatError("nested too deeply to be a record; leave the line out") from None
    except ValueError as error:
        raise RunFormatError(f"not JSON ({error}); every line must be one whole JSON object") from None
    if not isinstance(value, dict):
        raise RunFormatError(f"a JSON {type(value).__name__}, not an object; {_SHAPE}")
    return value


# -- what the records mean -------------------------------------------------------------------------------------------


def arguments_of(call: RecordedCall) -> dict[str, Any]:
    """A call's arguments as a dictionary.

    A text may hold JSON or, as some recorders wrote it, a Python literal; one that holds neither becomes the
    single argument ``arguments``.
    """
    raw = call.arguments
    if raw is None:
        return {}
    if isinstance(raw, dict):
        return raw
    for decode in (json.loads, _literal):
        try:
            value = decode(raw)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    return {"arguments": raw} if raw.strip() else {}


def _literal(text: str) -> Any:
    if len(text) > 200_000:  # the parser's cost is far from linear
        raise ValueError("too long")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # backslashes that are no escapes, in somebody's data
        value = ast.literal_eval(text)
    return json.loads(json.dumps(value))  # what JSON cannot hold is no argument


def moment(value: float | str | None, place: str) -> int | None:
    """A recorded time in nanoseconds since the epoch; a date without a zone is UTC. Raises RunFormatError."""
    if value is None:
        return None
    try:
        if isinstance(value, str):
            text = value[:-1] + "+00:00" if value.endswith(("Z", "z")) else value
            when = datetime.fromisoformat(text)
            value = (when if when.tzinfo else when.replace(tzinfo=timezone.utc)).timestamp()
        if not 0 <= value < 1e11:
            raise ValueError  # noqa: TRY301  one answer for all that is no time
    except (ValueError, OverflowError, OSError):
        raise RunFormatError(
            f"{place} is {value!r}, which is no time; write seconds since the epoch or ISO 8601"
        ) from None
    return round(value * 1e9)


def visible_task(run: RecordedRun) -> str | None:
    """The run's task as its agents saw it.

    That is the record's ``task`` where a message contains it; where it was hidden from them (the instruction of a
    simulated user), the first substantial text of a user, as in a live run. Learning from what agents could not
    see would teach them nothing that they can use.
    """
    said = [m for m in run.messages if m.role != "system" and m.content]
    if run.task and any(run.task in (m.content or "") for m in said):
        return run.task
    users = [m.content for m in said if run.one_sided or m.role == "user"]
    for text in users:
        if text and substantial(text):
            return text
    return users[0] if users else run.task


class Exchange(NamedTuple):
    """A tool call and its answer. Either may be missing: a call that nobody answered, an answer to no call."""

    asked: int | None
    caller: str | None
    call: RecordedCall | None
    answered: int | None


def exchanges(run: RecordedRun) -> list[Exchange]:
    """Every tool call of the run with its answer, as indices of its messages, in the order of the answers;
    calls without one follow in the order in which they were asked."""
    waiting: list[list[tuple[int, RecordedCall]]] = []
    out: list[Exchange] = []
    for index, message in enumerate(run.messages):
        if message.tool_calls:
            waiting.append([(index, call) for call in message.tool_calls])
        if message.role != "tool":
            continue
        found = _take(waiting, message)
        if found is None:
            out.append(Exchange(None, None, None, index))
        else:
            out.append(Exchange(found[0], run.messages[found[0]].agent, found[1], index))
    out.extend(Exchange(index, run.messages[index].agent, call, None) for calls in waiting for index, call in calls)
    return out


def _take(waiting: list[list[tuple[int, RecordedCall]]], answer: RecordedMessage) -> tuple[int, RecordedCall] | None:
    """Take the call that ``answer`` answers out of those that wait: see the module's docstring."""
    for calls in reversed(waiting):
        for same_id in (True, False):
            for position, (_, call) in enumerate(calls):
                known = call.id is not None and call.id == answer.tool_call_id
                if known if same_id else _compatible(call, answer):
                    return calls.pop(position)
    return None


def _compatible(call: RecordedCall, answer: RecordedMessage) -> bool:
    """Whether an answer whose id fits no call can belong to this one."""
    return (answer.tool_call_id is None or call.id is None) and answer.tool_name in (None, call.name)


_FENCE = re.compile(r"```[ \t]*([\w+#.-]*)[ \t]*\r?\n(.*?)\r?\n?[ \t]*```", re.DOTALL)
_EXIT = re.compile(r"exitcode: (-?\d{1,9}) \(execution (?:succeeded|failed)\)\nCode output: (.*)", re.DOTALL)


def code_blocks(text: str | None) -> list[tuple[str, str]]:
    """The fenced code of a message: pairs of language ("" where not said) and code."""
    return _FENCE.findall(text) if text and "```" in text else []


def exit_report(text: str | None) -> tuple[int, str] | None:
    """The exit code and output that AutoGen's code executor reported in a message, or None if it is no report."""
    match = _EXIT.fullmatch(text) if text and text.startswith("exitcode: ") else None
    return (int(match[1]), match[2]) if match else None
