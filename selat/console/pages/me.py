"""A person's own account: what they may do, their password, their second step."""

from __future__ import annotations

import io

from markupsafe import Markup
from starlette.responses import Response

from selat.console.page import At, Page
from selat.console.pages.sign_in import explain
from selat.console.view import View
from selat.console.words import N_, _
from selat.core.errors import Misused, NotFound, Unauthenticated
from selat.identity.people import Person, Try

TOTP = "selat_totp"
TOTP_S = 900


async def show(view: View) -> Response:
    """GET /me."""
    return await _page(view)


async def _page(view: View, status: int = 200, **values: object) -> Response:
    caller = view.caller
    person = None
    if view.session is not None and view.session.local:
        person = await view.thread(view.house.platform.people.get, caller.tenant, caller.key)
    filled: dict[str, object] = {"wrong": "", "wrong_code": "", "qr": "", "secret": "", **values}
    return view.show("me.html", status, person=person, caller=caller, **filled)


async def password(view: View) -> Response:
    """POST /me/password: the old one, so that an open screen is not enough; then a fresh session."""
    people, person = view.house.platform.people, await _mine(view)
    address = view.request.client.host if view.request.client else ""
    try:
        await view.thread(people.check, Try(person.signs_in_as, view.field("old"), address))
        await view.thread(people.set_password, person.tenant, person.id, view.field("password"))
    except Unauthenticated:
        return await _page(view, 400, wrong=_("Kata laluan semasa tidak betul."))
    except Misused as error:
        return await _page(view, 400, wrong=explain(error))
    return await _again(view, "password-set")


async def begin_totp(view: View) -> Response:
    """POST /me/code/begin: a secret to put into an app, not yet in force."""
    from selat.identity.password import new_totp

    return await _offer(view, new_totp())


async def _offer(view: View, secret: str, status: int = 200, wrong: str = "") -> Response:
    import segno  # only for who sets up a second step

    from selat.identity.password import totp_uri

    person = await _mine(view)
    drawn = io.BytesIO()
    segno.make(totp_uri(secret, person.signs_in_as), error="m").save(
        drawn, kind="svg", scale=5, border=2, xmldecl=False, svgns=True, omitsize=False, light="#fff"
    )
    view.cookies[TOTP] = view.house.seals.close(secret, TOTP + person.id, TOTP_S)
    picture = Markup(drawn.getvalue().decode())  # noqa: S704 - drawn here, from digits
    return await _page(view, status, qr=picture, secret=secret, wrong_code=wrong)


async def set_totp(view: View) -> Response:
    """POST /me/code: the first code shows that the app has the secret."""
    person = await _mine(view)
    secret = view.house.seals.open(view.request.cookies.get(TOTP, ""), TOTP + person.id)
    if secret is None:
        return view.go("/me")
    try:
        people = view.house.platform.people
        await view.thread(people.set_totp, person.tenant, person.id, secret, view.field("code"))
    except Misused:
        said = _("Kod itu bukan yang dipaparkan sekarang. Semak jam telefon dan cuba lagi.")
        return await _offer(view, secret, 400, said)
    view.cookies[TOTP] = None
    return await _again(view, "totp-on")


async def clear_totp(view: View) -> Response:
    """POST /me/code/off: with the password, so that an open screen is not enough."""
    people, person = view.house.platform.people, await _mine(view)
    address = view.request.client.host if view.request.client else ""
    try:
        await view.thread(people.check, Try(person.signs_in_as, view.field("old"), address))
    except Unauthenticated:
        return await _page(view, 400, wrong_code=_("Kata laluan semasa tidak betul."))
    await view.thread(people.clear_totp, person.tenant, person.id)
    return await _again(view, "totp-off")


async def _mine(view: View) -> Person:
    if view.session is None or not view.session.local:
        raise NotFound("this account is kept by its provider")
    found: Person = await view.thread(view.house.platform.people.get, view.caller.tenant, view.caller.key)
    return found


async def _again(view: View, said: str) -> Response:
    """A fresh session: all earlier ones ended with the change."""
    assert view.session is not None
    view.sign_in(await view.thread(view.house.platform.sessions.begin, view.caller, view.session.name))
    return view.go("/me", said)


PAGE = Page(
    "me",
    N_("Akaun saya"),
    (
        At("GET", "/me", show),
        At("POST", "/me/password", password),
        At("POST", "/me/code/begin", begin_totp),
        At("POST", "/me/code", set_totp),
        At("POST", "/me/code/off", clear_totp),
    ),
    icon="person",
)
