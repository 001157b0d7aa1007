"""Documents and passages in SQLite: the truth that the full-text index is a fold of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

from selat.core.label import Label, parse_label
from selat.core.passage import Box, Passage, Rows, Source
from selat.knowledge.place import Connection, Place, Tables

VERSION = 5
NO_DOCUMENT = "no such document in this collection; see: selat knowledge list"
"""Of one that is not there and of one that is hidden, word for word: nobody may tell them apart."""
FEW = 12  # stems up to which looking for each is cheaper than splitting a line (of 450 stems; measured)
_TABLES = """
CREATE TABLE IF NOT EXISTS documents (
  doc INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, collection TEXT NOT NULL, document TEXT NOT NULL,
  path TEXT NOT NULL, digest TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, title TEXT NOT NULL,
  origin TEXT NOT NULL, dated TEXT NOT NULL, language TEXT NOT NULL, label TEXT NOT NULL,
  passages INTEGER NOT NULL, stems TEXT NOT NULL DEFAULT '',
  indexed INTEGER NOT NULL DEFAULT 0, folder TEXT NOT NULL DEFAULT '', readers TEXT NOT NULL DEFAULT '',
  original TEXT NOT NULL DEFAULT '', vectored TEXT NOT NULL DEFAULT '', sketch TEXT NOT NULL DEFAULT '',
  UNIQUE (tenant, collection, document));
CREATE TABLE IF NOT EXISTS passages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, doc INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
  number INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, page INTEGER NOT NULL,
  heading TEXT NOT NULL, label TEXT NOT NULL, text TEXT NOT NULL, stems TEXT NOT NULL,
  boxes TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS passages_doc ON passages (doc, number);
CREATE TABLE IF NOT EXISTS marks (
  doc INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE, mark INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS marks_mark ON marks (mark);
CREATE INDEX IF NOT EXISTS marks_doc ON marks (doc);
CREATE TABLE IF NOT EXISTS gone (doc INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS folders (
  tenant TEXT NOT NULL, collection TEXT NOT NULL, folder TEXT NOT NULL, label TEXT NOT NULL, readers TEXT NOT NULL,
  PRIMARY KEY (tenant, collection, folder));
CREATE TABLE IF NOT EXISTS inbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, collection TEXT NOT NULL, document TEXT NOT NULL,
  folder TEXT NOT NULL, name TEXT NOT NULL, original TEXT NOT NULL, label TEXT NOT NULL, language TEXT NOT NULL,
  sender TEXT NOT NULL, step TEXT NOT NULL, reason TEXT NOT NULL, tries INTEGER NOT NULL, history TEXT NOT NULL,
  UNIQUE (tenant, collection, document));
CREATE TABLE IF NOT EXISTS paused (tenant TEXT PRIMARY KEY);
"""
# What leads from version N to N + 1, at index N - 2: the first that was ever read by another was 2.
_UPGRADES: tuple[tuple[str, ...], ...] = (
    (
        "ALTER TABLE documents ADD COLUMN folder TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE documents ADD COLUMN readers TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE documents ADD COLUMN original TEXT NOT NULL DEFAULT ''",
    ),
    (
        "ALTER TABLE documents ADD COLUMN vectored TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE documents ADD COLUMN sketch TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE documents ADD COLUMN twin TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE passages ADD COLUMN boxes TEXT NOT NULL DEFAULT ''",
    ),
    ("ALTER TABLE documents DROP COLUMN twin",),
)
_DOCUMENT = (
    "tenant, collection, document, path, digest, status, reason, title, origin, dated, language, label, passages, "
    "folder, readers, original"
)
_NAMES = _DOCUMENT.split(", ")
_HIT = (
    'SELECT p.id, p.doc, p.number, p.start, p."end", p.page, p.heading, p.label, p.text, p.stems, '
    "d.document, d.title, d.origin, d.dated, d.language, d.readers, p.boxes "
    "FROM passages p JOIN documents d ON d.doc = p.doc "
)
TABLES = Tables(VERSION, _TABLES, _UPGRADES)


@dataclass(frozen=True, slots=True)
class Record:
    """A document's row. `status` is `ready` or `failed` (then `reason` is for its owner); `digest` hex SHA-256.

    A failed one with passages is an earlier version that is still searched: `digest` is then of the failed one.

    `readers` are the groups it is kept to, by comma, empty for none; `original` names the file that was sent in.
    """

    tenant: str
    collection: str
    document: str
    path: str
    digest: str
    status: str
    reason: str
    title: str
    origin: str
    dated: str
    language: str
    label: str
    passages: int
    folder: str = ""
    readers: str = ""
    original: str = ""


class Row(NamedTuple):
    """A document as the index is told of it: its row id, whose it is, and the groups that it is kept to."""

    doc: int
    tenant: str
    collection: str
    readers: str


class Entry(NamedTuple):
    """A passage as the index is told of it: its row id, label and stems in order, parted by spaces."""

    id: int
    label: Label
    stems: str
    title: str
    heading: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A passage with its row ids, as the index refers to it, and its stems in order, parted by spaces."""

    id: int
    doc: int
    passage: Passage
    stems: str
    readers: str = ""


_label = lru_cache(maxsize=1024)(parse_label)


class Store:
    """Documents and passages in the place's database, in SQL that SQLite and PostgreSQL share."""

    def __init__(self, place: Place) -> None:
        self.place = place
        place.prepare(TABLES)

    def connection(self) -> Connection:
        return self.place.connection()

    def record(self, tenant: str, collection: str, document: str) -> Record | None:
        row = (
            self.connection()
            .execute(
                f"SELECT {_DOCUMENT} FROM documents WHERE tenant = ? AND collection = ? AND document = ?",  # noqa: S608
                (tenant, collection, document),
            )
            .fetchone()
        )
        return Record(*row) if row else None

    def records(self, tenant: str, collection: str | None = None) -> list[Record]:
        """The tenant's documents in order of collection and id."""
        rows = self.connection().execute(
            f"SELECT {_DOCUMENT} FROM documents WHERE tenant = ? AND (CAST(? AS TEXT) IS NULL OR collection = ?) "  # noqa: S608
            "ORDER BY collection, document",
            (tenant, collection, collection),
        )
        return [Record(*row) for row in rows]

    def records_of(self, tenant: str, document: str) -> list[Record]:
        """The tenant's documents of an id, over its collections."""
        rows = self.connection().execute(
            f"SELECT {_DOCUMENT} FROM documents WHERE tenant = ? AND document = ? ORDER BY collection",  # noqa: S608
            (tenant, document),
        )
        return [Record(*row) for row in rows]

    def has_collection(self, tenant: str, collection: str) -> bool:
        """Whether any document of the tenant stands in it."""
        row = self.connection().execute(
            "SELECT 1 FROM documents WHERE tenant = ? AND collection = ? LIMIT 1", (tenant, collection)
        )
        return row.fetchone() is not None

    def counts(self) -> tuple[int, int, int, int]:
        """Documents, failed ones, passages, and documents that the index has not seen."""
        row = (
            self.connection()
            .execute(
                "SELECT count(*), count(*) FILTER (WHERE status = 'failed'), coalesce(sum(passages), 0), "
                "count(*) FILTER (WHERE indexed = 0) FROM documents"
            )
            .fetchone()
        )
        return row[0], row[1], row[2], row[3]

    def put(self, record: Record, passages: Sequence[Passage]) -> None:
        """Replace a document and its passages within the caller's transaction."""
        found = [_analysed(passage.text) for passage in passages]
        whole = " ".join(dict.fromkeys(chain.from_iterable(found)))
        self.drop(record.tenant, record.collection, record.document)
        connection = self.connection()
        marks = ",".join("?" * (len(_NAMES) + 1))
        doc = connection.execute(
            f"INSERT INTO documents ({_DOCUMENT}, stems) VALUES ({marks}) RETURNING doc",  # noqa: S608
            (*(getattr(record, name) for name in _NAMES), whole),
        ).fetchone()[0]
        connection.executemany(
            'INSERT INTO passages (doc, number, start, "end", page, heading, label, text, stems, boxes) '
            "VALUES (?,?,?,?,?,?,?,?,?,?)",
            [
                (
                    doc,
                    p.number,
                    p.start,
                    p.end,
                    p.page,
                    p.heading,
                    str(p.label),
                    p.text,
                    " ".join(own),
                    _spot_text(p),
                )
                for p, own in zip(passages, found, strict=True)
            ],
        )

    def relabel(self, record: Record, label: Label) -> None:
        """Give a document and all its passages another label; the index takes it up with the next commit."""
        connection = self.connection()
        mine = (record.tenant, record.collection, record.document)
        which = "tenant = ? AND collection = ? AND document = ?"
        connection.execute(
            f"UPDATE passages SET label = ? WHERE doc = (SELECT doc FROM documents WHERE {which})",  # noqa: S608
            (str(label), *mine),
        )
        connection.execute(
            f"UPDATE documents SET label = ?, indexed = 0, vectored = '' WHERE {which}",  # noqa: S608
            (str(label), *mine),
        )

    def fail(self, record: Record, digest: str, reason: str) -> None:
        """Note that a new version, of this digest, could not be read; what is held stays as it is."""
        self.connection().execute(
            "UPDATE documents SET status = 'failed', reason = ?, digest = ? "
            "WHERE tenant = ? AND collection = ? AND document = ?",
            (reason, digest, record.tenant, record.collection, record.document),
        )

    def drop(self, tenant: str, collection: str, document: str) -> bool:
        """Remove a document; its passages are gone from every search at once. False when there was none."""
        connection = self.connection()
        row = connection.execute(
            "SELECT doc FROM documents WHERE tenant = ? AND collection = ? AND document = ?",
            (tenant, collection, document),
        ).fetchone()
        if row:
            connection.execute("INSERT INTO gone VALUES (?) ON CONFLICT DO NOTHING", row)
            connection.execute("DELETE FROM documents WHERE doc = ?", row)
        return row is not None

    def passages(self, ids: Iterable[int]) -> dict[int, Stored]:
        """The passages that still exist among `ids`."""
        wanted = list(ids)
        marks = ",".join("?" * len(wanted)) or "NULL"
        rows = self.connection().execute(f"{_HIT} WHERE p.id IN ({marks})", wanted)
        return {row[0]: _stored(row) for row in rows}

    def stems(self, docs: Iterable[int], asked: frozenset[str]) -> dict[int, frozenset[str]]:
        """Those of the stems asked for that whole documents hold."""
        wanted = list(docs)
        marks = ",".join("?" * len(wanted)) or "NULL"
        rows = self.connection().execute(f"SELECT doc, stems FROM documents WHERE doc IN ({marks})", wanted)  # noqa: S608
        return {doc: stems_among(asked, line) for doc, line in rows}

    def reanalyse(self) -> None:
        """Spell all stems anew, after a change of the analysis."""
        with self.connection() as connection:
            for (doc,) in connection.execute("SELECT doc FROM documents").fetchall():
                texts = connection.execute("SELECT id, text FROM passages WHERE doc = ? ORDER BY number", (doc,))
                found = [(_analysed(text), identity) for identity, text in texts.fetchall()]
                whole = " ".join(dict.fromkeys(chain.from_iterable(own for own, _ in found)))
                spelled = [(" ".join(own), identity) for own, identity in found]
                connection.executemany("UPDATE passages SET stems = ? WHERE id = ?", spelled)
                connection.execute("UPDATE documents SET stems = ? WHERE doc = ?", (whole, doc))

    def passage(self, record: Record, number: int) -> Passage | None:
        row = (
            self.connection()
            .execute(
                f"{_HIT} WHERE d.tenant = ? AND d.collection = ? AND d.document = ? AND p.number = ?",
                (record.tenant, record.collection, record.document, number),
            )
            .fetchone()
        )
        return _stored(row).passage if row else None

    def unindexed(self, limit: int) -> list[Row]:
        """Documents that the index has not seen yet."""
        rows = self.connection().execute(
            "SELECT doc, tenant, collection, readers FROM documents WHERE indexed = 0 ORDER BY doc LIMIT ?",
            (limit,),
        )
        return [Row(*row) for row in rows]

    def unvectored(self, folder: str, limit: int) -> list[Row]:
        """Documents whose passages have no vectors in this folder yet."""
        rows = self.connection().execute(
            "SELECT doc, tenant, collection, readers FROM documents WHERE vectored != ? AND passages > 0 "
            "ORDER BY doc LIMIT ?",
            (folder, limit),
        )
        return [Row(*row) for row in rows]

    def rows(self, docs: Iterable[int]) -> list[Row]:
        """Those of these documents that are still there, as they are now."""
        wanted = list(docs)
        marks = ",".join("?" * len(wanted)) or "NULL"
        rows = self.connection().execute(
            f"SELECT doc, tenant, collection, readers FROM documents WHERE doc IN ({marks})",  # noqa: S608
            wanted,
        )
        return [Row(*row) for row in rows]

    def vectored(self, docs: Iterable[int], folder: str) -> None:
        """Mark documents whose passages have vectors in this folder."""
        with self.connection() as connection:
            connection.executemany("UPDATE documents SET vectored = ? WHERE doc = ?", [(folder, d) for d in docs])

    def unsketched(self, limit: int) -> list[int]:
        """Row ids of documents without a sketch."""
        rows = self.connection().execute(
            "SELECT doc FROM documents WHERE sketch = '' AND passages > 0 ORDER BY doc LIMIT ?", (limit,)
        )
        return [row[0] for row in rows]

    def sketched(self, made: Sequence[tuple[int, str, Sequence[int]]]) -> None:
        """Keep sketches and marks; a document that went meanwhile is left out."""
        with self.connection() as connection:
            for doc, text, marks in made:
                there = connection.execute(
                    "UPDATE documents SET sketch = ? WHERE doc = ? RETURNING doc", (text, doc)
                )
                if there.fetchone():
                    connection.execute("DELETE FROM marks WHERE doc = ?", (doc,))
                    connection.executemany("INSERT INTO marks VALUES (?, ?)", [(doc, mark) for mark in marks])

    def marked_like(self, record: Record) -> tuple[str, list[tuple[Record, str]]]:
        """A document's sketch, and the tenant's others that share a mark with it, with theirs."""
        mine = (record.tenant, record.collection, record.document)
        row = (
            self.connection()
            .execute(
                "SELECT doc, sketch FROM documents WHERE tenant = ? AND collection = ? AND document = ?", mine
            )
            .fetchone()
        )
        if row is None:
            return "", []
        columns = ", ".join(f"d.{name}" for name in _NAMES)
        rows = self.connection().execute(
            f"SELECT {columns}, d.sketch FROM documents d WHERE d.tenant = ? AND d.doc != ? AND d.doc IN ("  # noqa: S608
            "SELECT o.doc FROM marks m JOIN marks o ON o.mark = m.mark WHERE m.doc = ?) "
            "ORDER BY d.collection, d.document LIMIT 200",
            (record.tenant, row[0], row[0]),
        )
        return row[1], [(Record(*found[:-1]), found[-1]) for found in rows]

    def groups(self, tenant: str) -> frozenset[str]:
        """Every group that some document or folder of the tenant is kept to."""
        rows = self.connection().execute(
            "SELECT readers FROM documents WHERE tenant = ? AND readers != '' UNION "
            "SELECT readers FROM folders WHERE tenant = ? AND readers != ''",
            (tenant, tenant),
        )
        return frozenset(group for (readers,) in rows for group in readers.split(","))

    def keep_to(self, record: Record, readers: str) -> None:
        """Keep a document to other groups; the index takes it up with the next commit."""
        self.connection().execute(
            "UPDATE documents SET readers = ?, indexed = 0, vectored = '' "
            "WHERE tenant = ? AND collection = ? AND document = ?",
            (readers, record.tenant, record.collection, record.document),
        )

    def of_document(self, doc: int) -> list[Stored]:
        return [
            _stored(row) for row in self.connection().execute(f"{_HIT} WHERE p.doc = ? ORDER BY p.number", (doc,))
        ]

    def entries(self, doc: int) -> list[Entry]:
        """A document's passages, in order, with no more of them than an index takes up."""
        rows = self.connection().execute(
            "SELECT p.id, p.label, p.stems, d.title, p.heading FROM passages p JOIN documents d ON d.doc = p.doc "
            "WHERE p.doc = ? ORDER BY p.number",
            (doc,),
        )
        return [Entry(identity, _label(label), *rest) for identity, label, *rest in rows]

    def gone(self) -> list[int]:
        """Row ids of removed documents that the index may still hold."""
        return [row[0] for row in self.connection().execute("SELECT doc FROM gone ORDER BY doc")]

    def settle(self, added: Sequence[int], removed: Sequence[int]) -> None:
        """Mark what the index now holds, and what it no longer holds."""
        with self.connection() as connection:
            connection.executemany("UPDATE documents SET indexed = 1 WHERE doc = ?", [(doc,) for doc in added])
            connection.executemany("DELETE FROM gone WHERE doc = ?", [(doc,) for doc in removed])

    def unsettle(self) -> None:
        """Forget what the index holds, so that a new one is filled from the start."""
        with self.connection() as connection:
            connection.execute("UPDATE documents SET indexed = 0")
            connection.execute("DELETE FROM gone")

    def digest(self) -> str:
        """Hex SHA-256 over every document and passage, whatever order they came in."""
        whole = hashlib.sha256()
        for row in self.connection().execute(
            f"SELECT {_DOCUMENT} FROM documents ORDER BY tenant, collection, document"  # noqa: S608
        ):
            whole.update(repr(row).encode())
        for row in self.connection().execute(
            'SELECT d.tenant, d.collection, d.document, p.number, p.start, p."end", p.page, p.heading, p.label, '
            "p.text FROM passages p JOIN documents d ON d.doc = p.doc ORDER BY 1, 2, 3, 4"
        ):
            whole.update(repr(row).encode())
        return whole.hexdigest()


def _analysed(text: str) -> list[str]:
    from selat.knowledge.words import stems, words  # the languages: only where documents are read

    return stems(words(text))


def stems_among(asked: frozenset[str], line: str) -> frozenset[str]:
    """Those of the stems asked for that a line of stems, parted by spaces, holds.

    A few are looked for in the line itself: splitting all of a long document's costs five times as much.
    """
    if len(asked) > FEW:
        return asked.intersection(line.split())
    parted = f" {line} "
    return frozenset([stem for stem in asked if f" {stem} " in parted])


def _stored(row: Any) -> Stored:
    identity, doc, number, start, end, page, heading, label, text, spelled, *facts = row
    document, title, origin, dated, language, readers, boxes = facts
    source = Source(document, title, origin, dated, language)
    passage = Passage(source, number, start, end, text, _label(label), heading, page, *_spot(boxes))
    return Stored(identity, doc, passage, spelled, readers)


def _spot_text(passage: Passage) -> str:
    """Where a passage stands: four numbers of a page, or `FIRST:LAST`, the rows of a sheet."""
    if passage.rows:
        return "{}:{}".format(*passage.rows)
    return " ".join(f"{value:g}" for value in passage.box) if passage.box else ""


def _spot(text: str) -> tuple[Box | None, Rows | None]:
    if not text:
        return None, None
    if ":" in text:
        first, last = map(int, text.split(":"))
        return None, (first, last)
    left, bottom, right, top = map(float, text.split())
    return (left, bottom, right, top), None


def label_of(record: Record) -> Label:
    """The label of a document as recorded."""
    return _label(record.label)
