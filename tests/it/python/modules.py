"""A script of somebody who knows the paper and nothing else: `modules.py HOW FOLDER AGENT`.

HOW is `package` (FOLDER is smcp/plugins/promptyoself, imported as smcp.plugins.promptyoself),
`plugin` (imported as promptyoself) or `path` (FOLDER itself is on sys.path, as SMCP runs cli.py). What it
asserts is what the paper's own modules do.
"""

import importlib
import os
import sys
from datetime import datetime, timedelta, timezone

how, folder, agent = sys.argv[1:]
parents = {"package": 3, "plugin": 1, "path": 0}[how]
root = folder
for _ in range(parents):
    root = os.path.dirname(root)
sys.path.insert(0, root)
prefix = {"package": "smcp.plugins.promptyoself.", "plugin": "promptyoself.", "path": ""}[how]
db, models, scheduler, letta_client = (
    importlib.import_module(prefix + name)
    for name in ("db", "models", "scheduler", "letta_client")
)

# The paper's own expressions are naive datetimes in UTC.
now = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=123456)
later = now + timedelta(hours=3)
KEYS = [
    "id", "agent_id", "prompt_text", "schedule_type", "schedule_value",
    "next_run", "created_at", "active", "last_run",
]

# add_schedule, list_schedules
once = db.add_schedule(agent, "x" * 150, "once", later.isoformat(), later)
assert type(once) is int, once
soon = db.add_schedule(
    agent_id=agent, prompt_text="--json", schedule_type="cron", schedule_value="0 9 * * *",
    next_run=now + timedelta(minutes=7),
)
listed = db.list_schedules()
assert [s["id"] for s in listed] == [soon, once], listed
assert all(list(s) == KEYS for s in listed), listed
first, second = listed
assert first["next_run"] == (now + timedelta(minutes=7)).isoformat(), first
assert second["next_run"] == later.isoformat(), second
assert second["prompt_text"] == "x" * 100 + "...", second
assert first["prompt_text"] == "--json" and first["active"] is True, first
assert first["last_run"] is None and datetime.fromisoformat(first["created_at"]), first
assert db.list_schedules(agent_id="agent-other") == []
assert len(db.list_schedules(agent)) == 2
assert len(db.list_schedules(agent_id=None, active_only=True)) == 2

# get_schedule
schedule = db.get_schedule(once)
assert isinstance(schedule, models.PromptSchedule), schedule
assert schedule.prompt_text == "x" * 150 and schedule.schedule_type == "once"
assert schedule.next_run == later and schedule.next_run.tzinfo is None
assert schedule.active is True and schedule.last_run is None
assert isinstance(schedule.created_at, datetime)
assert db.get_schedule(987654) is None

# update_schedule, cancel_schedule
assert db.update_schedule(once, prompt_text="changed", next_run=later + timedelta(days=1)) is True
schedule = db.get_schedule(once)
assert (schedule.prompt_text, schedule.next_run) == ("changed", later + timedelta(days=1))
assert db.update_schedule(987654, prompt_text="x") is False
assert db.cancel_schedule(once) is True
assert db.cancel_schedule(987654) is False
assert db.get_schedule(once).active is False
assert [s["id"] for s in db.list_schedules()] == [soon]
assert [s["id"] for s in db.list_schedules(active_only=False)] == [soon, once]

# A time with a zone is the same instant.
berlin = timezone(timedelta(hours=2))
zoned = db.add_schedule(agent, "p", "interval", "5m", later.replace(tzinfo=timezone.utc).astimezone(berlin))
assert db.get_schedule(zoned).next_run == later
db.cancel_schedule(zoned)

# get_due_schedules: next_run is the caller's own, also in the past.
assert db.get_due_schedules() == []
due = db.add_schedule(agent, "due since a minute", "interval", "1h", now - timedelta(minutes=1))
assert [s.id for s in db.get_due_schedules()] == [due]
assert isinstance(db.get_due_schedules()[0], models.PromptSchedule)

# The scheduler and the client.
done = scheduler.execute_due_prompts()
assert [(d["id"], d["delivered"]) for d in done] == [(due, True)], done
after = db.get_schedule(due)
assert after.next_run == now + timedelta(minutes=59), after.next_run
assert after.last_run is not None and after.active is True
assert scheduler.execute_due_prompts() == []
base = datetime(2030, 1, 1, 9, 0)
assert scheduler.calculate_next_run("0 9 * * *", base) == datetime(2030, 1, 2, 9, 0)
assert scheduler.calculate_next_run("0 9 * * *", base - timedelta(days=9999)) < base
assert scheduler.calculate_next_run("*/5 * * * *") > now
assert scheduler.calculate_next_run_for_schedule(db.get_schedule(once)) is None
assert scheduler.calculate_next_run_for_schedule(after) > now + timedelta(minutes=59)
assert letta_client.send_prompt_to_agent(agent, "sent at once") is True
assert letta_client.test_letta_connection()["status"] == "success"
assert agent in [a["id"] for a in letta_client.list_available_agents()["agents"]]
assert letta_client.validate_agent_exists(agent)["exists"] is True
assert letta_client.validate_agent_exists("agent-nobody")["exists"] is False
running = scheduler.PromptScheduler(interval_seconds=1)
running.start()
assert running.running
running.stop()
assert not running.running

# What is wrong is an exception in the program's words, and stores nothing.
before = len(db.list_schedules(active_only=False))
for arguments, told in [
    ((agent, "p", "cron", "61 * * * *", later), "minute"),
    ((agent, "p", "interval", "0s", later), "0s"),
    ((agent, "p", "weekly", "1", later), "weekly"),
    ((agent, "  ", "interval", "5m", later), "prompt_text is empty"),
    (("a/../b", "p", "interval", "5m", later), "a/../b"),
    ((agent, "p", "interval", "5m", "soon"), "soon"),
    ((agent, "p", "interval", "5m", None), "next_run"),
]:
    try:
        db.add_schedule(*arguments)
    except db.PromptyoselfError as error:
        assert told in str(error), error
    else:
        raise AssertionError("%r was taken" % (arguments,))
for columns in ({"schedule_value": "61 * * * *"}, {"id": 7}, {"next_run": None}):
    try:
        db.update_schedule(soon, **columns)
    except db.PromptyoselfError:
        pass
    else:
        raise AssertionError("%r was taken" % columns)
assert db.get_schedule(soon).schedule_value == "0 9 * * *"
assert len(db.list_schedules(active_only=False)) == before
try:
    models.get_session()
except db.PromptyoselfError as error:
    assert "SQLAlchemy" in str(error)

# The database is the paper's.
models.create_tables()
assert models.get_database_url().startswith("sqlite:///")
assert os.path.exists(models.get_database_url()[len("sqlite:///"):])
print("done")
