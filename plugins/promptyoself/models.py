"""A schedule, and where schedules are stored (promptyoself-plugin-module)."""

import os

if __package__:
    from . import program
else:
    import program

COLUMNS = (
    "id",
    "agent_id",
    "prompt_text",
    "schedule_type",
    "schedule_value",
    "next_run",
    "created_at",
    "active",
    "last_run",
    "max_repetitions",
    "repetition_count",
)

TIMES = ("next_run", "created_at", "last_run")


class PromptSchedule:
    """A scheduled prompt as it was when it was read. Changing it does not change the database.

    Times are naive datetimes in UTC. `schedule_type` is once, cron or interval.
    """

    __tablename__ = "schedules"

    def __init__(self, **columns):
        unknown = set(columns) - set(COLUMNS)
        if unknown:
            raise TypeError("PromptSchedule has no %s" % ", ".join(sorted(unknown)))
        for name in COLUMNS:
            setattr(self, name, columns.get(name))
        if "active" not in columns:
            self.active = True
        if "repetition_count" not in columns:
            self.repetition_count = 0

    @classmethod
    def of_row(cls, row):
        """Make a schedule from a row that the program returned."""
        return cls(**{k: program.to_time(v) if k in TIMES else v for k, v in row.items()})

    def __repr__(self):
        columns = ("%s=%r" % (name, getattr(self, name)) for name in COLUMNS)
        return "PromptSchedule(%s)" % ", ".join(columns)


def get_database_url():
    """Return the database URL for SQLAlchemy and similar libraries."""
    path = os.getenv("PROMPTYOSELF_DB_PATH")
    return "sqlite:///" + (path or program.rows("place")["database"])


def create_tables():
    """Create the database and its tables if they don't exist."""
    program.rows("place")


def get_session():
    """Always raises: there is no SQLAlchemy session here. The error says what to use instead."""
    raise program.PromptyoselfError(
        "these modules don't use SQLAlchemy and have no session: use the functions of db, or your "
        "own SQLAlchemy models with get_database_url()"
    )
