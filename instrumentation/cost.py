"""What a model call used and cost.

Tokens come from the response, in whichever of the providers' spellings it has; nothing is estimated, so that a sum
over a run is either right or says that a part is missing. The cost comes from the response where the host's client
has worked one out, else from a table of prices. The frameworks' own sums are not used: that of a group chat is 0.
"""

from __future__ import annotations

import difflib
import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover  (only on Python 3.10)
    import tomli as tomllib

SHIPPED = Path(__file__).with_name("prices.toml")
"""The price table that comes with the package; each line's source and date are in it."""

MILLION = 1_000_000

CHARACTERS_PER_TOKEN = 4
"""For lengths that no model has counted: that of the block, and what a scripted model says it used. OpenAI's rule of
thumb for English text ("What are tokens and how to count them?", help.openai.com); a real tokenizer would cost a
dependency, and another one for every model. What models used is never reckoned with it."""

# -- tokens ------------------------------------------------------------------------------------------------------

_INPUT = ("prompt_tokens", "input_tokens", "prompt_token_count", "prompt_eval_count")
_OUTPUT = ("completion_tokens", "output_tokens", "candidates_token_count", "eval_count")
_REASONING = (
    ("completion_tokens_details", "reasoning_tokens"),
    ("output_tokens_details", "reasoning_tokens"),
    ("output_token_details", "reasoning"),
)
_CACHED = (
    ("prompt_tokens_details", "cached_tokens"),
    ("input_tokens_details", "cached_tokens"),
    ("input_token_details", "cache_read"),
)


def usage_of(response: Any) -> dict[str, int] | None:
    """The tokens that a response says it used; None where it says nothing.

    Takes objects and dictionaries: OpenAI's chat completions and responses, Anthropic's messages, Gemini's
    ``usage_metadata``, LangChain's messages, or a bare usage record. Never raises.

    Returns:
        ``input_tokens`` and ``output_tokens``, and ``reasoning_tokens`` (a part of the output) and
        ``cached_tokens`` (a part of the input that was read from the provider's cache) where they are told.
    """
    for usage in (_member(response, "usage"), _member(response, "usage_metadata"), response):
        given = _first(usage, _INPUT)
        made = _first(usage, _OUTPUT)
        if given is None and made is None:
            continue
        read = _number(_member(usage, "cache_read_input_tokens"))
        # Anthropic counts what it reads from and writes to its cache apart from the input
        given = (given or 0) + (read or 0) + (_number(_member(usage, "cache_creation_input_tokens")) or 0)
        thoughts = _number(_member(usage, "thoughts_token_count"))  # Gemini counts them apart from the output
        found = {"input_tokens": given, "output_tokens": (made or 0) + (thoughts or 0)}
        reasoning = thoughts if thoughts is not None else _nested(usage, _REASONING)
        cached = read if read is not None else _nested(usage, _CACHED)
        if cached is None:
            cached = _number(_member(usage, "cached_content_token_count"))
        if reasoning is not None:
            found["reasoning_tokens"] = reasoning
        if cached is not None:
            found["cached_tokens"] = cached
        return found
    return None


def response_cost(response: Any) -> float | None:
    """The cost in US dollars that the host's client has put on the response, as AutoGen's does; None where there
    is none, or where it is no finite number of 0 or more. Never raises."""
    cost = _member(response, "cost")
    if isinstance(cost, bool) or not isinstance(cost, (int, float)):
        return None
    try:
        value = float(cost)
    except OverflowError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _member(thing: Any, name: str) -> Any:
    try:
        if isinstance(thing, Mapping):
            return thing.get(name)
        return getattr(thing, name, None)
    except Exception:  # noqa: BLE001  a property of a foreign object
        return None


def _first(thing: Any, names: tuple[str, ...]) -> int | None:
    for name in names:
        number = _number(_member(thing, name))
        if number is not None:
            return number
    return None


def _nested(thing: Any, paths: tuple[tuple[str, str], ...]) -> int | None:
    for outer, inner in paths:
        number = _number(_member(_member(thing, outer), inner))
        if number is not None:
            return number
    return None


def _number(value: Any) -> int | None:
    """A count of tokens: a whole number of 0 or more, also as a float or in digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if 0 <= value <= 1e18 else None  # NaN is neither


# -- prices ------------------------------------------------------------------------------------------------------

_PROVIDER = re.compile(r"(?:openai|azure|anthropic|google|gemini|models|vertex_ai|xai|x-ai|groq)/")
_VERSION = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{3,4}|latest)")
"""What may follow a model's name without changing its price: the date or number of a version."""


class Prices:
    """What models cost, in US dollars for a million input and output tokens.

    Args:
        table: the model's name, and its two prices.
    """

    __slots__ = ("_found", "_table")

    def __init__(self, table: Mapping[str, tuple[float, float]]) -> None:
        self._table = {name.lower(): prices for name, prices in table.items()}
        self._found: dict[str, tuple[float, float] | None] = {}

    def __len__(self) -> int:
        return len(self._table)

    def cost(self, model: str, input_tokens: int, output_tokens: int) -> float | None:
        """What a call costs in US dollars; None for a model without a price, because a guess would be taken for one.

        Discounts for cached input are not known here: the figure is the most that the call can have cost.
        """
        prices = self.of(model)
        if prices is None:
            return None
        return (input_tokens * prices[0] + output_tokens * prices[1]) / MILLION

    def of(self, model: str) -> tuple[float, float] | None:
        """The two prices of a model: by its name, or by the longest known name that only the date or number of a
        version follows (``gpt-4o`` for ``gpt-4o-2024-08-06``, but not for ``gpt-4o-mini``). A provider in front
        (``openai/gpt-4o``) makes no difference."""
        if model not in self._found:
            if len(self._found) > 1000:  # names come from responses, and must not fill the memory
                self._found.clear()
            self._found[model] = self._look_up(model.lower())
        return self._found[model]

    def _look_up(self, model: str) -> tuple[float, float] | None:
        for name in (model, _PROVIDER.sub("", model, count=1)):
            if name in self._table:
                return self._table[name]
            for end in range(len(name) - 1, 0, -1):
                if name[end] in "-@" and name[:end] in self._table and _VERSION.fullmatch(name, end):
                    return self._table[name[:end]]
        return None

    @classmethod
    def load(
        cls, user_file: Path | str | None = None, extra: Mapping[str, tuple[float, float]] | None = None
    ) -> Prices:
        """The shipped table, overridden by ``extra`` (what plugins registered), overridden by the user's file.

        The file is TOML with one table ``[prices]``; a line of it is
        ``"my-model" = { input = 0.50, output = 1.50 }``.

        Raises:
            ConfigError: for a file that cannot be read or a price that cannot be one; it names file and model.
        """
        table = _read(SHIPPED)
        for name, prices in (extra or {}).items():
            table[name] = _plugin_price(name, prices)
        if user_file is not None:
            table = {name.lower(): prices for name, prices in table.items()}
            table.update({name.lower(): prices for name, prices in _read(Path(user_file)).items()})
        return cls(table)


def _read(path: Path) -> dict[str, tuple[float, float]]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"price table {path}: there is no such file; correct the setting `prices`") from error
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"price table {path} cannot be read: {reason}; correct the setting `prices`") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"price table {path} is not TOML: {error}") from error
    for key in data:
        if key != "prices":
            raise ConfigError(f"price table {path}: unknown key {key!r}; put every model below one line [prices]")
    prices = data.get("prices", {})
    if not isinstance(prices, dict):
        raise ConfigError(f"price table {path}: prices must be a table; begin it with a line [prices]")
    return {name: _user_price(f"price table {path}: {name!r}", prices[name]) for name in prices}


def _user_price(place: str, given: Any) -> tuple[float, float]:
    shape = "write { input = 2.50, output = 10.00 }, in US dollars for a million tokens"
    if not isinstance(given, dict):
        raise ConfigError(f"{place} is {given!r}; {shape}")
    for key, value in given.items():
        if key in ("input", "output"):
            continue
        if isinstance(value, dict):
            raise ConfigError(f'{place} holds a table {key!r}; a name with a dot needs quotes, such as "gpt-4.1"')
        near = difflib.get_close_matches(key, ("input", "output"), n=1)
        hint = f"did you mean {near[0]!r}?" if near else shape
        raise ConfigError(f"{place} has an unknown key {key!r}; {hint}")
    missing = [key for key in ("input", "output") if key not in given]
    if missing:
        raise ConfigError(f"{place} has no {missing[0]!r}; {shape}")
    return _dollars(f"{place}, input", given["input"]), _dollars(f"{place}, output", given["output"])


def _plugin_price(name: str, given: Any) -> tuple[float, float]:
    place = f"the price of {name!r} that a plugin registered"
    if not isinstance(name, str) or not isinstance(given, (tuple, list)) or len(given) != 2:
        raise ConfigError(f"{place} is {given!r}; it must be a name and two numbers (input, output)")
    return _dollars(f"{place}, input", given[0]), _dollars(f"{place}, output", given[1])


def _dollars(place: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise ConfigError(
            f"{place} is {value!r}, but must be a number of 0 or more: US dollars for a million tokens, without a sign"
        )
    return float(value)
