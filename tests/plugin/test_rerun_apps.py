"""Applications of other kinds than a desk, run again with their recorded answers."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
from typing import TYPE_CHECKING, Any

import pytest

import seasoned
from seasoned import replay
from seasoned.instrumentation.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from seasoned.plugin.rerun import Execution

TASK = "Write a line about the harbour, please"


@pytest.fixture
def again(clean_folder: Path) -> Iterator[Callable[..., Execution]]:
    """Records what a callable does, then runs another with the answers; both the same unless told otherwise."""
    opened: list[replay.Replay] = []

    def played(app: Callable[[], Any], other: Callable[[], Any] | None = None, **options: Any) -> Execution:
        seasoned.enable(home=str(clean_folder / "home"), namespace="apps", inject=False, summary=False)
        try:
            made = app()
            if inspect.iscoroutine(made):
                asyncio.run(made)
        finally:
            seasoned.disable()
        opened.append(replay.load("last", home=clean_folder / "home"))
        return opened[-1].execute(other or app, **options)

    yield played
    for one in opened:
        one.close()


def load(name: str) -> Any:
    return pytest.importorskip(name)


class Never:
    """Answers that nobody may take."""

    def __iter__(self) -> Never:
        return self

    def __next__(self) -> Any:
        raise AssertionError("the model was asked")


def test_models_of_texts(again):
    fake = load("langchain_core.language_models.fake")
    prompts = load("langchain_core.prompts")

    def chain(model: Any, stream: bool = False) -> Any:
        runnable = prompts.PromptTemplate.from_template("Say it: {what}") | model
        return (
            "".join(runnable.stream({"what": TASK})) if stream else runnable.batch([{"what": TASK}, {"what": "more"}])
        )

    class Silent(fake.FakeListLLM):
        def _call(self, *_: Any, **__: Any) -> str:
            raise AssertionError("the model was asked")

        async def _acall(self, *_: Any, **__: Any) -> str:
            raise AssertionError("the model was asked")

    for stream in (False, True):
        real = lambda stream=stream: chain(fake.FakeListLLM(responses=["Waves.", "Gulls."]), stream)  # noqa: E731
        expected = real()
        execution = again(real, lambda stream=stream: chain(Silent(responses=[""]), stream))
        assert execution.identical, execution.summary
        assert execution.value == expected
    assert load("langchain_core.language_models.llms").BaseLLM.stream.__qualname__ == "BaseLLM.stream"


def _scripted() -> Any:
    """A chat model that gives its replies in order, and none after them."""
    outputs = load("langchain_core.outputs")

    class Scripted(load("langchain_core.language_models").BaseChatModel):
        replies: list[Any]
        _llm_type = "scripted"

        def bind_tools(self, tools: Any, **_: Any) -> Any:
            return self

        def _generate(self, said: Any, stop: Any = None, run_manager: Any = None, **_: Any) -> Any:
            if not self.replies:
                raise AssertionError("the model was asked")
            return outputs.ChatResult(generations=[outputs.ChatGeneration(message=self.replies.pop(0))])

    return Scripted


@pytest.mark.parametrize("mode", ["invoke", "stream", "ainvoke", "astream"])
def test_an_agent_of_langchain_with_tools_and_a_schema(again, mode):
    agents = load("langchain.agents")
    strategy = load("langchain.agents.structured_output").ToolStrategy
    core = load("langchain_core.messages")
    pydantic = load("pydantic")

    class Verdict(pydantic.BaseModel):
        """How it looks."""

        calm: bool

    scripted = _scripted()

    def look(place: str) -> str:
        """Look at a place."""
        if quiet:
            raise AssertionError("the tool was executed")
        return f"{place} is calm"

    def application(replies: list[Any]) -> Any:
        agent = agents.create_agent(scripted(replies=replies), [look], response_format=strategy(Verdict))
        asked = {"messages": [("user", TASK)]}
        if mode == "invoke":
            return agent.invoke(asked)["structured_response"]
        if mode == "stream":
            return [sorted(update) for update in agent.stream(asked)]
        if mode == "ainvoke":
            return _awaited(agent.ainvoke(asked))

        async def stream() -> Any:
            return [sorted(update) async for update in agent.astream(asked)]

        return stream()

    async def _awaited(result: Any) -> Any:
        return (await result)["structured_response"]

    def replies() -> list[Any]:
        call = {"name": "look", "args": {"place": "harbour"}, "id": "c1", "type": "tool_call"}
        verdict = {"name": "Verdict", "args": {"calm": True}, "id": "c2", "type": "tool_call"}
        return [core.AIMessage("", tool_calls=[call]), core.AIMessage("", tool_calls=[verdict])]

    quiet = False

    def silent() -> Any:
        nonlocal quiet
        quiet = True
        return application([])

    execution = again(lambda: application(replies()), silent)
    assert execution.identical, (execution.summary, execution.error)
    assert execution.served == 3
    if mode.endswith("invoke"):
        assert execution.value.calm is True


def test_a_selector_that_asks_a_model_and_a_team_that_streams(again):
    agents, teams = load("autogen_agentchat.agents"), load("autogen_agentchat.teams")
    conditions = load("autogen_agentchat.conditions")
    client = load("autogen_ext.models.replay").ReplayChatCompletionClient

    async def team(words: dict[str, list[str]]) -> Any:
        writer, critic = (
            agents.AssistantAgent(name, client(words[name]), model_client_stream=True, description=name)
            for name in ("writer", "critic")
        )
        group = teams.SelectorGroupChat(
            [writer, critic], client(words["selector"]), max_turns=3, allow_repeated_speaker=True,
            termination_condition=conditions.TextMentionTermination("DONE"),
        )  # fmt: skip
        return [type(item).__name__ async for item in group.run_stream(task=TASK)][-1]

    words = {"writer": ["The sea.", "The sea, again."], "critic": ["DONE"], "selector": ["writer", "writer", "critic"]}
    execution = again(lambda: team(words), lambda: team({name: ["unused"] for name in words}))
    assert execution.identical, (execution.summary, execution.error)
    assert execution.value == "TaskResult"
    assert execution.served == 6


def test_a_chat_that_runs_code_and_asks_a_person(again, capfd):
    autogen = load("autogen")
    coding = importlib.import_module("autogen.coding")

    class Executor:
        @property
        def code_extractor(self) -> Any:
            return coding.MarkdownCodeExtractor()

        def execute_code_blocks(self, code_blocks: Any) -> Any:
            return coding.CodeResult(exit_code=0, output="4") if not quiet else _never()

        def restart(self) -> None: ...

    def _never() -> Any:
        raise AssertionError("the code was executed")

    class Person(autogen.UserProxyAgent):
        answers: Any = None

        def get_human_input(self, prompt: str, **_: Any) -> str:
            return next(self.answers)

    def application() -> Any:
        person = Person("person", human_input_mode="ALWAYS", code_execution_config=False)
        runner = autogen.ConversableAgent(
            "runner", llm_config=False, human_input_mode="NEVER", code_execution_config={"executor": Executor()}
        )
        person.answers = Never() if quiet else iter(["It is four.", "exit"])
        person.initiate_chat(runner, message="```python\nprint(2 + 2)\n```", silent=True)
        return [message["content"] for message in person.chat_messages[runner]]

    quiet = False

    def silent() -> Any:
        nonlocal quiet
        quiet = True
        return application()

    execution = again(application, silent)  # without a model: what code and people answered is all there is
    assert execution.identical, (execution.summary, execution.error)
    assert execution.served >= 2
    assert any("4" in str(words) for words in execution.value)


def test_an_application_that_switches_recording_itself(again, clean_folder):
    models = load("langchain_core.language_models")
    messages = load("langchain_core.messages")

    def application() -> Any:
        seasoned.enable(home=str(clean_folder / "its own"), namespace="mine")
        model = models.GenericFakeChatModel(messages=iter([messages.AIMessage("Waves.")]))
        said = model.invoke(TASK).content
        seasoned.flush()
        seasoned.disable()
        seasoned.enable(home=str(clean_folder / "its own"), namespace="mine")
        return said

    execution = again(lambda: models.GenericFakeChatModel(messages=iter([messages.AIMessage("Waves.")])).invoke(TASK),
                      application)  # fmt: skip
    assert execution.identical, execution.summary
    assert execution.value == "Waves."
    assert not (clean_folder / "its own").exists()
    assert seasoned.current() is None


def test_errors_are_of_the_applications_own_class(again):
    models = load("langchain_core.language_models")

    class Busy(Exception):
        def __init__(self, text: str, *, code: int) -> None:
            super().__init__(text)
            self.code = code

    class Failing(models.GenericFakeChatModel):
        def _generate(self, *_: Any, **__: Any) -> Any:
            raise Busy("try again later", code=429)

    def application() -> str:
        try:
            Failing(messages=iter(())).invoke(TASK)
        except Busy as error:
            return f"caught: {error}"
        return "nothing was raised"

    execution = again(application)
    assert execution.identical, execution.summary
    assert execution.value == "caught: try again later"


def test_where_only_wrapped_objects_are_recorded_it_says_so(again, clean_folder):
    models = load("langchain_core.language_models")
    messages = load("langchain_core.messages")

    def application() -> Any:
        return models.GenericFakeChatModel(messages=iter([messages.AIMessage("Waves.")])).invoke(TASK)

    execution = again(application)
    seasoned.wrap(models.GenericFakeChatModel(messages=iter(())), home=str(clean_folder / "other"), summary=False)
    try:
        with pytest.raises(ConfigError, match="wrapped objects"):
            execution.original.execute(application)
    finally:
        seasoned.disable()


def test_tools_at_the_same_time_are_served_and_never_executed_twice(again):
    agents, tools = load("autogen_agentchat.agents"), load("autogen_agentchat.tools")
    core, models = load("autogen_core"), load("autogen_core.models")
    client = load("autogen_ext.models.replay").ReplayChatCompletionClient
    info = {"vision": False, "function_calling": True, "json_output": False, "structured_output": False, "family": "x"}
    wired: list[int] = []

    async def wire(amount: int) -> str:
        """Wire money."""
        wired.append(amount)
        await asyncio.sleep(0.02 if amount == 1 else 0.001)
        return f"wired {amount}"

    async def application() -> Any:
        asked = [("wire", {"amount": 1}), ("wire", {"amount": 2}), ("helper", {"task": "Say hello"})]
        calls = [core.FunctionCall(f"c{n}", json.dumps(given), name) for n, (name, given) in enumerate(asked)]
        used = models.RequestUsage(prompt_tokens=1, completion_tokens=1)
        first = models.CreateResult(finish_reason="function_calls", content=calls, usage=used, cached=False)
        helper = agents.AssistantAgent("helper", client(["Hello."], model_info=info), description="Helps.")
        desk = agents.AssistantAgent(
            "desk", client([first, "All done."], model_info=info), tools=[wire, tools.AgentTool(helper)],
            max_tool_iterations=2,
        )  # fmt: skip
        return (await desk.run(task=TASK)).messages[-1].content

    execution = again(application)
    assert execution.identical, (execution.summary, [p.changes for p in execution.difference.pairs if not p.same])
    assert sorted(wired) == [1, 2]  # once, when it was recorded
    assert len(execution.replay.children) == len(execution.original.children) == 1


def test_an_application_that_crashes_afterwards_is_not_the_same(again):
    models, messages = load("langchain_core.language_models"), load("langchain_core.messages")

    def application(crash: bool) -> Any:
        models.GenericFakeChatModel(messages=iter([messages.AIMessage("Waves.")])).invoke(TASK)
        if crash:
            raise ZeroDivisionError("the books do not balance")

    execution = again(lambda: application(crash=False), lambda: application(crash=True))
    assert not execution.identical
    assert "did not end so" in execution.summary
    assert "ZeroDivisionError" in execution.summary


def test_a_fork_is_kept_alone_and_teaches_nothing(again, clean_folder):
    from seasoned.instrumentation import reading
    from seasoned.plugin.config import Config
    from seasoned.plugin.rerun_script import Edit
    from seasoned.plugin.runtime import Workspace

    models, messages = load("langchain_core.language_models"), load("langchain_core.messages")

    def application() -> None:
        model = models.GenericFakeChatModel(messages=iter([messages.AIMessage(f"Answer {n}.") for n in range(3)]))
        for number in range(3):
            with seasoned.run(f"{TASK}, number {number}", domain="harbour") as run:
                model.invoke(f"{TASK}, number {number}")
                run.outcome(success=True)

    execution = again(application, from_turn=1, edit=Edit(answer="Something else."))
    assert execution.forked
    opened = Workspace(Config(home=str(clean_folder / "home"), namespace="apps"))
    opened.flush()
    with opened.store.reading() as connection:
        runs = reading.runs(connection, newest_first=False)
    opened.close()
    assert [run.task for run in runs].count(execution.original.record.task) == 2
    assert len(runs) == 4
    forks = [run for run in runs if (run.source or "").startswith("fork of ")]
    assert [run.learned for run in forks] == [None]
    assert all(run.learned for run in runs if run not in forks)
    for wrong in ({"from_turn": 99}, {"from_turn": 1, "edit": Edit(answer="a", tool="b")}):
        with pytest.raises(ConfigError):
            execution.original.execute(application, **wrong)
    missed = execution.original.execute(application, from_turn=1, edit=Edit(tool="no tool is ever used"))
    assert not missed.forked
    assert not missed.identical
    assert "was not reached" in missed.summary
