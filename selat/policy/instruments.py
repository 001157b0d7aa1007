"""Instruments that expire: impact assessments, contracts, consents, audits; and grounds that rest on them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from selat.core.errors import Misused, NotFound
from selat.database import Later
from selat.policy.packs import Rule

if TYPE_CHECKING:
    import sqlalchemy as sa

    from selat.policy import store as db
else:
    sa, db = Later("sqlalchemy"), Later("selat.policy.store")

KINDS = ("tia", "dpia", "risk-assessment", "audit", "contract", "consent", "approval")
GROUNDS = ("", "1A", "1B", "2(a)", "2(b)", "2(c)", "2(d)", "2(e)", "2(f)", "2(g)", "2(h)")
MOST_PLACES = 60  # what the column holds
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
_PLACE = re.compile(r"[A-Z]{2}\Z")


@dataclass(frozen=True, slots=True)
class Instrument:
    """A document that makes something lawful for a time. `hash` is the hex SHA-256 of the document, or "".

    `ground` is one of PDPA s 129's for an instrument that carries transfers to `destinations` (ISO 3166-1
    alpha-2). It is in force from `starts` up to and without `ends`; None has no end.
    """

    tenant: str
    id: str
    kind: str
    title: str
    starts: date
    ends: date | None = None
    hash: str = ""
    ground: str = ""
    destinations: frozenset[str] = frozenset()
    withdrawn: str | None = None

    def in_force_on(self, day: date) -> bool:
        return self.withdrawn is None and self.starts <= day and (self.ends is None or day < self.ends)

    def to_json(self) -> dict[str, object]:
        return {
            "tenant": self.tenant,
            "id": self.id,
            "kind": self.kind,
            "title": self.title,
            "starts": self.starts.isoformat(),
            "ends": self.ends.isoformat() if self.ends else None,
            "hash": self.hash,
            "ground": self.ground,
            "destinations": sorted(self.destinations),
            "withdrawn": self.withdrawn,
        }


def expiry(kind: str, starts: date, rules: list[Rule]) -> date | None:
    """When an instrument of this kind ends by the rules' clocks: the earliest, or None where none says."""
    start = datetime(starts.year, starts.month, starts.day, tzinfo=UTC)
    ends = [
        rule.clock.due(start).date()
        for rule in rules
        if rule.clock is not None and rule.clock.starts == f"instrument.{kind}" and rule.applies_on(starts)
    ]
    return min(ends, default=None)


class Instruments:
    """The instruments of all tenants in one database."""

    def __init__(self, engine: sa.Engine) -> None:
        db.TABLES.prepare(engine)
        self._engine = engine

    def record(self, instrument: Instrument) -> Instrument:
        """Keep an instrument. Raises: Misused, naming the field; or for an id that is taken."""
        _check(instrument)
        row = {**instrument.to_json(), "destinations": " ".join(sorted(instrument.destinations))}
        with db.writing(self._engine) as connection:
            mine = _mine(instrument.tenant, instrument.id)
            if connection.execute(sa.select(db.instruments.c.id).where(mine)).first():
                raise Misused("instrument: the id is taken; withdraw that one, or give another id")
            connection.execute(db.instruments.insert().values(**row))
        return instrument

    def withdraw(self, tenant: str, name: str, moment: str) -> Instrument:
        """End an instrument now. Raises: NotFound."""
        with db.writing(self._engine) as connection:
            connection.execute(
                db.instruments.update()
                .where(_mine(tenant, name), db.instruments.c.withdrawn.is_(None))
                .values(withdrawn=moment)
            )
        return self.get(tenant, name)

    def get(self, tenant: str, name: str) -> Instrument:
        """Raises: NotFound, the same for a missing one and another tenant's."""
        with db.reading(self._engine) as connection:
            row = connection.execute(sa.select(db.instruments).where(_mine(tenant, name))).first()
        if row is None:
            raise NotFound("no such instrument; see: selat rules due")
        return _instrument(row)

    def all(self, tenant: str) -> list[Instrument]:
        with db.reading(self._engine) as connection:
            rows = connection.execute(
                sa.select(db.instruments)
                .where(db.instruments.c.tenant == tenant)
                .order_by(db.instruments.c.starts, db.instruments.c.id)
            )
            return [_instrument(row) for row in rows]

    def ground(self, tenant: str, destination: str, day: date) -> Instrument | None:
        """The instrument in force on `day` that carries transfers to `destination`; the longest one, or None."""
        found = [
            one
            for one in self.all(tenant)
            if one.ground and destination in one.destinations and one.in_force_on(day)
        ]
        return max(found, key=lambda one: one.ends or date.max, default=None)


def _mine(tenant: str, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(db.instruments.c.tenant == tenant, db.instruments.c.id == name)


def _instrument(row: sa.Row[tuple[object, ...]]) -> Instrument:
    values = dict(row._mapping)
    values["starts"] = date.fromisoformat(values["starts"])
    values["ends"] = date.fromisoformat(values["ends"]) if values["ends"] else None
    values["destinations"] = frozenset(values["destinations"].split())
    return Instrument(**values)


def _check(one: Instrument) -> None:
    if not _ID.match(one.id):
        raise Misused("instrument id: letters, digits, dots and hyphens, at most 63, as in TIA-2026-01")
    if one.kind not in KINDS:
        raise Misused(f"instrument kind: none of that name; known: {', '.join(KINDS)}")
    if one.ground not in GROUNDS:
        raise Misused(f"ground: none of that name; known: {', '.join(GROUNDS[1:])}")
    if one.ground and not one.destinations:
        raise Misused("destinations: a ground is for named places; give them, as in SG")
    if not all(_PLACE.match(place) for place in one.destinations):
        raise Misused("destinations: two capital letters each, as in SG")
    if len(one.destinations) > MOST_PLACES:
        raise Misused(f"destinations: at most {MOST_PLACES}; record a second instrument for the others")
    if one.hash and not re.fullmatch(r"[0-9a-f]{64}", one.hash):
        raise Misused("hash: the hex SHA-256 of the document, 64 characters")
    if one.ends is not None and one.ends <= one.starts:
        raise Misused("instrument: ends before it starts")
    if len(one.title) > 200:
        raise Misused("title: at most 200 characters")
