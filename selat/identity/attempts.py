"""How often signing in may be tried: counted in the database, so that every worker counts together."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from selat.core.errors import TooMany
from selat.database import Later

if TYPE_CHECKING:
    import sqlalchemy as sa

    from selat.identity import database as db
else:
    sa, db = Later("sqlalchemy"), Later("selat.identity.database")

_LOCK = 7352002  # of PostgreSQL: tries are counted one after the other; SQLite's writers are so by themselves
WINDOW_S = 15 * 60
PER_PAIR, PER_ADDRESS, PER_LOGIN = 5, 30, 100
"""Failures within the window: of one login from one address, from one address, of one login from anywhere.

The last is high, so that a stranger cannot easily lock a person out."""


def _bucket(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode("utf-8", "surrogatepass")).hexdigest()


def _buckets(login: str, address: str) -> dict[str, int]:
    return {
        _bucket("pair", login, address): PER_PAIR,
        _bucket("address", address): PER_ADDRESS,
        _bucket("login", login): PER_LOGIN,
    }


def count(engine: sa.Engine, login: str, address: str) -> None:
    """Count one try, before it is looked at, so that tries at the same moment cannot slip past.

    Raises: TooMany, until when; the try is then not to be looked at.
    """
    now = int(time.time())
    with db.writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        connection.execute(db.attempts.delete().where(db.attempts.c.since < now - WINDOW_S))
        buckets = _buckets(login, address)
        rows = connection.execute(sa.select(db.attempts).where(db.attempts.c.bucket.in_(list(buckets))))
        found = {row.bucket: row for row in rows}
        for bucket, most in buckets.items():
            if bucket in found and found[bucket].tries >= most:
                wait = found[bucket].since + WINDOW_S - now + 1
                raise TooMany(f"too many attempts to sign in; try again in {wait} s", retry_after_s=wait)
        for bucket in buckets:
            if bucket in found:
                one_more = db.attempts.update().where(db.attempts.c.bucket == bucket)
                connection.execute(one_more.values(tries=db.attempts.c.tries + 1))
            else:
                connection.execute(db.attempts.insert().values(bucket=bucket, tries=1, since=now))


def forgive(engine: sa.Engine, login: str, address: str) -> None:
    """A try succeeded: it and the failures of this login before it no longer count, the address's others do."""
    pair, at_address, _ = _buckets(login, address)
    with db.writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        connection.execute(db.attempts.delete().where(db.attempts.c.bucket == pair))
        one_less = db.attempts.update().where(db.attempts.c.bucket == at_address, db.attempts.c.tries > 0)
        connection.execute(one_less.values(tries=db.attempts.c.tries - 1))
