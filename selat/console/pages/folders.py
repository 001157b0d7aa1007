"""Folders of documents: the label and groups that what is in them inherits; set, raised, lowered with a reason."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from selat.console.page import At, Page
from selat.console.view import View
from selat.console.words import N_, _
from selat.core.errors import BadRequest, CallerError, Forbidden
from selat.core.label import CloudClass, Official, PersonalKind, parse_label
from selat.flows.upload import DEFAULT_COLLECTION, KEEPERS
from selat.gateway.admin.documents import FolderCard
from selat.gateway.admin.route import READERS
from selat.knowledge.folders import Folder, rule_of

AXES = (
    ("official", N_("Kelas rasmi"), Official),
    ("cloud", N_("Kelas awan"), CloudClass),
    ("personal", N_("Data peribadi"), PersonalKind),
)


async def show(view: View) -> Response:
    """GET /documents/folders?collection=…&folder=…: what folders hand down, and a form for one of them."""
    return await _page(view)


async def _page(view: View, status: int = 200, **values: object) -> Response:
    rules = await view.admin("GET", "/folders")
    asked = {name: view.query(name) or view.field(name) for name in ("collection", "folder")}
    asked["collection"] = asked["collection"] or DEFAULT_COLLECTION
    now = next(
        (one for one in rules if (one.collection, one.folder) == (asked["collection"], asked["folder"])), None
    )
    holds = rule_of((_rule(view, one) for one in rules if one.collection == asked["collection"]), asked["folder"])
    filled: dict[str, object] = {"wrong": "", "detail": "", **values}
    return view.show(
        "folders.html",
        status,
        rules=rules,
        asked=asked,
        now=now,
        holds=holds,
        chosen=(now.label if now and now.label else "").split("/"),
        groups=", ".join(now.groups) if now else "",
        axes=[(name, title, [level.name.lower() for level in kind]) for name, title, kind in AXES],
        collections=sorted({one.collection for one in rules} | {DEFAULT_COLLECTION}),
        folders=sorted({one.folder for one in rules if one.folder}),
        keeper=view.may(*KEEPERS),
        officer=view.may("officer"),
        href=href,
        **filled,
    )


def _rule(view: View, one: FolderCard) -> Folder:
    label = parse_label(one.label) if one.label else None
    return Folder(view.caller.tenant, one.collection, one.folder, label, ", ".join(one.groups))


def href(collection: str, folder: str) -> str:
    """The page with a folder's form filled in."""
    return "/documents/folders?" + urlencode({"collection": collection, "folder": folder})


async def save(view: View) -> Response:
    """POST /documents/folders: set by a keeper; a lower label by an officer who says why."""
    collection, folder = view.field("collection").strip() or DEFAULT_COLLECTION, view.field("folder").strip()
    body: dict[str, Any] = {
        "collection": collection,
        "folder": folder,
        "label": _label(view),
        "groups": [one for one in view.field("groups").replace(",", " ").split() if one],
        "reason": " ".join(view.field("reason").split()),
    }
    try:
        await view.admin("PUT", "/folders", body=body)
    except CallerError as error:
        return await _page(view, error.status, wrong=_trouble(error), detail=str(error))
    return view.go(href(collection, "/".join(part for part in folder.split("/") if part)), "folder-set")


def _label(view: View) -> str | None:
    """The label that was chosen; None for a folder that is to say nothing of it."""
    chosen = [view.field(name) for name, _title, _kind in AXES]
    if not chosen[0]:
        return None
    floors = [next(iter(kind)).name.lower() for _name, _title, kind in AXES]
    levels = [level or floor for level, floor in zip(chosen, floors, strict=True)]
    return "/".join([*levels, view.field("origin") or "-"])


def _trouble(error: CallerError) -> str:
    if isinstance(error, Forbidden):
        return _("Hanya pegawai boleh menurunkan label folder. Minta seorang pegawai, dengan sebabnya.")
    if str(error).startswith("reason"):
        return _("Menurunkan label memerlukan sebab, 10 hingga 500 aksara; ia akan tercatat dalam lejar.")
    if isinstance(error, BadRequest) and (error.param or "").startswith("groups"):
        return _("Nama kumpulan: huruf kecil, nombor, titik, _ dan -, seperti hr-utara.")
    return _("Tidak dapat disimpan. Semak setiap medan dan cuba lagi.")


PAGE = Page(
    "folders",
    N_("Peraturan folder"),
    (
        At("GET", "/documents/folders", show),
        At("POST", "/documents/folders", save, roles=KEEPERS),
    ),
    icon="folder",
    roles=READERS,
)
