"""Outcomes: trust, complexity, exceptions and the ready-made rules."""

from __future__ import annotations

import asyncio
import socket
import ssl
import urllib.error
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seasoned.instrumentation.errors import ConfigError
from seasoned.instrumentation.events import Event
from seasoned.instrumentation.outcome_rules import rules_from
from seasoned.instrumentation.outcomes import TRUST, classify_exception, complexity, trust, verdict_source
from seasoned.instrumentation.reading import RunRecord

if TYPE_CHECKING:
    from seasoned.instrumentation.records import Verdict

RUN = RunRecord(run_id="r", session_id="s", namespace="n", agents=("writer", "verifier", "executor"))


def event(kind: str, agent: str | None, **payload: Any) -> Event:
    return Event(run_id="r", writer="w", seq=0, kind=kind, at=0, turn=1, agent=agent, payload=payload)


def said(agent: str, content: Any) -> Event:
    return event("message", agent, recipients=[], role="assistant", content=content)


def judged(config: dict[str, Any], *events: Event) -> Verdict | None:
    (rule,) = rules_from(config)
    return rule.judge(RUN, events)


# -- trust -------------------------------------------------------------------------------------------------------


def test_trust_falls_from_the_user_to_the_exception():
    order = ["user", "evaluator", "reward", "check", "rule", "exception"]
    ranks = [trust(source) for source in order]
    assert ranks == sorted(set(ranks), reverse=True)
    assert trust("app") == trust("user")
    assert trust("rule:exit_code") == TRUST["rule"]
    assert trust("Evaluator:my judge") == TRUST["evaluator"]
    assert trust("") == trust(None) == 0


def test_a_name_of_the_users_own_is_the_user():
    assert trust("qa-team") == trust("qa-team:anna") == TRUST["user"]


@pytest.mark.parametrize(
    ("given_source", "recorded"),
    [
        ("rule:exit_code", "rule:exit_code"),
        ("evaluator", "evaluator"),
        ("evaluator:llm", "evaluator:llm"),
        ("check:pytest", "check:pytest"),
        ("llm-judge", "evaluator:llm-judge"),
        ("user", "evaluator:user"),
        ("app:x", "evaluator:app:x"),
        ("", "evaluator"),
    ],
)
def test_a_verdict_never_speaks_for_the_user(given_source: str, recorded: str):
    assert verdict_source(given_source) == recorded
    assert trust(verdict_source(given_source)) <= TRUST["evaluator"]


# -- complexity --------------------------------------------------------------------------------------------------


def counted(messages: int = 0, tool_calls: int = 0, errors: int = 0, agents: int = 2) -> RunRecord:
    names = tuple("abcdefghijklmnopqrstuvwxyz"[:agents])
    counters = {"messages": messages, "tool_calls": tool_calls, "errors": errors, "agents": names}
    return msgspec.structs.replace(RUN, **counters)


@pytest.mark.parametrize(
    ("run", "wanted"),
    [
        (counted(), "low"),
        (counted(messages=12), "low"),
        (counted(messages=11, tool_calls=3, agents=3), "low"),
        (counted(messages=12, tool_calls=4), "medium"),
        (counted(messages=24), "medium"),
        (counted(messages=12, errors=1), "medium"),
        (counted(messages=12, tool_calls=4, errors=1, agents=3), "medium"),
        (counted(messages=12, tool_calls=10, errors=1), "high"),
        (counted(messages=24, tool_calls=4, agents=4), "high"),
        (counted(messages=500, tool_calls=500, errors=500, agents=26), "high"),
    ],
)
def test_complexity_by_what_was_recorded(run: RunRecord, wanted: str):
    assert complexity(run) == wanted


def test_code_executions_are_steps_where_events_are_given():
    runs = [event("code_execution", "executor", exit_code=0)] * 4
    assert complexity(counted(messages=12)) == "low"
    assert complexity(counted(messages=12), runs) == "medium"


@given(st.integers(0, 100), st.integers(0, 50), st.integers(0, 20), st.integers(0, 9), st.integers(0, 3))
def test_more_work_never_makes_a_run_simpler(messages: int, calls: int, errors: int, agents: int, more: int):
    order = ["low", "medium", "high"]
    before = complexity(counted(messages, calls, errors, agents))
    after = complexity(counted(messages + more, calls + more, errors + more, agents + more))
    assert order.index(after) >= order.index(before)


# -- exceptions --------------------------------------------------------------------------------------------------


def of_module(module: str, base: type[BaseException] = Exception) -> BaseException:
    return type("Error", (base,), {"__module__": module})("x")


def chained(outer: BaseException, inner: BaseException, *, how: str) -> BaseException:
    try:
        try:
            raise inner
        except BaseException as error:
            if how == "cause":
                raise outer from error
            if how == "hidden":
                raise outer from None
            raise outer  # noqa: B904
    except BaseException as error:  # noqa: BLE001
        return error


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad"), KeyError("x"), RuntimeError(), ZeroDivisionError(), FileNotFoundError("x"), AssertionError(),
        PermissionError("no"), of_module("mypackage.tools"), of_module("openai_tools"), of_module("requestsx.y"),
        NotImplementedError(), MemoryError(), RecursionError(),
    ],
)  # fmt: skip
def test_what_agents_and_tools_raise_is_a_failure(error: BaseException):
    assert classify_exception(error) == "failure"


@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt(), SystemExit(1), asyncio.CancelledError(), GeneratorExit(), ConnectionError("x"),
        ConnectionResetError(), BrokenPipeError(), TimeoutError(), asyncio.TimeoutError(),
        socket.gaierror("x"), ssl.SSLError("x"), urllib.error.URLError("x"), of_module("openai"),
        of_module("openai._exceptions"), of_module("anthropic"), of_module("httpx"), of_module("httpcore._x"),
        of_module("requests.exceptions"), of_module("urllib3.exceptions"), of_module("aiohttp.client"),
        of_module("google.genai.errors"), of_module("botocore.errorfactory"), of_module("mistralai.models"),
        of_module("cohere"), of_module("groq"), of_module("together"), of_module("grpc._channel"),
        type("Mine", (type(of_module("openai")),), {"__module__": "mine"})(),
    ],
)  # fmt: skip
def test_interruptions_and_troubles_of_services_say_nothing(error: BaseException):
    assert classify_exception(error) == "unknown"
    for how in ("cause", "context"):
        assert classify_exception(chained(RuntimeError("wrapped"), error, how=how)) == "unknown"


def test_a_context_that_was_hidden_does_not_count():
    assert classify_exception(chained(ValueError("own"), ConnectionError("x"), how="hidden")) == "failure"


def test_a_failure_behind_a_failure_and_a_chain_that_bites_its_tail():
    error = chained(ValueError("outer"), KeyError("inner"), how="cause")
    assert classify_exception(error) == "failure"
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert classify_exception(first) == "failure"


def test_errors_of_the_real_client():
    openai = pytest.importorskip("openai")
    httpx = pytest.importorskip("httpx")
    request = httpx.Request("POST", "https://api.openai.com")
    for error in (
        openai.APITimeoutError(request=request),
        openai.RateLimitError("slow", response=httpx.Response(429, request=request), body=None),
        openai.AuthenticationError("key", response=httpx.Response(401, request=request), body=None),
    ):
        assert classify_exception(error) == "unknown"
        assert classify_exception(chained(RuntimeError("as AutoGen wraps it"), error, how="cause")) == "unknown"


# -- rules -------------------------------------------------------------------------------------------------------

APPROVAL = {"termination_text": {"agent": "verifier", "success": "APPROVED", "failure": "REJECTED"}}


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["APPROVED"], True),
        (["all fine. APPROVED."], True),
        (["REJECTED: no tests"], False),
        (["REJECTED", "APPROVED"], True),
        (["APPROVED", "REJECTED"], False),
        (["APPROVED", "thank you"], True),
        (["say APPROVED or REJECTED"], False),
        (["NOT APPROVED"], None),
        (["this is not APPROVED"], None),
        (["DISAPPROVED", "APPROVEDLY"], None),
        (["approved"], None),
        (["nothing"], None),
        ([], None),
        ([None], None),
    ],
)
def test_termination_text(texts: list[Any], wanted: bool | None):
    verdict = judged(APPROVAL, *(said("verifier", text) for text in texts), said("writer", "APPROVED REJECTED"))
    assert (verdict and verdict.success) == wanted
    if verdict is not None:
        assert verdict.source == "rule:termination_text"
        assert verdict.excluded == ("verifier",)
        assert "verifier said" in verdict.reason


@pytest.mark.parametrize(
    ("config", "codes", "wanted"),
    [
        ({"exit_code": {}}, [("executor", 0)], True),
        ({"exit_code": True}, [("executor", 1), ("executor", 0)], True),
        ({"exit_code": {}}, [("executor", 0), ("executor", 1)], False),
        ({"exit_code": {}}, [("executor", 0), ("executor", None)], True),
        ({"exit_code": {"agent": "tester"}}, [("tester", 0), ("executor", 1)], True),
        ({"exit_code": {"agent": "tester"}}, [("executor", 1)], None),
        ({"exit_code": {}}, [], None),
    ],
)
def test_exit_code(config: dict[str, Any], codes: list[Any], wanted: bool | None):
    verdict = judged(config, *(event("code_execution", agent, exit_code=code) for agent, code in codes))
    assert (verdict and verdict.success) == wanted
    if verdict is not None:
        assert (verdict.source, verdict.excluded) == ("rule:exit_code", ())


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"where": "tool_result", "success": "booked"}, True),
        ({"where": "tool_result", "success": "booked", "tool": "pay"}, None),
        ({"where": "tool_result", "failure": "refused", "tool": "pay"}, False),
        ({"where": "tool_result", "failure": "Error: card", "tool": "pay"}, False),
        ({"where": "tool_result", "success": "booked", "failure": "refused"}, False),
        ({"where": "code_output", "success": r"(?m)^\d+ passed", "failure": r"\d+ failed"}, True),
        ({"where": "code_output", "success": "passed", "agent": "writer"}, None),
        ({"where": "message", "agent": "verifier", "success": "(?i)looks good"}, True),
        ({"where": "message", "agent": "executor", "success": "(?i)looks good"}, None),
    ],
)
def test_pattern(settings: dict[str, Any], wanted: bool | None):
    verdict = judged(
        {"pattern": settings},
        event("tool_result", "executor", tool="book", ok=True, content="booked K7"),
        event("tool_result", "executor", tool="pay", ok=False, content="refused", error="Error: card"),
        event("code_execution", "executor", output="\n3 passed in 1 s", exit_code=0),
        said("verifier", "Looks good to me"),
        said("writer", "looks good, booked, 9 failed"),
    )
    assert (verdict and verdict.success) == wanted
    if verdict is not None:
        assert verdict.source == "rule:pattern"
        assert verdict.excluded == (("verifier",) if settings["where"] == "message" else ())


def test_rules_keep_their_order_and_may_come_in_lists():
    rules = rules_from(
        {
            "exit_code": {},
            "pattern": [{"where": "code_output", "success": "ok"}, {"where": "tool_result", "failure": "no"}],
            "termination_text": {"agent": "verifier", "success": "DONE"},
        }
    )
    assert [rule.name for rule in rules] == ["exit_code", "pattern", "pattern", "termination_text"]
    assert rules_from({}) == rules_from({"exit_code": False}) == []


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"exit_cod": {}}, "no rule 'exit_cod'; did you mean 'exit_code'"),
        ({"zzz": {}}, "there are termination_text, exit_code, pattern"),
        ({"exit_code": 5}, "must be a table"),
        ({"exit_code": {"agnet": "x"}}, "unknown setting 'agnet'; did you mean 'agent'"),
        ({"exit_code": {"agent": 5}}, "agent is 5"),
        ({"termination_text": {"success": "x"}}, "nobody is judged by its own words"),
        ({"termination_text": {"agent": "x"}}, "needs success or failure"),
        ({"termination_text": {"agent": "x", "success": ""}}, "success is ''"),
        ({"pattern": {"success": "x"}}, "needs where"),
        ({"pattern": {"where": "messages", "success": "x"}}, "where = 'messages'; it is one of"),
        ({"pattern": {"where": "message", "success": "x"}}, "nobody is judged by its own words"),
        ({"pattern": {"where": "code_output", "tool": "x", "success": "x"}}, "tool goes with"),
        ({"pattern": {"where": "code_output"}}, "needs success or failure"),
        ({"pattern": {"where": "code_output", "success": "("}}, "not a regular expression"),
        ({"pattern": {"where": "code_output", "success": "x*"}}, "matches the empty text"),
        ({"pattern": [{"where": "code_output", "success": "x"}, {}]}, "number 2 needs where"),
    ],
)
def test_a_rule_that_cannot_be_used_is_told(config: dict[str, Any], told: str):
    with pytest.raises(ConfigError, match=told):
        rules_from(config)
