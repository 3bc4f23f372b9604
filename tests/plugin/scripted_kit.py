"""A scripted model for classic AutoGen, for tests of what reaches a model in an application."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class Message(SimpleNamespace):
    """The message of a response."""

    def model_dump(self, **_options: Any) -> dict[str, Any]:
        return dict(self.__dict__)


class ScriptedClient:
    """A model client that keeps what it is sent; subclasses say what it answers.

    The framework finds it by the name of its class, and makes an instance for each agent: so what was sent is kept
    for all of them together.
    """

    sent: list[list[dict[str, Any]]] = []

    def __init__(self, config: dict[str, Any], **_options: Any) -> None:
        self.model = config["model"]

    def answer(self, messages: list[dict[str, Any]]) -> tuple[str | None, list[dict[str, Any]] | None]:
        """The text and the tool calls of the answer."""
        raise NotImplementedError

    def create(self, params: dict[str, Any]) -> SimpleNamespace:
        self.sent.append(params["messages"])
        content, calls = self.answer(params["messages"])
        message = Message(content=content, role="assistant", tool_calls=calls, function_call=None)
        return SimpleNamespace(
            choices=[SimpleNamespace(message=message, finish_reason="stop")], model=self.model, cost=0.01,
            usage=SimpleNamespace(prompt_tokens=10, completion_tokens=5, total_tokens=15),
        )  # fmt: skip

    def message_retrieval(self, response: SimpleNamespace) -> list[Any]:
        message = response.choices[0].message
        return [message if message.tool_calls else message.content]

    def cost(self, response: SimpleNamespace) -> float:
        return response.cost

    @staticmethod
    def get_usage(response: SimpleNamespace) -> dict[str, Any]:
        return {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.01, "model": response.model}
