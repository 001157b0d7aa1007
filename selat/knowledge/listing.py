"""Lists of documents a page at a time: those held and those that wait, filtered and ordered where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from selat.knowledge.inbox import OPEN
from selat.knowledge.store import Store

_TEXT = "CAST(? AS TEXT)"
"""PostgreSQL does not guess what a parameter is that stands alone."""
_OPEN = ", ".join(f"'{step}'" for step in OPEN)
# A document that is read anew shows the step under way; one that was never read is known by its parcel alone.
_ALL = f"""WITH listed AS (
  SELECT 1 AS held, d.collection, d.document, d.folder, d.label, d.readers, '' AS sender,
    CASE WHEN i.step IN ({_OPEN}) THEN i.step ELSE d.status END AS status,
    lower(d.document || ' ' || d.title || ' ' || d.origin) AS words
  FROM documents d LEFT JOIN inbox i
    ON i.tenant = d.tenant AND i.collection = d.collection AND i.document = d.document
  WHERE d.tenant = CAST(? AS TEXT)
  UNION ALL
  SELECT 0, i.collection, i.document, i.folder, i.label, '', i.sender, i.step, lower(i.document || ' ' || i.name)
  FROM inbox i WHERE i.tenant = CAST(? AS TEXT) AND NOT EXISTS (SELECT 1 FROM documents d
    WHERE d.tenant = i.tenant AND d.collection = i.collection AND d.document = i.document))
"""  # noqa: S608 - our own names of steps


class Sort(NamedTuple):
    """So many (`number`) documents alike in where they lie, how far they are, and who may know of them."""

    held: bool
    label: str
    readers: str
    collection: str
    folder: str
    sender: str
    status: str
    number: int

    def fits(self, wanted: Filter) -> bool:
        """Whether these are asked for, words apart."""
        inside = not wanted.folder or f"{self.folder}/".startswith(f"{wanted.folder}/")
        return inside and wanted.collection in ("", self.collection) and wanted.status in ("", self.status)


class Filter(NamedTuple):
    """What is asked for; "" for anything. A folder stands for what is below it too; all `words` must be there."""

    collection: str = ""
    folder: str = ""
    status: str = ""
    words: tuple[str, ...] = ()


ANY = Filter()


class Spot(NamedTuple):
    """A document's place in the order of a list."""

    document: str
    collection: str


class Listing:
    """The documents of one tenant, of just the sorts that are given: whoever asks has looked at each of them."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store, self._tenant = store, tenant

    def sorts(self) -> list[Sort]:
        """Every sort that there is now, with how many there are of it."""
        columns = "held, label, readers, collection, folder, sender, status"
        rows = self._rows(f"SELECT {columns}, count(*) FROM listed GROUP BY {columns}", [])  # noqa: S608
        return [Sort(bool(row[0]), *row[1:]) for row in rows]

    def count(self, sorts: Sequence[Sort], wanted: Filter) -> int:
        """How many a filter leaves; words alone have to be looked for."""
        if not wanted.words:
            return sum(one.number for one in sorts if one.fits(wanted))
        where, values = _where(sorts, wanted)
        return int(self._rows(f"SELECT count(*) FROM listed WHERE {where}", values)[0][0])  # noqa: S608

    def after(self, sorts: Sequence[Sort], wanted: Filter, spot: Spot | None, most: int) -> list[Spot]:
        """At most so many that follow a spot, in order of document and collection; from the first without one."""
        return self._spots(_where(sorts, wanted), spot, most, (">", "ASC"))

    def before(self, sorts: Sequence[Sort], wanted: Filter, spot: Spot, most: int) -> list[Spot]:
        """The nearest so many before a spot, in the same order."""
        return self._spots(_where(sorts, wanted), spot, most, ("<", "DESC"))[::-1]

    def _spots(
        self, condition: tuple[str, list[object]], spot: Spot | None, most: int, way: tuple[str, str]
    ) -> list[Spot]:
        (where, values), (sign, order) = condition, way
        if spot is not None:
            where += f" AND (document, collection) {sign} (?, ?)"
            values += spot
        rows = self._rows(
            f"SELECT document, collection FROM listed WHERE {where} "  # noqa: S608
            f"ORDER BY document {order}, collection {order} LIMIT ?",
            [*values, most],
        )
        return [Spot(*row) for row in rows]

    def _rows(self, query: str, values: Sequence[object]) -> list[Any]:
        return list(self._store.connection().execute(_ALL + query, (self._tenant, self._tenant, *values)))


def _where(sorts: Sequence[Sort], wanted: Filter) -> tuple[str, list[object]]:
    """The condition and its values: of the given sorts only, so that one that comes later is not shown unseen."""
    held = sorted({(one.label, one.readers) for one in sorts if one.held})
    waiting = sorted({one[1:6] for one in sorts if not one.held})
    clauses, values = [], list[object]()
    for flag, columns, rows in (
        (1, "label, readers", held),
        (0, "label, readers, collection, folder, sender", waiting),
    ):
        if rows:
            marks = ", ".join(f"({', '.join([_TEXT] * len(rows[0]))})" for _ in rows)
            clauses.append(f"(held = {flag} AND ({columns}) IN (VALUES {marks}))")
            values += [value for row in rows for value in row]
    where = [f"({' OR '.join(clauses) or 'held = 2'})"]
    for column in ("collection", "status"):
        if value := getattr(wanted, column):
            where.append(f"{column} = ?")
            values.append(value)
    if wanted.folder:
        where.append("(folder = ? OR folder LIKE ? ESCAPE '!')")
        values += [wanted.folder, f"{_plain(wanted.folder)}/%"]
    for word in wanted.words:
        where.append("words LIKE ? ESCAPE '!'")
        values.append(f"%{_plain(word.lower())}%")
    return " AND ".join(where), values


def _plain(text: str) -> str:
    """Text that LIKE takes as it stands."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
