"""Handlers that plain chat never needs: loaded when the first request for one comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module

from selat.gateway.door import Door
from selat.gateway.http import Request

Handler = Callable[[Door, Request], Awaitable[None]]


def loaded(module: str, name: str) -> Handler:
    """The handler of that name in a module of the gateway.

    The module is imported in a thread: other requests must not wait for it.
    """
    whole = f"selat.gateway.{module}"
    found: list[Handler] = []

    async def handle(door: Door, request: Request) -> None:
        if not found:
            found.append(getattr(await asyncio.to_thread(import_module, whole), name))
        await found[0](door, request)

    handle.__module__, handle.__qualname__ = whole, name
    return handle
