"""Signing in and out: by password with an optional second step, by an OpenID provider, or by a one-time link."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response

from selat.console.names import error as error_words
from selat.console.page import At, Page
from selat.console.view import LANGUAGE, SESSION, THEMES, View, local_path
from selat.console.words import LANGUAGES, N_, _
from selat.core.caller import ROLES, Caller
from selat.core.errors import BadRequest, Misused, NotFound, TooMany, Unauthenticated, Unavailable
from selat.core.label import HIGHEST
from selat.identity.people import Person, PersonWish, Try

if TYPE_CHECKING:
    from selat.identity.login import Login

HALF, OIDC = "selat_half", "selat_oidc"
HALF_S, OIDC_S = 300, 600
WRONG = N_("Nama, kata laluan atau kod itu tidak betul.")


async def home(view: View) -> Response:
    """GET /: where a person goes first."""
    return view.go("/ask" if view.session else "/sign-in")


async def show(view: View) -> Response:
    """GET /sign-in."""
    if view.session is not None:
        return view.go(local_path(view.query("next")))
    return await _form(view, next=view.query("next"))


async def _form(view: View, status: int = 200, **values: object) -> Response:
    anyone = await view.thread(lambda: view.house.platform.people.any())  # whose first use loads their store
    tokens = view.house.platform.tokens
    providers = [one.issuer for one in tokens.providers if one.client_id] if tokens else []
    filled = {"wrong": "", "next": "", "login": "", **values}
    return view.show("sign-in.html", status, anyone=anyone, providers=providers, **filled)


async def sign_in(view: View) -> Response:
    """POST /sign-in."""
    address = view.request.client.host if view.request.client else ""
    attempt = Try(view.field("login"), view.field("password"), address)
    values = {"next": view.field("next"), "login": attempt.login}
    try:
        person = await view.thread(view.house.platform.people.check, attempt)
    except Unauthenticated:
        return await _form(view, 401, wrong=_(WRONG), **values)
    except TooMany as error:
        return await _form(view, 429, wrong=_too_many(error), **values)
    if person.has_totp:
        half = json.dumps([person.tenant, person.id, view.field("next")])
        view.cookies[HALF] = view.house.seals.close(half, HALF, HALF_S)
        return view.go("/sign-in/code")
    return await _in(view, person, view.field("next"))


async def show_code(view: View) -> Response:
    """GET /sign-in/code."""
    if view.house.seals.open(view.request.cookies.get(HALF, ""), HALF) is None:
        return view.go("/sign-in")
    return view.show("sign-in-code.html", wrong="")


async def code(view: View) -> Response:
    """POST /sign-in/code: the second step."""
    half = view.house.seals.open(view.request.cookies.get(HALF, ""), HALF)
    if half is None:
        return view.go("/sign-in")
    tenant, person, then = json.loads(half)
    address = view.request.client.host if view.request.client else ""
    try:
        found = await view.thread(view.house.platform.people.second, tenant, person, view.field("code"), address)
    except Unauthenticated:
        return view.show("sign-in-code.html", 401, wrong=_(WRONG))
    except TooMany as error:
        return view.show("sign-in-code.html", 429, wrong=_too_many(error))
    view.cookies[HALF] = None
    return await _in(view, found, then)


def _too_many(error: TooMany) -> str:
    minutes = max(1, round(error.retry_after_s / 60))
    return _("Terlalu banyak cubaan. Tunggu %(minutes)s minit, kemudian cuba lagi.", minutes=minutes)


async def _in(view: View, person: Person, then: str) -> Response:
    """Begin a session. The language chosen before sign-in becomes the person's, unless they have one."""
    caller = await view.thread(view.house.platform.people.caller, person.tenant, person.id)
    return await _begin(view, caller, person.name or person.login, then)


async def _begin(view: View, caller: Caller, name: str, then: str) -> Response:
    platform = view.house.platform
    if old := view.request.cookies.get(SESSION):
        await view.thread(platform.sessions.end, old)
    view.sign_in(await view.thread(platform.sessions.begin, caller, name))
    language, theme = await view.thread(platform.people.preferences, caller.key)
    if not language:
        await view.thread(platform.people.prefer, caller.key, view.tongue.code, theme)
    return view.go(local_path(then))


async def sign_out(view: View) -> Response:
    """POST /sign-out."""
    if view.session is not None:
        await view.thread(view.house.platform.sessions.end, view.session.token)
    view.cookies[SESSION] = None
    view.session = None
    response = view.go("/sign-in", "signed-out")
    response.headers["clear-site-data"] = '"cache", "storage"'
    return response


# One-time links


async def welcome(view: View) -> Response:
    """GET /welcome?link=…: the first person makes an account; anyone else sets a password."""
    return await _welcome(view, view.query("link"))


async def _welcome(view: View, link: str, status: int = 200, **values: str) -> Response:
    people = view.house.platform.people
    try:
        tenant, person = await view.thread(people.look, link)
    except NotFound:
        return view.show("welcome-gone.html", 404)
    login = (await view.thread(people.get, tenant, person)).login if person else ""
    filled = {"wrong": "", "login": login, "name": "", **values}
    return view.show("welcome.html", status, link=link, first=not person, **filled)


async def join(view: View) -> Response:
    """POST /welcome: use the link up."""
    platform, link = view.house.platform, view.field("link")
    people = platform.people
    password = view.field("password")
    try:
        tenant, person = await view.thread(people.look, link)
        _check(view.field("login"), password)
        if not person:
            wish = PersonWish(view.field("login"), view.field("name"), frozenset(ROLES), HIGHEST)
            person = (await view.thread(platform.changes().add_person, tenant, wish)).id
        await view.thread(people.redeem, link)
    except NotFound:
        return view.show("welcome-gone.html", 404)
    except Misused as error:
        return await _welcome(
            view, link, 400, wrong=explain(error), login=view.field("login"), name=view.field("name")
        )
    found = await view.thread(people.set_password, tenant, person, password)
    if found.has_totp:
        return view.go("/sign-in", "password-set")
    await view.thread(people.saw, found)
    return await _in(view, found, "/setup" if view.field("first") else "/")


def _check(login: str, password: str) -> None:
    from selat.identity.password import check_password

    check_password(password, login)


def explain(error: Misused) -> str:
    """What is wrong with a name or a password, in the person's language."""
    text = str(error)
    if text.startswith("password: too easy"):
        return _("Kata laluan ini mudah diteka. Gunakan beberapa perkataan yang tiada kaitan.")
    if text.startswith("password:"):
        return _("Kata laluan perlu 12 hingga 200 aksara. Beberapa perkataan yang tiada kaitan mudah diingat.")
    if text.startswith("login: somebody"):
        return _("Nama log masuk ini sudah digunakan. Pilih yang lain.")
    if text.startswith("login:"):
        return _("Nama log masuk: alamat e-mel atau nama pendek, tanpa ruang atau garis miring.")
    return error_words(error.code)


# OpenID providers


def _login(view: View) -> Login:
    from selat.identity.login import Login

    tokens = view.house.platform.tokens
    if tokens is None:
        raise NotFound("no OpenID provider is set up")
    return Login(tokens)


async def oidc_start(view: View) -> Response:
    """GET /oidc/start?provider=N: on to the provider."""
    login = _login(view)
    tokens = view.house.platform.tokens
    issuers = [one.issuer for one in tokens.providers if one.client_id] if tokens else []
    number = view.query("provider", "0")
    if not number.isdigit() or int(number) >= len(issuers):
        raise NotFound("no such provider")
    try:
        where, pending = await view.thread(login.begin, issuers[int(number)], f"{view.origin}/oidc/back")
    except Unavailable:
        return await _form(view, 503, wrong=_(PROVIDER_AWAY))
    kept = json.dumps([asdict(pending), view.query("next")])
    view.cookies[OIDC] = view.house.seals.close(kept, OIDC, OIDC_S)
    return RedirectResponse(where, 303)


async def oidc_back(view: View) -> Response:
    """GET /oidc/back: the provider sent the person back with a code, or with an error."""
    from selat.identity.login import LoginOver

    kept = view.house.seals.open(view.request.cookies.get(OIDC, ""), OIDC)
    view.cookies[OIDC] = None
    if kept is None:
        return await _form(view, 401, wrong=_(LOGIN_OVER))
    try:
        caller, then = await _finish(view, kept)
    except LoginOver:
        return await _form(view, 401, wrong=_(LOGIN_OVER))
    except Unavailable:
        return await _form(view, 503, wrong=_(PROVIDER_AWAY))
    except Unauthenticated:
        said = _("Pembekal identiti tidak mengesahkan anda. Cuba lagi, atau minta pengendali menyemak tetapannya.")
        return await _form(view, 401, wrong=said)
    return await _begin(view, caller, caller.key, then)


async def _finish(view: View, kept: str) -> tuple[Caller, str]:
    """Who logged in, and where they wanted to go.

    An answer that names its issuer must name the one that was asked. Source: RFC 9207 section 2.4.
    Raises: LoginOver; Unauthenticated; Unavailable.
    """
    from selat.identity.login import Pending

    fields, then = json.loads(kept)
    pending = Pending(**fields)
    if view.query("iss", pending.issuer) != pending.issuer:
        raise Unauthenticated("the answer is of another provider")
    caller = await view.thread(_login(view).finish, pending, view.query("state"), view.query("code"))
    return caller, then


LOGIN_OVER = N_(
    "Log masuk ini sudah tamat, atau dimulakan dalam tetingkap lain. Tekan butang di bawah untuk bermula semula."
)
PROVIDER_AWAY = N_(
    "Pembekal identiti tidak dapat dihubungi. Cuba lagi sebentar lagi, atau guna kata laluan jika anda ada satu."
)


# Language and theme, before sign-in and after


async def prefer(view: View) -> Response:
    """POST /me/look: language or theme; kept in a cookie, and with the person once they are known."""
    language, theme = view.field("language") or view.tongue.code, view.field("theme") or view.theme
    theme = "" if theme == "auto" else theme
    if language not in LANGUAGES or theme not in THEMES:
        raise BadRequest("no such language or theme")
    view.cookies[LANGUAGE] = language
    if view.session is not None:
        await view.thread(view.house.platform.people.prefer, view.session.caller.key, language, theme)
    return view.go(local_path(view.field("next")))


PAGE = Page(
    "sign-in",
    N_("Log masuk"),
    (
        At("GET", "/", home, open=True),
        At("GET", "/sign-in", show, open=True),
        At("POST", "/sign-in", sign_in, open=True),
        At("GET", "/sign-in/code", show_code, open=True),
        At("POST", "/sign-in/code", code, open=True),
        At("POST", "/sign-out", sign_out, open=True),
        At("GET", "/welcome", welcome, open=True),
        At("POST", "/welcome", join, open=True),
        At("GET", "/oidc/start", oidc_start, open=True),
        At("GET", "/oidc/back", oidc_back, open=True),
        At("POST", "/me/look", prefer, open=True),
    ),
)
