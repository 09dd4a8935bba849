#!/usr/bin/env python3
"""Create an empty Letta V1 database in LETTA_PG_URI.

The wheel contains no alembic scripts, so the tables are created from its models.
"""
import os

import letta.orm  # noqa: F401  (registers every table)
from letta.orm.base import Base
from sqlalchemy import create_engine, inspect, text

uri = os.environ["LETTA_PG_URI"].replace("postgresql://", "postgresql+pg8000://").split("?")[0]
engine = create_engine(uri)
with engine.begin() as connection:
    connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
if not inspect(engine).has_table("messages"):
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE SEQUENCE message_seq_id START 1 OWNED BY messages.sequence_id"))
        connection.execute(
            text("ALTER TABLE messages ALTER COLUMN sequence_id SET DEFAULT nextval('message_seq_id')")
        )
