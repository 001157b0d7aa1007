"""Replacing files of the ledger, with the points at which a crash is tried."""

from __future__ import annotations

from pathlib import Path

from selat.durable import fill, sync
from selat.ledger import points


def replace(path: Path, data: bytes, name: str) -> None:
    """Put `data` at `path` in one step; not yet durable. `name` names the crash points. Raises: OSError."""
    temp = path.with_name(f".{path.name}.new")
    fill(temp, data, durable=name != "tile")
    points.reached(f"{name}.temp-written")
    temp.rename(path)
    points.reached(f"{name}.renamed")


def replace_durably(path: Path, data: bytes, name: str) -> None:
    """`replace`, then durable: the content before the name, the name before returning. Raises: OSError."""
    replace(path, data, name)
    sync([path.parent])
