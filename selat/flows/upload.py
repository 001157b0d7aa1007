"""What is sent in waits durably, is read by one process at a time, and is booked as it comes and as it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from selat.core.caller import GROUP_RULE, Caller, is_group
from selat.core.errors import BadRequest, DocumentUnreadable, Forbidden, Misused, NotFound
from selat.core.label import Label, parse_label
from selat.flows.ingest import Intake, Paper, never_lower, read_paper
from selat.flows.label import officers_reason
from selat.knowledge import (
    NO_DOCUMENT,
    SUFFIXES,
    Child,
    Document,
    Folder,
    Library,
    Parcel,
    Record,
    Shelf,
    admits,
    label_of,
)

KEEPERS = frozenset({"operator", "builder", "officer"})
TOGETHER = 16  # documents that are read before the index is brought up to date
LONGEST_NAME = 500
DEFAULT_COLLECTION = "documents"

Book = Callable[[str, dict[str, object], str], str]
"""Books a change: kind, facts, tenant; the receipt id."""


@dataclass(frozen=True, slots=True)
class Sending:
    """A file as a caller sends it. `document` is its id, else it is its name in its folder; an empty `label`
    leaves it to the document, its folder and the tenant, in this order."""

    name: str
    collection: str = DEFAULT_COLLECTION
    folder: str = ""
    document: str = ""
    label: str = ""
    language: str = ""

    @property
    def identity(self) -> str:
        return self.document or (f"{self.folder}/{self.name}" if self.folder else self.name)


@dataclass(frozen=True, slots=True)
class Sent:
    """A document that waits to be read, and the receipt of its arrival."""

    parcel: Parcel
    receipt: str


def receive(library: Library, caller: Caller, sending: Sending, draft: Path, book: Book) -> Sent:
    """Take a written file into the queue; what comes of it is asked by its id.

    Booked before it can be read. One may send in what one may then not see, but not replace what one may not see.
    Raises: Forbidden, BadRequest, DocumentUnreadable, Misused.
    """
    may_keep(caller)
    sending = checked(sending)
    try:
        held = visible(library, caller, sending.collection, sending.identity)
    except NotFound:
        if library.store.record(caller.tenant, sending.collection, sending.identity):
            raise Misused("a document of that id is there and you may not see it; give another id") from None
        held = None
    size = draft.stat().st_size
    if not size:
        raise DocumentUnreadable("the file is empty")
    facts: dict[str, object] = {
        "collection": sending.collection,
        "document": sending.identity,
        "size_bytes": size,
        "replaces": held is not None,
    }
    receipt = book("document.received", facts, caller.tenant)
    parcel = Parcel(
        caller.tenant, sending.collection, sending.identity, sending.folder, sending.name,
        "", sending.label, sending.language, caller.key,
    )  # fmt: skip
    return Sent(library.inbox.put(parcel, draft), receipt)


def checked(sending: Sending) -> Sending:
    """As sent, its folder in plain form and its label written out. Raises: BadRequest, DocumentUnreadable."""
    name = sending.name.replace("\\", "/").rsplit("/", 1)[-1].strip()
    folder = "/".join(part for part in sending.folder.replace("\\", "/").split("/") if part.strip())
    sending = Sending(name, sending.collection, folder, sending.document, sending.label, sending.language)
    for field in ("name", "collection", "folder", "document", "identity"):
        said = getattr(sending, field)
        if len(said) > LONGEST_NAME or not said.isprintable():
            raise BadRequest(f"{field}: at most {LONGEST_NAME} printable characters", param=field)
    if not name or not sending.collection:
        raise BadRequest("a document needs the name of its file and a collection", param="name")
    if ".." in folder.split("/"):
        raise BadRequest("folder: write it from the collection down, without ..", param="folder")
    if PurePosixPath(name).suffix.lower() not in SUFFIXES:
        raise DocumentUnreadable(f"no parser for files of this type; known: {' '.join(SUFFIXES)}")
    if sending.language not in ("", "ms", "en", "zh", "ta"):
        raise BadRequest("language: write ms, en, zh or ta, or leave it out", param="language")
    if sending.label:
        parse_label(sending.label)
    return sending


def may_keep(caller: Caller) -> None:
    """Raises: Forbidden, for one whose roles do not let it change documents."""
    if not caller.roles & KEEPERS:
        raise Forbidden(f"this needs a key with one of the roles: {', '.join(sorted(KEEPERS))}")


def visible(library: Library, caller: Caller, collection: str, document: str) -> Record:
    """A document's row, where the caller may know of it. Raises: NotFound, the same for a hidden one."""
    record = library.store.record(caller.tenant, collection, document)
    if record is None or not (label_of(record).within(caller.clearance) and admits(record.readers, caller.groups)):
        raise NotFound(NO_DOCUMENT)
    return record


Floor = Callable[[str], Label]
"""The label of a tenant's documents that nothing else labels."""


def read_waiting(library: Library, floor: Floor, book: Book, going: Callable[[], bool]) -> int:
    """Read what waits, until nothing does or `going` says no; how many documents were finished.

    One process does this at a time: another that holds the place makes this return at once. Killed anywhere, the
    next run takes up what was half done: nothing is lost and nothing is read twice into the library.
    """
    done = 0
    with library.inbox.taking() as alone, Child() as child:
        while alone and going() and (parcels := library.inbox.next(TOGETHER)):
            finished: list[tuple[Parcel, Document]] = []
            for parcel in parcels:
                if not going() or library.inbox.is_paused(parcel.tenant):
                    break
                finished.append((parcel, _read(library, floor, parcel, child)))
            for parcel, _ in finished:
                library.inbox.reach(parcel, "indexing")
            held = [library.store.record(*parcel.place) for parcel, _ in finished]
            with library.writing() as shelf:
                for parcel, document in finished:
                    _shelve(library, shelf, parcel, document)
            for record in held:
                if record and record.original:
                    library.inbox.forget(record.original)
            for parcel, document in finished:
                _finish(library, parcel, document, book)
            done += len(finished)
    if done:
        library.catch_up()
    return done


def _read(library: Library, floor: Floor, parcel: Parcel, child: Child) -> Document:
    library.inbox.reach(parcel, "parsing")
    label = parse_label(parcel.label) if parcel.label else floor(parcel.tenant)
    intake = Intake(parcel.tenant, parcel.collection, label, parcel.language, force_label=bool(parcel.label))
    inherited = library.folders.rule(parcel.tenant, parcel.collection, parcel.folder).label
    path = library.inbox.originals / parcel.original
    paper = Paper(path, parcel.document, intake, parcel.name, parcel.folder, inherited, parcel.original)
    return read_paper(paper, child)


def _shelve(library: Library, shelf: Shelf, parcel: Parcel, document: Document) -> None:
    """Put a document in, unless it was replaced or taken out while it was read."""
    now = library.inbox.find(*parcel.place)
    if now is None or now.original != parcel.original:
        return
    held = shelf.label(*parcel.place)
    shelf.add(parcel.tenant, parcel.collection, never_lower(document, held))


def _finish(library: Library, parcel: Parcel, document: Document, book: Book) -> None:
    now = library.inbox.find(*parcel.place)
    if now is None or now.original != parcel.original:
        return
    facts: dict[str, object] = {
        "collection": parcel.collection,
        "document": parcel.document,
        "sender": parcel.sender,
    }
    if document.reason:
        book("document.failed", facts, parcel.tenant)
    else:
        label = library.label(*parcel.place)
        book(
            "document.ingested", {**facts, "label": str(label), "passages": len(document.passages)}, parcel.tenant
        )
    library.inbox.reach(parcel, "failed" if document.reason else "ready", document.reason)


def folder_of(tenant: str, collection: str, path: str, label: str, groups: Iterable[str]) -> Folder:
    """A folder's rule as people write it. Raises: BadRequest."""
    plain = "/".join(part for part in path.replace("\\", "/").split("/") if part.strip())
    names = sorted(set(groups))
    for group in names:
        if not is_group(group):
            raise BadRequest(f"group: {GROUP_RULE}", param="groups")
    return Folder(tenant, collection, plain, parse_label(label) if label else None, ",".join(names))


def set_folder(library: Library, folder: Folder, book: Book) -> int:
    """Set what a folder's documents inherit, and apply it to those in it; how many changed.

    Their labels are only ever raised by this. A folder's own label is lowered, for what comes later, by an officer
    who says why (`folder.by`). The entry is durable first: no document is open to more groups than the book says.
    Raises: Forbidden, Misused, where it would be lowered otherwise.
    """
    facts: dict[str, object] = {
        "collection": folder.collection,
        "folder": folder.folder,
        "label": str(folder.label) if folder.label else "",
        "groups": folder.readers,
    }
    old = next((one.label for one in _said(library, folder) if one.label), None)
    if old and (folder.label is None or old.join(folder.label) != folder.label):
        if folder.by is None:
            raise Forbidden("the folder's label would be lowered, which only an officer does, with a reason")
        facts |= {"from": str(old), "officer": folder.by[0].key, "reason": officers_reason(folder.by)}
    book("folder.set", facts, folder.tenant)
    return library.keep_to(folder)


def _said(library: Library, folder: Folder) -> list[Folder]:
    """The rule that the folder has now, if any."""
    found = library.folders.all(folder.tenant, folder.collection)
    return [one for one in found if one.folder == folder.folder]
