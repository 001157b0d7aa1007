"""People who use the console: local accounts with a password and, if they wish, a second factor.

What opens an account (argon2, second factors) is imported where it is needed: a gateway that nobody signs in to
does without.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from selat.core.caller import GROUP_RULE, ROLES, Caller, is_group
from selat.core.errors import Misused, NotFound, Unauthenticated
from selat.core.label import LOWEST, Label, parse_label
from selat.database import Later
from selat.identity import attempts, tenants
from selat.identity.keys import stamp, utc_now
from selat.identity.room import GROUPS_LENGTH

if TYPE_CHECKING:
    import sqlalchemy as sa

    from selat.identity import database as db
else:
    sa, db = Later("sqlalchemy"), Later("selat.identity.database")

NOBODY = "no such person; see: selat person list"
WRONG = "the name, the password or the code is not right"
LINK_S = 24 * 3600
HOUSE = "default"
_LOGIN = re.compile(r"[^\s/\x00-\x1f\x7f]{2,100}\Z")


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody may do, may see at most, and whose documents they may know of."""

    roles: frozenset[str]
    clearance: Label
    groups: frozenset[str] = frozenset()

    def row(self) -> dict[str, str]:
        """As the tables keep them. Raises: Misused, for a role or a group that is none."""
        if not self.roles or not self.roles <= set(ROLES):
            raise Misused(f"role: none of that name; known: {', '.join(ROLES)}")
        if not all(is_group(group) for group in self.groups) or len(" ".join(self.groups)) > GROUPS_LENGTH:
            raise Misused(f"group: {GROUP_RULE}")
        return {
            "roles": " ".join(sorted(self.roles)),
            "clearance": str(self.clearance),
            "groups": " ".join(sorted(self.groups)),
        }


@dataclass(frozen=True, slots=True)
class PersonWish:
    """Who to make an account for. `login` is what they type: an e-mail address or a short name."""

    login: str
    name: str = ""
    roles: frozenset[str] = frozenset({"member"})
    clearance: Label = LOWEST
    groups: frozenset[str] = frozenset()

    @property
    def rights(self) -> Rights:
        return Rights(self.roles, self.clearance, self.groups)


@dataclass(frozen=True, slots=True)
class Person:
    """An account, without what it is opened with. Times are UTC, ISO 8601, to the second."""

    id: str
    tenant: str
    login: str
    name: str
    roles: frozenset[str]
    clearance: Label
    created: str
    disabled: str | None = None
    last_seen: str | None = None
    groups: frozenset[str] = frozenset()
    has_password: bool = False
    has_totp: bool = False

    @property
    def signs_in_as(self) -> str:
        """What to type: the tenant too, unless it is the one that runs the house."""
        return self.login if self.tenant == HOUSE else f"{self.tenant}/{self.login}"

    def to_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "tenant": self.tenant,
            "login": self.login,
            "name": self.name,
            "roles": sorted(self.roles),
            "clearance": str(self.clearance),
            "created": self.created,
            "disabled": self.disabled,
            "last_seen": self.last_seen,
            "groups": sorted(self.groups),
            "has_password": self.has_password,
            "has_totp": self.has_totp,
        }


@dataclass(frozen=True, slots=True)
class Try:
    """An attempt to sign in. `login` may be `tenant/login`; `address` is where it comes from."""

    login: str
    password: str
    address: str = ""


class People:
    """The accounts in one database. `key` seals second factors. One instance may serve many threads."""

    def __init__(self, engine: sa.Engine, key: bytes) -> None:
        self.engine = engine
        self._key = key

    def any(self) -> bool:
        """Whether there is anybody at all."""
        with db.reading(self.engine) as connection:
            return connection.execute(sa.select(db.people.c.id).limit(1)).first() is not None

    def add(self, tenant: str, wish: PersonWish) -> Person:
        """Make an account, without a password: a link lets the person set one. Raises: NotFound, Misused."""
        if not _LOGIN.match(wish.login):
            raise Misused("login: an e-mail address or a name, 2 to 100 characters, without spaces or slashes")
        row = {
            **wish.rights.row(),
            "id": "per_" + secrets.token_hex(8),
            "tenant": tenant,
            "login": wish.login.casefold(),
            "name": wish.name.strip()[:200],
            "totp_step": 0,
            "created": stamp(utc_now()),
        }
        with db.writing(self.engine) as connection:
            tenants.select(connection, tenant)
            mine = sa.and_(db.people.c.tenant == tenant, db.people.c.login == row["login"])
            if connection.execute(sa.select(db.people.c.id).where(mine)).first():
                raise Misused("login: somebody has this name already; choose another")
            connection.execute(db.people.insert().values(**row))
            return _person(_row(connection, tenant, str(row["id"])))

    def forget(self, tenant: str, person: str) -> None:
        """Undo `add`: an account that could not be booked is none."""
        with db.writing(self.engine) as connection:
            connection.execute(db.people.delete().where(db.people.c.tenant == tenant, db.people.c.id == person))

    def list(self, tenant: str) -> list[Person]:
        """The tenant's people by login, the closed accounts too."""
        with db.reading(self.engine) as connection:
            mine = sa.select(db.people).where(db.people.c.tenant == tenant).order_by(db.people.c.login)
            return [_person(row) for row in connection.execute(mine)]

    def get(self, tenant: str, person: str) -> Person:
        """Raises: NotFound, the same for a missing person and for another tenant's."""
        with db.reading(self.engine) as connection:
            return _person(_row(connection, tenant, person))

    def caller(self, tenant: str, person: str) -> Caller:
        """What the person may do, as it is now. Raises: NotFound; Unauthenticated for a closed account."""
        with db.reading(self.engine) as connection:
            found = _person(_row(connection, tenant, person))
            if found.disabled:
                raise Unauthenticated(WRONG)
            caller = tenants.caller_in(tenants.select(connection, tenant), found.id, found.roles, found.clearance)
            return replace(caller, groups=found.groups)

    def change(self, tenant: str, person: str, rights: Rights) -> Person:
        """Give other rights; open sessions end, so that the new ones begin with a new sign-in.

        Raises: NotFound, Misused.
        """
        return self._set(tenant, person, **rights.row())

    def disable(self, tenant: str, person: str) -> Person:
        """Close the account and its sessions; nothing of the book is lost. Raises: NotFound."""
        return self._set(tenant, person, disabled=stamp(utc_now()))

    def enable(self, tenant: str, person: str) -> Person:
        """Open a closed account again. Raises: NotFound."""
        return self._set(tenant, person, disabled=None)

    def set_password(self, tenant: str, person: str, password: str) -> Person:
        """Raises: NotFound; Misused, for one that is too easy."""
        from selat.identity.password import check_password, hashed

        kept = hashed(check_password(password, self.get(tenant, person).login))
        return self._set(tenant, person, password=kept)

    def set_totp(self, tenant: str, person: str, secret: str, code: str) -> Person:
        """Take a second factor once its first code was right. Raises: NotFound, Misused."""
        from selat.identity.password import seal, totp_step

        step = totp_step(secret, code, 0)
        if step is None:
            raise Misused("code: not the one that the app shows now; check the phone's clock and try again")
        return self._set(tenant, person, totp=seal(self._key, secret, person), totp_step=step)

    def clear_totp(self, tenant: str, person: str) -> Person:
        """Raises: NotFound."""
        return self._set(tenant, person, totp=None, totp_step=0)

    def _set(self, tenant: str, person: str, **values: object) -> Person:
        with db.writing(self.engine) as connection:
            _row(connection, tenant, person)
            connection.execute(db.people.update().where(db.people.c.id == person).values(**values))
            connection.execute(db.sessions.delete().where(db.sessions.c.holder == person))
            return _person(_row(connection, tenant, person))

    # Signing in

    def check(self, attempt: Try) -> Person:
        """Whose password this is. One with a second factor is not in yet: `second` comes next.

        Raises: Unauthenticated, the same for every flaw; TooMany.
        """
        from selat.identity.password import matches

        login = attempt.login.strip().casefold()
        attempts.count(self.engine, login, attempt.address)
        tenant, _, name = login.rpartition("/")
        with db.reading(self.engine) as connection:
            mine = sa.and_(db.people.c.tenant == (tenant or HOUSE), db.people.c.login == name)
            row = connection.execute(sa.select(db.people).where(mine)).first()
        right = matches(row.password if row else None, attempt.password)
        if row is None or not right or row.disabled:
            raise Unauthenticated(WRONG)
        attempts.forgive(self.engine, login, attempt.address)
        person = _person(row)
        if not person.has_totp:
            self.saw(person)
        return person

    def second(self, tenant: str, person: str, code: str, address: str) -> Person:
        """The person whose password was right, by the code their app shows. Raises: Unauthenticated; TooMany."""
        from selat.identity.password import totp_step, unseal

        attempts.count(self.engine, person, address)
        with db.reading(self.engine) as connection:
            row = _row(connection, tenant, person)
        step = totp_step(unseal(self._key, row.totp, row.id), code, row.totp_step) if row.totp else None
        if step is None or row.disabled:
            raise Unauthenticated(WRONG)
        with db.writing(self.engine) as connection:
            first = sa.and_(db.people.c.id == row.id, db.people.c.totp_step < step)
            if connection.execute(db.people.update().where(first).values(totp_step=step)).rowcount != 1:
                raise Unauthenticated(WRONG)  # the same code, used at the same moment elsewhere
        attempts.forgive(self.engine, person, address)
        found = _person(row)
        self.saw(found)
        return found

    def saw(self, person: Person) -> None:
        """Note that the person has just come in."""
        with db.writing(self.engine) as connection:
            mine = db.people.update().where(db.people.c.id == person.id)
            connection.execute(mine.values(last_seen=stamp(utc_now())))

    # Links by which somebody gets in once, to set a password

    def link(self, tenant: str, person: str = "", life_s: int = LINK_S) -> str:
        """The secret of a one-time link: for this person, or "" for the first one, who has no account yet.

        A new link ends the earlier ones of the same person. Raises: NotFound.
        """
        secret = secrets.token_urlsafe(24)
        with db.writing(self.engine) as connection:
            if person:
                _row(connection, tenant, person)
            connection.execute(db.links.delete().where(db.links.c.tenant == tenant, db.links.c.person == person))
            expires = int(time.time()) + life_s
            row = {"hash": _digest(secret), "tenant": tenant, "person": person, "expires": expires}
            connection.execute(db.links.insert().values(**row))
        return secret

    def look(self, secret: str) -> tuple[str, str]:
        """Tenant and person of a link that still holds; it stays good. Raises: NotFound."""
        with db.reading(self.engine) as connection:
            return _link(connection, secret)

    def redeem(self, secret: str) -> tuple[str, str]:
        """Tenant and person of a link, which is now used up. Raises: NotFound."""
        with db.writing(self.engine) as connection:
            found = _link(connection, secret)
            connection.execute(db.links.delete().where(db.links.c.hash == _digest(secret)))
            return found

    # What follows a person from one machine to the next

    def preferences(self, holder: str) -> tuple[str, str]:
        """Language and theme; "" where the person has not chosen."""
        with db.reading(self.engine) as connection:
            row = connection.execute(sa.select(db.preferences).where(db.preferences.c.holder == holder)).first()
            return (row.language, row.theme) if row else ("", "")

    def prefer(self, holder: str, language: str, theme: str) -> None:
        with db.writing(self.engine) as connection:
            connection.execute(db.preferences.delete().where(db.preferences.c.holder == holder))
            connection.execute(db.preferences.insert().values(holder=holder, language=language, theme=theme))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _link(connection: sa.Connection, secret: str) -> tuple[str, str]:
    row = connection.execute(sa.select(db.links).where(db.links.c.hash == _digest(secret))).first()
    if row is None or row.expires <= time.time():
        raise NotFound("this link was used or is too old; make another: selat person link")
    return row.tenant, row.person


def _row(connection: sa.Connection, tenant: str, person: str) -> sa.Row[Any]:
    mine = sa.and_(db.people.c.id == person, db.people.c.tenant == tenant)
    row = connection.execute(sa.select(db.people).where(mine)).first()
    if row is None:
        raise NotFound(NOBODY)
    return row


def _person(row: sa.Row[Any]) -> Person:
    return Person(
        row.id,
        row.tenant,
        row.login,
        row.name,
        frozenset(row.roles.split()),
        parse_label(row.clearance),
        row.created,
        row.disabled,
        row.last_seen,
        frozenset(row.groups.split()),
        row.password is not None,
        row.totp is not None,
    )


def by_login(found: Sequence[Person], login: str) -> Person:
    """The person of that id or login. Raises: NotFound."""
    for one in found:
        if login.casefold() in (one.id, one.login):
            return one
    raise NotFound(NOBODY)
