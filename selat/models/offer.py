"""What a source offers: a model's files with the digests they must have, its card, and a way to read them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Protocol

from selat.core.errors import BadRequest, ModelRefused
from selat.models.folder import need_weights
from selat.models.kinds import kind_of
from selat.models.licence import Card
from selat.models.record import check_path


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to fetch. It must have the SHA-256, or else Git's SHA-1 of the content, that the source states.

    `place` is the source's own address of it; `size_bytes` is None where the source does not say.
    """

    path: str
    place: str
    size_bytes: int | None = None
    sha256: str = ""
    git_sha1: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """A model at a source. `source` names it without credentials; `revision` is "" where the source has none.

    `only`: the patterns of weights that were asked for, where not all were.
    """

    name: str
    revision: str
    files: tuple[Wanted, ...]
    source: str
    card: Card = field(default_factory=Card)
    left_out: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes or 0 for file in self.files)


class Stream(Protocol):
    """An open file of a source. `start` is where it begins: 0 where the source cannot begin later."""

    @property
    def start(self) -> int: ...
    def readinto(self, buffer: memoryview, /) -> int: ...
    def close(self) -> None: ...


class Source(Protocol):
    """Where models come from. One conformance suite runs over all of them (tests/rooms/models)."""

    def offer(self) -> Offer:
        """Raises: NotFound, SourceFailed, ModelRefused."""
        ...

    def open(self, wanted: Wanted, start: int) -> Stream:
        """Raises: NotFound, SourceFailed."""
        ...


def choose(files: Iterable[Wanted], only: tuple[str, ...]) -> tuple[tuple[Wanted, ...], tuple[str, ...]]:
    """The files that may be taken in, and why others are left out; `only` are patterns of weights' paths to keep.

    Texts always come along. Raises: ModelRefused, for a path that would leave its model or when no weights remain.
    """
    taken, left_out = [], []
    for file in files:
        try:
            check_path(file.path)
        except BadRequest as error:
            raise ModelRefused(f"the source names a file that could leave its folder: {error}") from error
        kind = kind_of(file.path)
        if not kind.taken:
            left_out.append(kind.reason)
        elif not kind.weights or not only or any(fnmatchcase(file.path, pattern) for pattern in only):
            taken.append(file)
    for file in taken:
        if not file.sha256 and not file.git_sha1:
            raise ModelRefused(f"the source states no digest of '{file.path}', so it cannot be verified")
    if only and not any(kind_of(file.path).weights for file in taken):
        raise ModelRefused(f"no weights match {', '.join(only)}")
    need_weights([file.path for file in taken], left_out)
    return tuple(taken), tuple(left_out)
