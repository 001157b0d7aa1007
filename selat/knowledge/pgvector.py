"""Dense vectors in PostgreSQL, by pgvector: exact, and by its HNSW index where a filter leaves very many."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from selat.core.errors import HomeBroken
from selat.core.label import HIGHEST
from selat.knowledge.scope import Scope

SCAN_LIMIT = 300_000
ITERATES = (0, 8)  # of pgvector: from here a search goes on where a filter leaves too few of what it found
WIDEST = 2000  # dimensions that pgvector's HNSW takes
RESCORED = 100  # least candidates that the graph is asked for
_AXES = ("official", "cloud", "personal")
_NEAR = "id, 1 - (v <=> %s::vector) AS near"


class PgVectors:
    """Vectors in one table: scanned exactly, or by an HNSW index where a filter leaves very many."""

    def __init__(self, connection: Any, name: str, scan_limit: int = SCAN_LIMIT) -> None:
        self.name = name
        self.scan_limit = scan_limit
        self._connection = connection
        self._table = name.replace("-", "_")
        self._graph = f"{self._table}_graph"
        self._there = False
        self._left: dict[tuple[Any, ...], tuple[float, bool]] = {}

    @property
    def size(self) -> int:
        return int(self._ask("SELECT count(*) FROM {table}").fetchone()[0]) if self._made else 0

    def search(self, asked: Any, scope: Scope, k: int, exact: bool = False) -> list[tuple[int, float]]:
        """As the folder's. A graph that leads to too few of those in scope is not believed: all are scanned."""
        if not self._made:
            return []
        vector, (where, values) = _vector(asked), _within(scope)
        if not exact and self._leaves_many(where, values):
            text = f"SELECT {_NEAR} FROM {{table}} WHERE {where} ORDER BY v <=> %s::vector LIMIT %s"  # noqa: S608
            with self._raw().transaction():
                self._raw().execute("SET LOCAL hnsw.iterative_scan = strict_order")
                self._raw().execute(f"SET LOCAL hnsw.ef_search = {min(max(RESCORED, 4 * k), 1000)}".encode())
                self._raw().execute("SET LOCAL enable_seqscan = off")
                rows = self._ask(text, [vector, *values, vector, k]).fetchall()
            if len(rows) == k:
                return [(int(identity), float(near)) for identity, near in rows]
        # Ordered by what is no distance, so that no plan goes by the graph.
        text = f"SELECT {_NEAR} FROM {{table}} WHERE {where} ORDER BY near DESC, id LIMIT %s"  # noqa: S608
        rows = self._ask(text, [vector, *values, k]).fetchall()
        return [(int(identity), float(near)) for identity, near in rows]

    def _leaves_many(self, where: str, values: Sequence[Any]) -> bool:
        """Whether a filter leaves more than are scanned, where there is a graph; remembered for a minute."""
        key = (where, *map(str, values))
        until, many = self._left.get(key, (0.0, False))
        if time.monotonic() >= until:
            text = f"SELECT count(*) FROM (SELECT 1 FROM {{table}} WHERE {where} LIMIT %s) AS held"  # noqa: S608
            many = self._is_there(self._graph)
            many = many and self._ask(text, [*values, self.scan_limit + 1]).fetchone()[0] > self.scan_limit
            if len(self._left) > 1000:
                self._left.clear()
            self._left[key] = (time.monotonic() + 60, many)
        return many

    def known(self, ids: Sequence[int]) -> dict[int, Any]:
        if not self._made:
            return {}
        rows = self._ask("SELECT id, v::text FROM {table} WHERE id = ANY(%s)", [list(ids)])
        return {int(identity): [float(x) for x in text[1:-1].split(",")] for identity, text in rows.fetchall()}

    def add(self, vectors: Sequence[Any], replaced: Sequence[int]) -> None:
        if vectors and not self._made:
            self._make(len(vectors[0].values))
        if not self._made:
            return
        with self._raw().transaction():
            self._ask("DELETE FROM {table} WHERE doc = ANY(%s)", [list(replaced)])
            names = sql.Identifier(self._table)
            with self._raw().cursor() as cursor:
                cursor.executemany(
                    sql.SQL("INSERT INTO {} VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s::vector)").format(names),
                    map(_row, vectors),
                )
        if vectors and not self._is_there(self._graph) and self.size > self.scan_limit:
            self._build_graph(len(vectors[0].values))

    def _build_graph(self, width: int) -> None:
        """An HNSW index; where the server's pgvector is too old, or vectors too wide for one, all are scanned."""
        row = self._ask("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
        version = tuple(int(part) for part in row[0].split(".")[:2]) if row else (0, 0)
        if version >= ITERATES and width <= WIDEST:
            self._ask("CREATE INDEX IF NOT EXISTS {graph} ON {table} USING hnsw (v vector_cosine_ops)")
            self._left.clear()

    def _make(self, width: int) -> None:
        self._ask(
            "CREATE TABLE IF NOT EXISTS {table} (id BIGINT PRIMARY KEY, doc BIGINT NOT NULL, "
            "tenant TEXT NOT NULL, "
            "collection TEXT NOT NULL, readers TEXT[] NOT NULL, official INT NOT NULL, cloud INT NOT NULL, "
            f"personal INT NOT NULL, v vector({int(width)}) NOT NULL)"
        )

    @property
    def _made(self) -> bool:
        """Whether the table is there: from the first vector on, whichever process made it."""
        self._there = self._there or self._is_there(self._table)
        return self._there

    def _is_there(self, table: str) -> bool:
        row = self._raw().execute("SELECT to_regclass(%s)", (f'"{table}"',)).fetchone()
        return row is not None and row[0] is not None

    def _raw(self) -> psycopg.Connection[Any]:
        raw: psycopg.Connection[Any] = self._connection().raw
        return raw

    def _ask(self, text: str, values: Sequence[Any] = ()) -> Any:
        composed = sql.SQL(text).format(table=sql.Identifier(self._table), graph=sql.Identifier(self._graph))
        try:
            return self._raw().execute(composed, values)
        except psycopg.errors.UndefinedTable as error:
            raise HomeBroken("the vectors are damaged; the documents are not: run selat index rebuild") from error


def _row(one: Any) -> list[Any]:
    tenant, collection, readers = one.scope
    levels = [int(getattr(one.label, axis)) for axis in _AXES]
    return [
        one.id,
        one.doc,
        tenant,
        collection,
        readers.split(",") if readers else [],
        *levels,
        _vector(one.values),
    ]


def _within(scope: Scope) -> tuple[str, list[Any]]:
    """What a row has to fulfil to be in scope; fixed clauses, no word of a caller's."""
    where = "tenant = %s AND (readers = '{{}}' OR readers && %s)"
    values: list[Any] = [scope.tenant, sorted(scope.groups)]
    if scope.collection:
        where += " AND collection = %s"
        values.append(scope.collection)
    if scope.clearance != HIGHEST:
        where += " AND official <= %s AND cloud <= %s AND personal <= %s"
        values += [int(getattr(scope.clearance, axis)) for axis in _AXES]
    return where, values


def _vector(values: Any) -> str:
    return "[" + ",".join(repr(float(value)) for value in values) + "]"
