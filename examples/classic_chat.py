"""Classic AutoGen: an order desk with two tools. The last requests are met with what the first ones taught.

pip install 'seasoned[autogen]' && python examples/classic_chat.py
"""

import json
from types import SimpleNamespace as Made

import autogen

import seasoned


class Scripted:
    """Stands for a model: looks the order up, cancels it, and says so."""

    cost = staticmethod(lambda response: 0.0)
    get_usage = staticmethod(lambda response: {})

    def __init__(self, config, **_options):
        self.model = config["model"]

    def create(self, params):
        done = sum(message["role"] == "tool" for message in params["messages"])
        order = json.dumps({"order": params["messages"][1]["content"].split()[2].strip(",")})
        names = ("get_order", "cancel_order")[done : done + 1]
        calls = [{"id": name, "type": "function", "function": {"name": name, "arguments": order}} for name in names]
        message = Made(role="assistant", content=None if calls else "TERMINATE", tool_calls=calls, function_call=None)
        message.model_dump = lambda **_: {key: getattr(message, key) for key in ("role", "content", "tool_calls")}
        return Made(choices=[Made(message=message)], model=self.model, usage=None, cost=0.0)

    def message_retrieval(self, response):
        message = response.choices[0].message
        return [message if message.tool_calls else message.content]


def work(order: str) -> str:
    return f"{order}: done"


MODEL = {"model": "scripted", "model_client_cls": "Scripted"}  # a real one: {"model": "gpt-4o-mini", "api_key": "..."}

seasoned.enable(home="example-home", namespace="classic-example")
for number in range(1, 6):
    desk = autogen.AssistantAgent("desk", "You run the desk.", llm_config={"config_list": [MODEL], "cache_seed": None})
    customer = autogen.UserProxyAgent("customer", human_input_mode="NEVER", code_execution_config=False)
    for name in ("get_order", "cancel_order"):
        autogen.register_function(work, caller=desk, executor=customer, name=name, description=name)
    if "model_client_cls" in MODEL:
        desk.register_model_client(Scripted)
    with seasoned.run(domain="orders") as run:
        task = f"Please cancel #W{number}00, it was ordered by mistake"
        customer.initiate_chat(desk, message=task, max_turns=3, silent=True)
        run.outcome(success=True)
    seasoned.flush()
print("\nWhat came of it: seasoned skills list --home example-home; seasoned show last --prompts --home example-home")
