"""A policy set that comes into force is booked once; an entry becomes the request that policy was asked about."""

from __future__ import annotations

from pathlib import Path

import pytest

from selat.core.caller import Caller, Site
from selat.core.decision import Basis
from selat.core.entry import About, Commitment, Opening
from selat.core.errors import LedgerUnavailable
from selat.core.finding import Finding, Scan
from selat.core.label import parse_label
from selat.flows.in_force import book_set
from selat.flows.why import why
from selat.policy import DEFAULT, AuthorizationRequest, PolicySet
from selat.policy.decide import decide

SET = PolicySet.load(DEFAULT)


def leaf_of(request: AuthorizationRequest, api: str = "chat.completions") -> dict[str, object]:
    """What the book would hold of a request."""
    registered = request.purpose if request.registered else "unregistered"
    about = About(
        *(request.caller.tenant, request.caller.key, registered, api, "m", request.engine, request.site),
        *(request.label.with_personal(request.scan.personal), request.scan, decide(SET, request)),
    )
    return Opening("id", "2026-11-22T00:00:00.000Z", about, Commitment.to(b"x", bytes(32))).to_json()


@pytest.mark.parametrize(
    ("label", "site", "scan", "purpose"),
    [
        ("sulit/public/none", Site("SG"), Scan(), "chat"),
        ("terbuka/public/none", Site("SG"), Scan((Finding(0, 3, "MYKAD"), Finding(4, 9, "MYKAD"))), "chat"),
        ("terbuka/public/none", Site("US"), Scan(flags=frozenset({"HEALTH"})), "chat"),
        ("terbuka/public/none", Site("MY"), Scan(ok=False), "chat"),
        ("terbuka/public/none", Site("MY"), Scan(), "unknown-to-the-tenant"),
        ("terbuka/public/none", Site("MY"), Scan(), "chat"),
    ],
)
def test_an_entry_is_explained_as_it_was_decided(label: str, site: Site, scan: Scan, purpose: str) -> None:
    request = AuthorizationRequest(
        Caller("t", "k", purposes=frozenset({"chat"})), "infer", "e", site, purpose, parse_label(label), scan
    )
    case = why(leaf_of(request), SET, frozenset())
    assert case.same_set
    assert (case.effect, case.rules) == (case.today.decision.effect, case.today.decision.rules)
    assert not case.unknown
    assert bool(case.counted) == bool(case.rules)


def test_a_full_limit_and_a_rule_that_is_gone_are_told_apart() -> None:
    request = AuthorizationRequest(
        Caller("t", "k"), "infer", "e", Site("MY"), "chat", parse_label("terbuka/public/none"), Scan()
    )
    leaf = leaf_of(request)
    rules = ["quota:t/day/requests", "a-rule-of-last-year"]
    case = why({**leaf, "decision": {"effect": "deny", "rules": rules}}, SET, frozenset())
    assert case.limit == "quota:t/day/requests"
    assert case.unknown == ("a-rule-of-last-year",)


def test_a_set_is_booked_when_it_changes_and_again_when_it_comes_back(tmp_path: Path) -> None:
    booked: list[str] = []

    def record(kind: str, facts: dict[str, object]) -> str:
        booked.append(f"{kind} {facts['set']} {facts['proof']}")
        return "id"

    told = tmp_path / "cache" / "policy.booked"
    one, other = Basis("a" * 64, "s" * 64, "p" * 64), Basis("b" * 64, "s" * 64)
    assert [book_set(told, basis, record) for basis in (one, one, other, other, one)] == [True, False] * 2 + [True]
    names = [f"policy.in_force {'a' * 64} {'p' * 64}", f"policy.in_force {'b' * 64} not proved"]
    assert booked == [*names, names[0]]


def test_a_set_that_cannot_be_booked_is_booked_by_the_next_try(tmp_path: Path) -> None:
    def full(kind: str, facts: dict[str, object]) -> str:
        raise LedgerUnavailable("the disk is full")

    told, basis = tmp_path / "policy.booked", Basis("a" * 64, "s" * 64)
    with pytest.raises(LedgerUnavailable):
        book_set(told, basis, full)
    assert book_set(told, basis, lambda kind, facts: "id")
