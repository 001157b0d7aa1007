"""Which clocks and expiries are running for a tenant, soonest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from selat.policy.incidents import Duty, Incident, stamp
from selat.policy.instruments import Instrument

SOON = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Due:
    """Something to do by `when`, None while it waits for another. `state`: late, soon, running, waiting."""

    what: str
    about: str
    when: datetime | None
    state: str
    ms: str
    en: str

    def to_json(self) -> dict[str, object]:
        return {
            "what": self.what,
            "about": self.about,
            "when": stamp(self.when) if self.when else None,
            "state": self.state,
            "ms": self.ms,
            "en": self.en,
        }


def running(
    cases: Iterable[tuple[Incident, Iterable[Duty]]], held: Iterable[Instrument], now: datetime
) -> list[Due]:
    """Duties not yet done, of incidents still open, and instruments not withdrawn that end."""
    found: list[Due] = []
    for incident, asked in cases:
        if incident.closed:
            continue
        for duty in asked:
            if duty.done is None:
                state = "waiting" if duty.due is None else "late" if duty.late(now) else "running"
                found.append(Due(duty.rule.id, incident.id, duty.due, state, duty.rule.ms, duty.rule.en))
    for one in held:
        if one.withdrawn or one.ends is None:
            continue
        when = datetime(one.ends.year, one.ends.month, one.ends.day, tzinfo=UTC)
        state = "late" if when <= now else "soon" if when - now <= SOON else "running"
        found.append(Due(one.kind, one.id, when, state, f"'{one.title}' tamat", f"'{one.title}' ends"))
    return sorted(found, key=lambda due: (due.when is None, due.when or now, due.about, due.what))
