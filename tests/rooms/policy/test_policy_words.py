"""Every shipped policy, invariant and clock is told in plain words in four languages; what counts is told too."""

from __future__ import annotations

from dataclasses import replace

import pytest

from selat.core.caller import Caller, Site
from selat.core.finding import Scan
from selat.core.label import parse_label
from selat.policy import CHANGES, DEFAULT, AuthorizationRequest, PolicySet, counted, load_packs, read_invariants
from selat.policy.explain import explain

SET = PolicySet.load(DEFAULT)
LANGUAGES = ("ms", "en", "zh", "ta")
SCRIPT = {"zh": range(0x4E00, 0xA000), "ta": range(0x0B80, 0x0C00)}


def in_its_script(text: str, language: str) -> bool:
    return language not in SCRIPT or any(ord(letter) in SCRIPT[language] for letter in text)


@pytest.mark.parametrize("policy", SET.policies.values(), ids=lambda one: one.id)
def test_every_shipped_policy_has_plain_words_in_each_language(policy: object) -> None:
    for language in LANGUAGES:
        said = policy.reasons.get(language, "")  # type: ignore[attr-defined]
        assert said, language
        assert in_its_script(said, language), said
    assert len(set(policy.reasons.values())) == len(LANGUAGES)  # type: ignore[attr-defined]


def test_every_shipped_invariant_and_every_clock_has_words_in_each_language() -> None:
    invariants = read_invariants(DEFAULT, SET.cedar.schema).all
    clocks = [rule for rule in load_packs().rules() if rule.clock]
    assert len(invariants) == 11
    assert len(clocks) >= 9
    for one in [*invariants, *clocks]:
        said = [one.said(language) for language in LANGUAGES]
        assert len(set(said)) == len(LANGUAGES), one.id
        assert all(in_its_script(text, language) for text, language in zip(said, LANGUAGES, strict=True)), one.id


def test_what_counts_is_what_the_deciding_policies_look_at() -> None:
    abroad = AuthorizationRequest(
        Caller("t", "k"), "infer", "e", Site("SG"), "chat", parse_label("sulit/public/none"), Scan()
    )
    found = explain(SET, abroad)
    assert counted(found.policies) == {
        "context.official",
        "resource.site.jurisdiction",
        "resource.site.operator_jurisdiction",
    }
    assert [one.changes for one in found.advice] == [("malaysian-site",)]


def test_every_change_that_is_advised_has_a_name_of_its_own() -> None:
    assert len({one.name for one in CHANGES}) == len(CHANGES)
    request = AuthorizationRequest(
        Caller("t", "k"), "infer", "e", Site("MY"), "loan", parse_label("terbuka/public/none"), Scan(ok=False)
    )
    (advice,) = explain(SET, request).advice
    assert set(advice.changes) == {"register-purpose", "scan-again"}
    assert not explain(SET, replace(request, tenant="another")).advice
