"""What the sequencer takes from the journals: whole records after the places it has reached."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from selat import durable
from selat.core.errors import LedgerBroken
from selat.ledger import frame, points
from selat.ledger.frame import Cursor
from selat.ledger.record import Records
from selat.ledger.segment import SUFFIX, is_held

Cursors = dict[str, Cursor]
STALE_S = 60.0
READ_BYTES = 2 * 2**20
"""What a step takes of the journals: some 1,450 requests, 4 MB of memory. While more waits, steps follow."""
TORN = "torn"
_NO_LENGTH = bytes(4)
_FIRST, _PIECE = 16 * 1024, 128 * 1024
"""What is read at a time; little at first: of a gateway at rest it is the room in its journal, each second."""


@dataclass(frozen=True, slots=True)
class Part:
    """Records of one segment, from `start` to `end`; `rest` bytes follow that are no whole record (yet).

    `final` says that the writer has let go: no more will come, and `rest` is a torn or damaged tail; `more` that
    not all was read.
    """

    name: str
    start: Cursor
    end: Cursor
    records: Records
    rest: int
    final: bool
    more: bool = False


class Intake:
    """The folder of journals, read by the one sequencer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "journals"

    def names(self) -> list[str]:
        """The segments there are, a worker's own in the order it wrote them."""
        return sorted(path.name for path in self.folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))

    def read(self, name: str, after: Cursor | None, upto: int | None = None) -> Part | None:
        """The records of a segment after a place (or from its start), up to an offset where one is given.

        None when the segment is not there. Raises: LedgerBroken, when the disk cannot read it.
        """
        try:
            with (self.folder / name).open("rb", buffering=0) as file:
                final = not is_held(file.fileno())
                start = after or frame.start(file.read(frame.HEADER_BYTES) or b"")
                size = os.fstat(file.fileno()).st_size
                if start is None or size < start.offset:
                    # A header cut short, or a segment cut back behind what was integrated: nothing to take.
                    place = start or Cursor(0, 0)
                    return Part(name, place, place, Records([], []), size if start is None else 0, final)
                file.seek(start.offset)
                return _read(file, name, start, final, upto)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LedgerBroken(f"journal {name}: {error.strerror}") from error

    def place(self, name: str, start: Cursor, count: int) -> Cursor:
        """The place behind the first `count` records after `start`. Raises: LedgerBroken."""
        try:
            data = (self.folder / name).read_bytes()[start.offset :]
        except OSError as error:
            raise LedgerBroken(f"journal {name}: {error.strerror}") from error
        return frame.scan(data, start, count).end

    def mend(self, cursors: Cursors) -> list[str]:
        """A damaged end is found when it is read, and kept aside: there is nothing to do before."""
        return []

    def news(self, cursors: Cursors) -> list[Part]:
        """Every segment's next records; segments that have none are there too, to be cleared away."""
        parts, taken = [], 0
        for name in self.names():
            part = self.read(name, cursors.get(name)) if taken < READ_BYTES else unread(name)
            if part is not None:
                parts.append(part)
                taken += part.end.offset - part.start.offset
        return parts

    def settle(self, parts: list[Part]) -> None:
        """Make durable what was read: its writer may not have synced it yet, and a plan must be repeatable."""
        durable.sync(self.folder / part.name for part in parts)

    def clear(self, done: list[Part]) -> list[str]:
        """Remove segments that are integrated to their end and whose writer has gone; a torn one is kept aside.

        Gives the names removed, durably: only then may their places be forgotten. Raises: OSError.
        """
        gone = []
        for part in done:
            if not part.final:
                continue
            path = self.folder / part.name
            if part.rest:
                durable.make_folder(self.folder / TORN)
                path.rename(self.folder / TORN / part.name)
                durable.sync([self.folder / TORN])
            else:
                path.unlink()
            points.reached("segment.unlinked")
            gone.append(part.name)
        if gone:
            durable.sync([self.folder])
        return gone

    def sweep(self) -> None:
        """Remove half-made segments of writers that died while making them; they hold no records."""
        for path in self.folder.glob(f".*{SUFFIX}"):
            if time.time() - path.stat().st_mtime > STALE_S:
                path.unlink(missing_ok=True)


def unread(name: str) -> Part:
    """What stands for a segment that a step has no room for."""
    return Part(name, Cursor(0, 0), Cursor(0, 0), Records([], []), 0, final=False, more=True)


def _read(file: FileIO, name: str, start: Cursor, final: bool, upto: int | None) -> Part:
    """The records of an open segment from `start` on, read piece by piece: of its bytes only records are kept.

    Of one that is held, only up to the room that its writer made ahead.
    """
    records, at, rest = Records([], []), start, b""
    most = READ_BYTES if upto is None else upto - start.offset
    size, taken, whole, room = os.fstat(file.fileno()).st_size, 0, False, upto is None and not final
    while taken < most and not whole:
        piece = file.read(min(_PIECE if taken else _FIRST, most - taken)) or b""
        taken += len(piece)
        data = rest + piece
        found = frame.scan(data, at)
        records.extend(found.records)
        at, rest = found.end, data[len(data) - found.rest :]
        whole = start.offset + taken >= size
        if not piece or (room and rest.startswith(_NO_LENGTH)):
            break  # where a record would begin there is no length: what its writer has yet to fill
        if upto is None and not records and taken >= READ_BYTES:
            most = READ_BYTES + frame.MAX_BODY_BYTES  # one record longer than that
    # Zeros are room that the writer made and did not come to fill.
    left = len(rest.rstrip(b"\0")) if whole else 0
    return Part(name, start, at, records, left, final and whole, upto is None and taken >= READ_BYTES)
