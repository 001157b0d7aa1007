"""The tables of tenants, purposes, keys and people."""

from __future__ import annotations

import sqlalchemy as sa

from selat.tables import Step, Tables

GROUPS_LENGTH = 2000
metadata = sa.MetaData()

tenants = sa.Table(
    "tenants",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("highest_label", sa.String(200), nullable=False),
    sa.Column("prompt_label", sa.String(200), nullable=False),
    sa.Column("profile", sa.String(32), nullable=False),
    sa.Column("content_days", sa.Integer, nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
)

purposes = sa.Table(
    "purposes",
    metadata,
    sa.Column("tenant", sa.ForeignKey("tenants.id"), primary_key=True),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name_ms", sa.String(200), nullable=False),
    sa.Column("name_en", sa.String(200), nullable=False),
    sa.Column("needs_passport", sa.Boolean, nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
)

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("tenant", sa.ForeignKey("tenants.id"), nullable=False, index=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("hash", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("roles", sa.String(200), nullable=False),
    sa.Column("scopes", sa.String(200), nullable=False),
    sa.Column("clearance", sa.String(200), nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
    sa.Column("expires", sa.String(32), nullable=True),
    sa.Column("revoked", sa.String(32), nullable=True),
    sa.Column("last_used", sa.String(32), nullable=True),
    sa.Column("rotated_from", sa.String(64), nullable=True),
    sa.Column("groups", sa.String(GROUPS_LENGTH), nullable=False, server_default=""),
)

people = sa.Table(
    "people",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("tenant", sa.ForeignKey("tenants.id"), nullable=False),
    sa.Column("login", sa.String(100), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("roles", sa.String(200), nullable=False),
    sa.Column("clearance", sa.String(200), nullable=False),
    sa.Column("groups", sa.String(GROUPS_LENGTH), nullable=False),
    sa.Column("password", sa.String(200), nullable=True),
    sa.Column("totp", sa.String(200), nullable=True),
    sa.Column("totp_step", sa.BigInteger, nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
    sa.Column("disabled", sa.String(32), nullable=True),
    sa.Column("last_seen", sa.String(32), nullable=True),
    sa.UniqueConstraint("tenant", "login"),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("tenant", sa.ForeignKey("tenants.id"), nullable=False),
    sa.Column("holder", sa.String(64), nullable=False, index=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("roles", sa.String(200), nullable=False),
    sa.Column("clearance", sa.String(200), nullable=False),
    sa.Column("groups", sa.String(GROUPS_LENGTH), nullable=False),
    sa.Column("begun", sa.BigInteger, nullable=False),
    sa.Column("seen", sa.BigInteger, nullable=False),
)

links = sa.Table(
    "links",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("tenant", sa.ForeignKey("tenants.id"), nullable=False),
    sa.Column("person", sa.String(64), nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("bucket", sa.String(64), primary_key=True),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("since", sa.BigInteger, nullable=False),
)

preferences = sa.Table(
    "preferences",
    metadata,
    sa.Column("holder", sa.String(64), primary_key=True),
    sa.Column("language", sa.String(8), nullable=False),
    sa.Column("theme", sa.String(8), nullable=False),
)

identity_state = sa.Table(
    "identity_state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("changes", sa.BigInteger, nullable=False, default=0),
)


# A step leads from schema N to N + 1; tables that are new need none.
TABLES = Tables(
    "identity",
    metadata,
    identity_state,
    lock=7352001,
    steps=(
        (Step("keys", "ALTER TABLE keys ADD COLUMN rotated_from VARCHAR(64)"),),
        (Step("tenants", "ALTER TABLE tenants ADD COLUMN content_days INTEGER NOT NULL DEFAULT 0"),),
        (Step("keys", f"ALTER TABLE keys ADD COLUMN \"groups\" VARCHAR({GROUPS_LENGTH}) NOT NULL DEFAULT ''"),),
    ),
    cure="restore it from a backup, or move it away and run: selat up (keys must then be made anew)",
)
trouble, writing, reading = TABLES.trouble, TABLES.writing, TABLES.reading


def count_change(connection: sa.Connection) -> None:
    """Note, in the same transaction, that identities changed: what other workers watch."""
    connection.execute(identity_state.update().values(changes=identity_state.c.changes + 1))
