"""Wheels in a bundle: all that Selat needs to be installed where no network is, and the script that does it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from selat.bundles import Item
from selat.bundles.wheels import INSTALL, own_wheel, requirements, wheelhouse
from selat.flows.bundles.parts import Gathered, House


@dataclass(frozen=True, slots=True)
class Wheels:
    """Which extras come along, and a folder that holds the wheels, where the package index is not to be asked."""

    extras: Sequence[str] = ()
    source: Path | None = None


def gather(house: House, wheels: Wheels, into: Gathered) -> None:
    """Raises: Misused, for an extra; Unavailable, when wheels cannot be had."""
    folder = wheelhouse(house.home.cache / "wheels", wheels.extras, wheels.source)
    named = []
    for path in sorted(folder.glob("*.whl")):
        with path.open("rb") as file:
            sha256, size = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
        into.file(Item(f"wheels/{path.name}", "wheel", size, sha256), path)
        named.append((path.name, sha256))
    name, data = own_wheel()
    into.data(f"wheels/{name}", "wheel", data)
    named.append((name, hashlib.sha256(data).hexdigest()))
    into.data("requirements.txt", "install", requirements(named).encode())
    into.data("install.py", "install", INSTALL.read_bytes())
    into.counts["wheels"] = len(named)
    into.names["extras"] = sorted(set(wheels.extras))
