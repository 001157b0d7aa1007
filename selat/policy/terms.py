"""Translates Cedar policies of a provable subset into Z3, term by term.

The subset: attributes that every request has; ==, !=, <, <=, >, >=, &&, ||, !, if-then-else; contains,
containsAny, containsAll, isEmpty; has; is; `in` (entities have no parents, so it is equality or membership).
Within it evaluation cannot err once the schema has accepted the request, so a policy is a plain formula.
Outside it: arithmetic (Cedar's overflows err), like, extension types, tags, records as values, templates.

Text is only ever compared, so each literal is a number of its own and all other text is any other number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import z3

from selat.core.errors import PolicyBroken
from selat.policy.proved import OutsideSubset

# The attributes of every request, as the schema has them, and the kind of each.
WORD, LEVEL, FLAG, WORDS = "word", "level", "flag", "words"
ATTRIBUTES: Mapping[str, str] = {
    "principal.tenant": WORD,
    "principal.roles": WORDS,
    "resource.site.jurisdiction": WORD,
    "resource.site.operator": WORD,
    "resource.site.operator_jurisdiction": WORD,
    "resource.site.hardware": WORD,
    "context.tenant": WORD,
    "context.purpose": WORD,
    "context.purpose_registered": FLAG,
    "context.official": LEVEL,
    "context.cloud": LEVEL,
    "context.personal": LEVEL,
    "context.jurisdictions": WORDS,
    "context.scan_ok": FLAG,
    "context.findings": WORDS,
    "context.flags": WORDS,
    "context.masked": FLAG,
    "context.passport": FLAG,
    "context.passport_needed": FLAG,
    "context.ground": WORD,
    "context.ground_in_force": FLAG,
}
ENTITIES = {"principal": "Caller", "action": "Action", "resource": "Engine"}
_RECORDS = {path.rsplit(".", 1)[0] for path in ATTRIBUTES}

Term = Any
Tree = Mapping[str, Any]


class ProverFailed(PolicyBroken):
    """The prover gave up, or disagrees with Cedar: nothing is proved."""


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity as a value: the name of its type, known while translating, and its id, a number."""

    type: str
    id: Term


@dataclass(slots=True)
class Terms:
    """The variables of one question, and the numbers that stand for literals; shared by all its formulas."""

    numbers: dict[str, int] = field(default_factory=dict)
    variables: dict[str, Term] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path, kind in ATTRIBUTES.items():
            if kind == FLAG:
                self.variables[path] = z3.Bool(path)
            elif kind == WORDS:
                self.variables[path] = z3.Array(path, z3.IntSort(), z3.BoolSort())
            else:
                self.variables[path] = z3.Int(path)
        for name in ENTITIES:
            self.variables[name] = z3.Int(name)

    def number(self, word: str) -> int:
        return self.numbers.setdefault(word, len(self.numbers))

    def policy(self, tree: Tree) -> Term:
        """When a policy matches: its scope and every condition. Raises: OutsideSubset."""
        parts = [self._scope(name, tree[name]) for name in ENTITIES]
        try:
            for condition in tree["conditions"]:
                held = self.term(condition["body"])
                parts.append(held if condition["kind"] == "when" else z3.Not(held))
        except z3.Z3Exception as error:
            raise OutsideSubset(f"the prover does not cover an expression of this shape: {error}") from error
        return z3.And(parts)

    def _scope(self, name: str, scope: Tree) -> Term:
        here = Entity(ENTITIES[name], self.variables[name])
        match scope:
            case {"op": "All"}:
                return z3.BoolVal(True)
            case {"op": "==" | "in", "entity": uid}:
                return self._same(here, self._uid(uid))
            case {"op": "in", "entities": uids}:
                return z3.Or([self._same(here, self._uid(uid)) for uid in uids])
            case {"op": "is", "entity_type": kind} if "in" not in scope:
                return z3.BoolVal(kind == here.type)
        raise OutsideSubset(f"the prover does not cover this scope of {name}")

    def term(self, tree: Tree) -> Term:
        """The term of an expression in Cedar's JSON form. Raises: OutsideSubset."""
        ((operator, body),) = tree.items()
        if operator in _BINARY:
            return _BINARY[operator](self, self.term(body["left"]), self.term(body["right"]))
        match operator:
            case "Value":
                return self._literal(body)
            case "Var":
                if body in ENTITIES:
                    return Entity(ENTITIES[body], self.variables[body])
            case ".":
                return self._attribute(tree)
            case "!":
                return z3.Not(self.term(body["arg"]))
            case "neg" if isinstance(body["arg"].get("Value"), int):
                return z3.IntVal(-body["arg"]["Value"])
            case "isEmpty":
                return self.term(body["arg"]) == self.words([])
            case "Set":
                return self._set(body)
            case "if-then-else":
                return z3.If(self.term(body["if"]), self.term(body["then"]), self.term(body["else"]))
            case "has":
                return self._has(body)
            case "is" if "in" not in body and isinstance(one := self.term(body["left"]), Entity):
                return z3.BoolVal(one.type == body["entity_type"])
        raise OutsideSubset(f"the prover does not cover '{operator}'")

    def words(self, members: list[str]) -> Term:
        """The set of these words: true at their numbers, false elsewhere."""
        made = z3.K(z3.IntSort(), z3.BoolVal(False))
        for word in members:
            made = z3.Store(made, self.number(word), z3.BoolVal(True))
        return made

    def _literal(self, value: object) -> Term:
        if isinstance(value, bool):
            return z3.BoolVal(value)
        if isinstance(value, int):
            return z3.IntVal(value)
        if isinstance(value, str):
            return z3.IntVal(self.number(value))
        if isinstance(value, Mapping) and "__entity" in value:
            return self._uid(value["__entity"])
        raise OutsideSubset("the prover does not cover this kind of literal")

    def _uid(self, uid: Tree) -> Entity:
        return Entity(uid["type"], z3.IntVal(self.number(uid["id"])))

    def _set(self, members: list[Tree]) -> Term:
        made = self.words([])
        for member in members:
            one = self.term(member)
            if isinstance(one, Entity):
                return [self.term(other) for other in members]  # a list of entities, for `in`
            if not z3.is_int(one):
                raise OutsideSubset("the prover covers sets of text and of entities")
            made = z3.Store(made, one, z3.BoolVal(True))
        return made

    def _attribute(self, tree: Tree) -> Term:
        path = _path(tree)
        if path not in ATTRIBUTES:
            raise OutsideSubset(f"the prover does not know the attribute '{path}'")
        return self.variables[path]

    def _has(self, body: Tree) -> Term:
        path = f"{_path(body['left'])}.{body['attr']}"
        if path in ATTRIBUTES or path in _RECORDS:
            return z3.BoolVal(True)  # every request has every attribute: the schema sees to that
        raise OutsideSubset(f"the prover does not know the attribute '{path}'")

    def _same(self, left: Term, right: Term) -> Term:
        if isinstance(left, Entity) and isinstance(right, Entity):
            return z3.BoolVal(False) if left.type != right.type else left.id == right.id
        if isinstance(left, z3.ExprRef) and isinstance(right, z3.ExprRef) and left.sort() == right.sort():
            return left == right
        raise OutsideSubset("the prover does not cover a comparison of these kinds")

    def _within(self, left: Term, right: Term) -> Term:
        if isinstance(right, list):
            return z3.Or([self._same(left, one) for one in right])
        return self._same(left, right)

    def _contains(self, left: Term, right: Term) -> Term:
        if isinstance(left, list):
            return self._within(right, left)
        return _both(z3.is_array, left, left) and z3.Select(left, right)

    def _any(self, left: Term, right: Term) -> Term:
        return _both(z3.is_array, left, right) and z3.SetIntersect(left, right) != self.words([])


def _path(tree: Tree) -> str:
    ((operator, body),) = tree.items()
    if operator == "Var":
        return str(body)
    if operator == ".":
        return f"{_path(body['left'])}.{body['attr']}"
    raise OutsideSubset("the prover covers attributes of principal, resource and context")


def _both(of_kind: Callable[[Any], bool], left: Term, right: Term) -> bool:
    if of_kind(left) and of_kind(right):
        return True
    raise OutsideSubset("the prover does not cover an operator on values of this kind")


_BINARY: Mapping[str, Callable[[Terms, Term, Term], Term]] = {
    "==": lambda terms, left, right: terms._same(left, right),
    "!=": lambda terms, left, right: z3.Not(terms._same(left, right)),
    "<": lambda terms, left, right: _both(z3.is_int, left, right) and left < right,
    "<=": lambda terms, left, right: _both(z3.is_int, left, right) and left <= right,
    ">": lambda terms, left, right: _both(z3.is_int, left, right) and left > right,
    ">=": lambda terms, left, right: _both(z3.is_int, left, right) and left >= right,
    "&&": lambda terms, left, right: _both(z3.is_bool, left, right) and z3.And(left, right),
    "||": lambda terms, left, right: _both(z3.is_bool, left, right) and z3.Or(left, right),
    "in": lambda terms, left, right: terms._within(left, right),
    "contains": lambda terms, left, right: terms._contains(left, right),
    "containsAll": lambda terms, left, right: _both(z3.is_array, left, right) and z3.IsSubset(right, left),
    "containsAny": lambda terms, left, right: terms._any(left, right),
}
