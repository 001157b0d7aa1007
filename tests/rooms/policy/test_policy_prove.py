"""Proofs: shipped invariants hold, a broken one is shown as a request, and the translator agrees with Cedar."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import z3

from selat.core.caller import ROLES, Caller, Site
from selat.core.errors import PolicyBroken
from selat.core.finding import Finding, Scan
from selat.core.label import CloudClass, Label, Official, PersonalKind
from selat.policy import DEFAULT, AuthorizationRequest, PolicySet, load_proved, read_invariants, run_cases
from selat.policy.example import Example, same
from selat.policy.prove import ASSUMED, Question, condition, differences, idle, prove
from selat.policy.proved import OutsideSubset
from selat.policy.request import ACTIONS, attributes, entities
from selat.policy.terms import ATTRIBUTES, ENTITIES, FLAG, LEVEL, WORDS, Terms

SHIPPED = PolicySet.load(DEFAULT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(DEFAULT, tmp_path / "policy")
    return tmp_path / "policy"


def edit(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / "policies" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def add(folder: Path, text: str) -> None:
    (folder / "policies" / "90-more.cedar").write_text(text)


def test_every_shipped_invariant_is_proved() -> None:
    proofs = prove(SHIPPED, read_invariants(DEFAULT, SHIPPED.cedar.schema))
    assert len(proofs) >= 11
    assert not [proof.invariant.id for proof in proofs if proof.broken]


def test_every_shipped_policy_matters() -> None:
    assert idle(SHIPPED) == []


def test_the_shipped_cases_hold_and_name_every_policy() -> None:
    outcomes = run_cases(SHIPPED, DEFAULT)
    assert [outcome.case.name for outcome in outcomes if not outcome.passed] == []
    named = {rule for outcome in outcomes for rule in outcome.decision.rules}
    assert set(SHIPPED.policies) - named <= {"permit-ingest-by-builders"}


@pytest.mark.parametrize(
    ("file", "old", "new", "broken"),
    [
        ("40-personal.cedar", "context.personal >= 2", "context.personal == 2", "biometric-never-leaves-malaysia"),
        ("30-residency.cedar", "context.official >= 2", "context.official >= 3", "sulit-never-under"),
        ("20-always.cedar", "unless { context.scan_ok }", "when { !context.scan_ok && false }", "unscanned-text"),
        ("40-personal.cedar", "&& !context.masked", "&& false", "personal-never-leaves-unmasked"),
        ("20-always.cedar", "context.tenant == principal.tenant", "true", "nobody-reads-another-tenant"),
    ],
)
def test_a_broken_invariant_stops_the_load_and_shows_a_request(
    folder: Path, file: str, old: str, new: str, broken: str
) -> None:
    edit(folder, file, old, new)
    with pytest.raises(PolicyBroken) as caught:
        load_proved(folder)
    assert broken in str(caught.value)
    assert "a caller of tenant 'tenant-" in str(caught.value)
    assert "it is permitted by permit-" in str(caught.value)


def test_a_wide_permit_breaks_nothing_while_the_forbids_stand(folder: Path) -> None:
    add(folder, '@id("all")\npermit(principal, action, resource);')
    assert load_proved(folder).basis.proof


@pytest.mark.parametrize(
    "when",
    [
        'context.purpose like "loan*"',
        "context.official + 1 > 2",
        'resource.site == {jurisdiction: "MY", operator: "a", operator_jurisdiction: "MY", hardware: "b"}',
        'ip("10.0.0.1").isLoopback()',
    ],
)
def test_outside_the_subset_is_refused_or_marked_not_proved(folder: Path, when: str) -> None:
    add(folder, f'\n@id("odd")\nforbid(principal, action, resource) when {{ {when} }};')
    with pytest.raises(OutsideSubset, match=r"90-more\.cedar:2: policy 'odd'"):
        load_proved(folder)
    assert load_proved(folder, allow_unproved=True).basis.proof == ""


def test_allowing_unproved_sets_does_not_allow_broken_ones(folder: Path) -> None:
    edit(folder, "40-personal.cedar", "context.personal >= 2", "context.personal == 2")
    with pytest.raises(PolicyBroken, match="is broken"):
        load_proved(folder, allow_unproved=True)


def test_a_proof_is_remembered_and_z3_is_then_not_even_imported(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "proofs.json"
    proof = load_proved(folder, cache).basis.proof
    assert len(proof) == 64
    code = (
        "import sys; from pathlib import Path; from selat.policy import load_proved;"
        f"print(load_proved(Path({str(folder)!r}), Path({str(cache)!r})).basis.proof, 'z3' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == [proof, "False"]
    edit(folder, "40-personal.cedar", "context.personal >= 2", "context.personal == 2")
    with pytest.raises(PolicyBroken):
        load_proved(folder, cache)
    cache.write_text("{damaged")
    shutil.copytree(DEFAULT, folder, dirs_exist_ok=True)
    assert load_proved(folder, cache).basis.proof == proof


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[invariant]]\nid = 'a'\n", "give id, ms, en and never"),
        ("invariant = 3", "holds"),
        ("[[invariant", "cannot be read as TOML"),
        ("[[invariant]]\nid='a'\nms='x'\nen='x'\nnever='context.mood'\n", "invariant 'a': never: "),
        ("[[invariant]]\nid='a'\nms='x'\nen='x'\nnever='context.'\n", "invariant 'a': never: "),
        (
            "[[invariant]]\nid='a'\nms='x'\nen='x'\nnever='context.official == 9'\n",
            "no request could ever meet it",
        ),
    ],
)
def test_a_slip_in_an_invariant_is_named(folder: Path, text: str, said: str) -> None:
    (folder / "invariants.toml").write_text(text)
    with pytest.raises(PolicyBroken, match=said):
        load_proved(folder)


def test_a_difference_is_found_for_each_way_two_sets_differ(folder: Path) -> None:
    assert differences(SHIPPED, PolicySet.load(folder)) == []
    edit(folder, "30-residency.cedar", "context.official >= 2", "context.official >= 3")
    found = differences(SHIPPED, PolicySet.load(folder))
    assert found
    for one in found:
        assert one.now_permitted
        assert one.old_rules == ("sulit-needs-malaysian-operator",)
        assert one.example.values["context.official"] == 2
    assert {one.new_rules[0] for one in found} >= {"permit-registered-purpose", "permit-ingest-by-builders"}
    assert all(not one.now_permitted for one in differences(PolicySet.load(folder), SHIPPED))


def test_an_example_reads_in_both_languages(folder: Path) -> None:
    edit(folder, "40-personal.cedar", "context.personal >= 2", "context.personal == 2")
    policies = PolicySet.load(folder)
    proofs = prove(policies, read_invariants(folder, policies.cedar.schema))
    (broken,) = [proof.broken for proof in proofs if proof.broken]
    assert "biometric" in broken.words("en")
    assert "at a site in SG" in broken.words("en")
    assert "di tapak SG" in broken.words("ms")


# The translator against Cedar


class Chance:
    """Random policies of the subset and random requests, from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def word(self) -> str:
        return self.random.choice(["MY", "SG", "chat", "", "MYKAD", "SECRET", "officer", "tenant-a"])

    def condition(self, depth: int) -> str:
        pick = self.random.choice
        if depth and self.random.random() < 0.75:
            left, right = self.condition(depth - 1), self.condition(depth - 1)
            shapes = (f"({left}) && ({right})", f"({left}) || ({right})", f"!({left})")
            return pick([*shapes, f"(if {left} then {right} else {self.condition(depth - 1)})"])
        words = [path for path, kind in ATTRIBUTES.items() if kind == "word"]
        sets = [path for path, kind in ATTRIBUTES.items() if kind == WORDS]
        levels = [path for path, kind in ATTRIBUTES.items() if kind == LEVEL]
        flags = [path for path, kind in ATTRIBUTES.items() if kind == FLAG]
        literal = json.dumps([self.word() for _ in range(self.random.randint(1, 3))])
        makers: list[Callable[[], str]] = [
            lambda: pick(flags),
            lambda: f"{pick(levels)} {pick(['<', '<=', '>', '>=', '==', '!='])} {self.random.randint(-1, 5)}",
            lambda: f"{pick(levels)} <= {pick(levels)}",
            lambda: f'{pick(words)} {pick(["==", "!="])} "{self.word()}"',
            lambda: f"{pick(words)} == {pick(words)}",
            lambda: f'{pick(sets)}.contains("{self.word()}")',
            lambda: f"{pick(sets)}.contains({pick(words)})",
            lambda: f"{literal}.contains({pick(words)})",
            lambda: f"{pick(sets)}.{pick(['containsAny', 'containsAll'])}({literal})",
            lambda: f"{literal}.containsAll({pick(sets)})",
            lambda: f"{pick(sets)}.{pick(['containsAny', 'containsAll'])}({pick(sets)})",
            lambda: f"{pick(sets)} == {literal}",
            lambda: f"{pick(sets)}.isEmpty()",
            lambda: f'action == Action::"{pick(ACTIONS)}"',
            lambda: f'action in [Action::"{pick(ACTIONS)}", Action::"{pick(ACTIONS)}"]',
            lambda: f'principal == Caller::"{self.word()}"',
            lambda: f'resource in Engine::"{self.word()}"',
            lambda: pick(["principal is Caller", "resource is Engine", "context has masked"]),
        ]
        return pick(makers)()

    def policy(self, number: int) -> str:
        effect = "permit" if self.random.random() < 0.6 else "forbid"
        scope = self.random.choice(
            ["action", 'action == Action::"infer"', 'action in [Action::"embed", Action::"search"]']
        )
        who = self.random.choice(
            ["principal", "principal", 'principal == Caller::"tenant-a"', "principal is Caller"]
        )
        kind = self.random.choice(["when", "unless"])
        return f'@id("p{number}")\n{effect}({who}, {scope}, resource) {kind} {{ {self.condition(3)} }};\n'

    def example(self) -> Example:
        values: dict[str, Any] = {}
        for path, kind in ATTRIBUTES.items():
            if kind == FLAG:
                values[path] = self.random.random() < 0.5
            elif kind == LEVEL:
                values[path] = self.random.randint(0, 4)
            elif kind == WORDS:
                values[path] = tuple(sorted({self.word() for _ in range(self.random.randint(0, 3))}))
            else:
                values[path] = self.word()
        names = {"principal": self.word(), "action": self.random.choice(ACTIONS), "resource": self.word()}
        return Example(values | names)


def says(terms: Terms, formula: Any, example: Example) -> bool:
    """What the translation says of one concrete request: every variable replaced by its value."""
    values = [
        (terms.variables[path], same(terms, path, example.values[path]).arg(1))
        for path in (*ATTRIBUTES, *ENTITIES)
        if ATTRIBUTES.get(path) != FLAG
    ]
    values += [
        (terms.variables[path], z3.BoolVal(example.values[path]))
        for path in ATTRIBUTES
        if ATTRIBUTES[path] == FLAG
    ]
    left = z3.simplify(z3.substitute(formula, *values))
    if z3.is_true(left) or z3.is_false(left):
        return z3.is_true(left)
    solver = z3.Solver()
    solver.add(left)
    return bool(solver.check() == z3.sat)


def test_translation_agrees_with_cedar_on_random_policies_and_requests(folder: Path) -> None:
    """60 random sets, 50 random requests each: the same permission every time, and both kinds occur."""
    chance = Chance(20261122)
    shutil.rmtree(folder / "policies")
    (folder / "policies").mkdir()
    allowed = asked = 0
    while asked < 3000:
        add(folder, "".join(chance.policy(number) for number in range(4)))
        try:
            policies = PolicySet.load(folder)
        except PolicyBroken:
            continue  # Cedar's strict validation refuses conditions that are always false or true
        terms = Terms()
        question = Question(policies, terms)
        for _ in range(50):
            example = chance.example()
            verdict = policies.cedar.ask_raw(*example.cedar())
            assert not verdict.erred
            assert says(terms, question.permits, example) == verdict.allowed, example.values
            allowed += verdict.allowed
            asked += 1
    assert 300 < allowed < 2700


def test_translation_agrees_with_cedar_on_the_shipped_set() -> None:
    chance = Chance(7)
    terms = Terms()
    question = Question(SHIPPED, terms)
    for _ in range(1000):
        example = chance.example()
        changed = dict(example.values)
        if chance.random.random() < 0.7:
            changed |= {"context.scan_ok": True, "context.purpose_registered": True}
            changed |= {"context.tenant": "tenant-a", "principal.tenant": "tenant-a"}
        example = Example(changed)
        assert says(terms, question.permits, example) == SHIPPED.cedar.ask_raw(*example.cedar()).allowed


def test_what_the_prover_assumes_holds_of_every_request_that_selat_makes() -> None:
    terms = Terms()
    formulas = [condition(terms, line) for line in ASSUMED]
    chance = random.Random(3)
    kinds = ["MYKAD", "SECRET", "SSM", "EMAIL", "CARD"]
    flags = ["HEALTH", "RELIGION", "POLITICS", "OFFENCE", "BIOMETRIC", "NAME_LIST"]
    for _ in range(400):
        label = Label(
            chance.choice(list(Official)), chance.choice(list(CloudClass)), chance.choice(list(PersonalKind))
        )
        scan = Scan(
            tuple(Finding(0, 1, kind) for kind in chance.sample(kinds, chance.randint(0, 3))),
            frozenset(chance.sample(flags, chance.randint(0, 2))),
            chance.random() < 0.9,
        )
        caller = Caller("t", "k", frozenset({chance.choice(ROLES)}), purposes=frozenset({"chat", "docs"}))
        request = AuthorizationRequest(caller, "infer", "e", Site("SG"), chance.choice(["chat", "x"]), label, scan)
        for masked in (False, True):
            seen = attributes(request, masked=masked)
            about: Any = entities(request)
            values = {f"context.{name}": tuple(v) if isinstance(v, list) else v for name, v in seen.items()}
            values |= {f"resource.site.{name}": v for name, v in about[1]["attrs"]["site"].items()}
            values |= {"principal.tenant": "t", "principal.roles": tuple(about[0]["attrs"]["roles"])}
            values |= {"principal": "t", "action": "infer", "resource": "e"}
            if not says(terms, z3.And(*formulas), Example(values)):
                pairs = zip(ASSUMED, formulas, strict=True)
                raise AssertionError([line for line, one in pairs if not says(terms, one, Example(values))])
    assert replace(request, ground="1A").ground == "1A"
