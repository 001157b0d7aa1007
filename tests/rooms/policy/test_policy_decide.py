"""Decisions of the shipped set, the redaction rule, and the trap of the missing attribute."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import cedarpy
import pytest

from selat.core.caller import Caller, Site
from selat.core.decision import Decision
from selat.core.errors import BadRequest
from selat.core.finding import Finding, Scan
from selat.core.label import parse_label
from selat.policy import DEFAULT, AuthorizationRequest, Decider, PolicySet, read_request
from selat.policy.ask import cedar_request
from selat.policy.decide import CACHE_LIMIT
from selat.policy.request import entities

POLICIES = PolicySet.load(DEFAULT)
CALLER = Caller("default", "key_1", frozenset({"member"}), purposes=frozenset({"chat"}))
MYKAD = Scan((Finding(3, 15, "MYKAD"),))
HEALTH = Scan((Finding(3, 15, "MYKAD"),), frozenset({"HEALTH"}))
FACE = Scan((), frozenset({"BIOMETRIC"}))
SECRET = Scan((Finding(0, 40, "SECRET"),))
SG, MY, US_IN_MY = Site("SG"), Site("MY"), Site("MY", "Awan Besar", "US")


def ask(site: Site = MY, label: str = "terbuka", scan: Scan = Scan(), **more: Any) -> AuthorizationRequest:  # noqa: B008
    request = AuthorizationRequest(CALLER, "infer", "garuda", site, "chat", parse_label(label), scan)
    return replace(request, **more)


@pytest.mark.parametrize(
    ("request_", "effect", "rule"),
    [
        (ask(), "permit", "permit-registered-purpose"),
        (ask(SG), "permit", "permit-registered-purpose"),
        (ask(SG, "terhad"), "deny", "above-terbuka-stays-in-malaysia"),
        (ask(US_IN_MY, "terhad"), "permit", "permit-registered-purpose"),
        (ask(US_IN_MY, "sulit"), "deny", "sulit-needs-malaysian-operator"),
        (ask(MY, "rahsia_besar/confidential/biometric/MY"), "permit", "permit-registered-purpose"),
        (ask(US_IN_MY, "confidential"), "deny", "confidential-needs-sovereign-site"),
        (ask(SG, scan=MYKAD), "redact", "personal-leaves-only-masked"),
        (ask(MY, scan=MYKAD), "permit", "permit-registered-purpose"),
        (ask(SG, "terbuka/public/personal/MY"), "deny", "personal-leaves-only-masked"),
        (ask(SG, scan=HEALTH), "deny", "sensitive-stays-in-malaysia"),
        (ask(SG, scan=FACE), "deny", "sensitive-stays-in-malaysia"),
        (ask(MY, scan=HEALTH), "permit", "permit-registered-purpose"),
        (ask(MY, scan=SECRET), "redact", "secrets-are-masked"),
        (ask(scan=Scan(ok=False)), "deny", "scan-must-succeed"),
        (ask(purpose="gossip"), "deny", "purpose-must-be-registered"),
        (ask(tenant="other"), "deny", "own-tenant-only"),
        (ask(passport_needed=True), "deny", "passport-where-needed"),
        (ask(passport_needed=True, passport=True), "permit", "permit-registered-purpose"),
        (ask(action="transfer", site=SG), "deny", "transfer-needs-ground"),
    ],
)
def test_shipped_set_decides(request_: AuthorizationRequest, effect: str, rule: str) -> None:
    decision = Decider(POLICIES).decide(request_)
    assert decision.effect == effect, decision
    assert rule in decision.rules
    assert decision.basis == POLICIES.basis
    assert POLICIES.policies[rule].reason("en") in decision.reason


def test_transfer_is_for_officers_with_a_ground_in_force() -> None:
    transfer = ask(SG, action="transfer", ground="1A", ground_in_force=True)
    assert Decider(POLICIES).decide(transfer).effect == "deny"
    officer = replace(transfer, caller=replace(CALLER, roles=frozenset({"officer"})))
    assert Decider(POLICIES).decide(officer).effect == "permit"
    assert Decider(POLICIES).decide(replace(officer, ground_in_force=False)).effect == "deny"
    assert Decider(POLICIES).decide(replace(officer, scan=FACE)).effect == "deny"


def test_nothing_permits_means_denied_with_no_rule() -> None:
    decision = Decider(POLICIES).decide(ask(action="ingest"))
    assert (decision.effect, decision.rules) == ("deny", ())
    assert decision.reason == "no policy permits this"


def test_reason_never_carries_the_callers_words() -> None:
    words = 'chat", "x": 850101-14-5566 \n'
    request = ask(purpose=words)
    decision = Decider(POLICIES).decide(request)
    assert decision.effect == "deny"
    assert "850101" not in decision.reason + repr(decision)


def test_unknown_action_and_odd_text_are_denied_and_never_raise() -> None:
    for request in (ask(action="fly"), ask(engine='a"b\n'), ask(tenant="\ud800")):
        decision = Decider(POLICIES).decide(request)
        assert request.engine == 'a"b\n' or decision.effect == "deny"


def test_cached_decision_is_the_same_value_until_another_set_is_used() -> None:
    decider = Decider(POLICIES)
    first = decider.decide(ask(SG, scan=MYKAD))
    assert decider.decide(ask(SG, scan=Scan((Finding(9, 21, "MYKAD"), Finding(30, 42, "MYKAD"))))) is first
    decider.use(PolicySet.load(DEFAULT))
    assert decider.decide(ask(SG, scan=MYKAD)) is not first


@pytest.mark.parametrize(
    ("request_", "effect", "asked"),
    [
        (ask(scan=MYKAD), "permit", [False]),
        (ask(SG, "terhad"), "deny", [False]),
        (ask(SG, scan=MYKAD), "redact", [False, True]),
        (ask(SG, scan=HEALTH), "deny", [False, True]),
    ],
)
def test_cedar_is_asked_once_as_it_is_and_once_masked_and_never_again(
    monkeypatch: pytest.MonkeyPatch, request_: AuthorizationRequest, effect: str, asked: list[bool]
) -> None:
    """An evaluation is most of what a decision costs: `bench/policy.py` measures it."""
    evaluate, seen = cedarpy.is_authorized, list[bool]()

    def evaluating(request: dict[str, Any], *more: Any) -> Any:
        seen.append(request["context"]["masked"])
        return evaluate(request, *more)

    monkeypatch.setattr(cedarpy, "is_authorized", evaluating)
    decider = Decider(POLICIES)
    assert decider.decide(request_).effect == effect
    assert seen == asked
    for _ in range(10):
        decider.decide(replace(request_))
    assert seen == asked


def test_every_attribute_that_policies_see_is_part_of_what_is_remembered() -> None:
    decider = Decider(POLICIES)
    base = ask(SG, scan=MYKAD)
    others = [
        replace(base, caller=replace(CALLER, tenant="t2")),
        replace(base, caller=replace(CALLER, roles=frozenset({"officer"}))),
        replace(base, caller=replace(CALLER, purposes=frozenset())),
        replace(base, action="embed"),
        replace(base, engine="other"),
        replace(base, site=Site("CN")),
        replace(base, site=Site("SG", hardware="x")),
        replace(base, site=Site("SG", "op")),
        replace(base, site=Site("SG", "self", "US")),
        replace(base, label=parse_label("terhad")),
        replace(base, label=parse_label("internal")),
        replace(base, label=parse_label("personal")),
        replace(base, label=parse_label("terbuka/public/none/SG")),
        replace(base, scan=SECRET),
        replace(base, scan=HEALTH),
        replace(base, scan=Scan(MYKAD.findings, ok=False)),
        replace(base, tenant="t2"),
        replace(base, passport=True),
        replace(base, passport_needed=True),
        replace(base, ground="1A"),
        replace(base, ground_in_force=True),
    ]
    first = decider.decide(base)
    for other in others:
        assert decider.decide(other) is not first


def test_the_cache_stays_bounded() -> None:
    decider = Decider(POLICIES)
    decision = decider.decide(ask())
    state = decider._state
    state.decided.update({(number,): decision for number in range(CACHE_LIMIT)})
    decider.decide(ask(SG))
    assert len(state.decided) <= CACHE_LIMIT


def permitted(decision: Decision) -> bool:
    return decision.effect != "deny"


def test_a_missing_attribute_never_permits() -> None:
    """10,000 random requests, each with at least one attribute left out: no permit, though whole ones permit."""
    chance = random.Random(20261122)
    leave_out = ["context", "principal", "resource", "site"]
    whole = 0
    for _ in range(10_000):
        scan = chance.choice([Scan(), MYKAD, HEALTH, FACE, SECRET])
        request = ask(chance.choice([SG, MY, US_IN_MY]), chance.choice(["terbuka", "terhad", "sulit"]), scan)
        masked = chance.random() < 0.5
        question: Any = cedar_request(request, masked=masked)
        about: Any = entities(request)
        if chance.random() < 0.02:
            whole += POLICIES.cedar.ask_raw(question, about).allowed
        part = chance.choice(leave_out)
        fields = {
            "context": question["context"],
            "principal": about[0]["attrs"],
            "resource": about[1]["attrs"],
            "site": about[1]["attrs"]["site"],
        }[part]
        for name in chance.sample(sorted(fields), chance.randint(1, len(fields))):
            del fields[name]
        verdict = POLICIES.cedar.ask_raw(question, about)
        assert not verdict.allowed
        assert verdict.erred
    assert whole > 20


def test_request_files_are_read_and_refused_by_field() -> None:
    request = read_request(
        {
            "caller": {"tenant": "default", "roles": ["member"], "purposes": ["chat"]},
            "site": {"jurisdiction": "SG"},
            "purpose": "chat",
            "label": "terbuka",
            "scan": {"findings": ["MYKAD"], "flags": [], "ok": True},
        }
    )
    assert Decider(POLICIES).decide(request).effect == "redact"
    bad: list[tuple[dict[str, object], str]] = [
        ({"acton": "infer"}, "unknown field"),
        ({"action": "fly"}, "known: infer"),
        ({"site": "SG"}, "site: must be an object"),
        ({"scan": {"ok": "yes"}}, "ok: must be true or false"),
        ({"scan": {"findings": "MYKAD"}}, "list of words"),
        ({"caller": {"roles": ["king"]}}, "caller.roles"),
        ({"label": "purple"}, "no official level"),
    ]
    for fields, said in bad:
        with pytest.raises(BadRequest, match=said):
            read_request(fields)
