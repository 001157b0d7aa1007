"""What a route of the admin API is: who may take it, what it takes, what it does, what it tells."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from selat.app import DEFAULT_TENANT, Platform
from selat.core.caller import ROLES, Caller
from selat.core.errors import CallerError
from selat.flows.changes import Changes
from selat.flows.duties import Duties
from selat.gateway.admin.words import Asked

PREFIX = "/admin/v1"
ANYONE = frozenset(ROLES)
OPERATOR = frozenset({"operator"})
OFFICER = frozenset({"officer"})
OVERSEERS = frozenset({"operator", "officer", "auditor"})
READERS = OVERSEERS | {"builder"}


class RoleNeeded(CallerError):
    """The caller's roles do not allow it. Says nothing of what it was about."""

    status = 403
    code = "role_needed"


@dataclass(frozen=True, slots=True)
class Visit:
    """One request as its route sees it: who asks, the ids in the path, the query and the body."""

    platform: Platform
    caller: Caller
    ids: dict[str, str]
    query: Any = None
    body: Any = None

    @property
    def tenant(self) -> str:
        """The caller's own: there is no way to name another."""
        return self.caller.tenant

    @property
    def changes(self) -> Changes:
        return self.platform.changes(self.caller.key)

    @property
    def duties(self) -> Duties:
        return self.platform.duties_by(self.caller.key)

    def record(self, kind: str, facts: dict[str, object], tenant: str) -> str:
        return self.platform.record(kind, facts, tenant, self.caller.key)


@dataclass(frozen=True, slots=True)
class Route:
    """`does` runs in a thread and may block; what it returns becomes `answer`.

    A route of the `house` changes or shows what all tenants share, so it is for the tenant that runs the house.
    """

    method: str
    path: str
    roles: frozenset[str]
    summary: str
    does: Callable[[Visit], object]
    answer: Any
    body: type[Asked] | None = None
    query: type[Asked] | None = None
    status: int = 200
    house: bool = False
    refusals: tuple[tuple[int, str], ...] = ()  # beside those of every route
    pattern: re.Pattern[str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        # An id is one piece of the path: what holds a slash is named in a query or a body.
        object.__setattr__(self, "pattern", re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path) + r"\Z"))

    def admit(self, caller: Caller) -> None:
        """Raises: RoleNeeded."""
        if not caller.roles & self.roles:
            raise RoleNeeded(
                f"this needs a key with one of the roles: {', '.join(sorted(self.roles))}; "
                f"yours has: {', '.join(sorted(caller.roles)) or 'none'}"
            )
        if self.house and caller.tenant != DEFAULT_TENANT:
            raise RoleNeeded(f"this concerns all tenants, so it is for keys of tenant '{DEFAULT_TENANT}'")
