"""A library on PostgreSQL, for several machines: tsvector finds, BM25 scores, pgvector where the server has it.

The store speaks the SQL that both databases share; this is what is PostgreSQL's own. Files that were sent in
lie in a folder, which the machines share.
"""

from __future__ import annotations

import math
import threading
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import reduce
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from selat.core.errors import HomeBroken, Unavailable
from selat.core.label import Label
from selat.knowledge.pgvector import PgVectors
from selat.knowledge.place import DAMAGED, Tables
from selat.knowledge.scope import Clause, Scope, scope_terms
from selat.knowledge.store import Entry, Row
from selat.knowledge.words import one_slip, stems, words

SCHEMA = "selat_knowledge"
CANDIDATES = 300  # texts that PostgreSQL gives to be scored
K1, B = 1.2, 0.75
TITLE_BOOST = 1.5
_AXES = ("official", "cloud", "personal")
_PLACES = 250  # positions of one lexeme that a tsvector keeps
_INDEX = (
    "CREATE TABLE {texts} (id BIGINT, doc BIGINT NOT NULL, scope TEXT[] NOT NULL, "
    "official INT NOT NULL, cloud INT NOT NULL, personal INT NOT NULL, body TSVECTOR NOT NULL, "
    "stems TEXT NOT NULL, title TEXT NOT NULL, length INT NOT NULL)",
    'CREATE TABLE {counted} (stem TEXT COLLATE "C" PRIMARY KEY, held BIGINT NOT NULL)',
    "CREATE INDEX {by_body} ON {texts} USING gin (body)",
    "CREATE INDEX {by_doc} ON {texts} (doc)",
)


class PgConnection:
    """One psycopg connection that behaves as SQLite's does: reads commit by themselves, a change begins what
    `commit` or the end of `with` ends."""

    def __init__(self, url: str) -> None:
        try:
            self.raw = psycopg.connect(url, autocommit=True, options=f"-c search_path={SCHEMA},public")
        except psycopg.OperationalError as error:
            raise Unavailable("knowledge base: PostgreSQL cannot be reached; check knowledge_database") from error
        self._open = False

    def execute(self, text: str, values: Sequence[Any] = (), /) -> Any:
        self._begin(text)
        return self.raw.execute(text.replace("?", "%s").encode(), values)

    def executemany(self, text: str, rows: Iterable[Sequence[Any]], /) -> Any:
        self._begin(text)
        with self.raw.cursor() as cursor:
            cursor.executemany(text.replace("?", "%s").encode(), list(rows))

    def commit(self) -> None:
        if self._open:
            self._open = False
            self.raw.execute("COMMIT")

    def __enter__(self) -> PgConnection:
        return self

    def __exit__(self, *error: Any) -> bool | None:
        if error[0] is None:
            self.commit()
        elif self._open:
            self._open = False
            self.raw.execute("ROLLBACK")
        return None

    def _begin(self, text: str) -> None:
        if not self._open and text.split(None, 1)[0].upper() in ("INSERT", "UPDATE", "DELETE"):
            self.raw.execute("BEGIN")
            self._open = True


class PgPlace:
    """A schema of a PostgreSQL database, and a folder for the files that were sent in."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self.originals = folder / "originals"
        folder.mkdir(parents=True, exist_ok=True)
        self._local = threading.local()
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}".encode())
                self._has_vector = self._extend(connection)
        except psycopg.OperationalError as error:
            raise Unavailable("knowledge base: PostgreSQL cannot be reached; check knowledge_database") from error

    def prepare(self, tables: Tables) -> None:
        connection = self.connection()
        with self.locked("prepare"):
            connection.execute("CREATE TABLE IF NOT EXISTS pointers (kind TEXT PRIMARY KEY, name TEXT NOT NULL)")
            version = int(self.pointed("version") or 0)
            if version > tables.version:
                raise HomeBroken(
                    f"knowledge base is of version {version}, this Selat reads {tables.version}; upgrade Selat"
                )
            if version == tables.version:
                return
            for steps in tables.upgrades[version - 2 :] if version else ():
                for step in steps:
                    connection.execute(_spelled(step))
            for table in tables.made.split(";"):
                if table.strip():
                    connection.execute(_spelled(table))
            self.point("version", str(tables.version))

    def connection(self) -> PgConnection:
        found: PgConnection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = PgConnection(self._url)
        return found

    @contextmanager
    def locked(self, name: str, wait: bool = True) -> Iterator[bool]:
        """An advisory lock, held by a connection of its own: it goes when its process goes.

        It is given back before the connection is closed: the server may see that only later.
        """
        number = zlib.crc32(f"{SCHEMA}.{name}".encode())
        with psycopg.connect(self._url, autocommit=True) as connection:
            take = "SELECT pg_advisory_lock(%s)" if wait else "SELECT pg_try_advisory_lock(%s)"
            row = connection.execute(take, (number,)).fetchone()
            held = wait or row == (True,)
            try:
                yield held
            finally:
                if held:
                    with suppress(psycopg.Error):
                        connection.execute("SELECT pg_advisory_unlock(%s)", (number,))

    def pointed(self, kind: str) -> str:
        row = self.connection().execute("SELECT name FROM pointers WHERE kind = ?", (kind,)).fetchone()
        return row[0] if row else ""

    def point(self, kind: str, name: str) -> None:
        with self.connection() as connection:
            connection.execute(
                "INSERT INTO pointers VALUES (?, ?) ON CONFLICT (kind) DO UPDATE SET name = excluded.name",
                (kind, name),
            )

    def drop(self, kind: str, name: str) -> None:
        connection = self.connection()
        for table in _tables_of(name):
            connection.raw.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(table)))

    def make_index(self, name: str) -> PgIndex:
        self.drop("index", name)
        raw = self.connection().raw
        texts, counted = _tables_of(name)
        for statement in _INDEX:
            raw.execute(
                sql.SQL(statement).format(
                    texts=sql.Identifier(texts), counted=sql.Identifier(counted),
                    by_body=sql.Identifier(f"{texts}_body"), by_doc=sql.Identifier(f"{texts}_doc"),
                )
            )  # fmt: skip
        return PgIndex(self.connection, name)

    def index(self, name: str) -> PgIndex:
        there = "SELECT to_regclass(%s) IS NOT NULL AND to_regclass(%s) IS NOT NULL"
        if self.connection().raw.execute(there, _tables_of(name)).fetchone() != (True,):
            raise HomeBroken(DAMAGED)
        return PgIndex(self.connection, name)

    def vectors(self, name: str) -> PgVectors | None:
        """None where the server has no pgvector: full text then goes alone."""
        return PgVectors(self.connection, name) if self._has_vector else None

    def size_bytes(self) -> int:
        row = self.connection().execute(
            "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c JOIN pg_namespace n "
            "ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relkind = 'r'",
            (SCHEMA,),
        )
        return int(row.fetchone()[0])

    def close(self) -> None:
        found: PgConnection | None = getattr(self._local, "connection", None)
        if found is not None:
            found.raw.close()
            self._local.connection = None

    @staticmethod
    def _extend(connection: psycopg.Connection[Any]) -> bool:
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
        except psycopg.errors.UniqueViolation:
            return True  # another process made it at the same moment
        except psycopg.Error:
            found = connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'").fetchone()
            return found is not None
        return True


class PgIndex:
    """Full text in two tables: texts as tsvectors with their scopes and levels, and how many hold each stem."""

    def __init__(self, connection: Any, name: str) -> None:
        self.name = name
        self._connection = connection
        self._texts, self._stems = _tables_of(name)
        self._counts: dict[str, int] = {}
        self._size: tuple[int, float] | None = None

    @property
    def size(self) -> int:
        return self._sizes()[0]

    def search(self, clauses: Sequence[Clause], scope: Scope, k: int) -> list[tuple[int, float]]:
        """Row ids of at most `k` passages in `scope` with their scores, best first."""
        return self._search(clauses, scope, k)

    def documents(self, clauses: Sequence[Clause], scope: Scope, k: int) -> list[tuple[int, float]]:
        """As `search`, for documents of several passages, each read as one text."""
        whole = Scope(scope.tenant, scope.collection, scope.clearance, True, scope.groups)
        return self._search(clauses, whole, k)

    def frequency(self, stem: str) -> int:
        """How many texts hold a stem; remembered until `renew`."""
        if stem not in self._counts:
            found = self._ask("SELECT held FROM {counted} WHERE stem = %s", (stem,)).fetchone()
            self._counts[stem] = int(found[0]) if found else 0
        return self._counts[stem]

    def near(self, stem: str) -> list[str]:
        """Stems in use that are one slip away from a word of five letters or more, commonest first, at most 3."""
        if len(stem) < 5 or not stem.isascii() or not stem.isalpha():
            return []
        found: dict[str, int] = {}
        for head in {stem[:2], stem[0] + stem[2], stem[1] + stem[0]}:
            rows = self._ask("SELECT stem, held FROM {counted} WHERE stem LIKE %s AND held > 0", (f"{head}%",))
            found.update((term, held) for term, held in rows if one_slip(stem, term))
        return sorted(found, key=lambda term: -found[term])[:3]

    def renew(self) -> None:
        self._counts, self._size = {}, None

    def writer(self) -> PgWriter:
        return PgWriter(self._connection(), self)

    def _search(self, clauses: Sequence[Clause], scope: Scope, k: int) -> list[tuple[int, float]]:
        asked = {stem for clause in clauses for way, _ in clause.alternatives for stem in way}
        if not asked:
            return []
        found = " | ".join(_lexeme(stem) for stem in sorted(asked))
        levels = [int(getattr(scope.clearance, axis)) for axis in _AXES]
        rows = self._ask(
            "SELECT {key}, stems, title, length FROM {texts} WHERE body @@ %s::tsquery AND scope && %s "
            "AND official <= %s AND cloud <= %s AND personal <= %s AND (id IS NULL) = %s "
            "ORDER BY ts_rank(body, %s::tsquery, 1) DESC LIMIT %s",
            (found, scope.terms, *levels, scope.whole, found, CANDIDATES),
            key="doc" if scope.whole else "id",
        ).fetchall()
        told = [(int(key), self._score(clauses, text, title, length)) for key, text, title, length in rows]
        return sorted(told, key=lambda one: -one[1])[:k]

    def _score(self, clauses: Sequence[Clause], text: str, title: str, length: int) -> float:
        """BM25 of the best wording of each clause, a title's words counting more, as the tantivy index has it."""
        size, mean = self._sizes()
        body, head = Counter(text.split()), Counter(title.split())

        def worth(stem: str) -> float:
            held = self.frequency(stem)
            rare = math.log(1 + (size - held + 0.5) / (held + 0.5))
            norm = K1 * (1 - B + B * length / mean)
            inside = body[stem] * (K1 + 1) / (body[stem] + norm) if body[stem] else 0.0
            return rare * (inside + (TITLE_BOOST if head[stem] else 0.0))

        total = 0.0
        for clause in clauses:
            ways = [weight * sum(map(worth, way)) * len(way) ** -0.5 for way, weight in clause.alternatives if way]
            total += clause.weight * max(ways, default=0.0)
        return total

    def _sizes(self) -> tuple[int, float]:
        if self._size is None:
            row = self._ask("SELECT count(*), coalesce(avg(length), 1) FROM {texts}").fetchone()
            self._size = (int(row[0]), max(float(row[1]), 1.0))
        return self._size

    def _ask(self, text: str, values: Sequence[Any] = (), key: str = "id") -> Any:
        names = {"texts": self._texts, "counted": self._stems, "key": key}
        composed = sql.SQL(text).format(**{name: sql.Identifier(value) for name, value in names.items()})
        try:
            return self._connection().raw.execute(composed, values)
        except psycopg.errors.UndefinedTable as error:
            raise HomeBroken(DAMAGED) from error


class PgWriter:
    """Adds and removes within one transaction."""

    def __init__(self, connection: PgConnection, index: PgIndex) -> None:
        self._raw = connection.raw
        self._index = index
        self._begun = False

    def add(self, row: Row, passages: Sequence[Entry]) -> None:
        self._begin()
        for one in passages:
            self._put(row, one.id, one.label, one.stems, f"{one.title} {one.heading}")
        if len(passages) > 1:
            label = reduce(Label.join, (one.label for one in passages))
            whole = " ".join(one.stems for one in passages)
            self._put(row, None, label, whole, passages[0].title)

    def remove(self, doc: int) -> None:
        self._begin()
        gone = self._ask("DELETE FROM {texts} WHERE doc = %s RETURNING stems", (doc,)).fetchall()
        for (text,) in gone:
            self._count(set(text.split()), -1)

    def commit(self) -> None:
        if self._begun:
            self._begun = False
            self._raw.execute("COMMIT")
        self._index.renew()

    def close(self) -> None:
        if self._begun:
            self._begun = False
            self._raw.execute("ROLLBACK")

    def _put(self, row: Row, identity: int | None, label: Any, text: str, title: str) -> None:
        readers = row.readers.split(",") if row.readers else [""]
        scopes = [t for one in readers for t in scope_terms(row.tenant, row.collection, identity is None, one)]
        head = " ".join(stems(words(title)))
        levels = [int(getattr(label, axis)) for axis in _AXES]
        self._ask(
            "INSERT INTO {texts} VALUES (%s, %s, %s, %s, %s, %s, %s::tsvector, %s, %s, %s)",
            (identity, row.doc, scopes, *levels, _tsvector(f"{text} {head}"), text, head, len(text.split())),
        )
        self._count(set(text.split()), 1)

    def _count(self, held: set[str], by: int) -> None:
        # In one order, so that two writers of one library would wait for each other, never for ever.
        self._ask(
            "INSERT INTO {counted} AS c SELECT unnest(%s::text[]), %s ON CONFLICT (stem) "
            "DO UPDATE SET held = c.held + excluded.held",
            (sorted(held), by),
        )

    def _begin(self) -> None:
        if not self._begun:
            self._raw.execute("BEGIN")
            self._begun = True

    def _ask(self, text: str, values: Sequence[Any]) -> Any:
        names = {"texts": self._index._texts, "counted": self._index._stems}
        composed = sql.SQL(text).format(**{name: sql.Identifier(value) for name, value in names.items()})
        return self._raw.execute(composed, values)


def _tables_of(name: str) -> tuple[str, ...]:
    plain = name.replace("-", "_")
    return (f"{plain}_texts", f"{plain}_stems") if name.startswith("index") else (plain,)


def _spelled(statement: str) -> str:
    """A statement of the store's tables in PostgreSQL's spelling."""
    serial = "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"
    return statement.replace("INTEGER PRIMARY KEY AUTOINCREMENT", serial).replace("INTEGER", "BIGINT")


def _lexeme(stem: str) -> str:
    return "'" + stem.replace("\\", "\\\\").replace("'", "''") + "'"


def _tsvector(text: str) -> str:
    """A tsvector of stems as they are: no parser of PostgreSQL's has a say in what a word is."""
    places: dict[str, list[int]] = {}
    for at, stem in enumerate(text.split()[:16_000], 1):
        places.setdefault(stem, []).append(at)
    return " ".join(f"{_lexeme(stem)}:{','.join(map(str, at[:_PLACES]))}" for stem, at in places.items())
