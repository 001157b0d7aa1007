"""Policy in a bundle: a set and the rule packs; they arrive as a proposal, or in force once they are proved."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from selat import durable
from selat.bundles import Item, read_item
from selat.core.errors import PolicyBroken
from selat.flows.bundles.parts import Arrival, Gathered, House, Planned
from selat.policy.packs import PACKS
from selat.policy.sets import POLICIES, SCHEMA

PROPOSED = "policy.proposed"
_ENDS = (".cedar", ".cedarschema", ".toml")


def gather(house: House, into: Gathered) -> None:
    """The home's policy folder, and the rule packs that this Selat ships. Raises: PolicyBroken."""
    house.prove_policies(house.home.policy)
    for kind, folder in (("policy", house.home.policy), ("rules", PACKS)):
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder).as_posix()
            if path.is_file() and path.suffix in _ENDS and not inside.startswith("."):
                into.data(f"{kind}/{inside}", kind, path.read_bytes())
    into.counts["policies"] = sum(piece.item.kind == "policy" for piece in into.pieces.values())


def plan(arrival: Arrival) -> Planned | None:
    """Raises: BundleBroken."""
    items = arrival.opened.manifest.of_kind("policy", "rules")
    if not items:
        return None
    home = arrival.house.home
    folder = home.path / PROPOSED / _digest(items)
    own = {item.path.removeprefix("policy/"): item.sha256 for item in items if item.kind == "policy"}
    in_force = _held(home.policy) == own
    proposed = _held(folder) == {item.path.removeprefix("policy/"): item.sha256 for item in items}
    todo = not in_force and (arrival.terms.activate or not proposed)
    files = {item.path: read_item(arrival.opened, item) for item in items} if todo else {}
    told: tuple[str, ...] = ()
    if todo and not arrival.terms.activate:
        told = (f"proposed policies: selat policy diff {home.policy} {folder}; in force with: --activate",)
    return Planned(
        {"policies": len(own) if todo else 0},
        {"policies": 0 if todo else len(own)},
        inspect=partial(_inspect, arrival, folder, files),
        apply=partial(_apply, arrival, folder, files),
        told=told,
    )


def _inspect(arrival: Arrival, folder: Path, files: Mapping[str, bytes]) -> None:
    """A set that is to be in force is proved before anything is changed. Raises: PolicyBroken."""
    if files and arrival.terms.activate:
        draft = arrival.stage / "policy"
        _lay(draft, files)
        arrival.house.prove_policies(draft)


def _apply(arrival: Arrival, folder: Path, files: Mapping[str, bytes]) -> None:
    if not files:
        return
    fresh = folder.with_name(f".{folder.name}.new")
    _lay(fresh, files)
    if folder.exists():
        shutil.rmtree(folder)
    fresh.rename(folder)
    if not arrival.terms.activate:
        arrival.house.record("policy.proposed", {"folder": folder.name}, arrival.tenant)
        return
    set_hash = arrival.house.prove_policies(folder).basis.set_hash
    arrival.house.record("policy.activated", {"folder": folder.name, "set": set_hash}, arrival.tenant)
    put_in_force(arrival.house.home.policy, folder)


def put_in_force(policy: Path, folder: Path) -> None:
    """Make `policy` hold what `folder` does; what it held goes to `policy.before`.

    Without the folder of policies a set does not load, so a crash in between denies: a gateway that runs keeps
    the set that it has, one that starts says what is missing, and the import goes on where it was.
    """
    before = policy.with_name(f"{policy.name}.before")
    if (policy / POLICIES).exists():
        shutil.rmtree(before, ignore_errors=True)
        shutil.copytree(policy, before)
        (policy / POLICIES).rename(policy / f".{POLICIES}.old")
    for path in [path for path in policy.rglob("*") if path.is_file()]:
        path.unlink()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and inside.parts[0] not in (POLICIES, "rules"):
            (policy / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, policy / inside)
    shutil.rmtree(policy / f".{POLICIES}.old", ignore_errors=True)
    fresh = policy / f".{POLICIES}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(folder / POLICIES, fresh)
    fresh.rename(policy / POLICIES)


def _lay(folder: Path, files: Mapping[str, bytes]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for path, data in files.items():
        target = folder / path.removeprefix("policy/")
        target.parent.mkdir(parents=True, exist_ok=True)
        durable.fill(target, data)
    if not (folder / SCHEMA).exists():
        raise PolicyBroken(f"the bundle's policies have no {SCHEMA}; export them again")


def _held(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        return {}
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in _ENDS
    }


def _digest(items: list[Item]) -> str:
    lines = sorted(f"{item.sha256} {item.path}\n" for item in items)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:12]
