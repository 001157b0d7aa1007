"""Reads `oidc.toml`: the providers whose tokens are taken, and for which tenant."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selat.core.errors import BadRequest, HomeBroken
from selat.core.label import parse_label
from selat.identity.oidc import Provider

_NEEDED = frozenset({"issuer", "audience", "tenant"})
_KNOWN = _NEEDED | {
    "roles_claim",
    "roles",
    "default_roles",
    "clearance",
    "client_id",
    "client_secret_env",
    "groups_claim",
}


def read_providers(path: Path, environment: Mapping[str, str] | None = None) -> list[Provider]:
    """The [[provider]] tables of a TOML file; none where it is missing. Raises: HomeBroken, naming the table.

    A secret is never in the file: `client_secret_env` names the environment variable that holds it.
    """
    if not path.exists():
        return []
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise HomeBroken(f"{path.name} cannot be read as TOML: {error}. Mend or remove it") from error
    rows = table.get("provider", [])
    if set(table) - {"provider"} or not isinstance(rows, list):
        raise HomeBroken(f"{path.name} holds [[provider]] tables and nothing else")
    environment = os.environ if environment is None else environment
    return [_provider(f"{path.name}: provider {number}", row, environment) for number, row in enumerate(rows, 1)]


def _provider(where: str, row: dict[str, Any], environment: Mapping[str, str]) -> Provider:
    if not set(row) >= _NEEDED:
        raise HomeBroken(f"{where}: lacks {', '.join(sorted(_NEEDED - set(row)))}")
    if unknown := set(row) - _KNOWN:
        raise HomeBroken(f"{where}: unknown {', '.join(sorted(unknown))}; known: {', '.join(sorted(_KNOWN))}")
    secret = row.get("client_secret_env", "")
    if secret and secret not in environment:
        raise HomeBroken(f"{where}: the environment variable {secret} is not set")
    try:
        return Provider(
            row["issuer"],
            row["audience"],
            row["tenant"],
            row.get("roles_claim", "roles"),
            row.get("roles", {}),
            frozenset(row.get("default_roles", ["member"])),
            parse_label(row.get("clearance", "terbuka")),
            row.get("client_id", ""),
            environment[secret] if secret else "",
            row.get("groups_claim", ""),
        )
    except (HomeBroken, BadRequest) as error:
        raise HomeBroken(f"{where}: {error}") from error
