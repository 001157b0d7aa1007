"""Rule packs, instruments, incidents and their clocks, and the notices drafted from the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from selat.core.errors import Misused, NotFound, PolicyBroken
from selat.policy import DEFAULT, PolicySet
from selat.policy.due import running
from selat.policy.incidents import Incident, Incidents, Step, duties
from selat.policy.instruments import Instrument, Instruments, expiry
from selat.policy.notices import NOTICES, draft, facts_from
from selat.policy.packs import PACKS, after, load_packs
from selat.tables import open_engine

SHELF = load_packs()
NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)


@pytest.fixture
def engine(database: str) -> Iterator[sa.Engine]:
    """SQLite and PostgreSQL alike: what holds of one holds of the other."""
    engine = open_engine(database)
    yield engine
    engine.dispose()


def test_shipped_packs_are_whole_and_name_policies_that_exist() -> None:
    assert {"my-pdpa", "my-official", "my-bnm", "my-ncii", "asean"} <= set(SHELF.packs)
    assert set(SHELF.profiles) == {"agency", "commercial", "financial", "ncii", "sme"}
    policies = PolicySet.load(DEFAULT).policies
    for rule in SHELF.rules():
        assert set(rule.policies) <= set(policies), rule.id
        assert rule.sources, rule.id
        if rule.clock and rule.clock.notice:
            assert (NOTICES / f"{rule.clock.notice}.ms.txt").exists()
        if rule.status == "unconfirmed":
            assert rule.clock is None, f"{rule.id}: a clock must not rest on what nobody read"


def test_every_clock_of_the_law_is_there() -> None:
    limits = {(rule.clock.starts, rule.clock.limit) for rule in SHELF.rules() if rule.clock}
    assert limits == {
        ("incident.noticed", "72h"),
        ("pdpa-breach-commissioner", "7d"),
        ("incident.noticed", "0h"),
        ("incident.noticed", "6h"),
        ("incident.noticed", "14d"),
        ("instrument.tia", "3y"),
        ("instrument.dpia", "2y"),
        ("instrument.risk-assessment", "1y"),
        ("instrument.audit", "2y"),
    }


def test_profiles_switch_packs_on() -> None:
    assert {rule.pack for rule in SHELF.rules("sme")} == {"my-pdpa"}
    assert "my-ncii" not in {rule.pack for rule in SHELF.rules("financial")}
    assert "my-pdpa" not in {rule.pack for rule in SHELF.rules("agency")}
    with pytest.raises(NotFound, match="known: agency"):
        SHELF.rules("kingdom")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('status = "in_force"', 'status = "law"', "status is one of in_force"),
        ("from = 2025-04-01", 'from = "1 April"', "from and until are dates"),
        ('limit = "72h"', 'limit = "soon"', "as in 72h"),
        ('control = "', 'contrl = "', "rule 'pdpa-purpose': lacks control"),
        ("[pack]", "[pck]", "give .pack."),
        ('id = "pdpa-notice"', 'id = "pdpa-purpose"', "the same id twice: pdpa-purpose"),
    ],
)
def test_a_slip_in_a_pack_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (PACKS / "my-pdpa.toml").read_text()
    assert old in text
    (tmp_path / "my-pdpa.toml").write_text(text.replace(old, new))
    with pytest.raises(PolicyBroken, match=said):
        load_packs([tmp_path])


@given(st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1)), st.integers(1, 9), st.sampled_from("hdy"))
def test_a_clock_moves_forward_by_what_it_says(start: datetime, number: int, unit: str) -> None:
    due = after(start, f"{number}{unit}")
    if unit == "y":
        assert due.year == start.year + number
        assert (due.month, due.time()) == (start.month, start.time())
        assert due.day == start.day or (start.month, start.day, due.day) == (2, 29, 28)
    else:
        assert due - start == timedelta(**{"h": {"hours": number}, "d": {"days": number}}[unit])


def breach(kinds: str = "personal harm", noticed: datetime = NOON) -> Incident:
    return Incident("inc_1", "default", "laptop lost", frozenset(kinds.split()), noticed, 1200)


def open_incidents(engine: sa.Engine, profile: str, now: datetime) -> Incidents:
    return Incidents(engine, lambda tenant: SHELF.rules(profile), lambda: now)


def test_a_breach_runs_72_hours_and_then_seven_days_from_the_first_notice(engine: sa.Engine) -> None:
    incidents = open_incidents(engine, "sme", NOON + timedelta(hours=40))
    incidents.open(breach())
    first, second = incidents.duties(incidents.get("default", "inc_1"))
    assert (first.rule.id, first.due) == ("pdpa-breach-commissioner", NOON + timedelta(hours=72))
    assert (second.rule.id, second.due) == ("pdpa-breach-subjects", None)
    with pytest.raises(Misused, match="waits for an earlier one"):
        incidents.done("default", "inc_1", Step("pdpa-breach-subjects", NOON + timedelta(hours=1)))
    told = NOON + timedelta(hours=30)
    incident = incidents.done("default", "inc_1", Step("pdpa-breach-commissioner", told, "PDP/2026/1"))
    assert incidents.duties(incident)[1].due == told + timedelta(days=7)
    with pytest.raises(Misused, match="duties are left: pdpa-breach-subjects"):
        incidents.close("default", "inc_1")
    incidents.done("default", "inc_1", Step("pdpa-breach-subjects", told + timedelta(hours=1)))
    assert incidents.close("default", "inc_1").closed


def test_no_harm_means_no_notice_to_subjects_and_a_cyber_incident_has_three_clocks() -> None:
    assert [duty.rule.id for duty in duties(breach("personal"), SHELF.rules("sme"))] == [
        "pdpa-breach-commissioner"
    ]
    found = duties(breach("cyber"), SHELF.rules("ncii"))
    assert [duty.due - NOON for duty in found if duty.due] == [
        timedelta(0),
        timedelta(hours=6),
        timedelta(days=14),
    ]
    before_the_act = breach("personal", datetime(2025, 5, 1, tzinfo=UTC))
    assert duties(before_the_act, SHELF.rules("sme")) == []


def test_late_asks_for_a_reason_and_keeps_it(engine: sa.Engine) -> None:
    incidents = open_incidents(engine, "sme", NOON + timedelta(days=9))
    incidents.open(breach("personal"))
    late = Step("pdpa-breach-commissioner", NOON + timedelta(hours=80))
    with pytest.raises(Misused, match="late: it was due 2026-11-23T04:00:00Z"):
        incidents.done("default", "inc_1", late)
    incident = incidents.done("default", "inc_1", replace(late, late_reason="the vendor told us on day three"))
    (duty,) = incidents.duties(incident)
    assert duty.late(NOON)
    with pytest.raises(Misused, match="done already"):
        incidents.done("default", "inc_1", late)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kinds": frozenset({"fire"})}, "known: personal"),
        ({"kinds": frozenset({"harm"})}, "harm goes with personal"),
        ({"noticed": NOON + timedelta(days=99)}, "in the future"),
        ({"title": ""}, "title"),
        ({"affected": -1}, "affected"),
    ],
)
def test_an_odd_incident_is_refused(engine: sa.Engine, change: dict[str, object], said: str) -> None:
    incidents = open_incidents(engine, "sme", NOON)
    with pytest.raises(Misused, match=said):
        incidents.open(replace(breach(), **change))  # type: ignore[arg-type]


def test_another_tenants_incident_and_instrument_are_as_missing(engine: sa.Engine) -> None:
    incidents = open_incidents(engine, "sme", NOON)
    incidents.open(breach())
    instruments = Instruments(engine)
    instruments.record(Instrument("default", "TIA-1", "tia", "SG", date(2026, 1, 1)))
    said = set()
    for tenant, name in (("other", "inc_1"), ("default", "nothing")):
        with pytest.raises(NotFound) as caught:
            incidents.get(tenant, name)
        said.add(str(caught.value))
    for tenant, name in (("other", "TIA-1"), ("default", "nothing")):
        with pytest.raises(NotFound) as caught:
            instruments.withdraw(tenant, name, "now")
        said.add(str(caught.value))
    assert len(said) == 2
    assert instruments.get("default", "TIA-1").withdrawn is None


def test_a_ground_lasts_as_long_as_its_instrument(engine: sa.Engine) -> None:
    instruments = Instruments(engine)
    starts = date(2024, 2, 29)
    ends = expiry("tia", starts, SHELF.rules("commercial"))
    assert ends is None  # the guidelines began on 29 April 2025
    starts = date(2025, 5, 10)
    ends = expiry("tia", starts, SHELF.rules("commercial"))
    assert ends == date(2028, 5, 10)
    tia = Instrument("default", "TIA-1", "tia", "Singapore", starts, ends, "", "1B", frozenset({"SG"}))
    instruments.record(tia)
    assert instruments.ground("default", "SG", date(2028, 5, 9)) == tia
    assert instruments.ground("default", "SG", date(2028, 5, 10)) is None
    assert instruments.ground("default", "SG", date(2025, 5, 9)) is None
    assert instruments.ground("default", "CN", date(2026, 1, 1)) is None
    assert instruments.ground("other", "SG", date(2026, 1, 1)) is None
    instruments.withdraw("default", "TIA-1", "2026-11-20T00:00:00Z")
    assert instruments.ground("default", "SG", date(2026, 11, 21)) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": "../x"}, "instrument id"),
        ({"kind": "poem"}, "known: tia"),
        ({"ground": "9"}, "known: 1A"),
        ({"ground": "1A"}, "destinations: a ground"),
        ({"destinations": frozenset({"Singapore"})}, "two capital letters"),
        ({"hash": "abc"}, "hex SHA-256"),
        ({"ends": date(2020, 1, 1)}, "ends before"),
    ],
)
def test_an_odd_instrument_is_refused(engine: sa.Engine, change: dict[str, object], said: str) -> None:
    one = Instrument("default", "TIA-1", "tia", "x", date(2026, 1, 1))
    with pytest.raises(Misused, match=said):
        Instruments(engine).record(replace(one, **change))  # type: ignore[arg-type]


def test_what_is_due_comes_soonest_first() -> None:
    incident = breach()
    held = [
        Instrument("default", "DPIA-1", "dpia", "Chat", date(2024, 12, 1), date(2026, 12, 1)),
        Instrument("default", "TIA-1", "tia", "SG", date(2026, 1, 1), date(2029, 1, 1)),
        Instrument("default", "TIA-0", "tia", "CN", date(2023, 1, 1), date(2026, 1, 1)),
        Instrument("default", "OLD", "tia", "CN", date(2023, 1, 1), date(2026, 1, 1), withdrawn="x"),
    ]
    found = running([(incident, duties(incident, SHELF.rules("sme")))], held, NOON + timedelta(hours=73))
    assert [(due.about, due.what, due.state) for due in found] == [
        ("TIA-0", "tia", "late"),
        ("inc_1", "pdpa-breach-commissioner", "late"),
        ("DPIA-1", "dpia", "soon"),
        ("TIA-1", "tia", "running"),
        ("inc_1", "pdpa-breach-subjects", "waiting"),
    ]


def leaf(kind: str, time: str, tenant: str = "default", **more: object) -> bytes:
    return json.dumps({"kind": kind, "time": time, "tenant": tenant, **more}).encode()


def test_notices_are_drafted_in_both_languages_from_the_ledgers_counts() -> None:
    scan = {"findings": {"MYKAD": 2}, "flags": ["HEALTH"], "ok": True}
    site = {"jurisdiction": "MY", "operator": "self"}
    leaves = [
        leaf("opened", "2026-11-19T00:00:00Z", scan=scan, site=site),
        leaf("opened", "2026-11-19T01:00:00Z", scan=scan, site=site),
        leaf("refused", "2026-11-19T02:00:00Z", scan=scan, site=site),
        leaf("closed", "2026-11-19T02:00:01Z", outcome="complete"),
        leaf("opened", "2026-11-18T00:00:00Z", scan=scan, site=site),
        leaf("opened", "2026-11-19T03:00:00Z", tenant="other", scan=scan, site=site),
        leaf("key.created", "2026-11-19T03:00:00Z"),
    ]
    facts = facts_from(leaves, "default", "2026-11-19T00:00:00Z", "2026-11-20T00:00:00Z", "selat 7")
    assert (facts.requests, facts.refused, facts.completed) == (3, 1, 1)
    assert facts.kinds == {"MYKAD": 6, "HEALTH": 3}
    first, second = duties(breach(), SHELF.rules("sme"))
    made = draft(breach(), first, facts)
    for text in (made.ms, made.en):
        assert "1,200" in text
        assert "HEALTH 3, MYKAD 6" in text
        assert "2026-11-23T04:00:00Z" in text
    assert "skala ketara" in made.ms
    assert "significant scale" in made.en
    assert "{" not in made.ms + made.en + draft(breach(), second, facts).ms
    for duty in duties(breach("cyber"), SHELF.rules("ncii")):
        assert "NC4" in draft(breach("cyber"), duty, facts).ms
