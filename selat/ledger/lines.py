"""What leaves say, kept short between the moment they are read and the moment they are indexed."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from selat.ledger.facts import Details, Manner, manner

OPEN, ALONE, NEVER = -1, -2, -3
"""What stands for the leaf of a closing: none yet; this is a closing without its opening; no request."""
MOST_MANNERS = 4096


class Common:
    """A manner as one object, so that rows can name it in no time."""

    __slots__ = ("manner",)

    def __init__(self, manner: Manner) -> None:
        self.manner = manner


Row = tuple[int, str, str, Common, int, str, int, int, int, int]
"""leaf, id, time, manner, leaf of the closing, outcome, status, tokens of prompt and completion, duration."""
_Begun = tuple[int, str, str, Common]
_UNTOLD = OPEN, "", 0, 0, 0, 0


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
            if len(self._known) >= MOST_MANNERS:
                self._known.clear()
            found = self._known[key] = Common(manner(said))
        return found


class Lines:
    """The rows of neighbouring leaves from `first` on: one for a request where both its leaves are among them."""

    def __init__(self, first: int, manners: Manners) -> None:
        self.first = self.end = first
        self.late: list[Row] = []
        self._rows: list[Row] = []
        self._begun: dict[str, _Begun] = {}
        self._manners = manners

    @property
    def rows(self) -> list[Row]:
        """All but late closings, by leaf."""
        return sorted([*self._rows, *((*begun, *_UNTOLD) for begun in self._begun.values())], key=itemgetter(0))

    def take(self, said: Sequence[Details]) -> None:
        """Take what the next leaves say."""
        rows, begun, manner_of = self._rows, self._begun, self._manners.of
        for leaf, one in enumerate(said, self.end):
            kind, id_ = one.kind, one.id
            if kind == "closed":
                opening, usage = begun.pop(id_, None), one.usage
                outcome = leaf, one.outcome, one.status, usage.prompt, usage.completion, one.duration_ms
                if opening is not None:
                    rows.append((*opening, *outcome))
                else:
                    self.late.append((leaf, id_, one.time, manner_of(one), ALONE, *outcome[1:]))
            elif kind == "opened":
                if id_ in begun:
                    rows.append((*begun[id_], *_UNTOLD))
                begun[id_] = leaf, id_, one.time, manner_of(one)
            else:
                rows.append((leaf, id_, one.time, manner_of(one), NEVER, *_outcome(one)))
        self.end += len(said)

    def skip(self, end: int) -> None:
        """Leave out what leaves before `end` say; a closing behind it stays."""
        known = [row for row in self._rows if row[0] < end <= row[4]]
        self.late += [(row[4], *row[1:4], ALONE, *row[5:]) for row in known]
        self._rows = [row for row in self._rows if row[0] >= end]
        self._begun = {id_: begun for id_, begun in self._begun.items() if begun[0] >= end}
        self.late = [row for row in self.late if row[0] >= end]


def _outcome(said: Details) -> tuple[str, int, int, int, int]:
    return said.outcome, said.status, said.usage.prompt, said.usage.completion, said.duration_ms
