"""Tenants and the purposes they have registered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selat.core.caller import Caller
from selat.core.errors import Misused, NotFound
from selat.core.label import CloudClass, Label, Official, PersonalKind, parse_label
from selat.database import Later, Session, Within

if TYPE_CHECKING:
    import sqlalchemy as sa

    from selat.identity import database as db
else:
    db = Later("selat.identity.database")

MOST_DAYS = 3660
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")


@dataclass(frozen=True, slots=True)
class Purpose:
    """A registered reason for processing, named in both languages. Source: PDPA 2010 ss 6, 7."""

    id: str
    name_ms: str
    name_en: str
    needs_passport: bool = False


DEFAULT_PURPOSES = (
    Purpose("chat", "Perbualan dan bantuan menulis", "Conversation and help with writing"),
    Purpose("docs", "Jawapan daripada dokumen sendiri", "Answers from one's own documents"),
    Purpose("eval", "Penilaian model", "Evaluation of models"),
)

HIGHEST_BY_DEFAULT = Label(Official.TERHAD, CloudClass.RESTRICTED, PersonalKind.PERSONAL, frozenset({"MY"}))
PROMPT_BY_DEFAULT = Label(jurisdictions=frozenset({"MY"}))


@dataclass(frozen=True, slots=True)
class Tenant:
    """`highest_label` is what an unlabelled document takes, `prompt_label` what an unlabelled prompt is.

    `profile` says which rules apply: agency, commercial, financial, ncii or sme. Prompts and answers are kept for
    `content_days`; 0 keeps none of them.
    """

    id: str
    highest_label: Label = HIGHEST_BY_DEFAULT
    prompt_label: Label = PROMPT_BY_DEFAULT
    purposes: tuple[Purpose, ...] = DEFAULT_PURPOSES
    profile: str = "sme"
    content_days: int = 0

    def to_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "profile": self.profile,
            "content_days": self.content_days,
            "highest_label": str(self.highest_label),
            "prompt_label": str(self.prompt_label),
            "purposes": [
                {"id": one.id, "ms": one.name_ms, "en": one.name_en, "needs_passport": one.needs_passport}
                for one in self.purposes
            ],
        }


def caller_in(
    tenant: Tenant, key: str, roles: frozenset[str], clearance: Label, scopes: frozenset[str] = frozenset()
) -> Caller:
    """Who holds a credential of this tenant. `scopes` bounds the purposes it may name; empty means all."""
    registered = frozenset(purpose.id for purpose in tenant.purposes)
    purposes = registered & scopes if scopes else registered
    strict = frozenset(purpose.id for purpose in tenant.purposes if purpose.needs_passport)
    return Caller(
        tenant.id,
        key,
        roles,
        clearance,
        purposes,
        tenant.prompt_label,
        strict & purposes,
        tenant.profile,
        tenant.content_days > 0,
    )


PROFILES = ("agency", "commercial", "financial", "ncii", "sme")


def check_name(what: str, name: str) -> str:
    if not NAME.match(name):
        raise Misused(f"{what}: use small letters, digits and hyphens, at most 63, as in 'loan-triage'")
    return name


def check_profile(profile: str) -> None:
    if profile not in PROFILES:
        raise Misused(f"tenant profile: none of that name; known: {', '.join(PROFILES)}")


def insert(connection: sa.Connection, tenant: Tenant, now: str) -> None:
    check_name("tenant", tenant.id)
    check_profile(tenant.profile)
    connection.execute(
        db.tenants.insert().values(
            id=tenant.id,
            highest_label=str(tenant.highest_label),
            prompt_label=str(tenant.prompt_label),
            profile=tenant.profile,
            content_days=tenant.content_days,
            created=now,
        )
    )
    add_purposes(connection, tenant.id, tenant.purposes, now)


def keep_content(connection: sa.Connection, tenant: str, days: int) -> None:
    """Have a tenant's prompts and answers kept for so many days; 0 for none. Raises: NotFound, Misused."""
    if not 0 <= days <= MOST_DAYS:
        raise Misused(f"content days: 0 (keep none) to {MOST_DAYS}")
    select(connection, tenant)
    connection.execute(db.tenants.update().where(db.tenants.c.id == tenant).values(content_days=days))
    db.count_change(connection)


def set_profile(connection: sa.Connection, tenant: str, profile: str) -> None:
    """Say what kind of body a tenant is, and so which rule packs bind it. Raises: NotFound, Misused."""
    check_profile(profile)
    select(connection, tenant)
    connection.execute(db.tenants.update().where(db.tenants.c.id == tenant).values(profile=profile))
    db.count_change(connection)


def add_purposes(connection: sa.Connection, tenant: str, added: Sequence[Purpose], now: str) -> None:
    """Register purposes; one that is there already is replaced."""
    for purpose in added:
        check_name("purpose", purpose.id)
        connection.execute(
            db.purposes.delete().where(db.purposes.c.tenant == tenant, db.purposes.c.id == purpose.id)
        )
        connection.execute(
            db.purposes.insert().values(
                tenant=tenant,
                id=purpose.id,
                name_ms=purpose.name_ms,
                name_en=purpose.name_en,
                needs_passport=purpose.needs_passport,
                created=now,
            )
        )
    db.count_change(connection)


def select(connection: sa.Connection, tenant: str) -> Tenant:
    """As `read`, within a transaction of SQLAlchemy's."""
    return read(Within(connection), tenant)


def read(session: Session, tenant: str) -> Tenant:
    """Raises: NotFound."""
    rows = session.all(
        "SELECT id, highest_label, prompt_label, profile, content_days FROM tenants WHERE id = :id", {"id": tenant}
    )
    if not rows:
        raise NotFound("no such tenant; see: selat tenant list")
    ((name, highest, prompt, profile, content_days),) = rows
    registered = session.all(
        "SELECT id, name_ms, name_en, needs_passport FROM purposes WHERE tenant = :id ORDER BY id", {"id": tenant}
    )
    return Tenant(
        name,
        parse_label(highest),
        parse_label(prompt),
        tuple(Purpose(id_, ms, en, bool(strict)) for id_, ms, en, strict in registered),
        profile,
        content_days,
    )
