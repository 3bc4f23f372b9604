"""LangChain and LangGraph: an order desk with two tools. The last requests are met with what the first ones taught.

pip install 'seasoned[langchain]' && python examples/langgraph_agent.py
"""

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.checkpoint.memory import InMemorySaver

import seasoned


class Scripted(BaseChatModel):
    """Stands for a model: looks the order up, cancels it, and says so."""

    _llm_type = "scripted"

    def bind_tools(self, tools, **_options):
        return self

    def _generate(self, messages, stop=None, run_manager=None, **options):
        task = next(message.content for message in messages if message.type == "human")
        done = sum(message.type == "tool" for message in messages)
        order = {"order": task.split()[2].strip(",")}
        calls = [{"name": name, "args": order, "id": name} for name in ("get_order", "cancel_order")[done : done + 1]]
        message = AIMessage("" if calls else "It is cancelled.", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=message)])


def get_order(order: str) -> str:
    """Look an order up."""
    return f"{order} is pending"


def cancel_order(order: str) -> str:
    """Cancel an order."""
    return f"{order} is cancelled"


seasoned.enable(home="example-home", namespace="langgraph-example")
model = Scripted()  # a real one: init_chat_model("gpt-4o-mini")
desk = create_agent(model, [get_order, cancel_order], name="desk", checkpointer=InMemorySaver())
for number in range(1, 6):
    with seasoned.run(domain="orders") as run:
        task = f"Please cancel #W{number}00, it was ordered by mistake"
        desk.invoke({"messages": [("user", task)]}, {"configurable": {"thread_id": str(number)}})
        run.outcome(success=True)
    seasoned.flush()
print("\nWhat came of it: seasoned skills list --home example-home; seasoned show last --prompts --home example-home")
