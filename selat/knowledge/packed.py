"""Word lists packed into a few arrays: an object for each word would take ten times the memory."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

_NONE: Sequence[int] = ()
_PARTED = "\0"


class Phrases:
    """Tuples of words, each kept once and known by its number, in the order they came.

    One buffer of text, and an open-addressing table of numbers at most half full. No word holds a NUL.
    """

    def __init__(self) -> None:
        self._text, self._ends = bytearray(), array("I", [0])
        self._slots = array("i", [-1]) * 1024

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> tuple[str, ...]:
        return tuple(self._packed(number).decode().split(_PARTED))

    def find(self, phrase: Sequence[str]) -> int:
        """The number of a phrase; -1 for one that is not here."""
        return self._slots[self._slot(_PARTED.join(phrase).encode())]

    def add(self, phrase: Sequence[str]) -> int:
        """The number of a phrase, which is kept from now on."""
        packed = _PARTED.join(phrase).encode()
        at = self._slot(packed)
        number = self._slots[at]
        if number < 0:
            number = self._slots[at] = len(self)
            self._text += packed
            self._ends.append(len(self._text))
            if 2 * len(self) > len(self._slots):
                self._widen()
        return number

    def _packed(self, number: int) -> bytes:
        return bytes(self._text[self._ends[number] : self._ends[number + 1]])

    def _slot(self, packed: bytes) -> int:
        """Where a phrase is in the table, or would be."""
        last = len(self._slots) - 1
        at = hash(packed) & last
        while (number := self._slots[at]) >= 0 and self._packed(number) != packed:
            at = at + 1 & last
        return at

    def _widen(self) -> None:
        self._slots = array("i", [-1]) * (2 * len(self._slots))
        for number in range(len(self)):
            self._slots[self._slot(self._packed(number))] = number


class Lists:
    """For each number the numbers that were added under it, in their order."""

    def __init__(self) -> None:
        self._keys, self._values = array("I"), array("I")
        self._starts, self._settled = array("I", [0]), array("I")

    def add(self, key: int, value: int) -> None:
        self._keys.append(key)
        self._values.append(value)

    def of(self, key: int) -> Sequence[int]:
        """What stands under a number; nothing under -1, or one that has nothing."""
        if len(self._settled) < len(self._values):
            self._settle()
        if not 0 <= key < len(self._starts) - 1:
            return _NONE
        return self._settled[self._starts[key] : self._starts[key + 1]]

    def _settle(self) -> None:
        """Put all values in order of their keys."""
        starts = array("I", bytes(4 * (max(self._keys) + 2)))
        for key in self._keys:
            starts[key + 1] += 1
        for key in range(1, len(starts)):
            starts[key] += starts[key - 1]
        free, settled = starts[:], array("I", bytes(4 * len(self._values)))
        for key, value in zip(self._keys, self._values, strict=True):
            settled[free[key]] = value
            free[key] += 1
        self._starts, self._settled = starts, settled
