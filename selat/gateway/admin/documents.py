"""Documents and their labels: list, remove, show, raise, lower."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from selat.core.errors import NotFound
from selat.core.label import Label, parse_label
from selat.flows.label import Place, Relabelled, lower_label, raise_label
from selat.gateway.admin.route import OFFICER, PREFIX, READERS, Route, Visit
from selat.gateway.admin.words import Asked, Done, LabelText, Name, Reason, Text, Told

KEEPERS = frozenset({"operator", "builder", "officer"})


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


def show_all(visit: Visit) -> object:
    query: DocumentQuery = visit.query
    found = visit.platform.library.documents(visit.tenant, query.collection or None, visit.caller.clearance)
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
    label = visit.platform.library.label(visit.tenant, collection, document)
    if not label.within(visit.caller.clearance):
        raise NotFound("no such document in this collection")
    return label


def _told(done: Relabelled) -> object:
    return {"old": str(done.old), "new": str(done.new), "receipt": done.receipt}


ROUTES = (
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
