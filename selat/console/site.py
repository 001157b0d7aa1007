"""The site: every visit gets its person, its language and its headers here, and every error its page."""

from __future__ import annotations

import asyncio
import gzip
import logging
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, Router

from selat.console import assets
from selat.console.explain import explained
from selat.console.page import At, Page
from selat.console.pages import PAGES
from selat.console.render import Renderer
from selat.console.seals import Seals
from selat.console.view import LANGUAGE, SESSION, House, View
from selat.console.words import choose, speaking
from selat.core.errors import BadRequest, CallerError, Forbidden, NotFound, SelatError, TooMany, Unauthenticated
from selat.gateway.door import Door
from selat.identity.sessions import Session

log = logging.getLogger("selat.console")

GZIP_FROM = 1024
YEAR_S = 365 * 24 * 3600
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


class FormExpired(CallerError):
    """A POST without the token of this session."""

    status = 403
    code = "form_expired"


def build(door: Door) -> Callable[..., Awaitable[None]]:
    """The site as an ASGI application."""
    return Site(House(door, Seals(door.house.console_key), Renderer(PAGES), PAGES))


class Site:
    """Routes visits to pages, in the right person's name, and never lets an error out."""

    def __init__(self, house: House) -> None:
        self._house = house
        routes = [Route("/assets/{build}/{name}", assets.serve)]
        for page in house.pages:
            routes += [Route(at.path, self._endpoint(page, at), methods=[at.method]) for at in page.paths]
        self._router = Router(routes, redirect_slashes=False, default=_nowhere)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        started = False

        async def guarded(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._dress(request, message)
            await send(message)

        try:
            await self._router(scope, receive, guarded)
        except (SelatError, Exception) as error:
            if started:
                raise
            response = await self._failed(request, _ours(error))
            await response(scope, receive, guarded)

    def _endpoint(self, page: Page, at: At) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            view = (await self._view(request)).on(page)
            request.state.view = view
            if not at.open:
                page.admit(view.caller, at)
            if at.method == "POST":
                await self._take_form(view)
            response = await at.does(view)
            response.headers.setdefault("cache-control", "no-store")
            return _packed(request, response)

        return answer

    async def _view(self, request: Request) -> View:
        """Who comes and in which language they read."""
        token = request.cookies.get(SESSION, "")
        session, language, theme = await asyncio.to_thread(self._who, token) if token else (None, "", "")
        accepted = request.headers.get("accept-language", "")
        tongue = choose((language, request.cookies.get(LANGUAGE, "")), accepted)
        speaking.set(tongue)
        return View(self._house, request, tongue, session, theme)

    def _who(self, token: str) -> tuple[Session | None, str, str]:
        platform = self._house.platform
        session = platform.sessions.find(token)
        if session is None:
            return None, "", ""
        return session, *platform.people.preferences(session.caller.key)

    async def _take_form(self, view: View) -> None:
        """Read a form and hold it to its token. Raises: FormExpired; BadRequest."""
        request = view.request
        said = request.headers.get("origin")
        if said is not None and urlsplit(said).netloc != urlsplit(view.origin).netloc:
            raise FormExpired("this came from another site")
        kind = request.headers.get("content-type", "")
        token = request.headers.get("x-selat-token", "")
        if kind.startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
            try:
                view.form = await request.form(max_fields=200, max_files=50)
            except Exception as error:  # Starlette raises HTTPException and python-multipart its own
                if isinstance(error, SelatError):
                    raise
                raise BadRequest("the form cannot be read") from error
            token = token or view.field("token")
        if not self._house.seals.form_token_holds(view.cookie, token):
            raise FormExpired("the form's token is missing or of another session")

    def _dress(self, request: Request, message: MutableMapping[str, Any]) -> None:
        """Headers and cookies on every response."""
        headers = message["headers"]
        view: View | None = getattr(request.state, "view", None)
        secure = view.secure if view is not None else request.url.scheme == "https"
        found = dict(HEADERS)
        if secure:
            found["strict-transport-security"] = f"max-age={YEAR_S}"
        there = {name for name, _ in headers}
        for name, value in found.items():
            if name.encode() not in there:
                headers.append((name.encode(), value.encode()))
        for name, cookie in (view.cookies if view is not None else {}).items():
            headers.append((b"set-cookie", _cookie(name, cookie, secure=secure)))

    async def _failed(self, request: Request, error: SelatError) -> Response:
        try:
            view: View = getattr(request.state, "view", None) or await self._view(request)
        except SelatError:
            # Not even who comes can be read: say the first thing, as plainly as can be.
            return Response(f"{error.status} {error}", error.status, media_type="text/plain")
        request.state.view = view
        speaking.set(view.tongue)
        response = _packed(request, _error_page(view, error))
        response.headers["cache-control"] = "no-store"
        return response


def _error_page(view: View, error: SelatError) -> Response:
    detail = "" if error.code == SelatError.code else str(error)
    if view.wants_json or view.request.headers.get("x-selat-token"):
        told: dict[str, object] = {"code": error.code, "say": explained(view, error), "message": detail}
        if isinstance(error, Forbidden):
            told |= {"rules": list(error.rules), "receipt": error.receipt}
        if isinstance(error, TooMany):
            told |= {"retry_after_s": error.retry_after_s, "receipt": error.receipt}
        return view.tell({"error": told}, error.status)
    if isinstance(error, Unauthenticated) and view.session is None and view.request.method == "GET":
        url = view.request.url
        wanted = url.path + (f"?{url.query}" if url.query else "")
        return RedirectResponse("/sign-in" if wanted == "/" else f"/sign-in?next={quote(wanted)}", 303)
    return view.show(
        "error.html",
        error.status,
        error=error,
        say=explained(view, error),
        detail=detail,
        receipt=getattr(error, "receipt", None),
    )


def _ours(error: Exception) -> SelatError:
    """The error as one of ours; a foreign one is logged by its place alone, since its text may repeat a prompt."""
    if isinstance(error, SelatError):
        return error
    place = traceback.extract_tb(error.__traceback__)[-1]
    log.error("a page failed: %s at %s:%d", type(error).__name__, place.name, place.lineno or 0)
    return SelatError("internal error")


def _cookie(name: str, value: str | None, *, secure: bool) -> bytes:
    """A Set-Cookie line; None takes the cookie away. A session ends with the browser; a language stays."""
    jar: SimpleCookie = SimpleCookie()
    jar[name] = value or ""
    jar[name]["path"] = "/"
    jar[name]["httponly"] = True
    jar[name]["samesite"] = "Lax"
    if secure:
        jar[name]["secure"] = True
    if value is None:
        jar[name]["max-age"] = 0
    elif name == LANGUAGE:
        jar[name]["max-age"] = YEAR_S
    return jar[name].OutputString().encode("latin-1")


def _packed(request: Request, response: Response) -> Response:
    """Compressed, where it is worth it and the browser takes it. Form tokens are masked, so this tells nothing."""
    body = getattr(response, "body", b"")
    takes = "gzip" in request.headers.get("accept-encoding", "")
    if takes and len(body) >= GZIP_FROM and "content-encoding" not in response.headers:
        response.body = gzip.compress(body, 5, mtime=0)
        response.headers["content-encoding"] = "gzip"
        response.headers["content-length"] = str(len(response.body))
        response.headers["vary"] = "accept-encoding"
    return response


async def _nowhere(scope: Any, receive: Any, send: Any) -> None:
    raise NotFound("no such page")
