"""Exported traces: valid OTLP/JSON, in the terms of the conventions for generative AI."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from export_kit import BUNDLED, Place, everything, places

if TYPE_CHECKING:
    from pathlib import Path

HEX = {"traceId": re.compile("[0-9a-f]{32}"), "spanId": re.compile("[0-9a-f]{16}")}
KEYS = {"traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "attributes",
        "events", "status", "droppedEventsCount"}  # fmt: skip
VALUES = {"stringValue": str, "boolValue": bool, "intValue": str, "doubleValue": (int, float)}


def checked(path: Path) -> list[dict[str, Any]]:
    """The spans of a file, after everything that the protocol and a reader rely on was looked at."""
    text = path.read_text(encoding="utf-8")
    document = json.loads(text)
    assert set(document) == {"resourceSpans"}
    spans: dict[str, dict[str, Any]] = {}
    for entry in document["resourceSpans"]:
        assert [a["key"] for a in entry["resource"]["attributes"]] == ["service.name"]
        (scope,) = entry["scopeSpans"]
        assert scope["scope"] == {"name": "seasoned"}
        for span in scope["spans"]:
            assert set(span) <= KEYS
            assert all(HEX[key].fullmatch(span[key]) for key in HEX)
            assert int(span["spanId"], 16), "zero is no id"
            assert span["spanId"] not in spans
            assert span["kind"] in (1, 3)
            for owner in (span, *span.get("events", ())):
                names = [attribute["key"] for attribute in owner["attributes"]]
                assert len(names) == len(set(names))
                for attribute in owner["attributes"]:
                    ((kind, value),) = attribute["value"].items()
                    assert isinstance(value, VALUES[kind])
            spans[span["spanId"]] = span
    for span in spans.values():
        start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
        assert start <= end
        assert all(start <= int(event["timeUnixNano"]) <= end for event in span.get("events", ()))
        if "parentSpanId" in span:
            parent = spans[span["parentSpanId"]]
            assert parent["traceId"] == span["traceId"]
            assert int(parent["startTimeUnixNano"]) <= start
            assert end <= int(parent["endTimeUnixNano"])
    roots = [span for span in spans.values() if "parentSpanId" not in span]
    assert len({span["traceId"] for span in spans.values()}) == len(roots) == len(document["resourceSpans"])
    return list(spans.values())


def of(span: dict[str, Any]) -> dict[str, Any]:
    """A span's attributes."""
    return {a["key"]: next(iter(a["value"].values())) for a in span["attributes"]}


def named(spans: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [span for span in spans if span["name"] == name]


def test_a_run_with_everything_in_it(tmp_path: Path):
    with places(tmp_path, "one") as (one,):
        outer, inner = everything(one.recorder)
        one.ingest()
        path = one.write(tmp_path / "run.json", outer)
        assert one.write(tmp_path / "again.json").read_bytes() == path.read_bytes()
    spans = checked(path)
    by_id = {span["spanId"]: span for span in spans}
    root = next(span for span in spans if "parentSpanId" not in span)
    assert root["name"] == "invoke_workflow shop"
    facts = of(root)
    assert (facts["gen_ai.operation.name"], facts["seasoned.run_id"]) == ("invoke_workflow", outer)
    assert json.loads(facts["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "Refund order W1 for me"}]}
    ]
    (verdict,) = [event for event in root["events"] if event["name"] == "gen_ai.evaluation.result"]
    assert of(verdict) == {
        "gen_ai.evaluation.name": "qa-team", "gen_ai.evaluation.score.label": "success",
        "gen_ai.evaluation.score.value": 0.5,
    }  # fmt: skip
    first, second = named(spans, "chat gpt-4o")
    assert by_id[first["parentSpanId"]]["name"] == "invoke_agent ada"
    facts = of(first)
    assert int(first["endTimeUnixNano"]) - int(first["startTimeUnixNano"]) == 12_350_000  # as kept: 12.35 ms
    expected = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
        "gen_ai.agent.name": "ada", "gen_ai.usage.input_tokens": "30", "gen_ai.usage.output_tokens": "4",
        "gen_ai.usage.reasoning.output_tokens": "2",
    }  # fmt: skip
    assert {key: facts[key] for key in expected} == expected
    system, asked = json.loads(facts["gen_ai.input.messages"])
    assert system["parts"][0]["content"].endswith("</experience>"), "as the model saw it"
    assert asked == {
        "role": "user", "name": "ann", "parts": [{"type": "text", "content": "Refund order W1 for me"}],
    }  # fmt: skip
    (answer,) = json.loads(facts["gen_ai.output.messages"])
    assert [part["type"] for part in answer["parts"]] == ["reasoning", "tool_call"]
    assert answer["parts"][1]["arguments"] == {"order": "W1"}
    assert (of(second)["error.type"], second["status"]) == ("Timeout", {"code": 2, "message": "too late"})
    sent = json.loads(of(second)["gen_ai.input.messages"])
    assert [part["type"] for message in sent for part in message["parts"]] == [
        "text", "text", "tool_call", "tool_call_response", "text", "image_url",
    ]  # fmt: skip
    (tool,) = named(spans, "execute_tool look_up")
    facts = of(tool)
    assert (facts["gen_ai.tool.name"], facts["gen_ai.tool.call.id"], facts["error.type"]) == (
        "look_up",
        "c1",
        "KeyError",
    )
    assert json.loads(facts["gen_ai.tool.call.arguments"]) == {"order": "W1"}
    nested = next(span for span in spans if of(span).get("seasoned.run_id") == inner)
    assert nested["parentSpanId"] == tool["spanId"], "it happened while the tool was at work"
    (code,) = named(spans, "execute_tool code_execution")
    assert (of(code)["process.exit.code"], of(code)["error.type"]) == ("1", "exit_code")
    events = [event["name"] for span in spans for event in span.get("events", ())]
    assert {"exception", "seasoned.injection", "seasoned.transition", "seasoned.gap"} <= set(events)


def test_real_runs(tmp_path: Path):
    with places(tmp_path, "one") as (one,):
        one.take(BUNDLED)
        spans = checked(one.write(tmp_path / "runs.json"))
        rows = one.rows()
    assert len([span for span in spans if "parentSpanId" not in span]) == len(rows) == 128
    tools = [span for span in spans if of(span)["gen_ai.operation.name"] == "execute_tool"]
    assert len(tools) == sum(row["tool_calls"] for row in rows.values())
    assert sum("status" in span for span in tools) >= sum(row["errors"] for row in rows.values()) > 0


def test_a_run_that_was_killed_has_spans_for_what_had_no_end(tmp_path: Path):
    with places(tmp_path, "one") as (one,):
        run = one.recorder.begin("Never to be ended, this one")
        run.turn = 1
        one.recorder.record(run, "tool_call", "ada", {"tool": "find", "call_id": "x", "arguments": {"a": 1}})
        one.recorder.message(run, "ada", [], "assistant", "so far")
        child = one.recorder.begin("Inside of it", parent=run)
        one.recorder.message(child, "ben", [], "assistant", "and here")
        run.turn = 2
        one.recorder.record(run, "tool_result", "cleo", {"tool": "other", "call_id": None, "ok": True, "content": [1]})
        one.ingest()
        spans = checked(one.write(tmp_path / "run.json", run.run_id))
        alone = checked(one.write(tmp_path / "child.json", child.run_id))
    (call,) = named(spans, "execute_tool find")
    assert call["status"] == {"code": 2, "message": "no answer was recorded"}
    assert of(call)["error.type"] == "_OTHER"
    (result,) = named(spans, "execute_tool other")
    assert of(result)["gen_ai.tool.call.result"] == "[1]"
    assert [of(span)["seasoned.run_id"] for span in alone if "parentSpanId" not in span] == [child.run_id]


def test_without_contents_there_are_no_messages(tmp_path: Path):
    place = Place(tmp_path / "bare", content=False)
    try:
        everything(place.recorder)
        place.ingest()
        path = place.write(tmp_path / "run.json")
        assert "You are Ada" not in path.read_text()
        assert all("gen_ai.input.messages" not in of(span) for span in checked(path))
    finally:
        place.workspace.close(flush=False)


def test_the_protocol_s_own_classes_read_it(tmp_path: Path):
    service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    from google.protobuf import json_format

    with places(tmp_path, "one") as (one,):
        everything(one.recorder)
        one.ingest()
        document = json.loads(one.write(tmp_path / "run.json").read_text())
    spans = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    for span in spans:  # OTLP/JSON has ids in hexadecimal, where JSON of protobuf has base64
        for key in {"traceId", "spanId", "parentSpanId"} & set(span):
            span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
    request = json_format.ParseDict(document, service.ExportTraceServiceRequest())
    assert len(request.resource_spans[0].scope_spans[0].spans) == len(spans)
