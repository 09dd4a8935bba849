"""What a user of Letta's Python SDK does: nothing here knows of promptyoself.

    client.py BASE_URL PASSWORD

Prints what it did as JSON; any surprise ends it with an error.
"""
import json
import sys
import time

import letta_client
from letta_client import Letta

base_url, password = sys.argv[1:]
# A Letta that has little of the machine takes its time for an answer.
client = Letta(base_url=base_url, api_key=password, timeout=300)
agent = client.agents.create(
    name="sdk-python", model="openai-proxy/gpt-4o-mini",
    embedding="openai/text-embedding-3-small", include_base_tools=False,
)
assert client.agents.retrieve(agent.id).name == "sdk-python"
assert agent.id in [a.id for a in client.agents.list(limit=10)]


def said(messages):
    return " ".join(str(m.content) for m in messages if m.message_type == "assistant_message")


answer = client.agents.messages.create(
    agent.id, messages=[{"role": "user", "content": "hello from python"}])
assert "stub: hello from python" in said(answer.messages), answer
kinds = []
for event in client.agents.messages.stream(
        agent.id, messages=[{"role": "user", "content": "streamed from python"}]):
    kinds.append(event.message_type)
    if event.message_type == "assistant_message":
        assert "stub: streamed from python" in str(event.content), event
assert {"assistant_message", "stop_reason", "usage_statistics"} <= set(kinds), kinds


def schedule_once(at):
    made = client.agents.schedule.create(
        agent.id,
        messages=[
            {"role": "system", "content": "Something is to be said."},
            {"role": "user", "content": [{"type": "text", "text": "scheduled once from python"}]},
            {"role": "user", "content": "and this too from python"},
        ],
        schedule={"type": "one-time", "scheduled_at": at},
        max_steps=5,
        include_return_message_types=["assistant_message"],
    )
    assert made.next_scheduled_at, made
    return made


# Fractions of a millisecond, as time.time() has them. This one stays while it is looked at.
at = time.time() * 1000 + 3_600_000
once = schedule_once(at)
pattern = {"type": "recurring", "cron_expression": "0 9 * * *"}
recurring = client.agents.schedule.create(
    agent.id, messages=[{"role": "user", "content": "every morning"}], schedule=pattern,
    extra_body={"timezone": "Europe/Berlin", "name": "morning"})

shown = client.agents.schedule.retrieve(once.id, agent_id=agent.id)
assert shown.id == once.id and shown.agent_id == agent.id
assert abs(shown.schedule.scheduled_at - at) < 1, shown
assert [m.role for m in shown.message.messages] == ["system", "user", "user"]
assert shown.message.messages[1].content[0].text == "scheduled once from python"
assert shown.message.max_steps == 5
shown = client.agents.schedule.retrieve(recurring.id, agent_id=agent.id)
assert shown.schedule.cron_expression == "0 9 * * *" and shown.schedule.type == "recurring"
assert shown.next_scheduled_time and shown.timezone == "Europe/Berlin" and shown.name == "morning"

page = client.agents.schedule.list(agent.id, limit="1")
assert page.has_next_page and [m.id for m in page.scheduled_messages] == [once.id]
page = client.agents.schedule.list(agent.id, limit="1", after=once.id)
assert not page.has_next_page and [m.id for m in page.scheduled_messages] == [recurring.id]

for wrong, error in [
    ({"type": "one-time", "scheduled_at": 1000}, letta_client.BadRequestError),
    ({"type": "recurring", "cron_expression": "99 * * * *"}, letta_client.BadRequestError),
]:
    try:
        client.agents.schedule.create(
            agent.id, messages=[{"role": "user", "content": "never"}], schedule=wrong)
        raise SystemExit(f"{wrong} was taken")
    except error as e:
        assert e.body["detail"], e
try:
    Letta(base_url=base_url, api_key="wrong").agents.schedule.list(agent.id)
    raise SystemExit("a wrong password was taken")
except letta_client.AuthenticationError:
    pass

assert client.agents.schedule.delete(once.id, agent_id=agent.id).success is True
# Another one is gone once it ran.
once = schedule_once(time.time() * 1000 + 3000)
deadline = time.time() + 300
while True:
    try:
        client.agents.schedule.retrieve(once.id, agent_id=agent.id)
    except letta_client.NotFoundError:
        break
    assert time.time() < deadline, "the one-time message is still there"
    time.sleep(0.2)
messages = list(client.agents.messages.list(agent.id, limit=100))
told = [str(m.content) for m in messages if m.message_type == "user_message"]
assert sum("scheduled once from python" in t for t in told) == 1, told
assert sum("and this too from python" in t for t in told) == 1, told
history = client.get(
    f"/v1/agents/{agent.id}/schedule/{once.id}/history", cast_to=object)
[run] = history["history"]
assert run["status"] == "success" and run["scheduled_message_id"] == once.id, run

assert client.agents.schedule.delete(recurring.id, agent_id=agent.id).success is True
try:
    client.agents.schedule.delete(recurring.id, agent_id=agent.id)
    raise SystemExit("deleted twice")
except letta_client.NotFoundError:
    pass
assert client.agents.schedule.list(agent.id).scheduled_messages == []
print(json.dumps({"agent_id": agent.id, "run_id": run["run_id"], "reply": run["response"]}))
