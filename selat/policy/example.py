"""A concrete request found by the prover: confirmed by Cedar itself, and told in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import z3

from selat.core.label import CloudClass, Official, PersonalKind
from selat.policy.request import ACTIONS
from selat.policy.terms import ATTRIBUTES, FLAG, LEVEL, WORDS, ProverFailed, Terms

# What an example takes where nothing forces another value, most telling first: the plainest request.
PLAIN: tuple[tuple[str, object], ...] = (
    ("context.scan_ok", True),
    ("context.purpose_registered", True),
    ("context.masked", False),
    ("context.official", 0),
    ("context.cloud", 0),
    ("context.personal", 0),
    ("context.findings", ()),
    ("context.flags", ()),
    ("action", "infer"),
    ("principal.tenant", "tenant-a"),
    ("context.tenant", "tenant-a"),
    ("context.tenant", "tenant-b"),
    ("resource.site.jurisdiction", "MY"),
    ("resource.site.jurisdiction", "SG"),
    ("resource.site.operator_jurisdiction", "MY"),
    ("resource.site.operator_jurisdiction", "SG"),
    ("context.purpose", "chat"),
    ("principal.roles", ("member",)),
    ("principal.roles", ("officer",)),
    ("principal.roles", ("builder",)),
    ("context.jurisdictions", ("MY",)),
    ("context.passport_needed", False),
    ("context.passport", False),
    ("context.ground", ""),
    ("context.ground", "1A"),
    ("context.ground_in_force", False),
    ("resource.site.operator", "self"),
    ("resource.site.hardware", "unknown"),
    ("principal", "tenant-a"),
    ("resource", "engine"),
)


@dataclass(frozen=True, slots=True)
class Example:
    """One request by its attributes, as `context.official`, and the entities' ids under `principal` and so on."""

    values: Mapping[str, Any]

    def cedar(self) -> tuple[dict[str, object], list[dict[str, object]]]:
        """The request and its entities in Cedar's JSON form."""
        values = self.values
        inner: dict[str, dict[str, Any]] = {"principal": {}, "resource": {"site": {}}, "context": {}}
        for path in ATTRIBUTES:
            *place, name = path.split(".")
            record = inner[place[0]]["site"] if place[-1] == "site" else inner[place[0]]
            value = values[path]
            record[name] = sorted(value) if isinstance(value, tuple) else value
        caller = {"type": "Caller", "id": values["principal"]}
        engine = {"type": "Engine", "id": values["resource"]}
        request: dict[str, object] = {
            "principal": caller,
            "action": {"type": "Action", "id": values["action"]},
            "resource": engine,
            "context": inner["context"],
        }
        about: list[dict[str, object]] = [
            {"uid": caller, "attrs": inner["principal"], "parents": []},
            {"uid": engine, "attrs": inner["resource"], "parents": []},
        ]
        return request, about

    def words(self, language: str = "en") -> str:
        """The request in a sentence, in `ms` or `en`."""
        site, data = self._site(language), self._data(language)
        value = self.values
        roles = ", ".join(value["principal.roles"]) or "-"
        if language == "ms":
            return (
                f"pemanggil penyewa '{value['principal.tenant']}' (peranan: {roles}) meminta "
                f"'{value['action']}' bagi tujuan '{value['context.purpose']}' ke atas data penyewa "
                f"'{value['context.tenant']}' ({data}) di enjin '{value['resource']}' di tapak {site}"
            )
        return (
            f"a caller of tenant '{value['principal.tenant']}' (roles: {roles}) asks to "
            f"'{value['action']}' for purpose '{value['context.purpose']}' with data of tenant "
            f"'{value['context.tenant']}' ({data}) at engine '{value['resource']}', at a site in {site}"
        )

    def _site(self, language: str) -> str:
        value = self.values
        operator, law = value["resource.site.operator"], value["resource.site.operator_jurisdiction"]
        run_by = f"pengendali '{operator}' dari {law}" if language == "ms" else f"operator '{operator}' of {law}"
        return f"{value['resource.site.jurisdiction']} ({run_by})"

    def _data(self, language: str) -> str:
        value = self.values
        parts = [
            _level(Official, value["context.official"]),
            _level(CloudClass, value["context.cloud"]),
            _level(PersonalKind, value["context.personal"]),
        ]
        said = SAID[language]
        for path, text in (("context.findings", said[0]), ("context.flags", said[1])):
            if value[path]:
                parts.append(f"{text} {'+'.join(value[path])}")
        for path, usual, text in (
            ("context.masked", False, said[2]),
            ("context.scan_ok", True, said[3]),
            ("context.purpose_registered", True, said[4]),
            ("context.passport_needed", False, said[5]),
            ("context.passport", False, said[6]),
            ("context.ground_in_force", False, said[7]),
        ):
            if value[path] is not usual:
                parts.append(text)
        if value["context.ground"]:
            parts.append(f"{said[8]} {value['context.ground']}")
        return ", ".join(parts)


SAID = {
    "en": (
        "found:",
        "signs of",
        "masked",
        "the scan failed",
        "purpose not registered",
        "passport needed",
        "passport verified",
        "ground in force",
        "ground",
    ),
    "ms": (
        "dijumpai:",
        "tanda",
        "ditopeng",
        "imbasan gagal",
        "tujuan tidak berdaftar",
        "pasport diperlukan",
        "pasport disahkan",
        "asas berkuat kuasa",
        "asas",
    ),
}


def _level(kind: type[Official] | type[CloudClass] | type[PersonalKind], value: int) -> str:
    known = {int(level): level.name.lower() for level in kind}
    return known.get(value, f"{kind.__name__.lower()} {value}")


def same(terms: Terms, path: str, value: object) -> Any:
    """The formula that an attribute has this value."""
    variable = terms.variables[path]
    if isinstance(value, tuple):
        return variable == terms.words(list(value))
    if isinstance(value, str):
        return variable == terms.number(value)
    return variable == value


def find(terms: Terms, solver: z3.Solver) -> Example | None:
    """The plainest request that meets the solver's formulas, or None if there is none.

    Raises: ProverFailed, if the solver gives up.
    """
    if not decided(solver.check()):
        return None
    kept: list[Any] = []
    for path, value in PLAIN:
        wish = same(terms, path, value)
        if solver.check(*kept, wish) == z3.sat:
            kept.append(wish)
    solver.check(*kept)
    return _read(terms, solver.model())


def decided(result: z3.CheckSatResult) -> bool:
    if result == z3.unknown:
        raise ProverFailed("the prover gave up: over its limit of time")
    return bool(result == z3.sat)


def _read(terms: Terms, model: z3.ModelRef) -> Example:
    words = {number: word for word, number in terms.numbers.items()}

    def word(number: int) -> str:
        return words.setdefault(number, f"other-{number if number >= 0 else f'm{-number}'}")

    values: dict[str, Any] = {}
    for path, variable in terms.variables.items():
        kind = ATTRIBUTES.get(path, "word")
        if kind == WORDS:
            values[path] = tuple(sorted(word(n) for n in _members(model, variable, words)))
            continue
        value = model.eval(variable, model_completion=True)
        if kind == FLAG:
            values[path] = z3.is_true(value)
        else:
            values[path] = value.as_long() if kind == LEVEL else word(value.as_long())
    if values["action"] not in ACTIONS:
        raise ProverFailed("the prover found an action that the schema does not have")
    return Example(values)


def _members(model: z3.ModelRef, variable: Any, words: Mapping[int, str]) -> Iterator[int]:
    """The numbers in a set of the model: the known words, and any other number that its array names."""
    asked = set(words)
    array = model.eval(variable, model_completion=True)
    while z3.is_store(array):
        asked.add(array.arg(1).as_long())
        array = array.arg(0)
    if z3.is_const_array(array) and z3.is_true(array.arg(0)):
        asked.add(max(asked, default=0) + 1)  # everything is a member: any one stands for the rest
    for number in sorted(asked):
        if z3.is_true(model.eval(z3.Select(variable, number), model_completion=True)):
            yield number
