"""Web pages for people, in four languages, over the same flows and the same roles as the admin API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from threading import Lock

from selat.gateway.app import Pages
from selat.gateway.door import Door
from selat.gateway.http import Request

PLACES = frozenset(
    {
        *("", "sign-in", "sign-out", "welcome", "assets", "me", "oidc"),
        *("ask", "documents", "setup", "ledger", "policy", "engines", "models", "usage", "sovereignty", "people"),
    }
)
"""The first pieces of the paths that the console answers at; everything else is the API's."""


def console(door: Door) -> Pages:
    """What answers people, and where. Nothing of it is loaded before the first of them comes.

    It is then loaded in a thread: callers of the API must not wait for it.
    """
    loading = Lock()
    found: list[Callable[[Request], Awaitable[None]]] = []

    def load() -> None:
        with loading:
            if not found:
                from selat.console.adapter import adapted
                from selat.console.site import build

                found.append(adapted(build(door), door.limits))

    async def answer(request: Request) -> None:
        if not found:
            await asyncio.to_thread(load)
        await found[0](request)

    return Pages(is_for_people, answer)


def is_for_people(path: str) -> bool:
    """Whether the console answers at this path."""
    return path.split("/", 2)[1] in PLACES if path.startswith("/") else False
