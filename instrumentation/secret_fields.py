r"""Secrets that are known by their name: ``password=...``, ``"api_key": "..."``, ``Authorization: ...``.

Which names are secret is decided once, by :func:`verdict_on`, for keys of dictionaries and for names in a text alike.
Some name a secret whatever the value is (``password``, ``client_secret``); others, such as a bare ``token``, only
where the value looks like one, because agents also speak of tokens that are counted or that turn a page.

Texts are often JSON, and JSON inside JSON: a quote may stand behind any number of backslashes. Only what is
between the quotes is replaced, so that what was valid JSON stays valid.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from .secret_tokens import MARKED, PLACEHOLDER, marker

if TYPE_CHECKING:
    from collections.abc import Callable


class Verdict(NamedTuple):
    """What a name says of its value: the marker's name, and whether the value is secret whatever it looks like."""

    name: str
    strong: bool


_WORD = r"(pass(?:word|wd|phrase|code)|pwd|secret|credential|authorization|token|key|cookie)"
_TAIL = r"(?:s|[_-]?(?:confirm(?:ation)?|again|repeat)|[_-]?\d{1,3})?"

_FIELD = re.compile(
    _WORD + _TAIL
    + r"(?:(\\{0,31}[\"'`])\]?|\*{1,2})?"  # the end of a quoted or bold name; `["password"] =`
    + r"[ \t]{0,8}(:(?!:)=?|={1,3}>?|>|(?=[ \t]))"  # `:` `:=` `=` `==` `=>`; `>` of an XML tag; nothing: --password X
)  # fmt: skip
_NAME = re.compile(_WORD + _TAIL + r"$")

_KEY_STRONG = re.compile(r"(api|private|secret|access|subscription|(?:en|de)cryption|signing|auth)[_\-. ]?$")
_KEY_WEAK = re.compile(r"(?:account|ssh|license|consumer|app|master|deploy|service|storage|webhook|root)[_\-. ]?$")
_TOKEN_STRONG = re.compile(
    r"(?:access|refresh|auth|bearer|session|security|api|oauth2?|secret|csrf|xsrf|private|deploy|github|gitlab|slack"
    r"|npm|vault|jwt|client|sas|service|(?<![a-z])(?:id|bot|hf))[_\-. ]?$"
)
_TOKEN_PLAIN = re.compile(
    r"(?:page|next|previous|prev|continuation|cursor|sync|[ebp]os|pad|unk|sep|cls|mask|stop|start|end|max|min|num"
    r"|total|special|first|last|per|cancel(?:l?ation)?|input|output|prompt|completion|reasoning|cached)[_\-. ]?$"
)

REACH = 24
"""How many characters before a word may hold what decides it: ``api_`` before ``key``."""


@lru_cache(maxsize=2048)
def verdict_on(word: str, before: str) -> Verdict | None:
    """Whether ``before + word`` (lower case) names a secret; ``word`` is one that the patterns here know."""
    if word == "key":
        if kind := _KEY_STRONG.search(before):
            return Verdict(f"{kind[1]}_key" if kind[1] in ("api", "private") else "secret_key", strong=True)
        return Verdict("secret_key", strong=False) if _KEY_WEAK.search(before) else None
    if word == "token":
        if _TOKEN_PLAIN.search(before):
            return None
        return Verdict("token", strong=bool(_TOKEN_STRONG.search(before)))
    if word in ("secret", "credential", "authorization", "cookie"):
        return Verdict("credentials" if word == "credential" else word, strong=True)
    return Verdict("pwd" if word == "pwd" else "password", strong=True)


_SEPARATOR = re.compile(r"[^a-z0-9]+")


def verdict_on_key(key: str) -> Verdict | None:
    """Whether a dictionary's key names a secret: ``apiKey``, ``API-KEY`` and ``openai_api_key`` alike."""
    if MARKED.search(key):
        return None
    low = _SEPARATOR.sub("_", key.lower()).strip("_")[-64:]
    found = _NAME.search(low)
    return None if found is None else verdict_on(found[1], low[max(0, found.start() - REACH) : found.start()])


_SOLID = re.compile(r"(?=[!-~]*[0-9])(?=[!-~]*[A-Za-z])[!-~]{12,}|[!-~]{32,}")


def looks_secret(value: str) -> bool:
    """Whether a value could be a key or token by its looks: one piece, with letters and digits, 12 characters or
    more; or 32 characters of anything."""
    return _SOLID.fullmatch(value) is not None


def is_secret(value: str, verdict: Verdict) -> bool:
    """Whether ``value``, under a name with this verdict, is to be replaced."""
    if PLACEHOLDER.fullmatch(value):
        return False
    if verdict.name == "cookie":
        return "=" in value
    if verdict.name == "pwd":
        return not _PATH.match(value)
    return verdict.strong or (looks_secret(value) and not MARKED.search(value))


_PATH = re.compile(r"[/~.]|[A-Za-z]:\\")
SCHEME = re.compile(r"(?:basic|bearer|digest|token|negotiate|apikey|key)[ \t]+(?=\S)", re.IGNORECASE)
"""The scheme before the credentials of an authorization header; it stays."""


# -- in texts ----------------------------------------------------------------------------------------------------

# The prefilter, on the text in lower case. Each question starts with a literal of its own, to which the engine
# skips; an alternation of all the words would take ten times as long.
_FOLLOWS = r"[a-z0-9_-]{0,14}[\"'`\\\]*]*[ \t]{0,8}[:=]"
k_field: Callable[[str], object] = re.compile(r"k(?<=[a-z_. -]k)(?:ey|en|ie)" + _FOLLOWS).search
"""Keys, tokens and cookies, with what separates a name from its value."""
pass_field: Callable[[str], object] = re.compile(r"pass(?:w(?:or)?d|phrase|code)" + _FOLLOWS).search
"""Passwords, passphrases and passcodes."""
pwd_field: Callable[[str], object] = re.compile(r"pwd" + _FOLLOWS).search
"""Passwords of connection strings."""
cre_field: Callable[[str], object] = re.compile(r"cre(?:t|dential)" + _FOLLOWS).search
"""Secrets and credentials."""
authorization: Callable[[str], object] = re.compile(r"z(?<=thoriz)").search
"""The header, and ``authorization`` as a name."""
tag: Callable[[str], object] = re.compile(r"</[a-z0-9_:.-]{0,40}(?:word|wd|token|key|secret|phrase|code)>").search
"""The end of an XML element with a secret name."""

_OPTION_BEFORE = re.compile(r"(?<![\w-])--[a-z-]*$")
_TAG_BEFORE = re.compile(r"<[\w:.-]*$")
_GAP = re.compile(
    r"\*{0,2}[ \t]{0,20}"
    r"(?:(?:str|bytes|string|Any|SecretStr|Optional\[str\]|str \| None)[ \t]{0,4}=[ \t]{0,4})?"  # api_key: str = "..."
)
_OPEN = re.compile(r"(?:[bBfFrRuU]{1,2}(?=[\"']))?(\\{0,31})([\"'`])")
_ENDED = re.compile(r"\s|[,:;}\])]|$")
"""Behind a quote that ends a string instead of opening one: ``"Enter the password: "``."""
_CHAR = r"(?:[^\s\"'`,;&<>)}\]\\]|\\(?![\"'\\/bfnrtu\s]|$))"
_HEAD = 96  # what decides; the rest is only read where it is removed, or a long text could be read again and again
_BARE = re.compile(rf"(?![\[({{]){_CHAR}{{1,{_HEAD}}}")
_MORE = re.compile(f"{_CHAR}*")
_CREDENTIALS = re.compile(r"[^\s\"'`<>,\\]+")
_COOKIES = re.compile(r"[^\s=\"'`\\]{1,128}=[^\r\n\"'`\\]*")
_TAGGED = re.compile(r"[^\s<>\"'`\\]+(?=\s*</)")
_WORDS = frozenset(
    """
    null none nil true false undefined str string bytes int integer any object optional secretstr text bool boolean
    number required it is the a an your my our please must should can could will would may not never and or of for
    to in on if as at was are has have be been see use enter type invalid incorrect wrong expired missing we you
    this that these those they there no yes with without by from how what when where which who why flag option
    argument parameter
    """.split()  # noqa: SIM905  as a list of literals it would fill a page
)
"""Words that follow a colon in prose and in code, and are no value."""
_LEADING_WORD = re.compile(r"([A-Za-z]+)(?:$|[\[|.?!:])")
_CODE = re.compile(
    r"[A-Za-z_][\w.]*[\[(].*"  # a call or a look-up, checked further below
    r"|(?:[A-Za-z_]\w*\.)+\w*(?:pass|pwd|secret|token|key|cred|auth)\w*"  # self.password
    r"|[A-Z][A-Z0-9_]*_(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PWD|CREDENTIALS)",
    re.DOTALL,
)


class Fields(NamedTuple):
    """What :func:`remove_fields` gives: the text, and whether a secret name stands before a list or an object."""

    text: str
    nested: bool


def remove_fields(text: str, low: str) -> Fields:
    """``text`` with the values of secret names replaced. ``low`` is it in lower case, of the same length."""
    out: list[str] = []
    last = position = 0
    nested = False
    while found := _FIELD.search(low, position):
        position = found.end()
        start = found.start()
        if start and text[start - 1] == "/":
            continue  # a path: /etc/passwd: no such file
        verdict = verdict_on(found[1], low[max(0, start - REACH) : start])
        if verdict is None or (not found[3] and not _is_option(low, start)):
            continue
        if found[3] == ">":
            tagged = _TAGGED.match(text, position) if _TAG_BEFORE.search(low[max(0, start - 40) : start]) else None
            span = (tagged.start(), tagged.end(), "") if tagged and is_secret(tagged[0], verdict) else None
        else:
            gap = _GAP.match(text, position)
            position = gap.end() if gap is not None else position
            opened = _OPEN.match(text, position)
            if opened is not None and _ends(text, found, opened):
                continue
            span = _bare(text, low, found, position, verdict) if opened is None else _quoted(text, opened, verdict)
            nested = nested or (span is None and verdict.strong and text.startswith(("{", "["), position))
        if span is None:
            continue
        begin, position, quote = span
        out += text[last:begin], quote, marker(verdict.name), quote
        last = position
    return Fields("".join((*out, text[last:])) if out else text, nested)


def _ends(text: str, found: re.Match[str], opened: re.Match[str]) -> bool:
    """Whether the quote behind a name's ``:`` ends a string that the name stands in, instead of opening one."""
    if found[2] is None or found[2][-1] != opened[2]:
        return _ENDED.match(text, opened.end()) is not None
    return _depth(opened[1] + opened[2]) < _depth(found[2])


def _depth(quote: str) -> int:
    """How many of the backslashes before a quote belong to it: 2**k - 1. Those before them are the string's own."""
    run = len(quote) - 1
    return run & ~(run + 1)


def _is_option(low: str, start: int) -> bool:
    return _OPTION_BEFORE.search(low[max(0, start - 34) : start]) is not None


def _quoted(text: str, opened: re.Match[str], verdict: Verdict) -> tuple[int, int, str] | None:
    """Where the secret behind an opening quote begins and ends; the third part is for :func:`_bare`."""
    begin = opened.end()
    quote = opened[2]
    if not opened[1] and quote != "`" and text.startswith(quote * 2, begin):
        begin += 2
        end = text.find(quote * 3, begin)
        end = len(text) if end == -1 else end
    else:
        end = closing(text, begin, quote, _depth(opened[1] + quote))
    if verdict.name == "authorization" and (scheme := SCHEME.match(text, begin, end)):
        begin = scheme.end()
    return (begin, end, "") if is_secret(text[begin:end], verdict) else None


_QUOTE = {quote: re.compile(rf"(?<!\\)(\\*){quote}|\n") for quote in "\"'`"}
_OUTER = re.compile(r"(?<!\\)\\*\"(?=\s*(?:[,:}\]]|$))")


def closing(text: str, begin: int, quote: str, depth: int) -> int:
    """Where the string ends that was opened by ``depth`` backslashes and ``quote`` just before ``begin``.

    Escaping doubles each backslash and puts one before each quote, so the quotes of a string k deep stand behind
    2**k - 1 backslashes of their own; see :func:`_depth`. A quote that is less deep ends a string around this one,
    and a line's end ends it too.
    """
    end = len(text)
    for found in _QUOTE[quote].finditer(text, begin):
        if found[1] is None:
            end = found.start()
            break
        own = _depth(found[0])
        if own <= depth:
            end = found.end() - 1 - own
            break
    if quote != '"' and (outer := _OUTER.search(text, begin, end)):
        return outer.start()  # the string of JSON around it has ended before
    return end


def _bare(text: str, low: str, found: re.Match[str], position: int, verdict: Verdict) -> tuple[int, int, str] | None:
    """Where the secret without quotes at ``position`` begins and ends, and the quote that it needs.

    A number behind a quoted name is JSON: its replacement is no number and must be quoted like the name.
    """
    quote = "\\" * _depth(found[2]) + found[2][-1] if found[2] and found[3].startswith(":") else ""
    if verdict.name == "cookie":
        line = _COOKIES.match(text, position)
        return None if line is None or PLACEHOLDER.fullmatch(line[0]) else (position, line.end(), quote)
    if verdict.name == "authorization" and (scheme := SCHEME.match(text, position)):
        value = _CREDENTIALS.match(text, scheme.end())
        return None if value is None or PLACEHOLDER.fullmatch(value[0]) else (value.start(), value.end(), quote)
    value = _BARE.match(text, position)
    if value is None:
        return None
    raw, end = value[0], value.end()
    whole = end - position < _HEAD
    if whole:
        raw = raw.rstrip(".?")
    if verdict.name in ("credentials", "authorization"):
        verdict = Verdict(verdict.name, strong=False)
    word = _LEADING_WORD.match(raw)
    if (
        (word is not None and word[1].lower() in _WORDS)
        or not is_secret(raw, verdict)
        or (not found[3] and raw.startswith("-"))
        or (len(raw) >= len(found[1]) and low.endswith(raw.lower(), 0, found.end(1)))  # password=password
        or (whole and _is_code(text, raw, end))
    ):
        return None
    if not whole and (more := _MORE.match(text, end)) is not None:
        return position, more.end(), quote
    return position, position + len(raw), quote


def _is_code(text: str, raw: str, end: int) -> bool:
    """Whether an unquoted value is an expression: ``getpass()``, ``os.environ["X"]``, ``self.password``."""
    if _CODE.fullmatch(raw) is None:
        return False
    if "(" not in raw and "[" not in raw:
        return True
    return raw[-1] in "([" or text[end : end + 1] in (")", "]")


def parsed(text: str) -> Any:
    """The value of a text that is JSON, or None: where a secret name stands before a list or an object."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
