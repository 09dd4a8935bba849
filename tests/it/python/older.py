"""Makes a database as older programs did: `older.py paper` or `older.py original`.

Standard input is {"table": [row, ...]}; a time travels as {"utc": "2026-02-01T12:00:00"}.
"""

import json
import os
import sys
from datetime import datetime, timezone

from sqlalchemy import Boolean, Column, DateTime, Index, Integer, String, Text, create_engine
from sqlalchemy.orm import declarative_base, sessionmaker

import paper

Original = declarative_base()


class Schedule(Original):
    __tablename__ = "schedules"

    id = Column(Integer, primary_key=True)
    agent_id = Column(String, nullable=False, index=True)
    prompt_text = Column(Text, nullable=False)
    schedule_type = Column(String, nullable=False)
    schedule_value = Column(String, nullable=False)
    next_run = Column(DateTime, nullable=False, index=True)
    active = Column(Boolean, default=True, index=True)
    created_at = Column(DateTime, default=paper.utc_now)
    last_run = Column(DateTime, nullable=True)
    max_repetitions = Column(Integer, nullable=True)
    repetition_count = Column(Integer, default=0)


Index("idx_schedules_due", Schedule.next_run, Schedule.active)
Index("idx_schedules_agent_active", Schedule.agent_id, Schedule.active)
Index("idx_schedules_created_at", Schedule.created_at)


class Reminder(Original):
    __tablename__ = "unified_reminders"

    id = Column(Integer, primary_key=True)
    message = Column(Text, nullable=False)
    next_run = Column(DateTime, nullable=False, index=True)
    status = Column(String(50), default="pending", nullable=False)
    created_at = Column(DateTime, default=paper.utc_now, nullable=False)
    updated_at = Column(DateTime, default=paper.utc_now, onupdate=paper.utc_now)
    active = Column(Boolean, default=True, index=True)
    schedule_type = Column(String(50), nullable=True)
    schedule_value = Column(String(200), nullable=True)
    recurrence = Column(String(50), nullable=True)
    max_repetitions = Column(Integer, nullable=True)
    repetition_count = Column(Integer, default=0)
    event_count = Column(Integer, default=0)
    last_run = Column(DateTime, nullable=True)
    agent_id = Column(String(100), nullable=True, index=True)
    process_name = Column(Text, nullable=True)
    task_id = Column(Integer, nullable=True)
    user_id = Column(Integer, nullable=True)


Index("idx_unified_reminders_due", Reminder.next_run, Reminder.active)
Index("idx_unified_reminders_agent", Reminder.agent_id, Reminder.active)
Index("idx_unified_reminders_task", Reminder.task_id, Reminder.active)
Index("idx_unified_reminders_status", Reminder.status, Reminder.next_run)


def main():
    base, models = {
        "paper": (paper.Base, [paper.PromptSchedule]),
        "original": (Original, [Schedule, Reminder]),
    }[sys.argv[1]]
    engine = create_engine("sqlite:///" + os.environ["PROMPTYOSELF_DB_PATH"])
    base.metadata.create_all(engine)
    session = sessionmaker(bind=engine)()
    tables = json.load(sys.stdin, object_hook=paper.decode)
    for model in models:
        session.add_all(model(**row) for row in tables.get(model.__tablename__, []))
    session.commit()


if __name__ == "__main__":
    main()
