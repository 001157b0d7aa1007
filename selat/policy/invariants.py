"""What must never be permitted, as `invariants.toml` states it: read, and validated against the schema."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cedarpy

from selat.core.errors import PolicyBroken

FILE = "invariants.toml"
FIELDS = frozenset({"id", "ms", "en", "never"})
MORE = frozenset({"zh", "ta"})


@dataclass(frozen=True, slots=True)
class Invariant:
    """`never` is a Cedar condition; no request that meets it may be permitted. `tree` is its JSON form."""

    id: str
    ms: str
    en: str
    never: str
    tree: Mapping[str, object] = field(repr=False)
    zh: str = ""
    ta: str = ""

    def said(self, language: str) -> str:
        """What must never be, in `ms`, `en`, `zh` or `ta`; in English where the file has no other."""
        return {"ms": self.ms, "zh": self.zh, "ta": self.ta}.get(language) or self.en


@dataclass(frozen=True, slots=True)
class Invariants:
    """The invariants of a folder, and the hex SHA-256 of their text."""

    all: tuple[Invariant, ...]
    hash: str


def read_invariants(folder: Path, schema: cedarpy.Schema) -> Invariants:
    """The invariants in `folder`; none where the file is missing. Raises: PolicyBroken, naming the invariant."""
    path = folder / FILE
    if not path.exists():
        return Invariants((), "")
    try:
        text = path.read_text("utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyBroken(f"{FILE}: cannot be read as TOML: {error}") from error
    rows = table.get("invariant", [])
    if set(table) - {"invariant"} or not isinstance(rows, list):
        raise PolicyBroken(f"{FILE}: holds [[invariant]] tables and nothing else")
    found: dict[str, Invariant] = {}
    for number, row in enumerate(rows, start=1):
        one = _invariant(number, row, schema)
        if one.id in found:
            raise PolicyBroken(f"{FILE}: invariant '{one.id}': the id is there twice; give each its own")
        found[one.id] = one
    return Invariants(tuple(found.values()), hashlib.sha256(text.encode()).hexdigest())


def _invariant(number: int, row: object, schema: cedarpy.Schema) -> Invariant:
    named = isinstance(row, dict) and set(row) - MORE == FIELDS
    if not isinstance(row, dict) or not named or not all(isinstance(v, str) for v in row.values()):
        raise PolicyBroken(
            f"{FILE}: invariant {number}: give id, ms, en and never, each as text; zh and ta if known"
        )
    where = f"{FILE}: invariant '{row['id']}'"
    policy = f"forbid(principal, action, resource) when {{ {row['never']} }};"
    try:
        (tree,) = json.loads(cedarpy.policies_to_json_str(policy))["staticPolicies"].values()
    except ValueError as error:
        raise PolicyBroken(f"{where}: never: {error}") from error
    result = cedarpy.validate_policies(policy, schema)
    if not result.validation_passed:
        said = "; ".join(one.error.replace("for policy `policy0`, ", "") for one in result.errors)
        raise PolicyBroken(f"{where}: never: {said}")
    return Invariant(
        row["id"], row["ms"], row["en"], row["never"].strip(), tree, row.get("zh", ""), row.get("ta", "")
    )
