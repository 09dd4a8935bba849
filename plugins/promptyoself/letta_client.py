"""Asking Letta, and sending prompts immediately (promptyoself-plugin-module)."""

import time
from datetime import datetime, timezone
from typing import Any, Dict

if __package__:
    from . import db, program
    from .program import PromptyoselfError
else:
    import db
    import program
    from program import PromptyoselfError

SETTLED = ("delivered", "dead", "coalesced", "skipped", "missed", "cancelled")


def send_prompt_to_agent(agent_id: str, prompt_text: str, wait_seconds: float = 600) -> bool:
    """Send a prompt to an agent now, and wait until its turn has ended.

    Returns True if the prompt is in the agent's history. Otherwise raises an error that says what
    happened. A prompt that is not delivered within the wait stays scheduled and is delivered later, so
    don't send it again.
    """
    now = datetime.now(timezone.utc)
    schedule_id = db.add_schedule(agent_id, prompt_text, "once", now.isoformat(), now)
    end = time.monotonic() + wait_seconds
    try:
        program.call("execute")
    except PromptyoselfError as error:
        raise PromptyoselfError(
            "schedule %d is not delivered yet and stays due: %s" % (schedule_id, error),
            error.code,
        ) from None
    while True:
        answer = program.call("history", "--id", str(schedule_id), "--limit", "1")
        last = (answer["occurrences"] or [{"state": "waiting"}])[0]
        if last["state"] == "delivered":
            return True
        if last["state"] in SETTLED:
            why = last.get("error") or last.get("reason")
            raise PromptyoselfError("the prompt was not delivered (%s): %s" % (last["state"], why))
        if time.monotonic() >= end:
            raise PromptyoselfError(
                "schedule %d is not delivered yet (%s) and will be delivered later; don't send it again"
                % (schedule_id, last["state"])
            )
        time.sleep(0.5)


def test_letta_connection() -> Dict[str, Any]:
    """Check that Letta answers. Returns status, message, agent_count and more."""
    return program.call("test")


def list_available_agents() -> Dict[str, Any]:
    """List Letta's agents. Returns status, agents (id, name, created_at, last_updated) and count."""
    return program.call("agents")


def validate_agent_exists(agent_id: str) -> Dict[str, Any]:
    """Check that Letta has this agent."""
    for agent in list_available_agents()["agents"]:
        if agent["id"] == agent_id:
            return {
                "status": "success",
                "exists": True,
                "agent_id": agent_id,
                "agent_name": agent["name"],
            }
    return {"status": "error", "exists": False, "message": "Agent %s not found" % agent_id}
