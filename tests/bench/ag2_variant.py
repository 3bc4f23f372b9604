"""One measurement of ``bench_ag2``, in a process of its own: ``ag2_variant.py VARIANT CASE MESSAGES FOLDER``.

Three agents in a round robin write messages of 320 B, every one different. In the case ``replies`` a registered
function answers, in the case ``model`` a scripted client behind ``OpenAIWrapper``, so that every call sends the whole
history. Nothing is printed by the framework in any variant. A short chat goes first, so that what each recorder loads
or opens at the first event is not counted as the cost of a message.

Prints one JSON object.
"""

from __future__ import annotations

import importlib
import itertools
import json
import logging
import os
import sqlite3
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from common import bytes_below, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZE = 320
WARM_UP = 30
AGENTS = ("ada", "ben", "cleo")


class Variant:
    """A recorder: how it is switched on, how its data comes to disk, and what it then holds."""

    def __init__(
        self, start: Callable[[], object], settle: Callable[[], object], recorded: Callable[[], int | None]
    ) -> None:
        self.start = start
        self.settle = settle
        self.recorded = recorded


def plain(_place: Path) -> Variant:
    """Nothing."""
    return Variant(lambda: None, lambda: None, lambda: None)


def seasoned(place: Path) -> Variant:
    """This package, as ``enable()`` sets it up; settled is what ``flush()`` and a checkpoint leave."""
    import seasoned as package

    home = place / "home"

    def settle() -> None:
        report: Any = package.flush()
        if report is not None and report.error:
            raise RuntimeError(report.error)
        with sqlite3.connect(home / "seasoned.db") as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()

    def recorded() -> int:
        with sqlite3.connect(home / "seasoned.db") as database:
            count = database.execute("SELECT sum(messages) FROM runs").fetchone()[0]
        database.close()
        return int(count)

    return Variant(lambda: package.enable(home=str(home), namespace="bench", summary=False), settle, recorded)


def runtime_logging(kind: str) -> Callable[[Path], Variant]:
    """The framework's own recorder. It logs each receiving of a message as an event."""

    def make(place: Path) -> Variant:
        logging_module = importlib.import_module("autogen.runtime_logging")
        file = place / ("log.db" if kind == "sqlite" else "log.txt")
        name = {"dbname": str(file)} if kind == "sqlite" else {"filename": str(file)}

        def start() -> None:
            logging_module.start(logger_type=kind, config=name)
            logging.getLogger("autogen.logger.file_logger").propagate = False  # its records are for the file

        def recorded() -> int:
            if kind == "file":
                # A group hands each message to the two others and to the manager.
                return file.read_text(encoding="utf-8").count('"event_name": "received_message"') // 3
            with sqlite3.connect(file) as database:
                query = "SELECT count(*) FROM events WHERE event_name = 'received_message'"
                return int(database.execute(query).fetchone()[0]) // 3

        return Variant(start, lambda: None, recorded)

    return make


def openinference(module: str, name: str, *, span: str = "", **options: Any) -> Callable[[Path], Variant]:
    """OpenInference's instrumentor with a batch processor and an exporter that writes JSON lines.

    Args:
        module: where the instrumentor is.
        name: its class.
        span: part of the names of the spans that are counted.
        options: for the batch processor.
    """

    def make(place: Path) -> Variant:
        sdk = importlib.import_module("opentelemetry.sdk.trace")
        export = importlib.import_module("opentelemetry.sdk.trace.export")
        instrumentor = getattr(importlib.import_module(module), name)()
        file = place / "spans.jsonl"

        class Exporter(export.SpanExporter):
            def export(self, spans: Any) -> Any:
                with file.open("a", encoding="utf-8") as out:
                    out.writelines(one.to_json(indent=None) + "\n" for one in spans)
                return export.SpanExportResult.SUCCESS

        provider = sdk.TracerProvider()

        def start() -> None:
            provider.add_span_processor(export.BatchSpanProcessor(Exporter(), **options))
            instrumentor.instrument(tracer_provider=provider)
            if not instrumentor.is_instrumented_by_opentelemetry:
                raise RuntimeError("the instrumentor refused this distribution and would record nothing")

        def recorded() -> int:
            with file.open(encoding="utf-8") as lines:
                return sum(span in json.loads(line)["name"] for line in lines)

        return Variant(start, provider.force_flush, recorded)

    return make


PEER = "openinference.instrumentation.ag2"
VARIANTS: dict[str, Callable[[Path], Variant]] = {
    "plain": plain,
    "seasoned": seasoned,
    "runtime_logging, file": runtime_logging("file"),
    "runtime_logging, sqlite": runtime_logging("sqlite"),
    "OpenInference, batch": openinference(PEER, "AG2Instrumentor", span="generate_reply"),
}


def group(case: str, contents: Iterator[str], rounds: int) -> tuple[Any, Any]:
    """The first agent and the manager of a new group chat."""
    autogen = importlib.import_module("autogen")

    class Client:
        """A model client that answers at once, with the next text."""

        def __init__(self, config: dict[str, Any], **_: Any) -> None:
            self.model = config["model"]

        def create(self, params: dict[str, Any]) -> SimpleNamespace:
            message = SimpleNamespace(content=next(contents), role="assistant", tool_calls=None, function_call=None)
            return SimpleNamespace(
                choices=[SimpleNamespace(message=message, finish_reason="stop")], model=self.model, cost=0.0,
                usage=SimpleNamespace(prompt_tokens=80, completion_tokens=80, total_tokens=160),
            )  # fmt: skip

        def message_retrieval(self, response: Any) -> list[str]:
            return [choice.message.content for choice in response.choices]

        def cost(self, response: Any) -> float:
            return 0.0

        @staticmethod
        def get_usage(response: Any) -> dict[str, Any]:
            used = response.usage
            return {
                "prompt_tokens": used.prompt_tokens, "completion_tokens": used.completion_tokens,
                "total_tokens": used.total_tokens, "cost": 0.0, "model": response.model,
            }  # fmt: skip

    agents = []
    for name in AGENTS:
        settings: Any = False
        if case == "model":
            entry = {"model": "scripted", "model_client_cls": "Client", "api_key": "none"}
            settings = {"config_list": [entry], "cache_seed": None}
        agent = autogen.ConversableAgent(
            name, system_message=f"You are {name}.", llm_config=settings, human_input_mode="NEVER",
            max_consecutive_auto_reply=10**9,
        )  # fmt: skip
        if case == "model":
            agent.register_model_client(Client)
        else:
            agent.register_reply([autogen.Agent, None], lambda *_a, **_k: (True, next(contents)), position=0)
        agents.append(agent)
    chat = autogen.GroupChat(agents, messages=[], max_round=rounds, speaker_selection_method="round_robin")
    return agents[0], autogen.GroupChatManager(chat, llm_config=False, human_input_mode="NEVER")


def silence() -> None:
    """Let the framework print nothing and log nothing on the terminal."""
    base = importlib.import_module("autogen.io.base")

    class Nowhere:
        def print(self, *objects: Any, **_: Any) -> None:
            pass

        def send(self, message: Any) -> None:
            pass

        def input(self, prompt: str = "", **_: Any) -> str:
            raise RuntimeError("nobody is there to be asked")

    base.IOStream.set_global_default(Nowhere())
    logging.getLogger("autogen.oai.client").setLevel(logging.ERROR)


def main(name: str, case: str, count: int, place: Path) -> dict[str, Any]:
    """Measure one chat: microseconds and bytes are for each message, ``recorded`` counts messages."""
    importlib.import_module("autogen")
    silence()
    variant = VARIANTS[name](place)
    variant.start()
    contents = itertools.cycle(texts(count + WARM_UP + 1, SIZE))

    def chat(messages: int) -> tuple[float, float, float]:
        """Wall and own CPU seconds of a chat, and the CPU time of the whole process when it began."""
        first, manager = group(case, contents, messages)
        cpu, own, start = time.process_time(), time.thread_time(), time.perf_counter()
        first.initiate_chat(manager, message=next(contents), silent=True)
        elapsed, own = time.perf_counter() - start, time.thread_time() - own
        if len(manager.groupchat.messages) != messages:
            raise RuntimeError(f"the chat has {len(manager.groupchat.messages)} messages instead of {messages}")
        return elapsed, own, cpu

    chat(WARM_UP)
    variant.settle()
    bytes_before, recorded_before = bytes_below(place), variant.recorded()
    wall, own, cpu = chat(count)
    middle = time.perf_counter()
    variant.settle()
    settle, cpu = time.perf_counter() - middle, time.process_time() - cpu
    recorded = variant.recorded()
    return {
        "us": wall / count * 1e6,
        "own_us": own / count * 1e6,
        "cpu_us": cpu / count * 1e6,
        "settle_s": settle,
        "bytes": (bytes_below(place) - bytes_before) / count,
        "recorded": None if recorded is None or recorded_before is None else recorded - recorded_before,
        "files": {path.name: path.stat().st_size for path in place.rglob("*") if path.is_file()},
    }


if __name__ == "__main__":
    os.environ.pop("SEASONED_ENABLED", None)
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))))
