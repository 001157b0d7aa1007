"""What leaves say, kept short between the moment they are read and the moment they are indexed."""

from __future__ import annotations

from selat.ledger.facts import Details, Manner, manner

OPEN, ALONE, NEVER = -1, -2, -3
"""What stands for the leaf of a closing: none yet; this is a closing without its opening; no request."""
_MOST = 4096


class Common:
    """A manner as one object, so that rows can name it in no time."""

    __slots__ = ("manner",)

    def __init__(self, manner: Manner) -> None:
        self.manner = manner


Row = list[int | str | Common]
"""leaf, id, time, manner, leaf of the closing, outcome, status, tokens of prompt and completion, duration."""


class Manners:
    """Manners as they are found in leaves, each as one object: what is written of it is read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str | bytes, ...], Common] = {}

    def of(self, said: Details) -> Common:
        key = (
            said.kind,
            said.tenant,
            said.caller,
            said.purpose,
            said.api,
            said.model,
            said.engine,
            bytes(said.label),
            bytes(said.decision),
            said.language,
        )
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            found = self._known[key] = Common(manner(said))
        return found


class Lines:
    """The rows of neighbouring leaves from `first` on: one for a request where both its leaves are among them."""

    def __init__(self, first: int, manners: Manners) -> None:
        self.first = self.end = first
        self.rows: list[Row] = []
        self.late: list[Row] = []
        self._opened: dict[str, Row] = {}
        self._manners = manners

    def add(self, said: Details) -> None:
        """Take what the next leaf says."""
        leaf, usage = self.end, said.usage
        self.end = leaf + 1
        outcome = said.outcome, said.status, usage.prompt, usage.completion, said.duration_ms
        if said.kind == "closed":
            row = self._opened.pop(said.id, None)
            if row is not None:
                row[4:] = leaf, *outcome
            else:
                self.late.append([leaf, said.id, said.time, self._manners.of(said), ALONE, *outcome])
            return
        opened = said.kind == "opened"
        row = [leaf, said.id, said.time, self._manners.of(said), OPEN if opened else NEVER, *outcome]
        self.rows.append(row)
        if opened:
            self._opened[said.id] = row

    def skip(self, end: int) -> None:
        """Leave out what leaves before `end` say; a closing behind it stays."""
        known = [row for row in self.rows if row[0] < end <= row[4]]  # type: ignore[operator]
        self.late += [[row[4], *row[1:4], ALONE, *row[5:]] for row in known]
        self.rows = [row for row in self.rows if row[0] >= end]  # type: ignore[operator]
        self.late = [row for row in self.late if row[0] >= end]  # type: ignore[operator]
