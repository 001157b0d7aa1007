"""The drill of a home: a small file that every worker sees within a second, and that ends by its own clock."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from selat.core.drill import Drill, Maker
from selat.core.errors import HomeBroken
from selat.durable import replace, sync
from selat.engines.config import locked
from selat.engines.engine import Engine

_log = logging.getLogger("selat.engines")
_utc_now = partial(datetime.now, UTC)

MakerOf = Callable[[str], Maker | None]
"""Who made the model that an engine calls by this name; None where nobody knows."""


class DrillFile:
    """The file that says which drill runs. Whole or absent, also after a crash."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Drill | None:
        """The drill, also one whose time is over; None without one. Raises: HomeBroken."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Drill)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HomeBroken(f"cannot read {self.path}: {error.strerror}") from error
        except msgspec.MsgspecError as error:
            raise HomeBroken(f"{self.path} is damaged ({error}); remove it: no drill runs then") from error

    def write(self, drill: Drill) -> None:
        """Raises: HomeBroken."""
        try:
            replace(self.path, msgspec.json.encode(drill), 0o600)
        except OSError as error:
            raise HomeBroken(f"cannot write {self.path}: {error.strerror}") from error

    def clear(self) -> None:
        """Raises: HomeBroken."""
        try:
            self.path.unlink(missing_ok=True)
            sync([self.path.parent])
        except OSError as error:
            raise HomeBroken(f"cannot remove {self.path}: {error.strerror}") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one process at a time starts, stops or ends a drill. Raises: HomeBroken."""
        with locked(self.path):
            yield


class Drilling:
    """What the drill of a file takes away now. A damaged file never starts or ends one: it is logged once."""

    def __init__(self, path: Path, maker_of: MakerOf, clock: Callable[[], datetime] = _utc_now) -> None:
        self._file = DrillFile(path)
        self._maker_of = maker_of
        self._clock = clock
        self._seen: tuple[int, int, int] | None = None
        self._read: Drill | None = None
        self.drill: Drill | None = None

    def changed(self) -> bool:
        """Look at the file and the clock; whether another drill runs than at the last look, or none any more."""
        seen = fingerprint(self._file.path)
        if seen != self._seen:
            self._seen = seen
            try:
                self._read = self._file.read()
            except HomeBroken as error:
                _log.warning("drills stay as they were: %s", error)
        before, read = self.drill, self._read
        self.drill = read if read is not None and self._clock() < read.until else None
        return self.drill != before

    def takes(self, engine: Engine, model: str) -> bool:
        """Whether the drill that runs takes `engine` away from `model`."""
        if self.drill is None:
            return False
        maker = self._maker_of(engine.upstream_model(model)) or self._maker_of(model)
        return bool(self.drill.loss.cause(engine.name, engine.site, maker))


def fingerprint(path: Path) -> tuple[int, int, int] | None:
    """What tells that a file is another than before; None for one that is not there."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
