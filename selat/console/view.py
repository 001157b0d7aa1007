"""One visit to a page: who comes, in which language, and the few things that every page does."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from selat.app import Platform
from selat.console.page import Page
from selat.console.seals import Seals
from selat.console.words import Tongue
from selat.core.caller import Caller
from selat.core.errors import BadRequest, Unauthenticated
from selat.gateway.admin.enter import find
from selat.gateway.admin.route import PREFIX, Visit
from selat.gateway.door import Door
from selat.identity.sessions import Session

SESSION, VISITOR, LANGUAGE = "selat", "selat_visitor", "selat_language"
THEMES = ("", "light", "dark")


@dataclass(frozen=True)
class House:
    """What all visits share."""

    door: Door
    seals: Seals
    render: Callable[..., str]
    pages: tuple[Page, ...] = ()

    @property
    def platform(self) -> Platform:
        return self.door.house


@dataclass
class View:
    """A request as its page sees it. `session` is None before sign-in; `form` holds what a POST brought."""

    house: House
    request: Request
    tongue: Tongue
    session: Session | None = None
    theme: str = ""
    page: Page | None = None
    form: FormData = field(default_factory=FormData)
    cookies: dict[str, str | None] = field(default_factory=dict)

    # Who comes

    @property
    def caller(self) -> Caller:
        """Raises: Unauthenticated, where nobody signed in."""
        if self.session is None:
            raise Unauthenticated("sign in first")
        return self.session.caller

    def may(self, *roles: str) -> bool:
        """Whether the person has one of these roles."""
        return self.session is not None and bool(self.session.caller.roles & set(roles))

    @cached_property
    def cookie(self) -> str:
        """What form tokens hang on: the session, or before sign-in a visitor's own random cookie."""
        if self.session is not None:
            return self.session.token
        known = self.request.cookies.get(VISITOR, "")
        if len(known) < 16:
            known = secrets.token_urlsafe(18)
            self.cookies[VISITOR] = known
        return known

    @property
    def secure(self) -> bool:
        """Whether the browser talks TLS, to us or to whoever stands in front."""
        said = self.house.platform.settings.console_url
        return said.startswith("https:") if said else self.request.url.scheme == "https"

    @property
    def origin(self) -> str:
        """Where the browser finds us, without a slash at the end."""
        said = self.house.platform.settings.console_url.rstrip("/")
        return said or f"{self.request.url.scheme}://{self.request.headers.get('host', '')}"

    @property
    def wants_json(self) -> bool:
        return "application/json" in self.request.headers.get("accept", "")

    def sign_in(self, session: Session) -> None:
        """From here on the browser holds this session."""
        self.session = session
        self.__dict__.pop("cookie", None)
        self.cookies[SESSION] = session.token

    # What it asks

    def query(self, name: str, default: str = "") -> str:
        return self.request.query_params.get(name, default)

    def field(self, name: str) -> str:
        """A field of the form as text, "" where it is not there."""
        value = self.form.get(name, "")
        return value if isinstance(value, str) else ""

    def fields(self, name: str) -> list[str]:
        return [value for value in self.form.getlist(name) if isinstance(value, str)]

    async def json(self) -> dict[str, Any]:
        """The JSON object that a script sent. Raises: BadRequest."""
        try:
            found = msgspec.json.decode(await self.request.body())
        except (msgspec.DecodeError, RecursionError) as error:
            raise BadRequest("the body is not JSON in UTF-8") from error
        if not isinstance(found, dict):
            raise BadRequest("the body must be a JSON object")
        return found

    async def thread(self, does: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Work that may block, in a thread of its own."""
        return await asyncio.to_thread(partial(does, *arguments, **named))

    async def admin(
        self, method: str, path: str, query: Mapping[str, object] | None = None, body: object = None
    ) -> Any:
        """Take a route of the admin API in the person's own name: its roles, its checks, its entries.

        Raises: what the route raises; RoleNeeded; BadRequest, naming the field.
        """
        route, ids = find(method, PREFIX + path)
        route.admit(self.caller)
        asked = _convert(query or {}, route.query) if route.query else None
        sent = _convert(body, route.body) if route.body else None
        told = await asyncio.to_thread(route.does, Visit(self.house.platform, self.caller, ids, asked, sent))
        return msgspec.convert(told, route.answer, from_attributes=True)

    # What it answers

    def show(self, template: str, status: int = 200, **values: object) -> Response:
        """A page in the person's language."""
        return HTMLResponse(self.house.render(template, self, values), status)

    def tell(self, value: object, status: int = 200) -> Response:
        """JSON for a script of ours."""
        return Response(msgspec.json.encode(value), status, media_type="application/json")

    def go(self, path: str, said: str = "") -> Response:
        """On to another page, where `said` names a sentence of `said.py`."""
        mark = "&" if "?" in path else "?"
        return RedirectResponse(f"{path}{mark}said={said}" if said else path, 303)

    def on(self, page: Page) -> View:
        return replace(self, page=page)


def local_path(path: str, default: str = "/") -> str:
    """A path on this site to go on to; `default` for anything that could lead elsewhere."""
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and "\\" not in path
    return path if safe and path.isprintable() else default


def _convert(value: object, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        place = str(error).rpartition("`$.")[2].rstrip("`")
        raise BadRequest(f"{error}", param=place or None) from None
