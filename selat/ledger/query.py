"""Questions to the book: requests by time, tenant, caller, model, label, decision or rule, and usage as a fold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from selat.core.decision import EFFECTS
from selat.core.errors import BadRequest
from selat.core.label import CloudClass, Official, PersonalKind
from selat.ledger.index import Index
from selat.ledger.lines import NEVER
from selat.stamps import written

_LEVELS = {
    level.name.lower(): (axis, [later.name.lower() for later in kind if later >= level])
    for axis, kind in (("official", Official), ("cloud", CloudClass), ("personal", PersonalKind))
    for level in kind
}
DIMENSIONS = (
    "tenant",
    "caller",
    "model",
    "engine",
    "purpose",
    "api",
    "effect",
    "outcome",
    "language",
    "day",
    "month",
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for; empty means all. Times are RFC 3339, `since` included, `until` not.

    `label` is a level of any axis (`sulit`, `restricted`, `personal`) and means that level or a stricter one;
    `decision` is `permit`, `redact` or `deny`; `rule` a policy id; `open_only` asks for orphans. `after` and
    `before` bound the leaves, neither included; `newest` gives the latest first.
    """

    since: str = ""
    until: str = ""
    tenant: str = ""
    caller: str = ""
    model: str = ""
    purpose: str = ""
    label: str = ""
    decision: str = ""
    rule: str = ""
    open_only: bool = False
    limit: int = 0
    after: int = -1
    before: int = 0
    newest: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: its opening (or refusal), and its closing where there is one (`closed_leaf` -1 else)."""

    receipt: str
    leaf: int
    closed_leaf: int
    time: str
    tenant: str
    caller: str
    purpose: str
    api: str
    model: str
    engine: str
    label: str
    decision: str
    rules: str
    outcome: str
    status: int
    prompt_tokens: int
    completion_tokens: int
    duration_ms: int


COLUMNS = tuple(column.name for column in fields(Asked))
_SELECT = """
SELECT o.id, o.leaf, o.closed_leaf, o.time, o.tenant, o.caller, o.purpose, o.api, o.model, o.engine,
       o.official || '/' || o.cloud || '/' || o.personal || '/' || coalesce(nullif(o.jurisdictions, ''), '-'),
       o.effect, o.rules, o.outcome, o.status, o.prompt_tokens, o.completion_tokens, o.duration_ms
"""
_FROM = " FROM entry o WHERE o.kind IN ('opened', 'refused')"
_SPECIAL = {"day": "substr(o.time, 1, 10)", "month": "substr(o.time, 1, 7)"}
_SUMS = "count(*), sum(o.kind = 'refused'), sum(o.prompt_tokens), sum(o.completion_tokens), sum(o.duration_ms)"


def query(folder: Path, question: Question) -> Iterator[Asked]:
    """The requests that match, oldest first unless `newest`.

    Raises: BadRequest, for a label that is no level; LedgerBroken.
    """
    where, values = _where(question)
    sql = f"{_SELECT}{_FROM}{where} ORDER BY o.leaf{' DESC' if question.newest else ''}"
    if question.limit:
        sql += " LIMIT ?"
        values.append(question.limit)
    with Index(folder).open() as database:
        for row in database.execute(sql, values):
            yield Asked(*row)


@dataclass(frozen=True, slots=True)
class Changed:
    """A leaf that is no request: a change to the house, or what the ledger says of itself."""

    leaf: int
    id: str
    kind: str
    time: str
    caller: str


def changed(folder: Path, tenant: str, before: int = 0, limit: int = 50, kind: str = "") -> list[Changed]:
    """The tenant's changes, latest first: before leaf `before`, of one `kind` if given. Raises: LedgerBroken."""
    sql = f"""
        SELECT leaf, id, kind, time, caller FROM entry WHERE tenant = ? AND (? = 0 OR leaf < ?)
        AND state = {NEVER} AND kind <> 'refused' AND (? = '' OR kind = ?) ORDER BY leaf DESC LIMIT ?
    """  # noqa: S608 - a number of ours
    with Index(folder).open() as database:
        return [Changed(*row) for row in database.execute(sql, (tenant, before, before, kind, kind, limit))]


@dataclass(frozen=True, slots=True)
class Use:
    """Requests and tokens of one group; `group` are its values in the order asked for.

    `busy_ms` are their durations added up: requests that were answered at the same time count each for itself.
    """

    group: tuple[str, ...]
    requests: int
    refused: int
    prompt_tokens: int
    completion_tokens: int
    busy_ms: int


def usage(folder: Path, by: tuple[str, ...], question: Question) -> list[Use]:
    """Usage grouped by `by` (of DIMENSIONS).

    Raises: BadRequest, for a dimension that is none, and for language beside caller, since a language can tell
    what community a person is of; LedgerBroken.
    """
    for name in by:
        if name not in DIMENSIONS:
            raise BadRequest(f"usage: no dimension '{name}'; known: {', '.join(DIMENSIONS)}", param="by")
    if {"caller", "language"} <= set(by):
        raise BadRequest("usage: language is counted for a tenant, never beside callers", param="by")
    groups = [_SPECIAL.get(name, f"o.{name}") for name in by]
    where, values = _where(question)
    sql = f"SELECT {', '.join([*groups, _SUMS])}{_FROM}{where}"
    if groups:
        sql += f" GROUP BY {', '.join(groups)} ORDER BY {', '.join(groups)}"
    with Index(folder).open() as database:
        rows = database.execute(sql, values).fetchall()
    return [Use(tuple(row[: len(by)]), *(int(value or 0) for value in row[len(by) :])) for row in rows]


def row_of(asked: Asked) -> tuple[str | int, ...]:
    """The values in the order of COLUMNS."""
    return astuple(asked)


def _moment(name: str, said: str) -> str:
    """A moment as entries write it, in UTC and to the millisecond, so that texts compare as times do.

    A time without an offset is UTC. Raises: BadRequest.
    """
    if not said:
        return ""
    try:
        moment = datetime.fromisoformat(said)
        return written(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)
    except (ValueError, OverflowError):
        raise BadRequest(
            f"{name}: '{said}' is no time; write 2026-11-22 or 2026-11-22T03:00Z", param=name
        ) from None


def _where(question: Question) -> tuple[str, list[str | int]]:
    parts: list[str] = []
    values: list[str | int] = []
    if question.decision not in ("", *EFFECTS):
        raise BadRequest(f"decision: '{question.decision}' is none; write {', '.join(EFFECTS)}", param="decision")
    exact = {
        "o.tenant = ?": question.tenant,
        "o.caller = ?": question.caller,
        "o.model = ?": question.model,
        "o.purpose = ?": question.purpose,
        "o.effect = ?": question.decision,
        "o.time >= ?": _moment("since", question.since),
        "o.time < ?": _moment("until", question.until),
        "instr(' ' || o.rules || ' ', ' ' || ? || ' ') > 0": question.rule,
    }
    for condition, value in exact.items():
        if value:
            parts.append(condition)
            values.append(value)
    if question.after >= 0:
        parts.append("o.leaf > ?")
        values.append(question.after)
    if question.before:
        parts.append("o.leaf < ?")
        values.append(question.before)
    if question.open_only:
        parts.append("o.closed_leaf < 0 AND o.kind = 'opened'")
    if question.label:
        level = question.label.strip().lower().replace("-", "_")
        if level not in _LEVELS:
            raise BadRequest(f"no label level '{question.label}'; known: {', '.join(_LEVELS)}", param="label")
        axis, stricter = _LEVELS[level]
        parts.append(f"o.{axis} IN ({', '.join('?' * len(stricter))})")
        values += stricter
    return "".join(f" AND {part}" for part in parts), values
