"""The tables of tenants, purposes, keys and people."""

from __future__ import annotations

import sqlalchemy as sa

from selat.identity.room import GROUPS_LENGTH, ROOM
from selat.tables import Step, Tables, key, moment, number, state, text

metadata = sa.MetaData()

tenants = sa.Table(
    "tenants",
    metadata,
    key("id"),
    text("highest_label"),
    text("prompt_label"),
    text("profile", 32),
    number("content_days", sa.Integer),
    moment("created", nullable=False),
)

purposes = sa.Table(
    "purposes",
    metadata,
    sa.Column("tenant", sa.ForeignKey("tenants.id"), primary_key=True),
    key("id"),
    text("name_ms"),
    text("name_en"),
    sa.Column("needs_passport", sa.Boolean, nullable=False),
    moment("created", nullable=False),
)

keys = sa.Table(
    "keys",
    metadata,
    key("id"),
    sa.Column("tenant", sa.ForeignKey("tenants.id"), nullable=False, index=True),
    text("name"),
    sa.Column("hash", sa.LargeBinary(32), nullable=False, unique=True),
    text("roles"),
    text("scopes"),
    text("clearance"),
    moment("created", nullable=False),
    moment("expires"),
    moment("revoked"),
    moment("last_used"),
    sa.Column("rotated_from", sa.String(64), nullable=True),
    text("groups", GROUPS_LENGTH, server_default=""),
)

people = sa.Table(
    "people",
    metadata,
    key("id"),
    sa.Column("tenant", sa.ForeignKey("tenants.id"), nullable=False),
    text("login", 100),
    text("name"),
    text("roles"),
    text("clearance"),
    text("groups", GROUPS_LENGTH),
    sa.Column("password", sa.String(200), nullable=True),
    sa.Column("totp", sa.String(200), nullable=True),
    number("totp_step", sa.BigInteger),
    moment("created", nullable=False),
    moment("disabled"),
    moment("last_seen"),
    sa.UniqueConstraint("tenant", "login"),
)

sessions = sa.Table(
    "sessions",
    metadata,
    key("hash"),
    sa.Column("tenant", sa.ForeignKey("tenants.id"), nullable=False),
    text("holder", 64, index=True),
    text("name"),
    text("roles"),
    text("clearance"),
    text("groups", GROUPS_LENGTH),
    number("begun", sa.BigInteger),
    number("seen", sa.BigInteger),
)

links = sa.Table(
    "links",
    metadata,
    key("hash"),
    sa.Column("tenant", sa.ForeignKey("tenants.id"), nullable=False),
    text("person", 64),
    number("expires", sa.BigInteger),
)

attempts = sa.Table(
    "attempts",
    metadata,
    key("bucket"),
    number("tries", sa.Integer),
    number("since", sa.BigInteger),
)

preferences = sa.Table(
    "preferences",
    metadata,
    key("holder"),
    text("language", 8),
    text("theme", 8),
)

identity_state = state("identity_state", metadata, number("changes", sa.BigInteger, default=0))

# A step leads from schema N to N + 1; tables that are new need none.
TABLES = Tables(
    ROOM.name,
    metadata,
    identity_state,
    lock=7352001,
    steps=(
        (Step("keys", "ALTER TABLE keys ADD COLUMN rotated_from VARCHAR(64)"),),
        (Step("tenants", "ALTER TABLE tenants ADD COLUMN content_days INTEGER NOT NULL DEFAULT 0"),),
        (Step("keys", f"ALTER TABLE keys ADD COLUMN \"groups\" VARCHAR({GROUPS_LENGTH}) NOT NULL DEFAULT ''"),),
    ),
    cure=ROOM.cure,
)
trouble, writing, reading = TABLES.trouble, TABLES.writing, TABLES.reading


def count_change(connection: sa.Connection) -> None:
    """Note, in the same transaction, that identities changed: what other workers watch."""
    connection.execute(identity_state.update().values(changes=identity_state.c.changes + 1))
