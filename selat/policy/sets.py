"""A Cedar policy set read from a folder: parsed, validated against its schema, and known by its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cedarpy

from selat.core.decision import Basis
from selat.core.errors import PolicyBroken
from selat.policy.ask import Cedar
from selat.policy.text import Statement, statements

DEFAULT = Path(__file__).parent / "default"
SCHEMA = "schema.cedarschema"
POLICIES = "policies"


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy: its `@id`, where it stands, its effect, its reason in each language, and Cedar's JSON form."""

    id: str
    file: str
    line: int
    effect: str
    reasons: Mapping[str, str]
    tree: Mapping[str, object] = field(repr=False)
    text: str = field(repr=False)

    def reason(self, language: str = "en") -> str:
        """Why, in `ms` or `en`, as its annotation says; the id where the annotation is missing."""
        return self.reasons.get(language) or self.reasons.get("en") or self.id


@dataclass(frozen=True)
class PolicySet:
    """A set that was parsed and validated in whole. Never changed: a reload makes another."""

    policies: Mapping[str, Policy]
    basis: Basis
    schema_text: str = field(repr=False)
    cedar: Cedar = field(repr=False)

    @classmethod
    def load(cls, folder: Path) -> PolicySet:
        """The set in `folder`: `schema.cedarschema` and every `policies/*.cedar`, in order of name.

        Raises: PolicyBroken, naming the file, the line and the policy.
        """
        schema_file = folder / SCHEMA
        schema_text = _read(schema_file)
        files = {path.name: _read(path) for path in sorted((folder / POLICIES).glob("*.cedar"))}
        if not files:
            raise PolicyBroken(
                f"{folder / POLICIES}: holds no .cedar file, and no policies means that all is denied; "
                "put back the shipped ones with: selat policy restore"
            )
        return _build(schema_text, files)

    def reasons(self, rules: Iterable[str], language: str = "en") -> str:
        """The reasons of these rules in one line. Holds the annotations' words alone, never a caller's."""
        return "; ".join(self.policies[rule].reason(language) for rule in rules if rule in self.policies)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise PolicyBroken(f"{path}: is missing; put back the shipped one with: selat policy restore") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyBroken(f"{path}: cannot be read as UTF-8 text ({type(error).__name__})") from error


def _build(schema_text: str, files: Mapping[str, str]) -> PolicySet:
    try:
        schema = cedarpy.Schema.from_str(schema_text)
    except ValueError as error:
        raise PolicyBroken(f"{SCHEMA}: {error}") from error
    policies: dict[str, Policy] = {}
    for name, text in files.items():
        for statement in statements(text):
            policy = _policy(name, statement)
            if earlier := policies.get(policy.id):
                raise PolicyBroken(
                    f"{name}:{policy.line}: policy '{policy.id}': the id is taken by "
                    f"{earlier.file}:{earlier.line}; give each policy an @id of its own"
                )
            policies[policy.id] = policy
    _validate(policies, schema)
    trees = {policy.id: policy.tree for policy in policies.values()}
    whole = {"templates": {}, "staticPolicies": trees, "templateLinks": []}
    cedar = Cedar(cedarpy.PolicySet.from_json_str(json.dumps(whole)), schema)
    if not cedar.fits():
        raise PolicyBroken(
            f"{SCHEMA}: does not fit the requests that Selat sends, so that all would be denied; "
            "delete it and put back the shipped one with: selat policy restore"
        )
    basis = Basis(_digest(f"{name}\0{text}" for name, text in files.items()), _digest([schema_text]))
    return PolicySet(policies, basis, schema_text, cedar)


def _digest(parts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(data := part.encode()).to_bytes(8, "big") + data)
    return digest.hexdigest()


def _policy(file: str, statement: Statement) -> Policy:
    where = f"{file}:{statement.line}: policy '{statement.id or 'without @id'}'"
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(statement.text))
    except ValueError as error:
        raise PolicyBroken(f"{where}: {error}") from error
    if parsed["templates"] or len(parsed["staticPolicies"]) != 1:
        raise PolicyBroken(f"{where}: is a template; write it out as a policy without ?principal and ?resource")
    (tree,) = parsed["staticPolicies"].values()
    notes: dict[str, str] = {key: value or "" for key, value in tree.get("annotations", {}).items()}
    if not notes.get("id"):
        raise PolicyBroken(f'{where}: write @id("...") before it: receipts name policies by their id')
    reasons = {key.removeprefix("reason_"): text for key, text in notes.items() if key.startswith("reason_")}
    return Policy(notes["id"], file, statement.line, tree["effect"], reasons, tree, statement.text)


def _validate(policies: Mapping[str, Policy], schema: cedarpy.Schema) -> None:
    """Strict validation of each policy against the schema. Raises: PolicyBroken, naming the first that fails."""
    for policy in policies.values():
        result = cedarpy.validate_policies(policy.text, schema)
        if not result.validation_passed:
            said = "; ".join(error.error.replace("`policy0`", "it") for error in result.errors)
            raise PolicyBroken(f"{policy.file}:{policy.line}: policy '{policy.id}': {said}")
