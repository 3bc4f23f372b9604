"""Redaction: secrets leave a text before anything of it is hashed, compared or written.

Almost every text holds none, and every text is looked at on the hot path. So ``Redactor.text`` first asks a few
questions that cost next to nothing: is there an underscore or dash before a long run, an ``@`` and a ``://``, a
``:`` or ``=`` behind a secret's name? One multi-character search of a 1 KB text costs half a microsecond, one for a
single rare character a fiftieth; the order and form of the questions follow from that. Only where the answer is yes
are the rules of :mod:`.secret_tokens` (known by their form) and :mod:`.secret_fields` (known by their name) tried.

What is found becomes ``[REDACTED:name]``, and a text that was redacted stays as it is when redacted again.
"""

from __future__ import annotations

import json
import re
from operator import is_
from typing import TYPE_CHECKING, Any

import msgspec

from .errors import ConfigError
from .events import plain
from .secret_fields import (
    SCHEME,
    Verdict,
    authorization,
    cre_field,
    is_secret,
    k_field,
    parsed,
    pass_field,
    pwd_field,
    remove_fields,
    tag,
    verdict_on_key,
)
from .secret_tokens import (
    MARKED,
    bearer,
    capital_ia,
    dash_run,
    has_url_password,
    jwt_start,
    marker,
    remove_bearer_tokens,
    remove_private_keys,
    remove_tokens,
    remove_url_passwords,
    sendgrid_start,
    underscore_run,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ROUNDS = 6
"""A replacement may uncover another secret (a token inside a password's quotes). Texts settle in two rounds; the
bound is for users' patterns that never do."""

_DEPTH = 64
"""How deep :meth:`Redactor.deep` goes; what is deeper is replaced, because it was not looked at."""

_WORD, _WORDS = 40, 256
"""How long a word may be to be remembered as clean, and how many are."""

_NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)
_PROBES = ("", " ", "a", "Z", "0", "-", "a b", "\n", "a1_/:=\"'.")
_MARKED_SPLIT = re.compile(f"({MARKED.pattern})")

CYCLE = "<cycle>"
"""Stands where a container holds itself."""
TOO_DEEP = "<nested too deep>"
"""Stands for what lies deeper than 64 containers."""


def _ascii(text: str) -> str:
    """``text`` with a question mark for every other character: of the same length, and several times as fast to
    search and to put into lower case as a text with so much as one typographic quote in it."""
    return text.encode("ascii", "replace").decode("ascii")


class Redactor:
    """Removes secrets from texts and values. Safe to share between threads.

    Args:
        patterns: more secrets to remove, a name and a regular expression each. Where the pattern has
            groups, the first is what is replaced, else the whole match. They are tried on every text, after the
            built-in rules, and do not look into markers.
        enabled: False leaves everything as it is.

    Attributes:
        clean: words that :meth:`label` has found to hold no secret; at most 256.

    Raises:
        ConfigError: for a pattern that is no regular expression, that matches the empty text, or with a name that
            could not stand in a marker.
    """

    __slots__ = ("_custom", "_keys", "clean", "enabled")

    def __init__(self, patterns: Mapping[str, str] | None = None, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self._custom = tuple(_custom(name, pattern) for name, pattern in (patterns or {}).items())
        self._keys: dict[str, Verdict | None] = {}
        self.clean: set[str] = set()

    def text(self, text: str) -> str:
        """``text`` without its secrets; the same object where it has none."""
        flat = text if text.isascii() else _ascii(text)
        low = flat.lower()
        if (
            ((":" in flat or "=" in flat) and (
                ("k" in low and k_field(low)) or pass_field(low) or cre_field(low)
                or ("w" in low and pwd_field(low)) or ("z" in low and authorization(low))
            ))
            or ("-" in flat and dash_run(flat))
            or ("_" in flat and underscore_run(flat))
            or ("A" in flat and "I" in flat and capital_ia(flat))
            or ("@" in flat and "/" in flat and has_url_password(text))
            or ("B" in flat and bearer(flat))
            or ("J" in flat and "." in flat and jwt_start(flat))
            or ("G" in flat and "." in flat and sendgrid_start(flat))
            or ("K" in flat and "V" in flat and "Y" in flat and "PRIVATE KEY" in flat)
            or ("%" in flat and "sig=" in flat)
            or ("<" in flat and "/" in flat and tag(low))
            or self._custom
        ) and self.enabled:  # fmt: skip
            return self._settle(text)
        return text

    def deep(self, value: Any) -> Any:
        """``value`` without the secrets in its texts and under its secret keys, at any depth.

        Nothing is changed in place: where there is something to remove, the containers around it are copies, and
        where there is nothing the same object comes back. Objects that are no plain data are looked at as JSON
        would show them. Never raises.
        """
        if value.__class__ is str:
            return self.text(value)
        if not self.enabled or value is None or value.__class__ in (int, float, bool):
            return value
        return _Walk(self).walk(value, None, 0)

    def label(self, value: Any) -> Any:
        """:meth:`deep` for a word out of few that come again and again, such as the name of a method. One that
        holds no secret is kept in :attr:`clean`, so that the caller need not ask again."""
        done = self.deep(value)
        if done is value and value.__class__ is str and len(value) <= _WORD and value.isidentifier():
            if len(self.clean) >= _WORDS:
                self.clean.clear()
            self.clean.add(value)
        return done

    def _settle(self, text: str) -> str:
        for _ in range(_ROUNDS):
            done = self._round(text)
            if done == text:
                return text
            text = done
        return text

    def _round(self, text: str) -> str:
        if "K" in text and "PRIVATE KEY" in text:
            text = remove_private_keys(text)
        text = remove_tokens(text)
        if "@" in text:
            text = remove_url_passwords(text)
        low = _ascii(text).lower()
        fields = remove_fields(text, low)
        if fields.text is not text:
            text = fields.text
            low = ""
        if fields.nested and (value := parsed(text)) is not None and (clean := self.deep(value)) is not value:
            text = json.dumps(clean, ensure_ascii=False)
            low = ""
        if not low:
            low = _ascii(text).lower()
        if "bearer" in low:
            text = remove_bearer_tokens(text, low)
        for pattern, replace in self._custom:
            if "[REDACTED:" in text:
                parts = _MARKED_SPLIT.split(text)
                parts[::2] = [pattern.sub(replace, part) for part in parts[::2]]
                text = "".join(parts)
            else:
                text = pattern.sub(replace, text)
        return text

    def key(self, key: str) -> Verdict | None:
        """Whether a dictionary's key names a secret; remembered, because the same keys come again and again."""
        try:
            return self._keys[key]
        except KeyError:
            if len(self._keys) > 4096:
                self._keys.clear()
            found = self._keys[key] = verdict_on_key(key)
            return found


def _custom(name: str, source: str) -> tuple[re.Pattern[str], Callable[[re.Match[str]], str]]:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        msg = f"redaction pattern {name!r}: a name has 1 to 64 letters, digits, '_', '-' and '.'; rename it"
        raise ConfigError(msg)
    if not isinstance(source, str):
        msg = f"redaction pattern {name!r} is {source!r}, but must be a regular expression in quotes"
        raise ConfigError(msg)
    try:
        pattern = re.compile(source)
    except (re.error, OverflowError, RecursionError) as error:
        msg = f"redaction pattern {name!r} is not a regular expression: {error}; correct {source!r}"
        raise ConfigError(msg) from error
    if any(found.start() == found.end() for probe in _PROBES for found in pattern.finditer(probe)):
        msg = (
            f"redaction pattern {name!r} matches the empty text, so it would mark every place; "
            f"make {source!r} demand at least one character, such as '+' instead of '*'"
        )
        raise ConfigError(msg)
    group = 1 if pattern.groups else 0
    mark = marker(name)

    def replace(found: re.Match[str]) -> str:
        begin, end = found.span(group)
        if begin == end:
            begin, end = found.span()
            if begin == end:
                return ""
        at = found.start()
        return found[0][: begin - at] + mark + found[0][end - at :]

    return pattern, replace


_SCHEMA = frozenset(
    ("type", "description", "title", "format", "minLength", "maxLength", "pattern", "nullable", "writeOnly")
)
"""Keys of a JSON schema: under ``"password"`` they say what a password is, and are none."""


class _Walk:
    """One call of :meth:`Redactor.deep`: remembers what it has seen, so that cycles end."""

    __slots__ = ("_kept", "_redactor", "_seen")

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._seen: dict[tuple[int, str | None], Any] = {}
        self._kept: list[Any] = []

    def walk(self, value: Any, verdict: Verdict | None, depth: int) -> Any:
        """``value`` redacted; with a ``verdict`` it stands under a secret key."""
        if isinstance(value, str):
            return self._string(value, verdict)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (int, float)):
            return marker(verdict.name) if verdict is not None and verdict.strong else value
        if depth >= _DEPTH:
            return TOO_DEEP
        key = (id(value), verdict and verdict.name)
        if key in self._seen:
            return self._seen[key]
        self._seen[key] = CYCLE
        try:
            done = self._container(value, verdict, depth + 1)
        except Exception:  # noqa: BLE001  a hostile mapping or object: whatever of it can be shown is redacted
            done = f"<{type(value).__name__} that cannot be shown>"
        self._seen[key] = done
        return done

    def _string(self, value: str, verdict: Verdict | None) -> str:
        if verdict is not None and is_secret(value, verdict):
            scheme = SCHEME.match(value) if verdict.name == "authorization" else None
            done = ("" if scheme is None else scheme[0]) + marker(verdict.name)
            return value if done == value else done
        done = self._redactor.text(value)
        return value if done == value else done

    def _container(self, value: Any, verdict: Verdict | None, depth: int) -> Any:
        if isinstance(value, dict):
            return self._dict(value, verdict, depth)
        if isinstance(value, (list, tuple, set, frozenset)):
            before = list(value)
            parts = [self.walk(part, verdict, depth) for part in before]
            if all(map(is_, parts, before)):
                return value
            return tuple(parts) if isinstance(value, tuple) else parts
        if isinstance(value, (bytes, bytearray)):
            try:
                text = value.decode()
            except UnicodeDecodeError:
                return marker(verdict.name) if verdict is not None else value
            done = self._string(text, verdict)
            return value if done is text else done
        shown = msgspec.to_builtins(value, str_keys=True, enc_hook=plain)
        if shown is value:
            return value
        self._kept.append(shown)
        done = self.walk(shown, verdict, depth)
        return value if done is shown else done

    def _dict(self, value: dict[Any, Any], verdict: Verdict | None, depth: int) -> dict[Any, Any]:
        if verdict is not None and _SCHEMA.issuperset(value) and isinstance(value.get("type"), (str, list)):
            verdict = None
        redactor = self._redactor
        labelled = self._label(value) if "value" in value else None
        copy: dict[Any, Any] | None = None
        renamed = False
        for key, part in list(value.items()):  # a copy: another thread may be changing it
            inner, name = verdict, key
            if isinstance(key, str):
                if len(key) >= 16:  # shorter than any token
                    name = redactor.text(key)
                own = redactor.key(name) or (labelled if key == "value" else None)
                if own is not None and (own.strong or verdict is None):
                    inner = own
            done = self.walk(part, inner, depth)
            if done is not part or name != key:
                if copy is None:
                    copy = dict(value)
                renamed = renamed or name != key
                copy[key] = done
        if copy is not None and renamed:
            return {redactor.text(key) if isinstance(key, str) else key: part for key, part in copy.items()}
        return value if copy is None else copy

    def _label(self, value: dict[Any, Any]) -> Verdict | None:
        """The verdict on the name in ``{"name": "DB_PASSWORD", "value": ...}``."""
        label = value.get("name", value.get("key"))
        return self._redactor.key(label) if isinstance(label, str) else None
