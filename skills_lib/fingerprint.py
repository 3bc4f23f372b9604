"""A task's identity: what it says, apart from how it is written down, and what that tells about it.

The fingerprint of a task is the SHA-256 of its normalised text, so that the same request is known again whoever types
it; beside it stand the facts that a rule can read off the words: keywords, technologies, file patterns. What kind of
task it is (its *group*, shared by tasks that differ only in their values) is :mod:`.grouping`'s answer.

Everything here is a pure function of a redacted text. Nothing is remembered that the text does not hold.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter

import msgspec

READ = 8_000
"""Characters of a task that are read for what it says: the request stands at the beginning, pasted material after it.
What stands behind them still counts for its identity."""

KEYWORDS = 12
"""Keywords that are kept, those that come most often first."""

MENTIONS = 16
"""Technologies, and file patterns, that are kept."""

_WORD = re.compile(r"[^\W\d_][\w'-]{2,40}")
_FILE = re.compile(r"(?<![\w@/.-])(?:[\w*.-]{1,60}/){0,8}[\w*-]{0,60}\.(?P<ending>[A-Za-z][A-Za-z0-9]{0,7})(?![\w@])")
_SPACES = re.compile(r"\s+")
_EDGE = re.compile(r"[\s.!?…,;:]+$")

STOP_WORDS = frozenset(
    """
    about above after again all also and any are because been before being below between both but can could did does
    doing down during each few for from had has have having her here hers him his how into its itself just let like make
    more most much must nor not now off once only other our ours out over own please same she should some such than
    that the their theirs them then there these they this those through too under until very want was were what when
    where which while who whom whose why will with would you your yours i'd i'm i've it's don't
    """.split()  # noqa: SIM905  a list of words is read more easily as words
)
"""Words that say nothing of what a task is about."""

ENDINGS = frozenset(
    """
    bat c cc cfg conf cpp cs css csv dart db env go graphql h hpp htm html ini ipynb java jpg js json jsx kt lock log
    lua md mjs pdf php pl png proto ps1 py pyi r rb rs rst scala scss sh sql svg swift tf toml ts tsv tsx txt vue xls
    xlsx xml yaml yml zip
    """.split()  # noqa: SIM905
)
"""File name endings by which a word is taken for a file."""

TECHNOLOGIES: dict[str, str] = {
    "python": "python", "javascript": "javascript", "typescript": "typescript", "java": "java", "kotlin": "kotlin",
    "golang": "go", "rust": "rust", "c++": "c++", "c#": "c#", "ruby": "ruby", "php": "php", "swift": "swift",
    "bash": "bash", "sql": "sql", "html": "html", "css": "css", "react": "react", "vue": "vue", "angular": "angular",
    "svelte": "svelte", "node": "node.js", "node.js": "node.js", "django": "django", "flask": "flask",
    "fastapi": "fastapi", "spring": "spring", "rails": "rails", "postgres": "postgresql", "postgresql": "postgresql",
    "mysql": "mysql", "sqlite": "sqlite", "mongodb": "mongodb", "redis": "redis", "kafka": "kafka",
    "rabbitmq": "rabbitmq", "elasticsearch": "elasticsearch", "docker": "docker", "kubernetes": "kubernetes",
    "k8s": "kubernetes", "terraform": "terraform", "ansible": "ansible", "aws": "aws", "azure": "azure", "gcp": "gcp",
    "nginx": "nginx", "linux": "linux", "git": "git", "github": "github", "gitlab": "gitlab", "jenkins": "jenkins",
    "pytest": "pytest", "numpy": "numpy", "pandas": "pandas", "scipy": "scipy", "matplotlib": "matplotlib",
    "pytorch": "pytorch", "tensorflow": "tensorflow", "spark": "spark", "airflow": "airflow", "graphql": "graphql",
    "grpc": "grpc", "autogen": "autogen", "langchain": "langchain", "langgraph": "langgraph", "jupyter": "jupyter",
    "excel": "excel", "latex": "latex",
}  # fmt: skip
"""Names of technologies as people write them, and the one name that each is kept under."""

_TECHNOLOGY = re.compile(
    r"(?<![\w.])(?:" + "|".join(sorted(map(re.escape, TECHNOLOGIES), key=len, reverse=True)) + r")(?![\w+#])",
    re.IGNORECASE,
)


class Fingerprint(msgspec.Struct, frozen=True):
    """A task's identity and what its words tell.

    Attributes:
        hash: SHA-256 of the normalised text, in hexadecimal.
        text: the normalised text: Unicode in one form, one space between words, no capitals, no final punctuation.
        keywords: words that say what it is about, the most frequent first, at most :data:`KEYWORDS`.
        technologies: those that it names, by name.
        files: patterns of the files that it names, such as ``*.py``, by name.
    """

    hash: str
    text: str
    keywords: tuple[str, ...] = ()
    technologies: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def normalised(task: str) -> str:
    """The text by which a task is known again: written differently in spaces, capitals, Unicode form or final
    punctuation it is the same one."""
    text = unicodedata.normalize("NFC", task[:READ]).casefold()
    return _EDGE.sub("", _SPACES.sub(" ", text[:READ]).strip()[:READ])


def fingerprint(task: str) -> Fingerprint:
    """The fingerprint of a task; one of an empty text is that of nothing and has no words."""
    text = normalised(task)
    rest = _SPACES.sub(" ", task[READ:].casefold()).strip()
    identity = f"{text}\n{rest}" if rest else text
    return Fingerprint(
        hash=hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest(),
        text=text,
        keywords=keywords(text),
        technologies=technologies(text),
        files=file_patterns(text),
    )


def keywords(text: str) -> tuple[str, ...]:
    """What a normalised text is about: its words without those that every text has; of equally frequent ones the
    first in the text comes first."""
    counted = Counter(word for word in _WORD.findall(text) if word not in STOP_WORDS)
    return tuple(word for word, _ in counted.most_common(KEYWORDS))


def technologies(text: str) -> tuple[str, ...]:
    """The technologies that a text names as whole words, each under one name, sorted."""
    found = {TECHNOLOGIES[match.casefold()] for match in _TECHNOLOGY.findall(text)}
    return tuple(sorted(found)[:MENTIONS])


def file_patterns(text: str) -> tuple[str, ...]:
    """The endings of the files that a text names, as patterns, sorted."""
    found = {f"*.{match['ending'].lower()}" for match in _FILE.finditer(text) if match["ending"].lower() in ENDINGS}
    return tuple(sorted(found)[:MENTIONS])
