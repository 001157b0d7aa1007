"""The tables of what policy keeps: instruments, incidents, limits and what was used of them."""

from __future__ import annotations

import sqlalchemy as sa

from selat.tables import Tables

metadata = sa.MetaData()

instruments = sa.Table(
    "instruments",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("ground", sa.String(16), nullable=False),
    sa.Column("destinations", sa.String(200), nullable=False),
    sa.Column("starts", sa.String(10), nullable=False),
    sa.Column("ends", sa.String(10), nullable=True),
    sa.Column("withdrawn", sa.String(32), nullable=True),
)

incidents = sa.Table(
    "incidents",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("tenant", sa.String(64), nullable=False, index=True),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("kinds", sa.String(64), nullable=False),
    sa.Column("noticed", sa.String(32), nullable=False),
    sa.Column("affected", sa.BigInteger, nullable=True),
    sa.Column("closed", sa.String(32), nullable=True),
)

incident_steps = sa.Table(
    "incident_steps",
    metadata,
    sa.Column("incident", sa.ForeignKey("incidents.id"), primary_key=True),
    sa.Column("rule", sa.String(64), primary_key=True),
    sa.Column("done", sa.String(32), nullable=False),
    sa.Column("reference", sa.String(200), nullable=False),
    sa.Column("late_reason", sa.String(500), nullable=False),
)

quota_limits = sa.Table(
    "quota_limits",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("scope", sa.String(128), primary_key=True),
    sa.Column("period", sa.String(8), primary_key=True),
    sa.Column("unit", sa.String(16), primary_key=True),
    sa.Column("amount", sa.BigInteger, nullable=False),
)

quota_used = sa.Table(
    "quota_used",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("scope", sa.String(128), primary_key=True),
    sa.Column("period", sa.String(8), primary_key=True),
    sa.Column("unit", sa.String(16), primary_key=True),
    sa.Column("window_start", sa.BigInteger, primary_key=True),
    sa.Column("used", sa.BigInteger, nullable=False),
)

quota_state = sa.Table(
    "quota_state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("changes", sa.BigInteger, nullable=False),
)

policy_state = sa.Table(
    "policy_state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("schema_version", sa.Integer, nullable=False),
)

answer_labels = sa.Table(
    "answer_labels",
    metadata,
    sa.Column("digest", sa.LargeBinary(16), primary_key=True),
    sa.Column("label", sa.String(200), nullable=False),
    sa.Column("day", sa.Integer, nullable=False, index=True),
)


def _first_rows(connection: sa.Connection) -> None:
    if connection.execute(sa.select(quota_state.c.id)).first() is None:
        connection.execute(quota_state.insert().values(id=1, changes=0))


# A step leads from schema N to N + 1; tables that are new need none. The first schema had no version, and no table
# `answer_labels`.
TABLES = Tables("policy", metadata, policy_state, lock=7352002, steps=((),), fill=_first_rows)
trouble, writing, reading = TABLES.trouble, TABLES.writing, TABLES.reading
