"""Documents in a bundle: as they were sent in, with labels, folders and groups, none of which arrives lower."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

import msgspec

from selat.bundles import Item
from selat.core.caller import Caller
from selat.core.errors import BundleBroken, Forbidden, Misused, NotFound
from selat.core.label import HIGHEST, LOWEST, Label, parse_label
from selat.flows.bundles.parts import Arrival, Gathered, House, Planned
from selat.flows.ingest import ROWS, Intake, Paper, digest_of
from selat.flows.upload import Sending, checked, may_keep, receive, set_folder
from selat.knowledge import SUFFIXES, Folder, Library, Record, admits, label_of

INDEX = "documents.json"
LANGUAGES = ("ms", "en", "zh", "ta")


class Paperwork(msgspec.Struct, frozen=True):
    """A document as it left. `form`: `original`, the file as it was given; `text`, what was read of it."""

    collection: str
    document: str
    folder: str
    name: str
    label: str
    readers: str
    language: str
    form: str
    sha256: str
    size_bytes: int


class _Folder(msgspec.Struct, frozen=True):
    collection: str
    folder: str
    label: str
    readers: str


class _Index(msgspec.Struct, frozen=True):
    documents: tuple[Paperwork, ...]
    folders: tuple[_Folder, ...]


def gather(house: House, collections: Sequence[str], caller: Caller, into: Gathered) -> None:
    """All documents of collections, or of every one. Raises: NotFound; Forbidden, for one above the clearance."""
    may_keep(caller)
    library, tenant = house.library, caller.tenant
    records = library.store.records(tenant)
    if missing := set(collections) - {record.collection for record in records}:
        raise NotFound(f"{len(missing)} of the collections named hold no documents; see: selat knowledge list")
    chosen = [one for one in records if not collections or one.collection in collections]
    if not all(label_of(one).within(caller.clearance) and admits(one.readers, caller.groups) for one in chosen):
        raise Forbidden(
            "documents in there are above your clearance or kept to other groups; nothing was exported"
        )
    failed = [one for one in chosen if not one.passages and one.status != "ready"]
    if failed:
        into.told.append(
            f"left out: {len(failed)} documents that could not be read: selat knowledge list --failed"
        )
    labels = {label_of(record) for record in chosen}
    rows = [_gather_one(library, record, labels, into) for record in chosen if record not in failed]
    texts = sum(row.form == "text" for row in rows)
    if texts:
        into.told.append(
            f"{texts} documents go as the text that was read: their files are gone, changed or of rows"
        )
    names = {row.collection for row in rows}
    folders = [
        _Folder(one.collection, one.folder, str(one.label) if one.label else "", one.readers)
        for one in library.folders.all(tenant)
        if one.collection in names
    ]
    if rows:
        into.table(INDEX, "documents", msgspec.to_builtins(_Index(tuple(rows), tuple(folders))))
    into.counts["documents"] = len(rows)
    into.names["collections"] = sorted(names)


def _gather_one(library: Library, record: Record, labels: Iterable[Label], into: Gathered) -> Paperwork:
    label = label_of(record)
    into.label = into.label.join(label)
    found = _original(library, record, labels)
    if found:
        name, path = found
        with path.open("rb") as file:
            sha256, size = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
        into.file(Item(f"documents/{sha256}", "document", size, sha256), path)
    else:
        data = "".join(_text(library, record)).encode()
        name, sha256, size = f"{PurePosixPath(record.document).stem or 'dokumen'}.md", _sha256(data), len(data)
        into.data(f"documents/{sha256}", "document", data)
    return Paperwork(
        collection=record.collection,
        document=record.document,
        folder=record.folder,
        name=name,
        label=str(label),
        readers=record.readers,
        language=record.language if record.language in LANGUAGES else "",
        form="original" if found else "text",
        sha256=sha256,
        size_bytes=size,
    )


def _original(library: Library, record: Record, labels: Iterable[Label]) -> tuple[str, Path] | None:
    """The file of a document, where it is still what was read, with its name as people know it."""
    if record.original:
        parcel = library.inbox.find(record.tenant, record.collection, record.document)
        path = library.inbox.originals / record.original
        name = parcel.name if parcel else f"{PurePosixPath(record.document).stem}{path.suffix}"
        return (name, path) if path.is_file() else None
    path = Path(record.path)
    if not record.path or path.suffix.lower() not in SUFFIXES or path.suffix.lower() in ROWS or not path.is_file():
        return None
    return (path.name, path) if _unchanged(library, record, path, labels) else None


def _unchanged(library: Library, record: Record, path: Path, labels: Iterable[Label]) -> bool:
    """Whether a file on the disk is the one that was read, by the digest of what was made of it.

    What label was given with it is not kept, so those of its collection are tried; when none fits, the text goes.
    """
    inherited = library.folders.rule(record.tenant, record.collection, record.folder).label
    for given in dict.fromkeys((label_of(record), HIGHEST, *labels)):
        for language in ("", record.language):
            for forced in (True, False):
                intake = Intake(record.tenant, record.collection, given, language, force_label=forced)
                paper = Paper(path, record.document, intake, folder=record.folder, inherited=inherited)
                if digest_of(paper) == record.digest:
                    return True
    return False


def _text(library: Library, record: Record) -> Iterator[str]:
    """A document as Markdown, from the passages that are held: exactly what was read under its label."""
    title, dated = (" ".join(text.split()) for text in (record.title, record.dated))
    yield f"---\ntitle: {title}\n" + (f"dated: {dated}\n" if dated else "") + "---\n"
    heading = ""
    for number in range(1, record.passages + 1):
        passage = library.store.passage(record, number)
        if passage is None:
            continue
        if passage.heading != heading:
            heading = passage.heading
            yield f"\n## {' '.join(heading.split())}\n"
        yield f"\n{passage.text}\n"


def plan(arrival: Arrival) -> Planned | None:
    """Raises: BundleBroken; BadRequest, Misused, for what cannot be taken in here."""
    index = arrival.table(INDEX, _Index)
    if index is None:
        return None
    may_keep(arrival.caller)
    library, tenant = arrival.house.library, arrival.tenant
    known = {item.path: item for item in arrival.opened.manifest.files}
    for one in index.documents:
        item = known.get(f"documents/{one.sha256}")
        if item is None or (item.sha256, item.size_bytes) != (one.sha256, one.size_bytes):
            raise BundleBroken(f"{INDEX}: a document of it is not among the bundle's files as it says")
        checked(_sending(one))
    folders = [made for one in index.folders if (made := _folder(library, tenant, one))]
    _check_groups(library, tenant, index)
    coming = [one for one in index.documents if not _is_here(library, tenant, one)]
    wanted = {one.sha256: arrival.stage / one.sha256 for one in coming}
    return Planned(
        {"documents": len(coming), "folders": len(folders)},
        {"documents": len(index.documents) - len(coming)},
        wanted,
        apply=partial(_apply, arrival, coming, folders),
    )


def _apply(arrival: Arrival, coming: Sequence[Paperwork], folders: Sequence[Folder]) -> None:
    """Folders first, so that no document is open to more people for a moment; then each into the queue."""
    library, book = arrival.house.library, arrival.house.record
    for folder in folders:
        set_folder(library, folder, book)
    for one in coming:
        if _is_here(library, arrival.tenant, one):
            continue
        draft = library.inbox.draft()
        try:
            draft.unlink()
            try:
                os.link(arrival.stage / one.sha256, draft)
            except OSError:
                shutil.copyfile(arrival.stage / one.sha256, draft)
            draft.chmod(0o600)
            receive(library, arrival.caller, _sending(one), draft, book)
        finally:
            draft.unlink(missing_ok=True)


def _sending(one: Paperwork) -> Sending:
    return Sending(one.name, one.collection, one.folder, one.document, one.label, one.language)


def _is_here(library: Library, tenant: str, one: Paperwork) -> bool:
    """Whether the same file is held, or waits to be read, in this place and under no lower label."""
    name = one.sha256 + PurePosixPath(one.name).suffix.lower()
    place, label = (tenant, one.collection, one.document), parse_label(one.label)
    parcel = library.inbox.find(*place)
    if parcel and parcel.original == name and parcel.step not in ("ready", "failed"):
        return bool(parcel.label) and label.join(parse_label(parcel.label)) == parse_label(parcel.label)
    record = library.store.record(*place)
    return bool(
        record
        and record.original == name
        and record.folder == one.folder
        and label.join(label_of(record)) == label_of(record)
    )


def _folder(library: Library, tenant: str, one: _Folder) -> Folder | None:
    """A folder's rule as it will be here, its label never lower; None where it is so already. Raises: Misused."""
    held = next((f for f in library.folders.all(tenant, one.collection) if f.folder == one.folder), None)
    label: Label | None = parse_label(one.label) if one.label else None
    if held is None:
        return Folder(tenant, one.collection, one.folder, label, one.readers)
    if held.readers and one.readers and held.readers != one.readers:
        raise Misused(
            f"the folder '{one.folder or '/'}' of '{one.collection}' is kept to other groups here than in the "
            "bundle; make them alike first: selat knowledge folder"
        )
    joined = (label or LOWEST).join(held.label or LOWEST) if label or held.label else None
    made = Folder(tenant, one.collection, one.folder, joined, held.readers or one.readers)
    return None if made == held else made


def _check_groups(library: Library, tenant: str, index: _Index) -> None:
    """A document that was kept to groups arrives in a folder that is. Raises: BundleBroken."""
    ruled = {(one.collection, one.folder) for one in index.folders if one.readers}
    for one in index.documents:
        parts = one.folder.split("/") if one.folder else []
        chain = {"/".join(parts[:depth]) for depth in range(len(parts) + 1)}
        if one.readers and not any((one.collection, folder) in ruled for folder in chain):
            raise BundleBroken(f"{INDEX}: a document is kept to groups and its folder is not; export it again")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
