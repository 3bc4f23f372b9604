"""Small runs of a shop, as traces."""

from __future__ import annotations

from seasoned.skills_lib.sketches import sketch_of
from seasoned.skills_lib.steps import Step, Trace


def cancelling(number, *, success=True, look=True, times=1, reason="no longer needed", result=None):
    """A run that cancels orders: find the user, look at the order, cancel it."""
    order = f"#W{1000 + number}"
    user = f"user_{number}_{9000 + number}"
    card = f"card_{7000 + number}"
    steps = [Step(tool="find_user", agent="clerk", arguments={"email": f"u{number}@example.com"}, ok=True, result=user)]
    found = {"order_id": order, "user_id": user, "items": [{"item_id": f"88{number}"}], "payment": {"id": card}}
    for _ in range(times):
        if look:
            answer = result if result is not None else found
            steps.append(Step(tool="get_order", agent="clerk", arguments={"order_id": order}, ok=True, result=answer))
        given = {"order_id": order, "card": card, "reason": reason, "notify": True}
        steps.append(Step(tool="cancel_order", agent="clerk", arguments=given, ok=True, result="done"))
    return Trace(
        run_id=f"run-{number}-{success}",
        task=f"I am u{number}@example.com and want to cancel my order {order}.",
        steps=tuple(steps),
        success=success,
    )


def sketches(*traces):
    return [sketch_of(trace) for trace in traces]


def looks(tool):
    return not tool.startswith(("find", "get"))
