"""Kits in a bundle: folders of data that Selat ships or a house keeps; they arrive under `kits` in the home."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from selat.bundles import Item, read_item
from selat.core.errors import BundleBroken
from selat.durable import replace
from selat.flows.bundles.parts import Arrival, Gathered, House, Planned
from selat.kits import guides

ENDS = (".cedar", ".csv", ".json", ".md", ".toml", ".txt")
"""What a kit is made of: texts, none of which runs."""


def gather(house: House, into: Gathered) -> None:
    """The kits that this Selat ships, and those of the house, which come before them."""
    for root in (guides().parent, house.home.path / "kits"):
        for path in sorted(root.rglob("*")) if root.is_dir() else ():
            inside = path.relative_to(root).as_posix()
            if path.is_file() and path.suffix in ENDS and not path.is_symlink():
                into.data(f"kits/{inside}", "kit", path.read_bytes())
    into.counts["kits"] = len({path.split("/")[1] for path in into.pieces if path.startswith("kits/")})


def plan(arrival: Arrival) -> Planned | None:
    """Raises: BundleBroken, for a file that no kit has."""
    items = arrival.opened.manifest.of_kind("kit")
    if not items:
        return None
    coming: dict[Path, Item] = {}
    for item in items:
        if not item.path.startswith("kits/") or Path(item.path).suffix not in ENDS:
            raise BundleBroken(f"'{item.path}' is none of the files that a kit has: {' '.join(ENDS)}")
        path, data = arrival.house.home.path / item.path, read_item(arrival.opened, item)
        shipped = guides().parent / item.path.removeprefix("kits/")
        if not any(one.is_file() and one.read_bytes() == data for one in (path, shipped)):
            coming[path] = item
    here = len(items) - len(coming)
    return Planned({"kit_files": len(coming)}, {"kit_files": here}, apply=partial(_apply, arrival, coming))


def _apply(arrival: Arrival, coming: dict[Path, Item]) -> None:
    for path, item in coming.items():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace(path, read_item(arrival.opened, item))
