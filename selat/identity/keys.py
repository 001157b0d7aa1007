"""API keys: made once, stored hashed, identified in microseconds, revoked everywhere within a second."""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from selat.core.caller import GROUP_RULE, ROLES, Caller, is_group
from selat.core.errors import HomeBroken, Misused, NotFound, Unauthenticated, Unavailable
from selat.core.label import LOWEST, Label, parse_label
from selat.database import Database, Later
from selat.identity import tenants
from selat.identity.room import GROUPS_LENGTH, ROOM
from selat.identity.secret import LENGTH, PREFIX, Presented, digest, new_id, new_secret
from selat.identity.tenants import Purpose, Tenant

if TYPE_CHECKING:
    import sqlalchemy as sa

    from selat.identity import database as db
else:
    sa, db = Later("sqlalchemy"), Later("selat.identity.database")

log = logging.getLogger("selat.identity")

WATCH_EVERY_S = 0.25
USES_EVERY_S = 30.0
CACHE_LIMIT = 65536
SCOPES_LENGTH = 200
_COLUMNS = (
    'id, tenant, name, roles, scopes, clearance, created, expires, revoked, last_used, rotated_from, "groups"'
)
_BY_HASH = f"SELECT {_COLUMNS}, hash FROM keys WHERE hash = :hash"  # noqa: S608 - our own names
NOT_ACCEPTED = "the API key is missing, wrong or no longer valid; make one: selat key create"


@dataclass(frozen=True, slots=True)
class KeyWish:
    """What a new key should be. `scopes` bounds the purposes it may name; empty means all of its tenant's.

    `groups` are those whose documents it may know of.
    """

    name: str = ""
    roles: frozenset[str] = frozenset({"member"})
    clearance: Label = LOWEST
    scopes: frozenset[str] = frozenset()
    expires: datetime | None = None
    rotated_from: str | None = None
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key as it is kept, without its hash. Times are UTC, ISO 8601, to the second."""

    id: str
    tenant: str
    name: str
    roles: frozenset[str]
    scopes: frozenset[str]
    clearance: Label
    created: str
    expires: str | None = None
    revoked: str | None = None
    last_used: str | None = None
    rotated_from: str | None = None
    groups: frozenset[str] = frozenset()

    def to_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "tenant": self.tenant,
            "name": self.name,
            "roles": sorted(self.roles),
            "scopes": sorted(self.scopes),
            "clearance": str(self.clearance),
            "created": self.created,
            "expires": self.expires,
            "revoked": self.revoked,
            "last_used": self.last_used,
            "rotated_from": self.rotated_from,
            "groups": sorted(self.groups),
        }


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. `secret` is shown to the person once and kept nowhere."""

    secret: str = field(repr=False)
    record: KeyRecord = field()


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    until: float | None  # Unix seconds; None for a key that does not expire


def utc_now() -> datetime:
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Keys:
    """The keys and tenants in one database. One instance may serve many threads."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        database.prepare(ROOM)
        self.database = database
        self._now = now
        self._known: dict[bytes, _Known | None] = {}
        self._uses: dict[str, str] = {}
        self._watching = threading.Lock()
        self._look_at = 0.0
        self._flush_at = time.monotonic() + USES_EVERY_S
        self._seen: tuple[int | None, int] = (-1, -1)

    @classmethod
    def open(cls, where: Path | str) -> Keys:
        """The keys in a SQLite file, made if missing, or at a database URL. Raises: HomeBroken, Unavailable."""
        return cls(Database(where))

    @property
    def engine(self) -> sa.Engine:
        """The database for what people change by hand: brings SQLAlchemy."""
        return self.database.engine

    def close(self) -> None:
        self.flush_uses()
        self.database.close()

    # Tenants

    def ensure_tenant(self, tenant: Tenant) -> bool:
        """Make the tenant if it is not there; True if it was made. One that is there is left as it is."""
        with db.writing(self.engine) as connection:
            found = connection.execute(sa.select(db.tenants.c.id).where(db.tenants.c.id == tenant.id)).first()
            if found is None:
                tenants.insert(connection, tenant, stamp(self._now()))
            return found is None

    def tenant(self, tenant: str) -> Tenant:
        """Raises: NotFound."""
        with self.database.reading(ROOM) as session:
            return tenants.read(session, tenant)

    def tenants(self) -> list[Tenant]:
        with self.database.reading(ROOM) as session:
            return [tenants.read(session, name) for (name,) in session.all("SELECT id FROM tenants ORDER BY id")]

    def register_purpose(self, tenant: str, purpose: Purpose) -> Purpose:
        """Add a purpose to the tenant's register, or replace the one of that id. Raises: NotFound, Misused."""
        with db.writing(self.engine) as connection:
            tenants.select(connection, tenant)
            tenants.add_purposes(connection, tenant, [purpose], stamp(self._now()))
        return purpose

    def set_profile(self, tenant: str, profile: str) -> None:
        """Say what kind of body a tenant is. Raises: NotFound, Misused."""
        with db.writing(self.engine) as connection:
            tenants.set_profile(connection, tenant, profile)

    def keep_content(self, tenant: str, days: int) -> None:
        """Have prompts and answers kept for so many days; 0 keeps none. Raises: NotFound, Misused."""
        with db.writing(self.engine) as connection:
            tenants.keep_content(connection, tenant, days)

    # Keys

    def create(self, tenant: str, wish: KeyWish) -> NewKey:
        """Make a key. Raises: NotFound for no such tenant; Misused for an unknown role or a past expiry."""
        if not wish.roles or not wish.roles <= set(ROLES):
            raise Misused(f"role: none of that name; known: {', '.join(ROLES)}")
        if not all(is_group(group) for group in wish.groups) or len(" ".join(wish.groups)) > GROUPS_LENGTH:
            raise Misused(f"group: {GROUP_RULE}; at most {GROUPS_LENGTH} letters in all")
        if wish.expires is not None and wish.expires <= self._now():
            raise Misused("expiry: lies in the past; give a time to come")
        secret = new_secret()
        record = KeyRecord(
            new_id(),
            tenant,
            wish.name[:200],
            wish.roles,
            wish.scopes,
            wish.clearance,
            stamp(self._now()),
            stamp(wish.expires) if wish.expires else None,
            rotated_from=wish.rotated_from,
            groups=wish.groups,
        )
        with db.writing(self.engine) as connection:
            registered = {purpose.id for purpose in tenants.select(connection, tenant).purposes}
            if len(" ".join(wish.scopes)) > SCOPES_LENGTH:
                raise Misused(
                    f"scope: at most {SCOPES_LENGTH} letters in all; without scopes a key has all purposes"
                )
            if not wish.scopes <= registered:
                raise Misused(f"scope: not a purpose of the tenant; registered: {', '.join(sorted(registered))}")
            connection.execute(db.keys.insert().values(**_row(record), hash=digest(secret)))
            db.count_change(connection)
        return NewKey(secret, record)

    def any(self, tenant: str) -> bool:
        """Whether the tenant ever had a key."""
        with self.database.reading(ROOM) as session:
            return bool(session.all("SELECT 1 FROM keys WHERE tenant = :tenant LIMIT 1", {"tenant": tenant}))

    def list(self, tenant: str) -> list[KeyRecord]:
        """The tenant's keys, oldest first, the revoked ones too."""
        self.flush_uses()
        with db.reading(self.engine) as connection:
            rows = connection.execute(
                sa.select(db.keys).where(db.keys.c.tenant == tenant).order_by(db.keys.c.created, db.keys.c.id)
            )
            return [_listed(row) for row in rows]

    def revoke(self, tenant: str, key: str) -> KeyRecord:
        """End a key now; every worker refuses it within a second. A revoked one stays as it is.

        Raises: NotFound, the same for a missing key and for another tenant's.
        """
        with db.writing(self.engine) as connection:
            mine = sa.and_(db.keys.c.id == key, db.keys.c.tenant == tenant)
            row = connection.execute(sa.select(db.keys).where(mine)).first()
            if row is None:
                raise NotFound("no such key; see: selat key list")
            if row.revoked is None:
                connection.execute(db.keys.update().where(mine).values(revoked=stamp(self._now())))
                db.count_change(connection)
                row = connection.execute(sa.select(db.keys).where(mine)).one()
        self._known.clear()
        return _listed(row)

    def rotate(self, tenant: str, key: str) -> NewKey:
        """A new secret with the rights of an old key, which works until it is revoked. Raises: as `successor`."""
        return self.create(tenant, self.successor(tenant, key))

    def successor(self, tenant: str, key: str) -> KeyWish:
        """The wish for a key of the same name, roles, scopes, clearance and expiry.

        Raises: NotFound; Misused for a key that is revoked.
        """
        with db.reading(self.engine) as connection:
            row = connection.execute(
                sa.select(db.keys).where(db.keys.c.id == key, db.keys.c.tenant == tenant)
            ).first()
        if row is None:
            raise NotFound("no such key; see: selat key list")
        old = _listed(row)
        if old.revoked:
            raise Misused("the key is revoked; make a new one: selat key create")
        expires = datetime.fromisoformat(old.expires) if old.expires else None
        return KeyWish(old.name, old.roles, old.clearance, old.scopes, expires, key, old.groups)

    # The road of every request

    def identify(self, secret: str) -> Caller:
        """Who holds this secret.

        Found by its hash: the time this takes tells nothing that helps to guess 256 bits.
        Raises: Unauthenticated, the same for a wrong, malformed, expired or revoked key; Unavailable.
        """
        if time.monotonic() >= self._look_at:
            self._look()
        hashed = secret.digest if isinstance(secret, Presented) else digest(secret)
        try:
            known = self._known[hashed]
        except KeyError:
            known = self._find(secret, hashed)
        if known is None or (known.until is not None and known.until <= time.time()):
            raise Unauthenticated(NOT_ACCEPTED)
        caller = known.caller
        self._uses[caller.key] = ""
        return caller

    def _find(self, secret: str, hashed: bytes) -> _Known | None:
        if len(secret) != LENGTH or not secret.startswith(PREFIX):
            return None  # and nothing is remembered of it
        with self.database.reading(ROOM) as session:
            rows = session.all(_BY_HASH, {"hash": hashed})
            known = None
            if rows and hmac.compare_digest(bytes(rows[0][-1]), hashed):
                record = _record(rows[0][:-1])
                if record.revoked is None:
                    known = _known(record, tenants.read(session, record.tenant))
        if len(self._known) >= CACHE_LIMIT:
            self._known.clear()
        self._known[hashed] = known
        return known

    def _look(self) -> None:
        """Drop what is remembered if any worker changed an identity; at most every quarter of a second."""
        if not self._watching.acquire(blocking=False):
            return
        try:
            self._look_at = time.monotonic() + WATCH_EVERY_S
            seen = self._changes()
            if seen != self._seen:
                self._known.clear()
                self._seen = seen
            if self._uses and time.monotonic() >= self._flush_at:
                self._flush_at = time.monotonic() + USES_EVERY_S
                threading.Thread(target=self.flush_uses, name="selat-key-uses", daemon=True).start()
        finally:
            self._watching.release()

    def _changes(self) -> tuple[int | None, int]:
        """A pair that differs after any change. SQLite's `data_version` spares the query when nothing moved."""
        moved = self.database.version(ROOM)
        if moved is not None and moved == self._seen[0]:
            return self._seen
        with self.database.reading(ROOM) as session:
            ((changes,),) = session.all("SELECT changes FROM identity_state")
        return moved, changes

    def flush_uses(self) -> None:
        """Write when keys were last used. Called in the background; a failure only loses these times."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        moment = stamp(self._now())
        try:
            with self.database.writing(ROOM) as session:
                for key in uses:
                    session.run("UPDATE keys SET last_used = :at WHERE id = :key", {"at": moment, "key": key})
        except (HomeBroken, Unavailable) as error:
            log.warning("when keys were last used could not be written (%s)", type(error).__name__)


def _known(record: KeyRecord, tenant: Tenant) -> _Known:
    found = tenants.caller_in(tenant, record.id, record.roles, record.clearance, record.scopes)
    caller = replace(found, groups=record.groups)
    until = datetime.fromisoformat(record.expires).timestamp() if record.expires else None
    return _Known(caller, until)


def _row(record: KeyRecord) -> dict[str, Any]:
    row = cast("dict[str, Any]", record.to_json())
    sets = {"roles": record.roles, "scopes": record.scopes, "groups": record.groups}
    return row | {name: " ".join(sorted(words)) for name, words in sets.items()}


def _record(row: Sequence[Any]) -> KeyRecord:
    """The record of a row with _COLUMNS."""
    id_, tenant, name, roles, scopes, clearance, created, expires, revoked, last_used, rotated_from, groups = row
    return KeyRecord(
        id_,
        tenant,
        name,
        frozenset(roles.split()),
        frozenset(scopes.split()),
        parse_label(clearance),
        created,
        expires,
        revoked,
        last_used,
        rotated_from,
        frozenset(groups.split()),
    )


def _listed(row: sa.Row[Any]) -> KeyRecord:
    return _record([getattr(row, name.strip('"')) for name in _COLUMNS.split(", ")])
