"""People and keys: who may sign in, with which rights; and the API keys of applications."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from selat.console.page import At, Page
from selat.console.pages.sign_in import explain
from selat.console.view import View
from selat.console.words import N_, _
from selat.core.caller import ROLES
from selat.core.errors import CallerError, Misused
from selat.core.label import CloudClass, Official, PersonalKind
from selat.gateway.admin.keys import GRANTS, MAKERS
from selat.gateway.admin.route import OVERSEERS, RoleNeeded

AXES = (("official", Official), ("cloud", CloudClass), ("personal", PersonalKind))


async def show(view: View) -> Response:
    """GET /people."""
    return await _page(view)


async def _page(view: View, status: int = 200, **values: object) -> Response:
    people = await view.admin("GET", "/people")
    keys = await view.admin("GET", "/keys")
    caller = view.caller
    may = frozenset().union(*(GRANTS.get(role, frozenset()) for role in caller.roles))
    filled: dict[str, object] = {"wrong": "", "detail": "", "link": "", "secret": "", "made": None, **values}
    return view.show(
        "people.html",
        status,
        people=people,
        keys=[one for one in keys if not one.revoked],
        ended=[one for one in keys if one.revoked],
        maker=view.may(*MAKERS),
        may=[role for role in ROLES if role in may],
        purposes=sorted(caller.purposes),
        axes=_axes(view),
        highest=str(caller.clearance).split("/"),
        me=caller.key,
        **filled,
    )


def _axes(view: View) -> list[tuple[str, str, list[str]]]:
    """The levels of each axis that the person may give: up to their own."""
    titles = {"official": N_("Kelas rasmi"), "cloud": N_("Kelas awan"), "personal": N_("Data peribadi")}
    own = view.caller.clearance
    return [
        (name, titles[name], [level.name.lower() for level in kind if level <= getattr(own, name)])
        for name, kind in AXES
    ]


def _clearance(view: View) -> str:
    return "/".join(view.field(name) for name, _kind in AXES)


def _groups(view: View) -> list[str]:
    return [one for one in view.field("groups").replace(",", " ").split() if one]


async def _try(view: View, method: str, path: str, body: object, done: str) -> Response:
    """Take a route of the admin API; what it shows once is shown on the page, else on to it."""
    try:
        made: Any = await view.admin(method, path, body=body)
    except CallerError as error:
        return await _page(view, error.status, wrong=_trouble(error), detail=str(error))
    if secret := getattr(made, "secret", ""):
        return await _page(view, secret=secret, made=made)
    if path_ := getattr(made, "path", ""):
        return await _page(view, link=view.origin + path_, made=made)
    return view.go("/people", done)


def _trouble(error: CallerError) -> str:
    if isinstance(error, RoleNeeded):
        return _("Anda tidak boleh memberi hak itu: ia di atas hak anda, atau untuk peranan yang mengawasi anda.")
    if isinstance(error, Misused) and str(error).startswith("login"):
        return explain(error)
    return _("Tidak dapat disimpan. Semak setiap medan dan cuba lagi.")


async def add(view: View) -> Response:
    """POST /people/add: an account, and the link by which the person sets a password."""
    body = {
        "login": view.field("login").strip(),
        "name": view.field("name").strip(),
        "roles": view.fields("roles"),
        "clearance": _clearance(view),
        "groups": _groups(view),
    }
    return await _try(view, "POST", "/people", body, "")


async def change(view: View) -> Response:
    """POST /people/{id}/change."""
    body = {"roles": view.fields("roles"), "clearance": _clearance(view), "groups": _groups(view)}
    return await _try(view, "PUT", f"/people/{_id(view)}", body, "person-changed")


async def link(view: View) -> Response:
    """POST /people/{id}/link: for who has no password, or has forgotten it."""
    return await _try(view, "POST", f"/people/{_id(view)}/link", None, "")


async def close(view: View) -> Response:
    """POST /people/{id}/close."""
    return await _try(view, "DELETE", f"/people/{_id(view)}", None, "person-closed")


async def reopen(view: View) -> Response:
    """POST /people/{id}/reopen."""
    return await _try(view, "POST", f"/people/{_id(view)}/reopen", None, "person-reopened")


async def add_key(view: View) -> Response:
    """POST /people/keys: an API key, its secret shown once."""
    days = view.field("days")
    body = {
        "name": view.field("name").strip(),
        "roles": view.fields("roles"),
        "clearance": _clearance(view),
        "scopes": view.fields("scopes"),
        "days": int(days) if days.isdigit() else None,
    }
    return await _try(view, "POST", "/keys", body, "")


async def rotate(view: View) -> Response:
    """POST /people/keys/{id}/rotate."""
    return await _try(view, "POST", f"/keys/{_id(view)}/rotate", None, "")


async def revoke(view: View) -> Response:
    """POST /people/keys/{id}/revoke."""
    return await _try(view, "DELETE", f"/keys/{_id(view)}", None, "key-revoked")


def _id(view: View) -> str:
    return str(view.request.path_params["id"])


PAGE = Page(
    "people",
    N_("Orang & kunci"),
    (
        At("GET", "/people", show),
        At("POST", "/people/add", add, roles=MAKERS),
        At("POST", "/people/keys", add_key, roles=MAKERS),
        At("POST", "/people/keys/{id}/rotate", rotate, roles=MAKERS),
        At("POST", "/people/keys/{id}/revoke", revoke, roles=MAKERS),
        At("POST", "/people/{id}/change", change, roles=MAKERS),
        At("POST", "/people/{id}/link", link, roles=MAKERS),
        At("POST", "/people/{id}/close", close, roles=MAKERS),
        At("POST", "/people/{id}/reopen", reopen, roles=MAKERS),
    ),
    icon="people",
    group=N_("Rumah"),
    roles=OVERSEERS,
)
