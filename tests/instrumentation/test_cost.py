"""Tokens and cost: every spelling of the providers, and prices that are right or missing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seasoned.instrumentation.cost import SHIPPED, Prices, response_cost, usage_of
from seasoned.instrumentation.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

USAGES = [
    ({"prompt_tokens": 10, "completion_tokens": 3}, {"input_tokens": 10, "output_tokens": 3}),
    ({"input_tokens": 10, "output_tokens": 3}, {"input_tokens": 10, "output_tokens": 3}),
    ({"prompt_tokens": "10", "completion_tokens": None}, {"input_tokens": 10, "output_tokens": 0}),
    ({"prompt_tokens": 10.0, "completion_tokens": True}, {"input_tokens": 10, "output_tokens": 0}),
    (
        {
            "prompt_tokens": 10,
            "completion_tokens": 30,
            "completion_tokens_details": {"reasoning_tokens": 20},
            "prompt_tokens_details": {"cached_tokens": 8},
        },
        {"input_tokens": 10, "output_tokens": 30, "reasoning_tokens": 20, "cached_tokens": 8},
    ),
    (
        {"input_tokens": 10, "output_tokens": 30, "output_tokens_details": {"reasoning_tokens": 20}},
        {"input_tokens": 10, "output_tokens": 30, "reasoning_tokens": 20},
    ),
    (
        {"input_tokens": 10, "output_tokens": 3, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 5},
        {"input_tokens": 105, "output_tokens": 3, "cached_tokens": 90},
    ),
    (
        {"prompt_token_count": 10, "candidates_token_count": 3, "thoughts_token_count": 7},
        {"input_tokens": 10, "output_tokens": 10, "reasoning_tokens": 7},
    ),
    (
        {"input_tokens": 9, "output_tokens": 2, "input_token_details": {"cache_read": 4}},
        {"input_tokens": 9, "output_tokens": 2, "cached_tokens": 4},
    ),
]


def as_object(value: Any) -> Any:
    if isinstance(value, dict):
        return SimpleNamespace(**{key: as_object(part) for key, part in value.items()})
    return value


@pytest.mark.parametrize(("usage", "wanted"), USAGES)
def test_every_spelling_of_usage(usage: dict[str, Any], wanted: dict[str, int]):
    assert usage_of({"usage": usage}) == wanted
    assert usage_of(as_object({"usage": usage})) == wanted
    assert usage_of(SimpleNamespace(usage=usage)) == wanted
    assert usage_of(SimpleNamespace(usage=None, usage_metadata=as_object(usage))) == wanted
    assert usage_of(usage) == wanted


def test_a_completion_of_the_real_client():
    completions = pytest.importorskip("openai.types.chat")
    completion = completions.ChatCompletion.model_validate(
        {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": "gpt-4o-2024-08-06",
            "choices": [],
            "usage": {
                "prompt_tokens": 7,
                "completion_tokens": 5,
                "total_tokens": 12,
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
        }
    )
    assert usage_of(completion) == {"input_tokens": 7, "output_tokens": 5, "reasoning_tokens": 2}
    completion.cost = 0.25
    assert response_cost(completion) == 0.25


class Hostile:
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # pytest and hypothesis ask for some
            raise AttributeError(name)
        raise RuntimeError(name)


@pytest.mark.parametrize(
    "response",
    [
        None, 5, "text", [], {}, {"usage": None}, {"usage": {"prompt_tokens": None}}, {"usage": {"prompt_tokens": -1}},
        {"usage": {"prompt_tokens": float("nan"), "completion_tokens": float("inf")}}, Hostile(), MagicMock(), object,
        {"usage": {"prompt_tokens": "ten", "completion_tokens": "1.5"}},
    ],
)  # fmt: skip
def test_what_tells_no_tokens_gives_none(response: Any):
    assert usage_of(response) is None


NAMES = st.sampled_from(
    ["usage", "prompt_tokens", "output_tokens", "completion_tokens_details", "reasoning_tokens", "cost"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(st.recursive(SCALARS, lambda inner: st.dictionaries(NAMES, inner)))
def test_no_response_makes_it_raise(response: Any):
    usage = usage_of(response)
    assert usage is None or all(isinstance(value, int) and value >= 0 for value in usage.values())
    cost = response_cost(response)
    assert cost is None or cost >= 0


@pytest.mark.parametrize(
    ("cost", "wanted"),
    [(0.5, 0.5), (0, 0.0), (2, 2.0), (None, None), (-1, None), (float("nan"), None), (float("inf"), None), ("1", None),
     (True, None), (10**400, None)],
)  # fmt: skip
def test_a_cost_on_the_response(cost: Any, wanted: float | None):
    assert response_cost(SimpleNamespace(cost=cost)) == wanted
    assert response_cost({"cost": cost}) == wanted
    assert response_cost(Hostile()) is None


# -- prices ------------------------------------------------------------------------------------------------------

PRICES = Prices({"gpt-4o": (2.5, 10), "gpt-4o-2024-05-13": (5, 15), "gpt-4": (30, 60), "gpt-4o-mini": (0.15, 0.6)})


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("gpt-4o", 12.5),
        ("GPT-4o", 12.5),
        ("gpt-4o-2024-08-06", 12.5),
        ("gpt-4o-latest", 12.5),
        ("gpt-4o-2024-05-13", 20),
        ("gpt-4-0613", 90),
        ("gpt-4@20240613", 90),
        ("openai/gpt-4o", 12.5),
        ("azure/gpt-4o-2024-08-06", 12.5),
        ("gpt-4o-mini", 0.75),
        ("gpt-4o-mini-2024-07-18", 0.75),
        ("gpt-4o-audio", None),
        ("gpt-4o-audio-2024-10-01", None),
        ("gpt-4-32k", None),
        ("gpt-4.1", None),
        ("gpt-5", None),
        ("my-gpt-4o", None),
        ("", None),
    ],
)
def test_a_price_is_that_of_the_model_or_none(model: str, wanted: float | None):
    assert PRICES.cost(model, 1_000_000, 1_000_000) == wanted


def test_cost_is_by_the_million():
    assert PRICES.cost("gpt-4o", 1000, 100) == pytest.approx(0.0035)
    assert PRICES.cost("gpt-4o", 0, 0) == 0.0


def test_the_shipped_table_is_sound_and_each_line_has_its_source():
    prices = Prices.load()
    assert len(prices) > 40
    assert prices.cost("gpt-4o-mini-2024-07-18", 1_000_000, 0) == 0.15
    assert prices.cost("claude-3-5-sonnet-20241022", 0, 1_000_000) == 15.0
    assert prices.cost("gemini-1.5-pro-002", 1_000_000, 0) == 1.25
    assert prices.cost("llama-70b-of-my-own", 1, 1) is None
    source = None
    for line in SHIPPED.read_text(encoding="utf-8").splitlines():
        if line.startswith("# ") and "https://" in line:
            source = line
        if line.startswith('"'):
            assert source is not None, line


def test_the_user_wins_over_plugins_and_they_over_the_shipped_table(tmp_path: Path):
    table = tmp_path / "prices.toml"
    table.write_text('[prices]\n"GPT-4o" = { input = 1, output = 2 }\n"mine" = { input = 0, output = 0.5 }\n')
    prices = Prices.load(table, {"gpt-4o": (7, 7), "other": (3, 4), "gpt-4.1": (9, 9)})
    assert prices.of("gpt-4o-2024-08-06") == (1, 2)
    assert prices.of("mine") == (0, 0.5)
    assert prices.of("other") == (3, 4)
    assert prices.of("gpt-4.1") == (9, 9)
    assert prices.of("o3") == Prices.load().of("o3")
    assert Prices.load(str(table)).of("mine") == (0, 0.5)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[prices]\n"m" = 5', r"'m' is 5; write \{ input"),
        ('[prices]\n"m" = { input = 1 }', "'m' has no 'output'"),
        ('[prices]\n"m" = { input = 1, outptu = 2 }', "unknown key 'outptu'; did you mean 'output'"),
        ('[prices]\n"m" = { input = -1, output = 2 }', "'m', input is -1, but must be a number"),
        ('[prices]\n"m" = { input = "1", output = 2 }', "'m', input is '1'"),
        ('[prices]\n"m" = { input = nan, output = 2 }', "'m', input is nan"),
        ('[prices]\n"m" = { input = true, output = 2 }', "'m', input is True"),
        ("[prices]\ngpt-4.1 = { input = 1, output = 2 }", "needs quotes"),
        ('"m" = { input = 1, output = 2 }', "unknown key 'm'; put every model below"),
        ("prices = 1", "must be a table"),
        ("[prices", "is not TOML"),
    ],
)
def test_a_bad_table_is_told_with_its_file_and_place(tmp_path: Path, text: str, told: str):
    table = tmp_path / "my prices.toml"
    table.write_text(text)
    with pytest.raises(ConfigError, match=told) as caught:
        Prices.load(table)
    assert str(table) in str(caught.value)


def test_a_missing_table_and_a_bad_price_of_a_plugin(tmp_path: Path):
    with pytest.raises(ConfigError, match="there is no such file"):
        Prices.load(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        Prices.load(tmp_path)
    for bad in ((1,), 5, ("a", 1), (1, -1)):
        with pytest.raises(ConfigError, match="'m' that a plugin registered"):
            Prices.load(None, {"m": bad})  # type: ignore[dict-item]
