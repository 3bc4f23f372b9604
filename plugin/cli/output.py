"""What commands print, and how they end.

Transcripts are written by models, tools and strangers, so nothing of theirs may reach the terminal as it is: a
text could move the cursor, rename the window or pass for a line of ours. Everything from the store goes through
:func:`clean` and is shown as plain :class:`rich.text.Text`, in which square brackets mean nothing.

Data goes to stdout; progress, hints and errors to stderr. With ``--json``, stdout carries exactly one document.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

EARLY = 20
"""Things of a long output that go out at once each; whatever comes after them is buffered."""

WIDTH = 160
"""Columns of a table that goes to a file or a pipe, where no terminal says how many there are."""

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movements
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # OSC, DCS and the like, where they are ended
)
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""Control characters but for tab and newline, marks that turn the direction of writing, characters that are there but
not to be seen (words for a model can be hidden in those), and lone surrogates."""


def clean(text: str) -> str:
    """``text`` without terminal escapes, every other control character made visible (the bell as backslash, x07)."""
    text = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    return _UNSAFE.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(text: str | None, limit: int = 100) -> str:
    """``text`` cleaned, on one line, and cut to ``limit`` characters."""
    line = " ".join(clean((text or "")[: limit * 4]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def plain(text: str | None, style: str = "") -> Text:
    """``text`` cleaned, as something that rich prints without reading markup in it."""
    from rich.text import Text

    return Text(clean(text or ""), style=style)


def elastic(text: str | None, limit: int = 100) -> Text:
    """One line that a table may cut further where the terminal is narrow; for columns that begin with ``~``."""
    from rich.text import Text

    return Text(one_line(text, limit), no_wrap=True, overflow="ellipsis")


def table(*columns: str) -> Table:
    """A rich table without lines. A heading that begins with ``>`` is that of a column of numbers; the columns of
    headings that begin with ``~`` give way to the others where there is not enough room."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(
            column.lstrip(">~"), justify="right" if column[:1] == ">" else "left", no_wrap=column[:1] != "~"
        )
    return made


def console(*, stderr: bool = False) -> Console:
    """The console for stdout, or for stderr. Made anew each time, because tests exchange the streams."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDTH
    made = Console(file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)
    made.on_broken_pipe = _reader_left  # rich would end the program with exit code 1
    return made


def coloured(console: Console) -> bool:
    """Whether there are colours: not in a file, and not where NO_COLOR says so."""
    return console.color_system is not None and not console.no_color


def _reader_left() -> None:
    raise BrokenPipeError


def show(*renderables: RenderableType) -> None:
    """Print to stdout. A plain string is printed as it stands: clean what is not ours before."""
    out = console()
    for renderable in renderables:
        out.print(renderable)


def show_each(renderables: Iterable[Text | str]) -> None:
    """Print to stdout one after the other, as they come, long lines wrapped by the terminal only. A plain string is
    printed as it stands. Where there are no colours rich has nothing to do, which is ten times as fast."""
    out = console()
    write = sys.stdout.write
    colours = coloured(out)
    early = EARLY
    for renderable in renderables:
        if colours:
            out.print(renderable, soft_wrap=True)
        else:
            write((renderable if isinstance(renderable, str) else renderable.plain) + "\n")
        if early:
            early -= 1
            sys.stdout.flush()


def hint(text: str) -> None:
    """A remark for the person at the terminal, on stderr."""
    sys.stdout.flush()
    sys.stderr.write(clean(text) + "\n")


def as_json(value: Any, indent: int | None = 2) -> str:
    """``value`` as JSON for people and programs alike: readable, and harmless on a terminal.

    Control characters can only stand inside strings, where an escape means the same.
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    return re.sub("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", _json_escape, text)


def _json_escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def print_json(value: Any) -> None:
    """Print one JSON document to stdout."""
    sys.stdout.write(as_json(value) + "\n")


def print_json_stream(head: dict[str, Any], key: str, items: Iterable[Any]) -> None:
    """Print ``{**head, key: [*items]}`` item by item: a long run need not fit in memory with all its prompts."""
    write = sys.stdout.write
    write("{\n")
    for name, value in head.items():
        write(f"{json.dumps(name)}: {as_json(value)},\n")
    write(f"{json.dumps(key)}: [")
    separator = "\n"
    for item in items:
        write(separator + as_json(item, indent=None))
        separator = ",\n"
    write("\n]\n}\n")


@contextlib.contextmanager
def progress(description: str, total: int | None = None) -> Iterator[Callable[[int, int | None], None]]:
    """A progress bar on stderr while the block runs, if that is a terminal; yields ``update(done, total)``."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=total)

        def update(done: int, total: int | None = None) -> None:
            bar.update(task, completed=done, total=total)

        yield update


def complain(error: BaseException | str) -> None:
    """Print the one line that a failed command leaves on stderr."""
    sys.stderr.write(error_line(error) + "\n")


def error_line(error: BaseException | str) -> str:
    """``error`` in one line, harmless on a terminal."""
    if isinstance(error, OSError) and error.strerror and isinstance(error.filename, (str, bytes)):
        text = f"{os.fsdecode(error.filename)}: {error.strerror}"
    else:
        text = str(error) or type(error).__name__
    return "seasoned: " + " ".join(clean(text).split())
