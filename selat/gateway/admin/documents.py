"""Documents and their labels: list, remove, show, raise, lower."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from msgspec import Meta

from selat.core.label import Label, parse_label
from selat.flows.documents import card
from selat.flows.label import Place, Relabelled, lower_label, raise_label
from selat.flows.upload import KEEPERS, folder_of, visible
from selat.gateway.admin.route import OFFICER, PREFIX, READERS, Route, Visit
from selat.gateway.admin.words import Asked, Done, Group, LabelText, Name, Reason, Text, Told
from selat.knowledge import label_of


class DocumentQuery(Asked):
    """Which documents; after a document, to read on from there."""

    collection: Text = ""
    failed: bool = False
    after: Annotated[str, Meta(max_length=500)] = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class DocumentCard(Told):
    """A document, without its contents. `status` failed says why in `reason`."""

    collection: str
    document: str
    status: str
    reason: str
    title: str
    origin: str
    dated: str
    language: str
    label: str
    passages: int


class DocumentPlace(Asked):
    """Which document."""

    document: Name
    collection: Name = "documents"


class LabelQuery(Asked):
    """Which document."""

    document: Name
    collection: Name = "documents"


class Raise(Asked):
    """The label to join to the document's own."""

    document: Name
    to: LabelText
    collection: Name = "documents"


class Lower(Asked):
    """The label to give, and why: an officer's statement that stands in the ledger, without personal data."""

    document: Name
    to: LabelText
    reason: Reason
    collection: Name = "documents"


class LabelCard(Told):
    """A document's label."""

    label: str


class RelabelledCard(Told):
    """What a label was and is, with the id of the entry."""

    old: str
    new: str
    receipt: str


class FolderCard(Told):
    """What documents in a folder inherit; the collection itself has the folder "". `label` is empty for none."""

    collection: str
    folder: str
    label: str
    groups: list[str]


class FolderWish(Asked):
    """What documents in a folder shall inherit: at least this label, and for these groups alone.

    Lowering the folder's own label takes an officer and a `reason`.
    """

    folder: Annotated[str, Meta(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    collection: Name = "documents"
    label: LabelText | None = None
    groups: Annotated[tuple[Group, ...], Meta(max_length=20)] = ()
    reason: Annotated[str, Meta(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""


class FolderDone(Told):
    """How many documents a folder's rule changed."""

    changed: int


class IngestionCard(Told):
    """How far the documents that were sent in are. `left_s`: the time that the rest will take, if known."""

    waiting: int
    working: int
    ready: int
    failed: int
    paused: bool
    left_s: float | None


def folders(visit: Visit) -> object:
    found = visit.platform.library.folders.all(visit.tenant)
    return [
        {
            "collection": one.collection,
            "folder": one.folder,
            "label": str(one.label) if one.label else "",
            "groups": one.readers.split(",") if one.readers else [],
        }
        for one in found
    ]


def set_folder(visit: Visit) -> object:
    body: FolderWish = visit.body
    folder = folder_of(visit.tenant, body.collection, body.folder, body.label or "", body.groups)
    return {"changed": visit.changes.set_folder(replace(folder, by=(visit.caller, body.reason)))}


def ingestion(visit: Visit) -> object:
    return visit.platform.library.inbox.progress(visit.tenant)


def pause(visit: Visit) -> object:
    return {"done": True, "receipt": visit.changes.pause_ingestion(visit.tenant)}


def resume(visit: Visit) -> object:
    return {"done": True, "receipt": visit.changes.resume_ingestion(visit.tenant)}


def retry(visit: Visit) -> object:
    body: DocumentPlace = visit.body
    card(visit.platform.library, visit.caller, body.collection, body.document)
    return {"done": True, "receipt": visit.changes.retry_document(visit.tenant, body.collection, body.document)}


def show_all(visit: Visit) -> object:
    query: DocumentQuery = visit.query
    caller = visit.caller
    found = visit.platform.library.documents(
        visit.tenant, query.collection or None, caller.clearance, caller.groups
    )
    wanted = sorted(
        (one for one in found if (one.status == "failed" or not query.failed) and one.document > query.after),
        key=lambda one: (one.document, one.collection),
    )
    names = DocumentCard.__struct_fields__
    return [{name: getattr(one, name) for name in names} for one in wanted[: query.limit]]


def remove(visit: Visit) -> object:
    body: DocumentPlace = visit.body
    _seen(visit, body.collection, body.document)
    receipt = visit.changes.remove_document(visit.tenant, body.collection, body.document)
    return {"done": True, "receipt": receipt}


def show(visit: Visit) -> object:
    query: LabelQuery = visit.query
    return {"label": str(_seen(visit, query.collection, query.document))}


def raise_(visit: Visit) -> object:
    body: Raise = visit.body
    _seen(visit, body.collection, body.document)
    place = Place(visit.tenant, body.collection, body.document)
    return _told(raise_label(visit.platform.library, place, parse_label(body.to), visit.record))


def lower(visit: Visit) -> object:
    body: Lower = visit.body
    place = Place(visit.tenant, body.collection, body.document)
    by = (visit.caller, body.reason)
    return _told(lower_label(visit.platform.library, place, parse_label(body.to), by, visit.record))


def _seen(visit: Visit, collection: str, document: str) -> Label:
    """The label of a document that the caller may see. Raises: NotFound, also for one above its clearance."""
    return label_of(visible(visit.platform.library, visit.caller, collection, document))


def _told(done: Relabelled) -> object:
    return {"old": str(done.old), "new": str(done.new), "receipt": done.receipt}


ROUTES: tuple[Route, ...] = (
    Route(
        *("GET", f"{PREFIX}/documents", READERS, "The documents that the caller may see, by id."),
        *(show_all, list[DocumentCard]),
        query=DocumentQuery,
    ),
    Route(
        *("POST", f"{PREFIX}/documents/remove", KEEPERS),
        *("Take a document out of every answer.", remove, Done),
        body=DocumentPlace,
    ),
    Route(
        *("POST", f"{PREFIX}/documents/retry", KEEPERS, "Have a failed document read again.", retry, Done),
        body=DocumentPlace,
    ),
    Route("GET", f"{PREFIX}/folders", READERS, "Folders and what they hand down.", folders, list[FolderCard]),
    Route(
        *("PUT", f"{PREFIX}/folders", KEEPERS, "Set what a folder's documents inherit.", set_folder, FolderDone),
        body=FolderWish,
    ),
    Route("GET", f"{PREFIX}/ingestion", READERS, "How far documents are read.", ingestion, IngestionCard),
    Route("POST", f"{PREFIX}/ingestion/pause", KEEPERS, "Read no further document.", pause, Done),
    Route("POST", f"{PREFIX}/ingestion/resume", KEEPERS, "Read on.", resume, Done),
    Route("GET", f"{PREFIX}/labels", READERS, "A document's label.", show, LabelCard, query=LabelQuery),
    Route(
        *("POST", f"{PREFIX}/labels/raise", KEEPERS, "Make a document's label stricter.", raise_, RelabelledCard),
        body=Raise,
    ),
    Route(
        *("POST", f"{PREFIX}/labels/lower", OFFICER, "Lower a document's label.", lower, RelabelledCard),
        body=Lower,
    ),
)
