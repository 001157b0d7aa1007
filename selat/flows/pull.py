"""pull: a model is fetched from a hub, a mirror, a web directory or a folder, its licence told first."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event

from rich.filesize import decimal

from selat.core.errors import ModelRefused, NotFound, SelatError, Unavailable
from selat.flows.shelve import Claim, Shelving, described
from selat.models import SIGNATURE, Model, ModelFile, ModelStore
from selat.models.catalogue import entry_of
from selat.models.fetch import Fetch, Stopped
from selat.models.kinds import kind_of
from selat.models.licence import Licence, licence
from selat.models.offer import Offer, Source, Wanted
from selat.models.record import READY
from selat.models.signature import MAX_SIGNATURE_BYTES
from selat.models.vouch import left_out

SPARE_BYTES = 64 << 20
"""What a pull leaves free on the disk, for the ledger and everything else that must be written."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What whoever pulls says: the licence where the source names none, and whether they accept it."""

    accepted: bool = False
    licence: str = ""
    vendor: str = ""
    country: str = ""
    jobs: int = 4
    state: str = READY


@dataclass(frozen=True, slots=True)
class Watch:
    """Who watches a pull. `offered` hears of the offer and its licence before a byte is kept; `told` of bytes."""

    offered: Callable[[Offer, Licence], None] = lambda offer, licence: None
    told: Callable[[int], None] = lambda size_bytes: None


def pull(shelving: Shelving, source: Source, terms: Terms, watch: Watch) -> Model:
    """Fetch what the source offers, onto the shelf.

    What came is kept for a later pull to go on from, unless it was refused; a refusal is booked.
    Raises: ModelRefused, SourceFailed, NotFound, Unavailable; LedgerUnavailable, and then there is no model.
    """
    offer = source.offer()
    found = licence(offer.card.licence or terms.licence.lower())
    watch.offered(offer, found)
    try:
        _agree(offer, found, terms)
        with shelving.store.taking() as blobs:
            _room(offer, shelving.store, terms.jobs)
            stop = Event()
            fetch = Fetch(blobs, source, watch.told, stop)
            _signature_first(shelving, offer, fetch)
            files = _fetch(offer, fetch, stop, terms.jobs)
            known = entry_of(offer.name)
            vendor = terms.vendor or (known.vendor if known else "")
            country = terms.country or (known.country if known else "")
            said = Claim(offer.name, offer.revision, found.id, vendor, country, offer.card.lineage)
            model = replace(described(said, files, offer.source), state=terms.state)
            return shelving.put(_joined(shelving, model), not found.permissive, partial(_spared, offer))
    except ModelRefused as error:
        shelving.record("model.refused", {"model": offer.name, "source": offer.source, "licence": found.id})
        raise error


def _agree(offer: Offer, found: Licence, terms: Terms) -> None:
    if found.permissive or terms.accepted:
        return
    forbids = f", which forbids: {found.forbids}" if found.forbids else ""
    raise ModelRefused(
        f"{offer.name}: its licence is {found.title}{forbids}. Nothing was kept. "
        "Read it, then pull again with --accept-license"
    )


def _signature_first(shelving: Shelving, offer: Offer, fetch: Fetch) -> None:
    """Hold the digests that the source states against the signature, before gigabytes come for nothing.

    Raises: ModelRefused.
    """
    wanted = next((one for one in offer.files if one.path == SIGNATURE), None)
    content = None
    if wanted is not None:
        content = shelving.store.blobs.read(fetch.file(wanted).digest, MAX_SIGNATURE_BYTES)
    found = shelving.signatures.of(offer.name, content)
    if found is not None:
        stated = (ModelFile(one.path, one.sha256, 0) for one in offer.files if one.sha256)
        found.manifest.hold(stated, lambda path: True)


def _spared(offer: Offer, path: str) -> bool:
    """Whether a signed file may be absent: such never come, or others of the weights were asked for."""
    return left_out(path) or (bool(offer.only) and kind_of(path).weights)


def need_bytes(offer: Offer, folder: Path) -> int:
    """What of an offer is still to come; where its source does not say a size, nothing is counted."""
    partial = folder / "blobs" / "partial"
    blobs = folder / "blobs" / "sha256"

    def here(wanted: Wanted) -> int:
        for path in (blobs / wanted.sha256[:2] / wanted.sha256, partial / wanted.sha256):
            if wanted.sha256 and path.exists():
                return path.stat().st_size
        return 0

    return sum(max(0, (wanted.size_bytes or 0) - here(wanted)) for wanted in offer.files)


def free_bytes(folder: Path) -> int:
    """What the disk has free that holds a folder, whether the folder is there yet or not."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(there).free


def _room(offer: Offer, store: ModelStore, jobs: int) -> None:
    """Raises: Unavailable, when the disk cannot hold what is still to come."""
    blobs = store.blobs

    def here(wanted: Wanted) -> int:
        kept = blobs.size(wanted.sha256) if wanted.sha256 else None
        part = blobs.partial / wanted.sha256
        return kept if kept is not None else part.stat().st_size if wanted.sha256 and part.exists() else 0

    come = [max(0, (wanted.size_bytes or 0) - here(wanted)) for wanted in offer.files]
    need = blobs.need_bytes(come, jobs)
    free = shutil.disk_usage(store.folder).free
    if need + SPARE_BYTES > free:
        raise Unavailable(
            f"{offer.name} needs {decimal(need)} more, and the disk of {store.folder} has {decimal(free)} free "
            f"({decimal(SPARE_BYTES)} of it stay free): make room first, for one by: selat model gc --all"
        )


def _fetch(offer: Offer, fetch: Fetch, stop: Event, jobs: int) -> tuple[ModelFile, ...]:
    """Several files at once; the first that fails stops the others, and its error is the one that is told."""
    with ThreadPoolExecutor(max(1, jobs), "pull") as pool:
        ordered = sorted(offer.files, key=lambda wanted: wanted.size_bytes or 0)
        running = {wanted.path: pool.submit(fetch.file, wanted) for wanted in ordered}
        failed: list[SelatError | OSError] = []
        try:
            for future in running.values():
                try:
                    future.result()
                except (SelatError, OSError) as error:
                    stop.set()
                    failed.append(error)
        except BaseException:
            stop.set()
            raise
    first = next((error for error in failed if not isinstance(error, Stopped)), None)
    if first is not None:
        raise first
    return tuple(running[wanted.path].result() for wanted in offer.files)


def _joined(shelving: Shelving, model: Model) -> Model:
    """With the files that are there already of the same revision, where only some are pulled at a time."""
    try:
        before = shelving.store.model(model.name, model.revision)
    except NotFound:
        return model
    new = {file.path for file in model.files}
    files = (*model.files, *(file for file in before.files if file.path not in new))
    return replace(model, files=files) if model.source == before.source else model
