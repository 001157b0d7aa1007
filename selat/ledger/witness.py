"""A witness: cosigns another log's checkpoints, each only if it extends what the witness saw before."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from selat.core.checkpoint import Checkpoint, parse_checkpoint, parse_number
from selat.core.errors import LedgerBroken
from selat.core.note import Note, parse_note, unb64
from selat.core.signer import Signer
from selat.core.tree import HASH_BYTES, Hash, verify_consistency
from selat.core.trust import Trust
from selat.durable import make_folder

MAX_BODY_BYTES = 64 * 1024
MAX_PROOF = 63
SIZE_TYPE, TEXT_TYPE = "text/x.tlog.size", "text/plain; charset=utf-8"
_SCHEMA = "CREATE TABLE IF NOT EXISTS seen (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL)"


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: str
    type: str = TEXT_TYPE


@dataclass(frozen=True, slots=True)
class _Ask:
    old: int
    proof: list[Hash]
    note: Note
    head: Checkpoint


class Witness:
    """Remembers the latest tree head of each log it knows. Source: C2SP tlog-witness."""

    def __init__(
        self, folder: Path, signers: Sequence[Signer], logs: Trust, now: Callable[[], float] = time.time
    ) -> None:
        """`signers` are cosigning keys (type 4 or 6); `logs` names the logs it watches. Raises: OSError."""
        make_folder(folder)
        self._path, self._signers, self._logs, self._now = folder / "witness.db", tuple(signers), logs, now
        with self._open() as database:
            database.execute(_SCHEMA)

    def add_checkpoint(self, body: bytes) -> Reply:
        """Answer `POST add-checkpoint`: signature lines when all holds, else the status that the format wants."""
        if len(body) > MAX_BODY_BYTES:
            return Reply(413, f"over {MAX_BODY_BYTES} bytes\n")
        try:
            ask = _read(body)
        except LedgerBroken as error:
            return Reply(400, f"{error}\n")
        keys = [key for key in self._logs.logs if key.name == ask.head.origin]
        if not keys:
            return Reply(404, "this log is not known here\n")
        try:
            ask.note.text(keys)
        except LedgerBroken as error:
            return Reply(403, f"{error}\n")
        if ask.old > ask.head.size:
            return Reply(400, "the old size is beyond the checkpoint's\n")
        return self._judge(ask)

    def _judge(self, ask: _Ask) -> Reply:
        """Compare with what was seen, remember and cosign: in one transaction, so that no race rolls back."""
        head = ask.head
        with self._open() as database:
            row = database.execute("SELECT size, root FROM seen WHERE origin = ?", (head.origin,)).fetchone()
            size, root = row or (0, b"")
            if ask.old != size:
                return Reply(409, f"{size}\n", SIZE_TYPE)
            if row and size == head.size and root != head.root:
                return Reply(409, f"{size}\n", SIZE_TYPE)
            try:
                verify_consistency((size, root), (head.size, head.root), ask.proof)
            except LedgerBroken as error:
                return Reply(422, f"{error}\n")
            values = (head.origin, head.size, head.root)
            database.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", values)
        text, time_ = ask.note.unverified_text, int(self._now())
        return Reply(200, "".join(str(signer.sign(text, time_)) for signer in self._signers))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self._path, timeout=10.0, isolation_level=None)
        try:
            database.execute("PRAGMA synchronous = FULL")
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")
        finally:
            database.close()


def _read(body: bytes) -> _Ask:
    """The request of add-checkpoint. Raises: LedgerBroken, naming what is not as the format says."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise LedgerBroken("the request is not UTF-8") from None
    head, blank, checkpoint = text.partition("\n\n")
    first, *lines = head.split("\n")
    if not blank or not first.startswith("old "):
        raise LedgerBroken("the request starts with 'old <size>', proof lines and a blank line")
    if len(lines) > MAX_PROOF:
        raise LedgerBroken(f"over {MAX_PROOF} proof lines")
    proof = [unb64(line, "a proof line") for line in lines]
    if any(len(item) != HASH_BYTES for item in proof):
        raise LedgerBroken(f"a proof line is not {HASH_BYTES} bytes")
    note = parse_note(checkpoint)
    return _Ask(parse_number(first[4:], "the old size"), proof, note, parse_checkpoint(note.unverified_text))
