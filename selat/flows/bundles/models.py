"""Models in a bundle: records and files by digest leave; they arrive on the shelf in quarantine, or admitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec

from selat.bundles import Item
from selat.core.caller import Caller
from selat.core.errors import BundleBroken, Forbidden, Misused, ModelBroken, ModelRefused, NotFound
from selat.core.label import LOWEST, Label, parse_label
from selat.flows.bundles.parts import Arrival, Gathered, House, Planned
from selat.models import SIGNATURE, Model, ModelFile, check_content, kind_of
from selat.models.licence import Licence, licence
from selat.models.record import QUARANTINED, READY
from selat.models.signature import MAX_SIGNATURE_BYTES
from selat.models.vouch import left_out

INDEX = "models.json"
HERE = ("receipt", "added", "state", "signed")
"""Facts of a record that hold for one home alone."""


class _Index(msgspec.Struct, frozen=True):
    models: tuple[Model, ...]


def gather(house: House, names: Sequence[str], caller: Caller, into: Gathered) -> None:
    """Models by name, or all that are ready. Raises: NotFound, ModelBroken; Forbidden, above the clearance."""
    store = house.models
    if names:
        found = [store.model(name) for name in names]
    else:
        found = [model for model in store.models() if model.state == READY]
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for model in found:
        if model.state == QUARANTINED:
            raise ModelBroken(f"{model.title} is in quarantine; admit it first: selat model admit {model.name}")
        label = parse_label(model.label) if model.label else LOWEST
        if not label.within(caller.clearance):
            raise Forbidden(f"{model.title} is labelled above your clearance; nothing was exported")
        into.label = into.label.join(label)
        for file in model.files:
            item = Item(_path(file), "weights", file.size_bytes, file.digest)
            into.file(item, store.blob_of(model, file))
        plain = msgspec.to_builtins(model)
        rows[model.name, model.revision] = {key: plain[key] for key in sorted(set(plain) - set(HERE))}
    if rows:
        into.table(INDEX, "models", {"models": [rows[key] for key in sorted(rows)]})
    into.counts["models"] = len(rows)
    into.names["models"] = [f"{name}@{revision}" for name, revision in sorted(rows)]


def plan(arrival: Arrival) -> Planned | None:
    """Raises: BundleBroken; ModelRefused, for a kind of file or a licence; Misused, for a clash with the shelf."""
    index = arrival.table(INDEX, _Index)
    if index is None:
        return None
    known = {item.path: item for item in arrival.opened.manifest.files}
    coming, refused = [], []
    for model in index.models:
        for file in model.files:
            _check_file(model, file, known.get(_path(file)))
        made = _joined(arrival, model)
        if made is None:
            continue
        coming.append(made)
        said = licence(model.licence)
        if not said.permissive and not arrival.terms.accept_licence:
            refused.append((model, said))
    if refused:
        raise ModelRefused(_why(refused))
    store = arrival.house.models
    staged = {
        file.digest: store.blobs.partial / f"{file.digest}.bundle"
        for model in coming
        for file in model.files
        if not store.blobs.whole(file.digest)
    }
    return Planned(
        {"models": len(coming)},
        {"models": len(index.models) - len(coming)},
        staged,
        partial(_inspect, coming, staged, arrival),
        partial(_apply, coming, staged, arrival),
        ()
        if arrival.terms.admit
        else tuple(f"{one.title} waits in quarantine: selat model admit {one.name}" for one in coming),
    )


def _inspect(coming: Sequence[Model], staged: dict[str, Path], arrival: Arrival) -> None:
    blobs = arrival.house.models.blobs
    for model in coming:
        for file in model.files:
            path = staged.get(file.digest)
            check_content(file.path, path if path and path.exists() else blobs.local(file.digest))
        _check_signature(model, staged, arrival)


def _check_signature(model: Model, staged: dict[str, Path], arrival: Arrival) -> None:
    """As the shelf will, but before anything has changed. Raises: ModelRefused."""
    shelving, file = arrival.house.shelving(), model.file(SIGNATURE)
    unverified = None
    if file is not None:
        path = staged.get(file.digest)
        with (path if path and path.exists() else shelving.store.blobs.local(file.digest)).open("rb") as opened:
            unverified = opened.read(MAX_SIGNATURE_BYTES + 1)
    shelving.signatures.vouched(model, unverified, shelving.now(), _spared)


def _spared(path: str) -> bool:
    """A model may have come here with some of its weights alone."""
    return left_out(path) or kind_of(path).weights


def _apply(coming: Sequence[Model], staged: dict[str, Path], arrival: Arrival) -> None:
    shelving = arrival.house.shelving()
    for digest, path in staged.items():
        if path.exists():
            shelving.store.blobs.keep(path, digest)
    for model in coming:
        shelving.put(model, not licence(model.licence).permissive, _spared)


def _joined(arrival: Arrival, model: Model) -> Model | None:
    """The record as it will be here; None where it is here already. Labels only rise. Raises: Misused."""
    admit = arrival.terms.admit
    source = f"{arrival.origin} {model.source}".strip()[:500]
    coming = replace(model, state=READY if admit else QUARANTINED, source=source, added="", receipt="")
    try:
        here = arrival.house.models.model(model.name, model.revision)
    except NotFound:
        return coming
    held = {file.path: file for file in here.files}
    for file in model.files:
        if file.path in held and held[file.path] != file:
            raise Misused(
                f"{model.title} is on the shelf with another '{file.path}'; remove it first: selat model remove "
                f"{model.name}"
            )
    new = tuple(file for file in model.files if file.path not in held)
    label = _label(here).join(_label(model))
    whole = all(arrival.house.models.blobs.whole(file.digest) for file in here.files)
    if not new and whole and label == _label(here) and (here.state == READY or not admit):
        return None
    if here.state == READY and new and not admit:
        raise Misused(f"{model.title} is on the shelf and in use, and files would join it; give --admit")
    state = READY if admit or here.state == READY else QUARANTINED
    text = str(label) if label != LOWEST else here.label
    return replace(here, files=(*here.files, *new), label=text, state=state)


def _label(model: Model) -> Label:
    return parse_label(model.label) if model.label else LOWEST


def _path(file: ModelFile) -> str:
    return f"models/{file.digest}"


def _check_file(model: Model, file: ModelFile, item: Item | None) -> None:
    if item is None or (item.sha256, item.size_bytes) != (file.digest, file.size_bytes):
        raise BundleBroken(f"{INDEX}: '{file.path}' of {model.title} is not among the bundle's files as it says")
    kind = kind_of(file.path)
    if not kind.taken:
        raise ModelRefused(f"{model.title}: {kind.reason}; nothing was imported")


def _why(refused: Sequence[tuple[Model, Licence]]) -> str:
    lines = [
        f"{model.name}: {said.title}{f', forbids: {said.forbids}' if said.forbids else ''}"
        for model, said in refused
    ]
    return (
        f"licences that are not permissive: {'; '.join(lines)}. Nothing was imported. "
        "Read them, then import again with --accept-license"
    )
