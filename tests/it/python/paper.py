"""A program that shares the database through SQLAlchemy: its own models and operations.

It knows the nine columns and nothing of promptyoself. Each line of standard input is a command,
{"do": operation, ...arguments}; each line of the answer is {"ok": result} or {"error": text}.
A naive UTC datetime travels as {"utc": "2026-02-01T12:00:00"}.
"""

import json
import os
import sys
from datetime import datetime, timezone

from sqlalchemy import Boolean, Column, DateTime, Integer, String, Text, create_engine
from sqlalchemy.orm import declarative_base, sessionmaker

Base = declarative_base()


def utc_now():
    return datetime.now(timezone.utc).replace(tzinfo=None)


class PromptSchedule(Base):
    __tablename__ = "schedules"

    id = Column(Integer, primary_key=True)
    agent_id = Column(String(255), nullable=False, index=True)
    prompt_text = Column(Text, nullable=False)
    schedule_type = Column(String(50), nullable=False)
    schedule_value = Column(String(255), nullable=False)
    next_run = Column(DateTime, nullable=False, index=True)
    created_at = Column(DateTime, default=utc_now)
    active = Column(Boolean, default=True, index=True)
    last_run = Column(DateTime, nullable=True)


def get_session():
    engine = create_engine("sqlite:///" + os.environ["PROMPTYOSELF_DB_PATH"])
    Base.metadata.create_all(engine)
    return sessionmaker(bind=engine)()


def as_dict(schedule):
    return {c.name: getattr(schedule, c.name) for c in PromptSchedule.__table__.columns}


def add(session, **columns):
    schedule = PromptSchedule(**columns)
    session.add(schedule)
    session.commit()
    return schedule.id


def list_schedules(session, agent_id=None, active_only=True):
    query = session.query(PromptSchedule)
    if active_only:
        query = query.filter(PromptSchedule.active == True)  # noqa: E712
    if agent_id:
        query = query.filter(PromptSchedule.agent_id == agent_id)
    return [as_dict(s) for s in query.order_by(PromptSchedule.next_run).all()]


def get(session, id):
    schedule = session.query(PromptSchedule).filter(PromptSchedule.id == id).first()
    return schedule and as_dict(schedule)


def update(session, id, **columns):
    schedule = session.query(PromptSchedule).filter(PromptSchedule.id == id).first()
    if not schedule:
        return False
    for name, value in columns.items():
        setattr(schedule, name, value)
    session.commit()
    return True


def cancel(session, id):
    return update(session, id, active=False)


def due(session):
    query = session.query(PromptSchedule).filter(
        PromptSchedule.active == True,  # noqa: E712
        PromptSchedule.next_run <= utc_now(),
    )
    return [s.id for s in query.all()]


def delete(session, id):
    session.delete(session.get(PromptSchedule, id))
    session.commit()


def replace(session, id, **columns):
    """Deletes a schedule and inserts another under its number, in one transaction."""
    session.delete(session.get(PromptSchedule, id))
    session.flush()
    session.add(PromptSchedule(id=id, **columns))
    session.commit()


def add_many(session, count, **columns):
    """Adds so many schedules, each in a transaction of its own that reads first."""
    for n in range(count):
        session.query(PromptSchedule).filter(PromptSchedule.id == n).first()
        session.add(PromptSchedule(**{**columns, "prompt_text": f"{columns['prompt_text']} {n}"}))
        session.commit()
    return count


OPERATIONS = {
    "add": add,
    "list": list_schedules,
    "get": get,
    "update": update,
    "cancel": cancel,
    "due": due,
    "delete": delete,
    "replace": replace,
    "add_many": add_many,
}


def decode(value):
    return datetime.fromisoformat(value["utc"]) if set(value) == {"utc"} else value


def encode(value):
    if isinstance(value, datetime) and value.tzinfo is None:
        return {"utc": value.isoformat()}
    raise TypeError(f"{value!r} was not expected")


def main():
    for line in sys.stdin:
        command = json.loads(line, object_hook=decode)
        operation = OPERATIONS[command.pop("do")]
        session = get_session()
        try:
            answer = {"ok": operation(session, **command)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        finally:
            session.close()
        print(json.dumps(answer, default=encode), flush=True)


if __name__ == "__main__":
    main()
