"""The application: find the handler, and turn errors into responses."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from selat.core.errors import NotFound, SelatError, TooMany
from selat.gateway import completions, count, read, scan
from selat.gateway.connection import Leave
from selat.gateway.door import Door
from selat.gateway.errors import MethodNotAllowed, error_body, error_event, forget
from selat.gateway.http import Request
from selat.gateway.loaded import Handler, loaded
from selat.gateway.logs import Access
from selat.gateway.taken import Taken
from selat.wire import APIS

log = logging.getLogger("selat.gateway")

ANY = "*"
"""Every method: the handler has a table of its own."""
HUB = "/hf/"
"""Below this all that follows is one id: names of models hold slashes."""

ROUTES: dict[str, dict[str, Handler]] = {
    **{path: {"POST": completions.ask} for path in APIS},
    "/v1/messages/count_tokens": {"POST": count.count_tokens},
    "/v1/guard/scan": {"POST": scan.scan},
    "/v1/models": {"GET": read.models},
    "/v1/models/{id}": {"GET": read.model},
    "/v1/receipts/{id}": {"GET": read.receipt},
    "/v1/documents": {"GET": loaded("documents", "show_all"), "POST": loaded("documents", "receive")},
    "/v1/documents/{id}": {
        "GET": loaded("documents", "show"),
        "POST": loaded("documents", "change"),
        "DELETE": loaded("documents", "remove"),
    },
    "/admin/v1/{id}": {ANY: loaded("admin", "enter")},
    HUB + "{id}": {ANY: loaded("hub", "enter")},
    "/healthz": {"GET": read.healthz},
    "/readyz": {"GET": read.readyz},
    "/metrics": {"GET": read.metrics},
}
ASKING = frozenset(path for path, verbs in ROUTES.items() if verbs.get("POST") is completions.ask)
"""Where a model is asked: what `completions.ask` awaits may be done by plain calls there."""
MACHINES = ("/v1/", "/admin/", HUB)
"""Below these everything is told as JSON."""


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages for people beside the API: which paths are theirs, and what answers there."""

    at: Callable[[str], bool]
    answer: Callable[[Request], Awaitable[None]]


class Gateway:
    """Routes requests to handlers. Every error ends in one table; what is not ours is logged and is a 500."""

    def __init__(self, door: Door, pages: Pages | None = None) -> None:
        self.door = door
        self._access: Access | None = door.access if door.access.share else None
        self._pages = pages
        self._asking = ASKING if door.spans is None else frozenset()  # spans are a task's

    def begin(self, request: Request) -> Leave | None:
        """Take a request on the short way, if it asks a model. None: call the gateway itself."""
        if request.path not in self._asking or request.method != "POST":
            return None
        return Taken(self, request).begin()

    async def __call__(self, request: Request) -> None:
        await self.see_through(request, self._answer(request))

    async def _answer(self, request: Request) -> None:
        if self._pages is not None and request.path not in ROUTES and for_people(request, self._pages):
            await self._pages.answer(request)
        else:
            await self._handler(request)(self.door, request)

    def finish(self, request: Request) -> None:
        """Be done with a request that was answered, or given up, by plain calls."""
        try:
            if self._access is not None:
                self._note(self._access, request)
        finally:
            request.finish()

    async def see_through(self, request: Request, work: Awaitable[None]) -> None:
        """Await what is left to do for a request, and answer with its error if it has one."""
        try:
            await work
        except SelatError as error:
            if error.status >= 500:
                self.door.access.failed(error)
            await self._fail(request, error)
            forget(error)
        except Exception as error:  # noqa: BLE001 - the last line of defence for the process
            # Where it broke, without the message: a foreign exception's text may repeat the prompt.
            place = traceback.extract_tb(error.__traceback__)[-1]
            log.error("request failed: %s at %s:%d", type(error).__name__, place.name, place.lineno or 0)
            await self._fail(request, SelatError("internal error"))
            forget(error)
        finally:
            if self._access is not None:
                self._note(self._access, request)

    def _note(self, access: Access, request: Request) -> None:
        """Write the line in the log about a request that is over."""
        route = request.path if request.path in ROUTES else collection(request.path)
        access.ended(request, route if route in ROUTES else "none")

    def _handler(self, request: Request) -> Handler:
        verbs = ROUTES.get(request.path) or ROUTES.get(collection(request.path))
        if verbs is None:
            raise NotFound("no such endpoint; see GET /v1/models and the README")
        handler = verbs.get("GET" if request.method == "HEAD" else request.method) or verbs.get(ANY)
        if handler is None:
            raise MethodNotAllowed(verbs)
        return handler

    async def _fail(self, request: Request, error: SelatError) -> None:
        self.door.metrics.add(f'selat_refused_total{{code="{error.code}"}}')
        request.receipt = getattr(error, "receipt", None) or request.receipt
        if request.started and request.sized:
            return request.abort()
        if request.started:
            await request.write(error_event(error, request.path))
            return
        extra = []
        if request.receipt:
            extra.append(("selat-receipt", request.receipt))
        if isinstance(error, TooMany):
            extra.append(("retry-after", str(error.retry_after_s)))
        if isinstance(error, MethodNotAllowed):
            extra.append(("allow", error.allowed))
        if error.status == 401:
            extra.append(("www-authenticate", "Bearer"))
        await request.respond(error.status, error_body(error, request.path), extra=extra)


def for_people(request: Request, pages: Pages) -> bool:
    """Whether a page answers: also to a browser at an address where nothing is, so that it is told in words."""
    lost = request.method == "GET" and not request.path.startswith(MACHINES)
    return pages.at(request.path) or (lost and b"text/html" in request.headers.get(b"accept", b""))


def collection(path: str) -> str:
    """The route of one thing of a collection. Its id may hold slashes (`org/model`), so all that follows is it."""
    if path.startswith(HUB):
        return HUB + "{id}"
    return "/".join(path.split("/", 3)[:3]) + "/{id}"
