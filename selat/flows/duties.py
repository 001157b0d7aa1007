"""duties: what the law asks of a tenant: incidents and their clocks, instruments that expire, notices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from selat.core.errors import NotFound
from selat.ledger import Book
from selat.policy.due import Due, running
from selat.policy.incidents import Incident, Incidents, Step, stamp
from selat.policy.instruments import Instrument, Instruments, expiry
from selat.policy.notices import Draft, draft, facts_from
from selat.policy.packs import Rule, Shelf

Record = Callable[[str, dict[str, object], str], str]
"""Books a change: kind, facts, tenant; the receipt id."""


@dataclass(frozen=True, slots=True)
class Duties:
    """What the flow joins. `profile_of` gives a tenant's profile."""

    shelf: Shelf
    incidents: Incidents
    instruments: Instruments
    profile_of: Callable[[str], str]
    record: Record

    def rules(self, tenant: str) -> list[Rule]:
        """The rules that bind a tenant. Raises: NotFound."""
        return self.shelf.rules(self.profile_of(tenant))

    def due(self, tenant: str, now: datetime) -> list[Due]:
        """The clocks and expiries that are running, soonest first. Raises: NotFound."""
        self.profile_of(tenant)
        cases = [(one, self.incidents.duties(one)) for one in self.incidents.all(tenant)]
        return running(cases, self.instruments.all(tenant), now)

    def open_incident(self, incident: Incident) -> Incident:
        """Open an incident and book it; its title stays out of the ledger. Raises: NotFound, Misused."""
        self.profile_of(incident.tenant)
        opened = self.incidents.open(incident)
        facts: dict[str, object] = {
            "incident": opened.id,
            "kinds": sorted(opened.kinds),
            "noticed": stamp(opened.noticed),
            "affected": opened.affected,
        }
        self.record("incident.opened", facts, opened.tenant)
        return opened

    def step(self, tenant: str, name: str, step: Step) -> Incident:
        """Note a duty as done and book it. Raises: NotFound, Misused."""
        incident = self.incidents.done(tenant, name, step)
        duty = next(one for one in self.incidents.duties(incident) if one.rule.id == step.rule)
        facts: dict[str, object] = {
            "incident": name,
            "rule": step.rule,
            "done": stamp(step.done),
            "due": stamp(duty.due) if duty.due else None,
            "late": duty.late(step.done),
        }
        self.record("incident.duty_done", facts, tenant)
        return incident

    def close_incident(self, tenant: str, name: str) -> Incident:
        """Close an incident and book it. Raises: NotFound, Misused."""
        incident = self.incidents.close(tenant, name)
        self.record("incident.closed", {"incident": name}, tenant)
        return incident

    def keep(self, instrument: Instrument) -> Instrument:
        """Record an instrument and book it; without an end of its own it ends when the rules say."""
        if instrument.ends is None:
            ends = expiry(instrument.kind, instrument.starts, self.rules(instrument.tenant))
            instrument = replace(instrument, ends=ends)
        kept = self.instruments.record(instrument)
        facts = {name: value for name, value in kept.to_json().items() if name not in ("title", "tenant")}
        self.record("instrument.recorded", facts, kept.tenant)
        return kept

    def withdraw(self, tenant: str, name: str, now: datetime) -> Instrument:
        """Withdraw an instrument and book it: a ground that rests on it ends. Raises: NotFound."""
        instrument = self.instruments.withdraw(tenant, name, stamp(now))
        self.record("instrument.withdrawn", {"id": name, "kind": instrument.kind}, tenant)
        return instrument

    def ground(self, tenant: str, destination: str, day: date) -> Instrument | None:
        """The instrument under which a transfer to `destination` may go on `day`, if there is one."""
        return self.instruments.ground(tenant, destination, day)

    def notice(self, tenant: str, name: str, rule: str, book: Book) -> Draft:
        """The draft that a duty asks for, with the ledger's counts of a week. Raises: NotFound, Misused."""
        incident = self.incidents.get(tenant, name)
        duty = next((one for one in self.incidents.duties(incident) if one.rule.id == rule), None)
        if duty is None:
            raise NotFound("this incident has no such duty; see: selat incident show")
        until = incident.noticed.astimezone(UTC)
        from_ = until - timedelta(days=7)
        bounds = [moment.strftime("%Y-%m-%dT%H:%M:%S.000Z") for moment in (from_, until)]
        origin, size, *_ = book.checkpoint().splitlines()
        facts = facts_from(book.entries(), tenant, bounds[0], bounds[1], f"{origin}, {size}")
        return draft(incident, duty, facts)
