"""The intake of several machines: journals, state and vault in PostgreSQL; any node may sequence, one does."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from selat.core.errors import HomeBusy, LedgerBroken, LedgerUnavailable
from selat.durable import Unwritten
from selat.ledger.frame import Cursor
from selat.ledger.intake import Cursors, Part, unread
from selat.ledger.journal import Journal, Writable
from selat.ledger.record import Records
from selat.ledger.state import State, state_from, state_json
from selat.ledger.vault import Vault

LEADER = 0x5E1A7
MOST_RECORDS = 20_000
_SESSION = "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS selat_stream (name text PRIMARY KEY);
CREATE TABLE IF NOT EXISTS selat_record (
    stream text NOT NULL, number bigint NOT NULL, body bytea NOT NULL, PRIMARY KEY (stream, number));
CREATE TABLE IF NOT EXISTS selat_state (one boolean PRIMARY KEY CHECK (one), term bigint NOT NULL, state text);
INSERT INTO selat_state VALUES (true, 0, NULL) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS tenant_key (tenant text PRIMARY KEY, wrapped bytea NOT NULL);
CREATE TABLE IF NOT EXISTS secret_page (
    tenant text NOT NULL, first bigint NOT NULL, last bigint NOT NULL, earliest text NOT NULL,
    latest text NOT NULL, held int NOT NULL, texts int NOT NULL, sealed bytea NOT NULL,
    PRIMARY KEY (tenant, first));
CREATE INDEX IF NOT EXISTS secret_page_texts ON secret_page (tenant) WHERE texts > 0;
"""


def _connect(url: str, *, autocommit: bool = True) -> psycopg.Connection[Any]:
    connection = psycopg.connect(url, autocommit=autocommit, connect_timeout=5)
    connection.execute(_SESSION)
    return connection


def _leave(connection: psycopg.Connection[Any]) -> None:
    """Close a session; its locks are given back first: the server may see only later that it was closed."""
    with contextlib.suppress(psycopg.Error):
        connection.execute("SELECT pg_advisory_unlock_all()")
    with contextlib.suppress(psycopg.Error):
        connection.close()


def make_tables(url: str) -> None:
    """Create the tables where they are missing. Raises: LedgerUnavailable."""
    try:
        connection = _connect(url)
        try:
            connection.execute("SELECT pg_advisory_lock(%s)", (LEADER + 1,))
            connection.execute(_SCHEMA)
        finally:
            _leave(connection)
    except psycopg.Error as error:
        raise LedgerUnavailable(f"ledger: PostgreSQL refuses: {_reason(error)}") from error


def stream_lock(name: str) -> int:
    """The advisory lock that a stream's writer holds while it lives."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


# Moves what lies behind a gap into a stream of its own, numbered from 0, in one statement.
_MEND = """
WITH moved AS (DELETE FROM selat_record WHERE stream = %s AND number >= %s RETURNING number, body),
     made AS (INSERT INTO selat_stream VALUES (%s))
INSERT INTO selat_record SELECT %s, row_number() OVER (ORDER BY number) - 1, body FROM moved
"""


class Stream:
    """A journal segment in the database: the writer's session holds its lock, and dies with it."""

    def __init__(self, name: str, connection: psycopg.Connection[Any]) -> None:
        self.name, self._connection = name, connection
        self._filled, self._number = 0, 0

    @property
    def filled(self) -> int:
        return self._filled

    @classmethod
    def make(cls, url: str, name: str) -> Stream:
        """Open a stream of that name. Raises: OSError."""
        try:
            connection = _connect(url)
            connection.execute("SELECT pg_advisory_lock(%s)", (stream_lock(name),))
            connection.execute("INSERT INTO selat_stream VALUES (%s)", (name,))
        except psycopg.Error as error:
            raise OSError(5, f"PostgreSQL: {_reason(error)}") from error
        return cls(name, connection)

    def commit(self, bodies: list[bytes]) -> None:
        """Append records in one transaction.

        Raises: Unwritten, when it fails before COMMIT is sent; OSError afterwards: a session that is lost then
        does not say whether they are there.
        """
        sent = False
        try:
            with self._connection.transaction(), self._connection.cursor() as cursor:
                cursor.execute("SET LOCAL synchronous_commit = on")
                with cursor.copy("COPY selat_record (stream, number, body) FROM STDIN (FORMAT BINARY)") as copy:
                    copy.set_types(["text", "int8", "bytea"])
                    for number, whole in enumerate(bodies, self._number):
                        copy.write_row((self.name, number, whole))
                sent = True
        except psycopg.Error as error:
            raise (OSError if sent else Unwritten)(5, f"PostgreSQL: {_reason(error)}") from error
        self._number += len(bodies)
        self._filled += sum(map(len, bodies))

    def abandon(self) -> None:
        self.close()

    def close(self) -> None:
        _leave(self._connection)


class SharedJournal(Journal):
    """A worker's journal in PostgreSQL; otherwise exactly a Journal."""

    def __init__(self, url: str, worker: str) -> None:
        super().__init__(Path("postgresql"), worker)
        self._url = url

    def _make(self, name: str, room_bytes: int) -> Writable:
        return Stream.make(self._url, name)

    def _prepare(self) -> None:
        make_tables(self._url)


class SharedIntake:
    """Reads the streams for the sequencer. A Cursor's offset counts records; its chain is not used."""

    def __init__(self, store: SharedStore) -> None:
        self._store = store

    def names(self) -> list[str]:
        rows = self._store.ask("SELECT name FROM selat_stream ORDER BY name")
        return [row[0] for row in rows]

    def read(self, name: str, after: Cursor | None, upto: int | None = None) -> Part | None:
        """The records of a stream from a place on. None when it is gone. Raises: HomeBusy."""
        key, first = stream_lock(name), after.offset if after else 0
        # Asked before the records are read: a writer that is gone adds none.
        free = bool(self._store.ask("SELECT pg_try_advisory_lock(%s)", (key,))[0][0])
        if free:
            self._store.ask("SELECT pg_advisory_unlock(%s)", (key,))
        if not self._store.ask("SELECT 1 FROM selat_stream WHERE name = %s", (name,)):
            return None
        limit = MOST_RECORDS if upto is None else upto - first
        rows = self._store.ask(
            "SELECT number, body FROM selat_record WHERE stream = %s AND number >= %s ORDER BY number LIMIT %s",
            (name, first, limit),
        )
        if [row[0] for row in rows] != list(range(first, first + len(rows))):
            raise LedgerBroken(f"stream {name}: a record behind {first} was removed by another hand")
        records = Records.of(bytes(row[1]) for row in rows)
        more = upto is None and len(rows) == limit
        end = Cursor(first + len(rows), 0)
        return Part(name, Cursor(first, 0), end, records, 0, free and upto is None and not more, more)

    def place(self, name: str, start: Cursor, count: int) -> Cursor:
        return Cursor(start.offset + count, 0)

    def mend(self, cursors: Cursors) -> list[str]:
        """Put what lies behind removed records into a stream of its own; a sentence for each gap."""
        said = []
        for name in self.names():
            wanted = first = cursors[name].offset if name in cursors else 0
            sql = "SELECT number FROM selat_record WHERE stream = %s AND number >= %s ORDER BY number"
            behind: int | None = None
            for (number,) in self._store.ask(sql, (name, first)):
                if number != wanted:
                    said.append(f"stream {name}: records {wanted} to {number - 1} were removed by another hand")
                    behind = number if behind is None else behind
                wanted = number + 1
            if behind is not None:
                fresh = f"{name}.{behind}"
                self._store.ask(_MEND, (name, behind, fresh, fresh))
        return said

    def news(self, cursors: Cursors) -> list[Part]:
        parts, taken = [], 0
        for name in self.names():
            part = self.read(name, cursors.get(name)) if taken < MOST_RECORDS else unread(name)
            if part is not None:
                parts.append(part)
                taken += len(part.records)
        return parts

    def settle(self, parts: list[Part]) -> None:
        """What another session can read is committed."""

    def clear(self, done: list[Part]) -> list[str]:
        """Remove integrated records, and streams whose writers have gone; the names of these."""
        gone = []
        for part in done:
            before = part.end if part.final else part.start
            self._store.ask(
                "DELETE FROM selat_record WHERE stream = %s AND number < %s", (part.name, before.offset)
            )
            if part.final:
                self._store.ask("DELETE FROM selat_stream WHERE name = %s", (part.name,))
                gone.append(part.name)
        return gone


class SharedStore:
    """State under a term: whoever takes the lead raises it, and nobody with an older one can write any more."""

    commits = True

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._leader: psycopg.Connection[Any] | None = None
        self._term = 0
        self.intake = SharedIntake(self)
        self.vault: Vault = SharedVault(url, folder)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Lead, while the session lives. Raises: HomeBusy, when another node leads; LedgerUnavailable."""
        make_tables(self._url)
        try:
            self._leader = _connect(self._url)
            if not self._leader.execute("SELECT pg_try_advisory_lock(%s)", (LEADER,)).fetchone()[0]:  # type: ignore[index]
                raise HomeBusy("another node sequences this ledger; this one stands by")
            row = self._leader.execute("UPDATE selat_state SET term = term + 1 RETURNING term").fetchone()
            self._term = int(row[0]) if row else 0
            yield
        except psycopg.Error as error:
            raise LedgerUnavailable(f"ledger: PostgreSQL refuses: {_reason(error)}") from error
        finally:
            if self._leader is not None:
                _leave(self._leader)
            self._leader = None

    @contextmanager
    def look(self) -> Iterator[None]:
        """To read beside whoever leads. Raises: LedgerUnavailable."""
        make_tables(self._url)
        try:
            with contextlib.closing(_connect(self._url)) as connection:
                self._leader = connection
                yield
        except psycopg.Error as error:
            raise LedgerUnavailable(f"ledger: PostgreSQL refuses: {_reason(error)}") from error
        finally:
            self._leader = None

    def prepare(self) -> None:
        self.vault.make()

    def load(self) -> State | None:
        text = self.ask("SELECT state FROM selat_state")[0][0]
        return state_from(json.loads(text)) if text else None

    def save(self, state: State) -> None:
        """Keep the state, under our term only. Raises: HomeBusy, when another node has taken the lead."""
        sql = "UPDATE selat_state SET state = %s WHERE term = %s RETURNING term"
        if not self.ask(sql, (json.dumps(state_json(state)), self._term)):
            raise HomeBusy("another node has taken the lead; this one stands by")

    def fence(self) -> None:
        """Before publishing. Raises: HomeBusy, when another node has taken the lead."""
        if self.ask("SELECT term FROM selat_state")[0][0] != self._term:
            raise HomeBusy("another node has taken the lead; this one stands by")

    def ask(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Run a statement in the leader's session. Raises: HomeBusy, when the session (so the lead) is gone."""
        if self._leader is None:
            raise HomeBusy("this node does not lead")
        try:
            cursor = self._leader.execute(sql, values)
            return list(cursor.fetchall()) if cursor.description else []
        except psycopg.Error as error:
            raise HomeBusy(f"the session that leads is gone: {_reason(error)}") from error


class SharedVault(Vault):
    """The vault in PostgreSQL; `keys/vault.key` must be the same file on every node."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(folder)
        self._url = url

    def _make_tables(self) -> None:
        make_tables(self._url)

    def _exists(self) -> bool:
        return True

    def _settle_erasure(self, database: Any) -> None:
        """PostgreSQL overwrites what was erased when it vacuums."""

    def _has_rows(self) -> bool:
        with self._open() as database:
            return database.execute("SELECT to_regclass('secret')").fetchone()[0] is not None

    def _open(self) -> AbstractContextManager[Any]:
        return _spoken(self._url)

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        with _spoken(self._url) as database, database:
            database.execute("LOCK TABLE secret_page IN SHARE ROW EXCLUSIVE MODE")
            yield database


class _Spoken:
    """A PostgreSQL connection that takes the vault's statements: `?` for a value, `with` for a transaction."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._transaction: AbstractContextManager[Any] | None = None

    def execute(self, sql: str, values: Iterable[object] = ()) -> Any:
        return self._connection.execute(_translated(sql), list(values))

    def executemany(self, sql: str, rows: Iterable[tuple[object, ...]]) -> None:
        self._connection.cursor().executemany(_translated(sql), list(rows))

    def __enter__(self) -> None:
        self._transaction = self._connection.transaction()
        self._transaction.__enter__()

    def __exit__(self, *error: Any) -> bool | None:
        assert self._transaction is not None
        return self._transaction.__exit__(*error)


@contextmanager
def _spoken(url: str) -> Iterator[_Spoken]:
    try:
        with contextlib.closing(_connect(url)) as connection:
            yield _Spoken(connection)
    except psycopg.Error as error:
        raise LedgerUnavailable(f"vault: PostgreSQL refuses: {_reason(error)}") from error


def _translated(sql: str) -> str:
    return re.sub(r"\?", "%s", sql.replace("%", "%%"))


def _reason(error: psycopg.Error) -> str:
    """The first line of what the server said, without the values of a statement."""
    return str(error).split("\n", 1)[0][:200]
