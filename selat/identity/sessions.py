"""Sessions of people at the console: a secret in a cookie, its hash here, an end by idleness and by age."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from selat.core.caller import Caller
from selat.core.errors import NotFound, Unauthenticated
from selat.core.label import parse_label
from selat.database import Later
from selat.identity import tenants
from selat.identity.people import People

if TYPE_CHECKING:
    import sqlalchemy as sa

    from selat.identity import database as db
else:
    sa, db = Later("sqlalchemy"), Later("selat.identity.database")

SEEN_EVERY_S = 60
LOCAL = "per_"
"""How ids of local accounts begin; any other holder came from an OpenID provider."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in. `token` is the cookie's secret; `name` is what to call the person."""

    token: str
    caller: Caller
    name: str

    @property
    def local(self) -> bool:
        return self.caller.key.startswith(LOCAL)


class Sessions:
    """The sessions in one database. `idle_s` and `life_s` bound them. One instance may serve many threads."""

    def __init__(self, people: People, idle_s: int, life_s: int) -> None:
        self._people = people
        self._engine = people.engine
        self._idle_s, self._life_s = idle_s, life_s

    def begin(self, caller: Caller, name: str) -> Session:
        """Start one, always with a fresh secret: a cookie that was there before is worth nothing."""
        token, now = secrets.token_urlsafe(32), int(time.time())
        with db.writing(self._engine) as connection:
            old = sa.or_(db.sessions.c.begun < now - self._life_s, db.sessions.c.seen < now - self._idle_s)
            connection.execute(db.sessions.delete().where(old))
            connection.execute(
                db.sessions.insert().values(
                    hash=_digest(token),
                    tenant=caller.tenant,
                    holder=caller.key,
                    name=name,
                    roles=" ".join(sorted(caller.roles)),
                    clearance=str(caller.clearance),
                    groups=" ".join(sorted(caller.groups)),
                    begun=now,
                    seen=now,
                )
            )
        return Session(token, caller, name)

    def find(self, token: str) -> Session | None:
        """Who holds this cookie; None when nobody does any more. A local person's rights are those of now."""
        now = int(time.time())
        with db.reading(self._engine) as connection:
            row = connection.execute(sa.select(db.sessions).where(db.sessions.c.hash == _digest(token))).first()
            if row is None or now - row.begun > self._life_s or now - row.seen > self._idle_s:
                return None
            # A local person's tenant is read with the person.
            tenant = None if row.holder.startswith(LOCAL) else tenants.select(connection, row.tenant)
        if now - row.seen > SEEN_EVERY_S:
            with db.writing(self._engine) as connection:
                mine = db.sessions.c.hash == row.hash
                connection.execute(db.sessions.update().where(mine).values(seen=now))
        if tenant is None:
            try:
                return Session(token, self._people.caller(row.tenant, row.holder), row.name)
            except (NotFound, Unauthenticated):
                return None
        roles = frozenset(row.roles.split())
        caller = tenants.caller_in(tenant, row.holder, roles, parse_label(row.clearance))
        return Session(token, replace(caller, groups=frozenset(row.groups.split())), row.name)

    def renew(self, session: Session) -> Session:
        """The same person under a fresh secret, as when their rights change."""
        self.end(session.token)
        return self.begin(session.caller, session.name)

    def end(self, token: str) -> None:
        """Sign out."""
        with db.writing(self._engine) as connection:
            connection.execute(db.sessions.delete().where(db.sessions.c.hash == _digest(token)))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
