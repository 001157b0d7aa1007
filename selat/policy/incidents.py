"""Incidents with the clocks that the law sets running: what is due, by when, and what was done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from selat.core.errors import Misused, NotFound
from selat.database import Later
from selat.policy.packs import Rule

if TYPE_CHECKING:
    import sqlalchemy as sa

    from selat.policy import store as db
else:
    sa, db = Later("sqlalchemy"), Later("selat.policy.store")

KINDS = ("personal", "harm", "cyber")


@dataclass(frozen=True, slots=True)
class Step:
    """A duty that was done: when, under which reference of the authority, and why late if it was."""

    rule: str
    done: datetime
    reference: str = ""
    late_reason: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that went wrong. `kinds`: `personal` data concerned, significant `harm` likely, `cyber` incident.

    `noticed` is when the tenant became aware: every clock counts from it. `affected` people, None if not known.
    """

    id: str
    tenant: str
    title: str
    kinds: frozenset[str]
    noticed: datetime
    affected: int | None = None
    closed: datetime | None = None
    steps: tuple[Step, ...] = ()

    def to_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "tenant": self.tenant,
            "title": self.title,
            "kinds": sorted(self.kinds),
            "noticed": stamp(self.noticed),
            "affected": self.affected,
            "closed": stamp(self.closed) if self.closed else None,
            "steps": [
                {
                    "rule": step.rule,
                    "done": stamp(step.done),
                    "reference": step.reference,
                    "late": step.late_reason,
                }
                for step in self.steps
            ],
        }


@dataclass(frozen=True, slots=True)
class Duty:
    """What a rule asks because of an incident. `due` is None while an earlier duty has not been done."""

    rule: Rule
    due: datetime | None
    step: Step | None = field(default=None)

    @property
    def done(self) -> datetime | None:
        return self.step.done if self.step else None

    def late(self, now: datetime) -> bool:
        return self.due is not None and (self.done or now) > self.due

    def to_json(self, now: datetime) -> dict[str, object]:
        return {
            "rule": self.rule.id,
            "status": self.rule.status,
            "ms": self.rule.ms,
            "en": self.rule.en,
            "due": stamp(self.due) if self.due else None,
            "done": stamp(self.done) if self.done else None,
            "late": self.late(now),
        }


def duties(incident: Incident, rules: Iterable[Rule]) -> list[Duty]:
    """What these rules ask of this incident, soonest first; those that wait for another come last."""
    steps = {step.rule: step for step in incident.steps}
    found: list[Duty] = []
    for rule in rules:
        clock = rule.clock
        if clock is None or clock.when not in incident.kinds or not rule.applies_on(incident.noticed.date()):
            continue
        if clock.starts == "incident.noticed":
            start: datetime | None = incident.noticed
        else:
            start = steps[clock.starts].done if clock.starts in steps else None
        found.append(Duty(rule, clock.due(start) if start else None, steps.get(rule.id)))
    return sorted(found, key=lambda duty: (duty.due is None, duty.due or incident.noticed, duty.rule.id))


class Incidents:
    """The incidents of all tenants in one database."""

    def __init__(
        self,
        engine: sa.Engine,
        rules_of: Callable[[str], Iterable[Rule]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`rules_of` gives the rules that bind a tenant, by its profile."""
        db.TABLES.prepare(engine)
        self._engine = engine
        self._rules_of = rules_of
        self._now = now

    def open(self, incident: Incident) -> Incident:
        """Keep an incident; its clocks run from then on. Raises: Misused, naming the field."""
        if not incident.kinds or not incident.kinds <= set(KINDS):
            raise Misused(f"incident kind: none of that name; known: {', '.join(KINDS)}")
        if "harm" in incident.kinds and "personal" not in incident.kinds:
            raise Misused("incident kind: harm goes with personal: it is harm to the people the data is about")
        if incident.noticed > self._now():
            raise Misused("noticed: lies in the future")
        if not incident.title or len(incident.title) > 200:
            raise Misused("title: give one, at most 200 characters, without personal data")
        if incident.affected is not None and incident.affected < 0:
            raise Misused("affected: a number of people, 0 or more")
        with db.writing(self._engine) as connection:
            connection.execute(
                db.incidents.insert().values(
                    id=incident.id,
                    tenant=incident.tenant,
                    title=incident.title,
                    kinds=" ".join(sorted(incident.kinds)),
                    noticed=stamp(incident.noticed),
                    affected=incident.affected,
                )
            )
        return incident

    def done(self, tenant: str, name: str, step: Step) -> Incident:
        """Note that a duty was done. Raises: NotFound; Misused for a duty that is late without a reason."""
        incident = self.get(tenant, name)
        found = {duty.rule.id: duty for duty in self.duties(incident)}
        duty = found.get(step.rule)
        if duty is None:
            raise NotFound(f"this incident has no such duty; it has: {', '.join(found) or 'none'}")
        if duty.done:
            raise Misused("this duty is done already")
        if duty.due is None:
            raise Misused("this duty waits for an earlier one; note that one first")
        if step.done < incident.noticed or step.done > self._now():
            raise Misused("done: lies before the incident was noticed, or in the future")
        if step.done > duty.due and not step.late_reason:
            raise Misused(f"late: it was due {stamp(duty.due)}; give the reason, the authority asks for it")
        with db.writing(self._engine) as connection:
            connection.execute(
                db.incident_steps.insert().values(
                    incident=name,
                    rule=step.rule,
                    done=stamp(step.done),
                    reference=step.reference[:200],
                    late_reason=step.late_reason[:500],
                )
            )
        return self.get(tenant, name)

    def close(self, tenant: str, name: str) -> Incident:
        """End an incident. Raises: NotFound; Misused while a duty that binds (in force) is not done."""
        incident = self.get(tenant, name)
        left = [d.rule.id for d in self.duties(incident) if not d.done and d.rule.status == "in_force"]
        if left:
            raise Misused(f"duties are left: {', '.join(left)}; note each: selat incident done")
        with db.writing(self._engine) as connection:
            connection.execute(
                db.incidents.update().where(db.incidents.c.id == name).values(closed=stamp(self._now()))
            )
        return self.get(tenant, name)

    def duties(self, incident: Incident) -> list[Duty]:
        return duties(incident, self._rules_of(incident.tenant))

    def get(self, tenant: str, name: str) -> Incident:
        """Raises: NotFound, the same for a missing incident and another tenant's."""
        for incident in self.all(tenant):
            if incident.id == name:
                return incident
        raise NotFound("no such incident; see: selat incident list")

    def all(self, tenant: str) -> list[Incident]:
        """The tenant's incidents, oldest first."""
        with db.reading(self._engine) as connection:
            rows = connection.execute(
                sa.select(db.incidents)
                .where(db.incidents.c.tenant == tenant)
                .order_by(db.incidents.c.noticed, db.incidents.c.id)
            ).all()
            steps = connection.execute(
                sa.select(db.incident_steps)
                .where(db.incident_steps.c.incident.in_([row.id for row in rows]))
                .order_by(db.incident_steps.c.done, db.incident_steps.c.rule)
            ).all()
        return [
            Incident(
                row.id,
                row.tenant,
                row.title,
                frozenset(row.kinds.split()),
                datetime.fromisoformat(row.noticed),
                row.affected,
                datetime.fromisoformat(row.closed) if row.closed else None,
                tuple(
                    Step(one.rule, datetime.fromisoformat(one.done), one.reference, one.late_reason)
                    for one in steps
                    if one.incident == row.id
                ),
            )
            for row in rows
        ]


def stamp(moment: datetime) -> str:
    """RFC 3339, UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
