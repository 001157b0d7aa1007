"""What a page is: where it stands, who may open it, what it is called, and what answers at its paths."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from starlette.responses import Response

from selat.app import DEFAULT_TENANT
from selat.core.caller import ROLES, Caller
from selat.gateway.admin.route import RoleNeeded

if TYPE_CHECKING:
    from selat.console.view import View

ANYONE = frozenset(ROLES)
Answer = Callable[["View"], Awaitable[Response]]


def later(module: str, name: str) -> Answer:
    """What answers at a path, from a module of the pages that is loaded when somebody first comes there.

    For pages that bring much, as numpy: the first visit to the console must not wait for what it does not show.
    """

    async def answer(view: View) -> Response:
        found = await asyncio.to_thread(import_module, f"selat.console.pages.{module}")
        does: Answer = getattr(found, name)
        return await does(view)

    return answer


@dataclass(frozen=True, slots=True)
class At:
    """One path of a page, as Starlette writes them (`/ledger/{id}`). `roles` None: as the page's.

    A POST is answered only with a form token, so `does` need not ask for one. `open` paths need no sign-in.
    """

    method: str
    path: str
    does: Answer
    roles: frozenset[str] | None = None
    open: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A page and all that answers below it. `group` is its heading in the menu, "" for one that is not in it.

    `title` is Malay, marked by `N_`; `icon` is a symbol in `assets/icons.svg`. A page of the `house` shows what
    all tenants share, so it is for the tenant that runs the house.
    """

    name: str
    title: str
    paths: tuple[At, ...]
    icon: str = ""
    group: str = ""
    roles: frozenset[str] = ANYONE
    house: bool = False

    @property
    def href(self) -> str:
        return self.paths[0].path

    def admit(self, caller: Caller, at: At) -> None:
        """Raises: RoleNeeded."""
        needed = self.roles if at.roles is None else at.roles
        if not caller.roles & needed:
            raise RoleNeeded(f"this page is for: {', '.join(sorted(needed))}")
        if self.house and caller.tenant != DEFAULT_TENANT:
            raise RoleNeeded(f"this page concerns all tenants, so it is for people of '{DEFAULT_TENANT}'")

    def in_menu(self, caller: Caller) -> bool:
        """Whether the menu has it for this person."""
        return bool(self.group and self.roles & caller.roles) and not (
            self.house and caller.tenant != DEFAULT_TENANT
        )
