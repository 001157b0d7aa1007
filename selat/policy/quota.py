"""Limits of requests, tokens and money: reserved before a request goes, settled when it has ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from selat.core.errors import HomeBroken, Misused, TooMany, Unavailable
from selat.database import Database, Session
from selat.policy.periods import PERIODS, instant, window
from selat.policy.room import ROOM

log = logging.getLogger("selat.policy")

UNITS = ("requests", "tokens", "microringgit")
LOOK_EVERY_S = 0.5
MOST = 2**53 - 1  # what an entry can hold: integers that every JSON reader keeps exact


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `amount` of `unit` in each `period`, for a `scope`: `tenant`, `key:ID` or `purpose:NAME`.

    A microringgit is a millionth of a ringgit: prices per token are small, and sums must be exact.
    """

    tenant: str
    scope: str
    period: str
    unit: str
    amount: int

    @property
    def id(self) -> str:
        """As entries name it among the rules of a refusal."""
        return f"quota:{self.scope}/{self.period}/{self.unit}"

    def to_json(self) -> dict[str, object]:
        return {
            "tenant": self.tenant,
            "scope": self.scope,
            "period": self.period,
            "unit": self.unit,
            "amount": self.amount,
        }


@dataclass(frozen=True, slots=True)
class Spender:
    """Whose request it is."""

    tenant: str
    key: str
    purpose: str

    def scopes(self) -> tuple[str, str, str]:
        return "tenant", f"key:{self.key}", f"purpose:{self.purpose}"


@dataclass(frozen=True, slots=True)
class Reservation:
    """What was set aside: for each limit and window, how much of its unit. Settle it whatever happens."""

    held: tuple[tuple[Limit, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """A limit with what is used of it now, reservations included, and when it begins anew."""

    limit: Limit
    used: int
    resets_at: str

    def to_json(self) -> dict[str, object]:
        return {**self.limit.to_json(), "used": self.used, "resets_at": self.resets_at}


NOTHING = Reservation()
_SAME = "tenant = :tenant AND scope = :scope AND period = :period AND unit = :unit"
_HERE = f"{_SAME} AND window_start = :window_start"
_OPEN = (
    "INSERT INTO quota_used (tenant, scope, period, unit, window_start, used) "
    "VALUES (:tenant, :scope, :period, :unit, :window_start, 0) ON CONFLICT DO NOTHING"
)
_TAKE = f"UPDATE quota_used SET used = used + :n WHERE {_HERE} AND used + :n <= :amount"  # noqa: S608
_MEND = f"UPDATE quota_used SET used = CASE WHEN used + :n < 0 THEN 0 ELSE used + :n END WHERE {_HERE}"  # noqa: S608
_USED = f"SELECT used FROM quota_used WHERE {_HERE}"  # noqa: S608
_LIMITS = "SELECT tenant, scope, period, unit, amount FROM quota_limits ORDER BY tenant, scope, period, unit"
_LIMIT = (
    "INSERT INTO quota_limits (tenant, scope, period, unit, amount)"
    " VALUES (:tenant, :scope, :period, :unit, :amount)"
)
_NO_LIMIT = f"DELETE FROM quota_limits WHERE {_SAME}"  # noqa: S608
_CHANGED = "UPDATE quota_state SET changes = changes + 1"


class Quota:
    """The limits of all tenants in one database, right under any number of threads, workers and machines.

    A reservation that is never settled, after a crash, stays counted at its estimate until its window ends:
    a limit may then be reached early and is never passed.
    """

    def __init__(self, database: Database, now_s: Callable[[], float] = time.time) -> None:
        database.prepare(ROOM)
        self._database = database
        self._now_s = now_s
        self._limits: Mapping[str, Sequence[Limit]] = {}
        self._changes = -1
        self._look_at = 0.0
        self._looking = threading.Lock()
        self._look()

    def set(self, limit: Limit) -> Limit:
        """Set a limit, or change its amount; every worker follows within a second. Raises: Misused."""
        _check(limit)
        with self._database.writing(ROOM) as session:
            session.run(_NO_LIMIT, _same(limit))
            session.run(_LIMIT, limit.to_json())
            session.run(_CHANGED)
        self._look()
        return limit

    def clear(self, limit: Limit) -> bool:
        """Remove a limit, whatever its amount; False if there was none."""
        with self._database.writing(ROOM) as session:
            gone = session.run(_NO_LIMIT, _same(limit))
            session.run(_CHANGED)
        self._look()
        return bool(gone)

    def limits(self, tenant: str) -> list[Limit]:
        self._look()
        return list(self._limits.get(tenant, ()))

    def usage(self, tenant: str) -> list[Usage]:
        """Each limit of the tenant with what is used of it in the window that runs now."""
        found = []
        limits = self.limits(tenant)
        with self._database.reading(ROOM) as session:
            for limit in limits:
                start, end = window(limit.period, self._now_s())
                used = session.all(_USED, _place(limit, start))
                found.append(Usage(limit, used[0][0] if used else 0, instant(end)))
        return found

    def binds(self, tenant: str) -> bool:
        """Whether any limit of the tenant is set; half a microsecond, for the road of every request."""
        if self._now_s() >= self._look_at:
            self._look()
        return tenant in self._limits

    def reserve(self, spender: Spender, amounts: Mapping[str, int]) -> Reservation:
        """Set `amounts` aside (by unit) under every limit that binds the spender, all or none.

        Costs a microsecond where no limit binds. Raises: TooMany, naming the limit that is full and when it
        begins anew; Unavailable, so that nothing goes out uncounted.
        """
        if self._now_s() >= self._look_at:
            self._look()
        limits = self._limits.get(spender.tenant)
        if not limits:
            return NOTHING
        now_s, scopes = self._now_s(), spender.scopes()
        held = tuple(
            (limit, window(limit.period, now_s)[0], amounts[limit.unit])
            for limit in limits
            if limit.scope in scopes and amounts.get(limit.unit, 0) > 0
        )
        if held:
            with self._database.writing(ROOM) as session:
                for limit, start, number in held:
                    self._take(session, limit, start, number)
        return Reservation(held)

    def _take(self, session: Session, limit: Limit, start: int, number: int) -> None:
        place = _place(limit, start)
        wanted = {**place, "n": number, "amount": limit.amount}
        if session.run(_TAKE, wanted):
            return
        session.run(_OPEN, place)
        if session.run(_TAKE, wanted):
            return
        end = window(limit.period, self._now_s())[1]
        kind = limit.scope.partition(":")[0]
        raise TooMany(
            f"the limit of {_amount(limit)} per {limit.period} for this {kind} is reached (this request needs "
            f"{number} {limit.unit}); it begins anew at {instant(end)}. An operator can raise it: selat quota set",
            retry_after_s=max(1, int(end - self._now_s()) + 1),
            limit=limit.id,
        )

    def settle(self, reservation: Reservation, amounts: Mapping[str, int]) -> None:
        """Replace what was set aside by what was used. Never raises: the closing of a request calls it.

        Where it cannot be written the estimate stays counted, and the log says so.
        """
        changed = [
            (limit, start, difference)
            for limit, start, number in reservation.held
            if (difference := amounts.get(limit.unit, 0) - number)
        ]
        if not changed:
            return
        try:
            with self._database.writing(ROOM) as session:
                for limit, start, difference in changed:
                    session.run(_MEND, {**_place(limit, start), "n": difference})
        except (Unavailable, HomeBroken) as error:
            log.error("a reservation stays at its estimate: %s", error)

    def _look(self) -> None:
        """Read the limits again if any worker changed one; at most twice a second."""
        self._look_at = self._now_s() + LOOK_EVERY_S
        with self._looking, self._database.reading(ROOM) as session:
            ((changes,),) = session.all("SELECT changes FROM quota_state")
            if changes == self._changes:
                return
            found: dict[str, list[Limit]] = {}
            # In one order everywhere, so that two transactions never wait for each other.
            for row in session.all(_LIMITS):
                limit = Limit(*row)
                found.setdefault(limit.tenant, []).append(limit)
            self._limits, self._changes = found, changes


def _same(limit: Limit) -> dict[str, object]:
    return {"tenant": limit.tenant, "scope": limit.scope, "period": limit.period, "unit": limit.unit}


def _place(limit: Limit, start: int) -> dict[str, object]:
    return {**_same(limit), "window_start": start}


def _amount(limit: Limit) -> str:
    if limit.unit == "microringgit":
        return f"RM {limit.amount / 1_000_000:,.2f}"
    return f"{limit.amount:,} {limit.unit}"


def _check(limit: Limit) -> None:
    kind, _, name = limit.scope.partition(":")
    if limit.scope != "tenant" and (kind not in ("key", "purpose") or not name or len(name) > 64):
        raise Misused("quota scope: write tenant, key:ID or purpose:NAME")
    if limit.period not in PERIODS:
        raise Misused(f"quota period: none of that name; known: {', '.join(PERIODS)}")
    if limit.unit not in UNITS:
        raise Misused(f"quota unit: none of that name; known: {', '.join(UNITS)}")
    if not 0 <= limit.amount <= MOST:
        raise Misused("quota amount: 0 or more; 0 stops all")
