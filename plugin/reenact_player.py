"""How far a recorded run is played, and what comes next.

Whatever stands in for a model, a tool, a code executor or a person asks here for its answer, in the order in which
the framework gets to it. A framework that asks for something else than what was recorded is told so at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..instrumentation.cost import CHARACTERS_PER_TOKEN
from .reenact_plan import MODEL, TOOL_ERROR, TOOLS, ReenactmentError, ToolError, openai_calls

if TYPE_CHECKING:
    from ..adapters.recorded import RecordedMessage
    from .reenact_plan import Plan, Turn


class Reply(NamedTuple):
    """What a scripted model answers.

    Attributes:
        message: as recorded.
        calls: its tool calls in OpenAI's form.
        sent, got: the tokens of the prompt and of the answer, by their lengths, so that they are the same in every
            play.
    """

    message: RecordedMessage
    calls: list[dict[str, Any]]
    sent: int
    got: int


class Player:
    """The record while it is played.

    Attributes:
        position: how many turns are played or being played.
        prompts: what the scripted models were sent: pairs of agent and messages, one for each model call.
        problem: the first time that the framework asked for something else than what was recorded. Kept, because
            frameworks turn what a tool raises into its answer.
    """

    def __init__(self, run_id: str, script: Plan, *, model: str | None, tools_raise: bool) -> None:
        self.run_id = run_id
        self.plan = script
        self.model = model or "recorded"
        self.position = 0
        self.prompts: list[tuple[str, list[dict[str, Any]]]] = []
        self.problem: ReenactmentError | None = None
        self._tools_raise = tools_raise
        self._answers: list[RecordedMessage] = []

    @property
    def next(self) -> Turn | None:
        """The turn that is to be played next, or None at the end."""
        return self.plan.turns[self.position] if self.position < len(self.plan.turns) else None

    def take(self, kind: str, agent: str) -> RecordedMessage:
        """The message of the next turn, which must be of this kind and agent."""
        turn = self.next
        if turn is None or (turn.kind, turn.agent) != (kind, agent):
            wanted = f"{turn.agent} ({turn.kind})" if turn else "nobody"
            raise self._failed(f"{agent} ({kind}) was asked where the record has {wanted}")
        self.position += 1
        return turn.messages[0]

    def reply(self, agent: str, prompt: list[dict[str, Any]]) -> Reply:
        """What the agent's model answers to ``prompt``: the agent's next recorded message."""
        self.prompts.append((agent, prompt))
        message = self.take(MODEL, agent)
        calls = openai_calls(message)
        asked = sum(len(part.get("content") or "") for part in prompt)
        answered = len(message.content or "") + sum(len(call["function"]["arguments"]) for call in calls)
        return Reply(message, calls, asked // CHARACTERS_PER_TOKEN, answered // CHARACTERS_PER_TOKEN)

    def answer(self, agent: str, tool: str) -> str:
        """What ``tool`` answered, in the order of the calls; raises :class:`ToolError` where it failed."""
        if not self._answers:
            turn = self.next
            if turn is None or turn.kind != TOOLS or turn.agent != agent:
                raise self._failed(f"{agent} was asked to call {tool}, for which no answer is recorded here")
            self._answers = list(turn.messages)
            self.position += 1
        answer = self._answers.pop(0)
        if answer.tool_name not in (None, tool):
            raise self._failed(f"{tool} was called where the record has the answer of {answer.tool_name}")
        content = answer.content or ""
        if self._tools_raise and content.startswith(TOOL_ERROR):
            raise ToolError(content[len(TOOL_ERROR) :])
        return content

    def _failed(self, text: str) -> ReenactmentError:
        error = ReenactmentError(f"run {self.run_id}, turn {self.position + 1}: {text}")
        self.problem = self.problem or error
        return error
