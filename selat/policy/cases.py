"""Table tests beside the policies: requests with the decision that each must get."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from selat.core.decision import EFFECTS, Decision
from selat.core.errors import BadRequest, PolicyBroken
from selat.policy.decide import decide
from selat.policy.request import AuthorizationRequest, read_request
from selat.policy.sets import PolicySet

FOLDER = "tests"
FIELDS = frozenset({"name", "expect", "rule", "request"})


@dataclass(frozen=True, slots=True)
class Case:
    """A request and what it must get: an effect and, unless it is "", one of the policies that determine it."""

    name: str
    request: AuthorizationRequest
    expect: str
    rule: str


@dataclass(frozen=True, slots=True)
class Outcome:
    case: Case
    decision: Decision

    @property
    def passed(self) -> bool:
        right = self.decision.effect == self.case.expect
        return right and (not self.case.rule or self.case.rule in self.decision.rules)

    def to_json(self) -> dict[str, object]:
        return {
            "name": self.case.name,
            "passed": self.passed,
            "expected": self.case.expect,
            "expected_rule": self.case.rule,
            "got": self.decision.effect,
            "rules": list(self.decision.rules),
        }


def read_cases(folder: Path) -> Iterator[Case]:
    """The cases in `folder`/tests/*.toml. Raises: PolicyBroken, naming file, case and field."""
    for path in sorted((folder / FOLDER).glob("*.toml")):
        try:
            table = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise PolicyBroken(f"{FOLDER}/{path.name}: cannot be read as TOML: {error}") from error
        rows = table.get("test", [])
        if set(table) - {"test"} or not isinstance(rows, list):
            raise PolicyBroken(f"{FOLDER}/{path.name}: holds [[test]] tables and nothing else")
        for number, row in enumerate(rows, start=1):
            yield _case(f"{FOLDER}/{path.name}: test {number}", row)


def _case(where: str, row: object) -> Case:
    if not isinstance(row, dict) or set(row) - FIELDS or not {"name", "expect", "request"} <= set(row):
        raise PolicyBroken(f"{where}: give name, expect, request and, if you like, rule")
    if row["expect"] not in EFFECTS:
        raise PolicyBroken(f"{where}: expect is one of {', '.join(EFFECTS)}")
    if not isinstance(row["request"], dict):
        raise PolicyBroken(f"{where}: request is a table")
    try:
        request = read_request(row["request"])
    except BadRequest as error:
        raise PolicyBroken(f"{where}: request: {error}") from error
    return Case(str(row["name"]), request, row["expect"], str(row.get("rule", "")))


def run_cases(policies: PolicySet, folder: Path) -> list[Outcome]:
    """What each case got. Raises: PolicyBroken for a case that cannot be read."""
    return [Outcome(case, decide(policies, case.request)) for case in read_cases(folder)]
