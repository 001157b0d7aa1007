"""Evals in a bundle: results leave with their packs and arrive as another house's claims, never as our own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec

from selat.bundles import read_item
from selat.core.errors import BundleBroken, Misused, NotFound
from selat.durable import replace
from selat.evals.item import Pack, Scored
from selat.evals.passport import ClaimedScore, Result, result_of
from selat.evals.results import results_of
from selat.evals.run import COMPLETE, Run
from selat.evals.store import Store
from selat.flows.bundles.parts import Arrival, Gathered, House, Planned
from selat.flows.claims import Claims

RECEIVED = "received"


class Sitting(msgspec.Struct, frozen=True):
    """A run with what it showed, as a passport would say it, and every score; without the replies."""

    run: Run
    results: tuple[Result, ...]
    scored: tuple[Scored, ...]


def gather(house: House, into: Gathered) -> None:
    """Every complete run, and each pack as it was when it was sat."""
    if house.home.exams.exists():
        with closing(Store(house.home.exams)) as store:
            for run in store.runs():
                if run.state == COMPLETE:
                    _gather_one(store, run, into)
    into.counts["runs"] = sum(piece.item.kind == "run" for piece in into.pieces.values())


def _gather_one(store: Store, run: Run, into: Gathered) -> None:
    try:
        found = results_of(store, run)
    except (NotFound, Misused) as error:
        into.told.append(f"left out: run {run.id}: {error}")
        return
    results = tuple(result_of(run, pack, summary) for pack, summary in found)
    sitting = Sitting(run, results, tuple(store.scored(run.id)))
    into.data(f"evals/runs/{run.id}.json", "run", _json(sitting))
    for pack, _ in found:
        data = _json(pack)
        into.data(f"evals/packs/{hashlib.sha256(data).hexdigest()}.json", "pack", data)


def plan(arrival: Arrival) -> Planned | None:
    """Raises: BundleBroken."""
    items = arrival.opened.manifest.of_kind("run", "pack")
    if not items:
        return None
    folder = _folder(arrival.house) / RECEIVED / arrival.opened.cover.home.replace("/", "--")
    coming: dict[Path, bytes] = {}
    runs = 0
    for item in items:
        path = folder / item.path.removeprefix("evals/")
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == item.sha256:
            continue
        coming[path] = read_item(arrival.opened, item)
        try:
            msgspec.json.decode(coming[path], type=Sitting if item.kind == "run" else Pack)
        except msgspec.DecodeError as error:
            raise BundleBroken(f"'{item.path}' cannot be read: {error}; a newer Selat may have made it") from error
        runs += item.kind == "run"
    here = len(arrival.opened.manifest.of_kind("run")) - runs
    return Planned({"runs": runs}, {"runs": here}, apply=partial(_apply, arrival, coming))


def _apply(arrival: Arrival, coming: Mapping[Path, bytes]) -> None:
    """Each result becomes a claim of the house that it is from, shown beside what was verified here."""
    home, claims = arrival.opened.cover.home, Claims(arrival.house.home.path / "passports")
    for path, data in coming.items():
        if path.parent.name == "runs":
            sitting = msgspec.json.decode(data, type=Sitting)
            source = f"bundle {arrival.opened.cover.manifest[:16]}"
            for one in sitting.results:
                said = ClaimedScore(one.pack, one.score[0], home, source, sitting.run.started[:10], one.pack)
                claims.add(sitting.run.subject.model, said)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace(path, data)


def _folder(house: House) -> Path:
    return house.home.path / "evals"


def _json(value: object) -> bytes:
    return msgspec.json.encode(value, order="deterministic")
