"""Reading and changing schedules (promptyoself-plugin-module).

Each function calls the promptyoself program, so its schedules are accounted for like any other, even
while a scheduler runs. Failures raise PromptyoselfError.
"""

import warnings
from datetime import datetime
from typing import Any, Dict, List, Optional

if __package__:
    from . import program
    from .models import COLUMNS, TIMES, PromptSchedule, create_tables, get_session
    from .program import PromptyoselfError
else:
    import program
    from models import COLUMNS, TIMES, PromptSchedule, create_tables, get_session
    from program import PromptyoselfError

__all__ = [
    "PromptSchedule",
    "PromptyoselfError",
    "add_schedule",
    "cancel_schedule",
    "create_tables",
    "get_due_schedules",
    "get_schedule",
    "get_session",
    "list_schedules",
    "update_schedule",
]

WRITTEN_BY_THE_SCHEDULER = ("id", "repetition_count")


def add_schedule(
    agent_id: str,
    prompt_text: str,
    schedule_type: str,
    schedule_value: str,
    next_run: datetime,
    max_repetitions: Optional[int] = None,
) -> int:
    """Add a schedule and return its id.

    `next_run` is its first run, whatever the pattern says; if it is in the past, the schedule is due
    at once. A datetime without a zone is UTC.
    """
    columns = {
        "agent_id": agent_id,
        "prompt_text": prompt_text,
        "schedule_type": schedule_type,
        "schedule_value": schedule_value,
        "next_run": program.to_text(next_run),
        "max_repetitions": max_repetitions,
    }
    empty = [name for name in list(columns)[:5] if columns[name] is None]
    if empty:
        raise PromptyoselfError("a schedule needs its %s" % ", ".join(empty))
    return program.rows("add", columns=columns)["id"]


def list_schedules(
    agent_id: Optional[str] = None, active_only: bool = True
) -> List[Dict[str, Any]]:
    """List schedules by next run, with prompts shortened to a hundred characters."""
    answer = program.rows("list", agent_id=agent_id or None, active_only=bool(active_only))
    return [_as_dict(PromptSchedule.of_row(row)) for row in answer["rows"]]


def get_schedule(schedule_id: int) -> Optional[PromptSchedule]:
    """Return the schedule with this id, or None."""
    row = program.rows("get", id=schedule_id)["row"]
    return row and PromptSchedule.of_row(row)


def update_schedule(schedule_id: int, **kwargs) -> bool:
    """Change columns of a schedule. Returns whether the schedule exists.

    A given `next_run` is the next run; without one, a new `schedule_value` counts from now.
    `active=False` cancels the schedule, `active=True` lets it run again.
    """
    columns = {}
    for name, value in kwargs.items():
        if name in WRITTEN_BY_THE_SCHEDULER:
            raise PromptyoselfError("%s of a schedule can't be changed" % name)
        if name not in COLUMNS:
            warnings.warn("a schedule has no column %s: it is ignored" % name, stacklevel=2)
        elif value is None and name not in ("last_run", "max_repetitions"):
            raise PromptyoselfError("%s of a schedule can't be None" % name)
        else:
            columns[name] = program.to_text(value) if name in TIMES else value
    if "active" in columns:
        columns["active"] = bool(columns["active"])
    return program.rows("update", id=schedule_id, columns=columns)["updated"]


def cancel_schedule(schedule_id: int) -> bool:
    """Cancel a schedule. Returns whether it exists."""
    return update_schedule(schedule_id, active=False)


def get_due_schedules() -> List[PromptSchedule]:
    """Return every active schedule that is due."""
    return [PromptSchedule.of_row(row) for row in program.rows("due")["rows"]]


def _as_dict(schedule):
    text = schedule.prompt_text
    isoformat = {name: getattr(schedule, name) for name in TIMES}
    isoformat = {name: time and time.isoformat() for name, time in isoformat.items()}
    return {
        "id": schedule.id,
        "agent_id": schedule.agent_id,
        "prompt_text": text[:100] + "..." if len(text) > 100 else text,
        "schedule_type": schedule.schedule_type,
        "schedule_value": schedule.schedule_value,
        "next_run": isoformat["next_run"],
        "created_at": isoformat["created_at"],
        "active": schedule.active,
        "last_run": isoformat["last_run"],
    }
