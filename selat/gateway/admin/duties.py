"""What the law asks: rules, incidents with their clocks, instruments that expire."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from selat.gateway.admin.route import OFFICER, OVERSEERS, PREFIX, READERS, Route, Visit
from selat.gateway.admin.words import Asked, Country, Moment, Text, Title, Told, plausible
from selat.policy.incidents import Incident, Step
from selat.policy.instruments import Instrument
from selat.stamps import fresh_id

WATCHERS = frozenset({"officer", "auditor"})
HEAD = frozenset({"officer", "operator"})


class ClockCard(Told):
    """What sets a clock running, how long it runs, and for which incidents."""

    starts: str
    limit: str
    when: str


class RuleCard(Told):
    """One duty, in words of our own. `status` unconfirmed: nobody read the original."""

    id: str
    pack: str
    section: str
    status: str
    sources: list[str]
    ms: str
    en: str
    control: str
    evidence: str
    policies: list[str]
    begins: str | None = msgspec.field(name="from")
    until: str | None
    clock: ClockCard | None


class RuleQuery(Asked):
    """Which rules: those of the tenant's profile, unless `all`."""

    all: bool = False
    status: Literal["", "in_force", "guidance", "draft", "unconfirmed"] = ""


class DueCard(Told):
    """Something to do by `when`; `state` is late, soon, running or waiting."""

    what: str
    about: str
    when: str | None
    state: str
    ms: str
    en: str


class StepCard(Told):
    """A duty that was done."""

    rule: str
    done: str
    reference: str
    late: str


class DutyCard(Told):
    """What a rule asks because of an incident."""

    rule: str
    status: str
    ms: str
    en: str
    due: str | None
    done: str | None
    late: bool


class IncidentCard(Told):
    """Something that went wrong."""

    id: str
    tenant: str
    title: str
    kinds: list[str]
    noticed: str
    affected: int | None
    closed: str | None
    steps: list[StepCard]


class IncidentWithDuties(IncidentCard):
    """An incident with what it asks for."""

    duties: list[DutyCard]


class NewIncident(Asked):
    """Something that went wrong; the clocks run from when it was noticed. No personal data in the title."""

    title: Title
    kinds: Annotated[list[Literal["personal", "harm", "cyber"]], Meta(min_length=1, max_length=3)]
    noticed: Moment | None = None
    affected: Annotated[int, Meta(ge=0, le=10_000_000_000)] | None = None


class NewStep(Asked):
    """A duty that was done."""

    at: Moment | None = None
    reference: Text = ""
    late_reason: Text = ""


class NoticeCard(Told):
    """A draft in both languages."""

    ms: str
    en: str


class InstrumentCard(Told):
    """A document that makes something lawful for a time."""

    tenant: str
    id: str
    kind: str
    title: str
    starts: str
    ends: str | None
    hash: str
    ground: str
    destinations: list[str]
    withdrawn: str | None


class NewInstrument(Asked):
    """An instrument to record; without `ends` it ends when the rules say."""

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
    kind: Literal["tia", "dpia", "risk-assessment", "audit", "contract", "consent", "approval"]
    title: Title
    starts: date
    ends: date | None = None
    hash: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")] = ""
    ground: Literal["", "1A", "1B", "2(a)", "2(b)", "2(c)", "2(d)", "2(e)", "2(f)", "2(g)", "2(h)"] = ""
    destinations: Annotated[tuple[Country, ...], Meta(max_length=60)] = ()


def rules(visit: Visit) -> object:
    query: RuleQuery = visit.query
    found = visit.duties.shelf.rules() if query.all else visit.duties.rules(visit.tenant)
    return [one.to_json() for one in found if query.status in ("", one.status)]


def rule(visit: Visit) -> object:
    return visit.duties.shelf.rule(visit.ids["rule"]).to_json()


def due(visit: Visit) -> object:
    return [one.to_json() for one in visit.duties.due(visit.tenant, datetime.now(UTC))]


def instruments(visit: Visit) -> object:
    return [one.to_json() for one in visit.duties.instruments.all(visit.tenant)]


def keep(visit: Visit) -> object:
    body: NewInstrument = visit.body
    for field, day in (("starts", body.starts), ("ends", body.ends)):
        if day is not None:
            plausible(field, day)
    wish = Instrument(
        *(visit.tenant, body.id, body.kind, body.title, body.starts, body.ends, body.hash, body.ground),
        destinations=frozenset(body.destinations),
    )
    return visit.duties.keep(wish).to_json()


def withdraw(visit: Visit) -> object:
    return visit.duties.withdraw(visit.tenant, visit.ids["instrument"], datetime.now(UTC)).to_json()


def incidents(visit: Visit) -> object:
    return [one.to_json() for one in visit.duties.incidents.all(visit.tenant)]


def incident(visit: Visit) -> object:
    return _with_duties(visit, visit.duties.incidents.get(visit.tenant, visit.ids["incident"]))


def open_(visit: Visit) -> object:
    body: NewIncident = visit.body
    noticed = body.noticed or datetime.now(UTC)
    plausible("noticed", noticed)
    wish = Incident(f"inc_{fresh_id()}", visit.tenant, body.title, frozenset(body.kinds), noticed, body.affected)
    return _with_duties(visit, visit.duties.open_incident(wish))


def done(visit: Visit) -> object:
    body: NewStep = visit.body
    at = body.at or datetime.now(UTC)
    plausible("at", at)
    step = Step(visit.ids["rule"], at, body.reference, body.late_reason)
    return _with_duties(visit, visit.duties.step(visit.tenant, visit.ids["incident"], step))


def notice(visit: Visit) -> object:
    made = visit.duties.notice(visit.tenant, visit.ids["incident"], visit.ids["rule"], visit.platform.book)
    return {"ms": made.ms, "en": made.en}


def close(visit: Visit) -> object:
    return visit.duties.close_incident(visit.tenant, visit.ids["incident"]).to_json()


def _with_duties(visit: Visit, one: Incident) -> dict[str, Any]:
    now = datetime.now(UTC)
    asked = visit.duties.incidents.duties(one)
    return {**one.to_json(), "duties": [duty.to_json(now) for duty in asked]}


ONE = f"{PREFIX}/incidents/{{incident}}"
ROUTES: tuple[Route, ...] = (
    Route("GET", f"{PREFIX}/rules", READERS, "Duties of law and guides.", rules, list[RuleCard], query=RuleQuery),
    Route("GET", f"{PREFIX}/rules/{{rule}}", READERS, "One duty.", rule, RuleCard),
    Route("GET", f"{PREFIX}/due", OVERSEERS, "Clocks and expiries that are running.", due, list[DueCard]),
    Route("GET", f"{PREFIX}/instruments", WATCHERS, "The instruments.", instruments, list[InstrumentCard]),
    Route(
        *("POST", f"{PREFIX}/instruments", OFFICER, "Record an instrument.", keep, InstrumentCard),
        body=NewInstrument,
        status=201,
    ),
    Route(
        *("DELETE", f"{PREFIX}/instruments/{{instrument}}", OFFICER),
        *("End an instrument now; a ground that rests on it ends with it.", withdraw, InstrumentCard),
    ),
    Route("GET", f"{PREFIX}/incidents", WATCHERS, "The incidents, oldest first.", incidents, list[IncidentCard]),
    Route(
        *("POST", f"{PREFIX}/incidents", HEAD, "Open an incident.", open_, IncidentWithDuties),
        body=NewIncident,
        status=201,
    ),
    Route("GET", ONE, WATCHERS, "One incident with its duties.", incident, IncidentWithDuties),
    Route(
        *("POST", f"{ONE}/duties/{{rule}}", OFFICER, "Note a duty as done.", done, IncidentWithDuties),
        body=NewStep,
    ),
    Route(
        "GET", f"{ONE}/notices/{{rule}}", WATCHERS, "Draft the notice that a duty asks for.", notice, NoticeCard
    ),
    Route("POST", f"{ONE}/close", OFFICER, "Close an incident whose duties are done.", close, IncidentCard),
)
