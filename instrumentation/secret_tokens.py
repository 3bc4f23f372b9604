"""Secrets that are known by their own form: tokens of providers, private keys, passwords in URLs, bearer tokens.

Each rule starts with a literal, because the regular expression engine then skips to it; what must stand in
front of the token is checked after the literal, by a lookbehind. Every repetition is bounded or consumes what it
has looked at, so that no text makes a rule take more than linear time.

The forms are those that the providers publish or that their tokens have had for years; lengths are a little
shorter than the real ones, so that a shortened token is caught too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def marker(name: str) -> str:
    """What a secret is replaced by."""
    return f"[REDACTED:{name}]"


MARKED = re.compile(r"\[REDACTED:[\w.-]{1,64}\]")
"""A marker, as :func:`marker` makes them."""

PLACEHOLDER = re.compile(
    r"(?:\[REDACTED:[\w.-]{1,64}\]|\s)*|\*+|\.{3}|\u2026|<[^<>]*>|\$?\{\{?[^{}]*\}?\}|\$\{?[A-Z_][A-Z0-9_]*\}?|%s|%\(\w+\)s"
)
"""What stands where a secret would stand and is none: a marker, stars, a variable of a template or a shell."""


def _rule(literal: str, body: str) -> re.Pattern[str]:
    r"""``literal`` followed by ``body``, not in the middle of a word.

    A word may start behind an escape (``\n`` in JSON text, ``%3A`` in a URL), whose last character is a letter.
    """
    before = "|".join(
        (
            f"(?<![A-Za-z0-9]{literal})",
            rf"(?<=\\[bfnrt]{literal})",
            rf"(?<=\\u[0-9A-Fa-f]{{4}}{literal})",
            f"(?<=%[0-9A-Fa-f]{{2}}{literal})",
        )
    )
    return re.compile(f"{literal}(?:{before}){body}")


_RUN = r"(?:[A-Za-z0-9]{20,}|(?=[A-Za-z]{0,15}[0-9])[A-Za-z0-9]{16,})"
"""At least 20 letters and digits, or 16 with a digit among them: longer than words are."""

_WITH_DASH = (
    ("anthropic_key", "sk-ant-", _rule("sk-ant-", r"[A-Za-z0-9_-]{16,}")),
    ("openai_key", "sk-", _rule("sk-", r"(?:(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{16,}"
                                       rf"|(?:[A-Za-z0-9]{{1,20}}[_-]){{0,3}}{_RUN}[A-Za-z0-9_-]*)")),
    ("gitlab_token", "glpat-", _rule("glpat-", r"[A-Za-z0-9_-]{16,}(?:\.[A-Za-z0-9_-]+)*")),
    ("slack_token", "xox", _rule("xox[a-z]", r"-[A-Za-z0-9-]{10,}")),
    ("slack_token", "xapp-", _rule("xapp-", r"[0-9]-[A-Za-z0-9-]{20,}")),
    ("pypi_token", "pypi-", _rule("pypi-", r"(?:AgE[A-Za-z0-9_-]{13,}|[A-Za-z0-9_-]{60,})")),
    ("xai_key", "xai-", _rule("xai-", r"[A-Za-z0-9]{20,}")),
    ("perplexity_key", "pplx-", _rule("pplx-", r"[A-Za-z0-9]{20,}")),
    ("tavily_key", "tvly-", _rule("tvly-", r"(?:[a-z]{2,5}-)?[A-Za-z0-9]{16,}")),
    ("nvidia_key", "nvapi-", _rule("nvapi-", r"[A-Za-z0-9_-]{32,}")),
    ("google_secret", "GOCSPX-", _rule("GOCSPX-", r"[A-Za-z0-9_-]{20,}")),
)  # fmt: skip

_WITH_UNDERSCORE = (
    ("github_token", "gh", _rule("gh[oprsu]_", r"[A-Za-z0-9]{20,}")),
    ("github_token", "github_pat_", _rule("github_pat_", r"[A-Za-z0-9_]{20,}")),
    ("groq_key", "gsk_", _rule("gsk_", r"[A-Za-z0-9]{20,}")),
    ("huggingface_token", "hf_", _rule("hf_", r"[A-Za-z0-9]{20,}")),
    ("npm_token", "npm_", _rule("npm_", r"[A-Za-z0-9]{30,}")),
    ("stripe_key", "k_", _rule("[rs]k_(?:live|test)_", r"[A-Za-z0-9]{13,}")),
    ("stripe_key", "whsec_", _rule("whsec_", r"[A-Za-z0-9]{20,}")),
    ("langsmith_key", "lsv2_", _rule("lsv2_(?:pt|sk)_", r"[A-Za-z0-9]{20,}(?:_[A-Za-z0-9]{6,})?")),
    ("replicate_token", "r8_", _rule("r8_", r"[A-Za-z0-9]{30,}")),
    ("digitalocean_token", "_v1_", _rule("do[opr]_v1_", r"[a-f0-9]{40,}")),
    ("shopify_token", "shp", _rule("shp(?:at|ca|pa|ss)_", r"[A-Fa-f0-9]{32,}")),
)

_WITH_IA = (
    ("aws_access_key", "IA", _rule("A[KS]IA", r"[A-Z0-9]{16}(?![A-Za-z0-9])")),
    ("google_key", "AIza", _rule("AIza", r"[A-Za-z0-9_-]{30,}")),
)

_SENDGRID = _rule("SG", r"\.[A-Za-z0-9_-]{16,80}\.[A-Za-z0-9_-]{16,}")
_JWT = _rule("eyJ", r"[A-Za-z0-9_-]{5,}((?:\.[A-Za-z0-9_-]*){1,3}\.[A-Za-z0-9_-]+|\.eyJ[A-Za-z0-9_-]{5,}\.?)?")
_AZURE_SIGNATURE = re.compile(r"(?<=[?&;])sig=(?:[A-Za-z0-9+/]|%[0-9A-Fa-f]{2}){40,}=?")

# The prefilter: each of these needs about a third of a microsecond for 1 KB, because it starts with a literal.
dash_run: Callable[[str], object] = re.compile(
    r"-(?:[A-Za-z0-9]{13}|(?<=glpat-)|-(?<![\w-]--)[a-z-]{0,30}(?:word|wd|token|key|secret|phrase|code)[ \t])"
).search
"""Whether a dash stands before a run too long for a word, as in every token that has a dash; or the option of a
command that takes a secret: ``--password hunter2``."""
underscore_run: Callable[[str], object] = re.compile(r"_[A-Za-z0-9]{13}").search
"""Whether an underscore stands before such a run."""
capital_ia: Callable[[str], object] = re.compile(r"I(?:A(?<=A[KS]IA)|za)").search
"""Keys of AWS and Google."""
jwt_start: Callable[[str], object] = re.compile(r"J(?<=eyJ)").search
"""The start of a JSON web token: the base64 of ``{"``."""
sendgrid_start: Callable[[str], object] = re.compile(r"G(?<=SG)\.").search
"""The start of a key of SendGrid."""
bearer: Callable[[str], object] = re.compile(r"B(?:earer|EARER)[ \t]").search
"""A bearer token without its header."""


def remove_tokens(text: str) -> str:
    """``text`` with the tokens of providers replaced."""
    if "-" in text and dash_run(text):
        text = _apply(_WITH_DASH, text)
    if "_" in text and underscore_run(text):
        text = _apply(_WITH_UNDERSCORE, text)
    if "I" in text and capital_ia(text):
        text = _apply(_WITH_IA, text)
    if "J" in text and jwt_start(text):
        text = _JWT.sub(_jwt, text)
    if "G" in text and sendgrid_start(text):
        text = _SENDGRID.sub(marker("sendgrid_key"), text)
    if "%" in text and "sig=" in text:
        text = _AZURE_SIGNATURE.sub("sig=" + marker("azure_signature"), text)
    return text


def _apply(rules: tuple[tuple[str, str, re.Pattern[str]], ...], text: str) -> str:
    for name, literal, rule in rules:
        if literal in text:
            text = rule.sub(marker(name), text)
    return text


def _jwt(found: re.Match[str]) -> str:
    """A run that starts like a JWT is matched as a whole, so that it is read once; it is one if it goes on so."""
    rest = found[1]
    return marker("jwt") if rest is not None and len(rest) >= 12 else found[0]


# -- private keys ------------------------------------------------------------------------------------------------

_PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_BODY = re.compile(r"(?:[A-Za-z0-9+/=\s:,.()]+|-(?!----)|\\+[nrt])*")
_PEM_CUT = re.compile(
    r"(?:\s|\\+[nrt])*[A-Za-z0-9+/=]{16,}(?:[A-Za-z0-9+/=]+|\s+(?=[A-Za-z0-9+/=]{16})|\\+[nrt](?=[A-Za-z0-9+/=]))*"
)
_PEM_PIECE = re.compile(
    r"\\+(?:u[0-9A-Fa-f]{4}|.)|\[REDACTED:\w+\]|[0-9]+(?:[Ee]\+?[0-9]*)?(?![A-Za-z0-9+/=\"'\\])"
    r"|((?<=[\"'])[A-Za-z0-9+/=]+(?=[\"'\\])|[A-Za-z0-9+/=]{9,})",
    re.DOTALL,
)
"""What a block in quoted pieces is made of; the group is the key's, the others are escapes, markers and numbers."""


def remove_private_keys(text: str) -> str:
    """``text`` with PEM blocks of private keys replaced as a whole.

    A block without its end is replaced as far as it looks like one. A block in quoted pieces (a list of lines, a
    string literal over several lines) keeps its quotes: its lines are replaced one by one.
    """
    out: list[str] = []
    last = 0
    while begin := _PEM_BEGIN.search(text, last):
        body = _PEM_BODY.match(text, begin.end())
        stop = body.end() if body is not None else begin.end()
        end = _PEM_END.match(text, stop)
        if end is not None:
            out += text[last : begin.start()], marker("private_key")
            last = end.end()
            continue
        closing = text.find("-----", stop)
        if closing != -1 and _PEM_END.match(text, closing):
            out += text[last : begin.end()], _PEM_PIECE.sub(_pem_piece, text[begin.end() : closing])
            last = closing
            continue
        cut = _PEM_CUT.match(text, begin.end())
        out += text[last : begin.start()], marker("private_key") if cut is not None else begin[0]
        last = cut.end() if cut is not None else begin.end()
    return "".join((*out, text[last:])) if out else text


def _pem_piece(found: re.Match[str]) -> str:
    return found[0] if found[1] is None else marker("private_key")


# -- URLs and headers --------------------------------------------------------------------------------------------

_URL = re.compile(r":\\*/\\*/[^\s/:@?#\"'<>`\[\]\\]{0,128}:(?!\\*/\\*/)")
_URL_REST = re.compile(r"[^\s\"'<>`]{0,400}")
_PORT = re.compile(r"[0-9]{1,5}[/?#]")
_HOST_END = re.compile(r"[/?#,]|$")

has_url_password: Callable[[str], object] = _URL.search
"""Whether a URL has a colon after its host or user."""


def remove_url_passwords(text: str) -> str:
    """``text`` with the passwords replaced in ``scheme://user:password@host``; users and hosts stay.

    Digits and a slash after the colon are a port. A password with an unescaped ``@`` ends at the last one before
    the host's slash; a slash in a password is taken as such, because some programs allow it.
    """
    out: list[str] = []
    last = 0
    starts = list(_URL.finditer(text))
    for number, found in enumerate(starts):
        begin = found.end()
        stop = starts[number + 1].start() if number + 1 < len(starts) else len(text)
        rest = _URL_REST.match(text, begin, stop)
        at = text.find("@", begin, rest.end()) if rest is not None else -1
        if rest is None or at <= begin or _PORT.match(text, begin, stop):
            continue
        host_end = _HOST_END.search(text, at, rest.end())
        at = text.rfind("@", at, rest.end() if host_end is None else host_end.start())
        if at > begin and not PLACEHOLDER.fullmatch(text, begin, at):
            out += text[last:begin], marker("url_password")
            last = at
    return "".join((*out, text[last:])) if out else text


_BEARER = re.compile(r"bearer[ \t]{1,4}([a-z0-9._~+/=-]{16,})")
_LONG = 32


def remove_bearer_tokens(text: str, low: str) -> str:
    """``text`` with what follows the word "Bearer" replaced, where it is no word: 16 characters or more, with a
    digit or 32 long. ``low`` is ``text`` in lower case, of the same length."""
    out: list[str] = []
    last = 0
    for found in _BEARER.finditer(low):
        value = found[1]
        if len(value) >= _LONG or any("0" <= char <= "9" for char in value):
            out += text[last : found.start(1)], marker("bearer_token")
            last = found.end()
    return "".join((*out, text[last:])) if out else text
