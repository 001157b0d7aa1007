"""The tables of what policy keeps: instruments, incidents, limits and what was used of them."""

from __future__ import annotations

import sqlalchemy as sa

from selat.policy.room import ROOM
from selat.tables import Tables, key, moment, number, state, text

metadata = sa.MetaData()

instruments = sa.Table(
    "instruments",
    metadata,
    key("tenant"),
    key("id"),
    text("kind", 32),
    text("title"),
    text("hash", 64),
    text("ground", 16),
    text("destinations"),
    text("starts", 10),
    sa.Column("ends", sa.String(10), nullable=True),
    moment("withdrawn"),
)

incidents = sa.Table(
    "incidents",
    metadata,
    key("id"),
    text("tenant", 64, index=True),
    text("title"),
    text("kinds", 64),
    moment("noticed", nullable=False),
    sa.Column("affected", sa.BigInteger, nullable=True),
    moment("closed"),
)

incident_steps = sa.Table(
    "incident_steps",
    metadata,
    sa.Column("incident", sa.ForeignKey("incidents.id"), primary_key=True),
    key("rule"),
    moment("done", nullable=False),
    text("reference"),
    text("late_reason", 500),
)

quota_limits = sa.Table(
    "quota_limits",
    metadata,
    key("tenant"),
    key("scope", 128),
    key("period", 8),
    key("unit", 16),
    number("amount", sa.BigInteger),
)

quota_used = sa.Table(
    "quota_used",
    metadata,
    key("tenant"),
    key("scope", 128),
    key("period", 8),
    key("unit", 16),
    sa.Column("window_start", sa.BigInteger, primary_key=True),
    number("used", sa.BigInteger),
)

quota_state = sa.Table(
    "quota_state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    number("changes", sa.BigInteger),
)

policy_state = state("policy_state", metadata)

answer_labels = sa.Table(
    "answer_labels",
    metadata,
    sa.Column("digest", sa.LargeBinary(16), primary_key=True),
    text("label"),
    sa.Column("day", sa.Integer, nullable=False, index=True),
)


def _first_rows(connection: sa.Connection) -> None:
    if connection.execute(sa.select(quota_state.c.id)).first() is None:
        connection.execute(quota_state.insert().values(id=1, changes=0))


# A step leads from schema N to N + 1; tables that are new need none. The first schema had no version, and no table
# `answer_labels`.
TABLES = Tables(ROOM.name, metadata, policy_state, lock=7352002, steps=((),), fill=_first_rows)
trouble, writing, reading = TABLES.trouble, TABLES.writing, TABLES.reading
