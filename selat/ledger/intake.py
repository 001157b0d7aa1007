"""What the sequencer takes from the journals: whole records after the places it has reached."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from selat import durable
from selat.core.errors import LedgerBroken
from selat.ledger import frame, points
from selat.ledger.frame import Cursor
from selat.ledger.record import Record, Records
from selat.ledger.segment import SUFFIX, is_held

Cursors = dict[str, Cursor]
STALE_S = 60.0
READ_BYTES = 8 * 2**20
"""What a step takes of a segment: a second's entries of a busy gateway, and some 30 MB of memory."""
TORN = "torn"
_PIECE, _ROOM = 64 * 1024, bytes(64)


@dataclass(frozen=True, slots=True)
class Part:
    """Records of one segment, from `start` to `end`; `rest` bytes follow that are no whole record (yet).

    `final` says that the writer has let go: no more will come, and `rest` is a torn or damaged tail.
    """

    name: str
    start: Cursor
    end: Cursor
    records: Sequence[Record]
    rest: int
    final: bool

    def leaves(self) -> Iterable[bytes]:
        """The leaves of the records."""
        records = self.records
        return records.leaves() if isinstance(records, Records) else (record.leaf for record in records)


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
            with (self.folder / name).open("rb") as file:
                final = not is_held(file.fileno())
                start = after or frame.start(file.read(frame.HEADER_BYTES))
                size = os.fstat(file.fileno()).st_size
                if start is None or size < start.offset:
                    # A header cut short, or a segment cut back behind what was integrated: nothing to take.
                    place = start or Cursor(0, 0)
                    return Part(name, place, place, [], size if start is None else 0, final)
                file.seek(start.offset)
                if upto is None:
                    data = file.read(READ_BYTES) if final else _until_room(file)
                else:
                    data = file.read(upto - start.offset)
                if not frame.scan(data, start, 1).records:
                    data += file.read(frame.MAX_BODY_BYTES if upto is None else 0)  # one record longer than that
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LedgerBroken(f"journal {name}: {error.strerror}") from error
        whole = start.offset + len(data) >= size
        records, end, rest = frame.scan(data, start)
        # Zeros are room that the writer made and did not come to fill.
        rest = len(data[len(data) - rest :].rstrip(b"\0")) if rest else 0
        return Part(name, start, end, records, rest if whole else 0, final and whole)

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
            part = self.read(name, cursors.get(name)) if taken < READ_BYTES else None
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


def _until_room(file: BinaryIO) -> bytes:
    """What a writer has written, at most READ_BYTES: not all of the room that it made ahead and has yet to fill.

    Should a record hold as many zeros at the end of a piece, it is taken by the next step.
    """
    pieces, taken = [], 0
    while taken < READ_BYTES and (piece := file.read(_PIECE)):
        pieces.append(piece)
        taken += len(piece)
        if piece.endswith(_ROOM):
            break
    return b"".join(pieces)
