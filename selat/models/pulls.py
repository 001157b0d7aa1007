"""Pulls that somebody began: what each is of and how far it is, in files that every process of a home reads."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from selat.core.errors import ModelBroken, NotFound
from selat.durable import make_folder, replace

RUNNING, STOPPED, FAILED, DONE = "running", "stopped", "failed", "done"
KEEP_ENDED = 20
LOCK_TRIES = 6
"""Whoever asks whether a pull is at work holds its lock for an instant."""
_ID = re.compile(r"[0-9a-f]{32}")


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be pulled, as a person writes it, and what they say of it."""

    source: str
    only: tuple[str, ...] = ()
    name: str = ""
    licence: str = ""
    vendor: str = ""
    country: str = ""
    accepted: bool = False


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """One pull. `shown` is the digest of the offer that the person agreed to; `by` the key's id, or the person's.

    `model`, `revision` and `size_bytes` are known once it has looked at its source; `code` and `reason` tell why
    it failed. One whose process is gone without a word is `interrupted`.
    """

    id: str
    wish: Wish
    shown: str
    by: str
    began: str
    state: str = RUNNING
    ended: str = ""
    model: str = ""
    revision: str = ""
    size_bytes: int = 0
    code: str = ""
    reason: str = ""
    interrupted: bool = False


class Progress(msgspec.Struct, frozen=True):
    """How far a pull is: bytes that are here, and bytes a second of late."""

    done_bytes: int = 0
    per_s: float = 0.0

    def left_s(self, size_bytes: int) -> float | None:
        """Seconds until the end at this rate; None where that cannot be said."""
        if self.per_s <= 0 or not size_bytes:
            return None
        return max(0, size_bytes - self.done_bytes) / self.per_s


def _locked(descriptor: int) -> bool:
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return True
    return False


class Pulls:
    """The pulls of one home, a file each. Only the process that does a pull writes it, once it runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> list[Pull]:
        """The newest first. Raises: ModelBroken, for a record that cannot be read."""
        names = sorted((path.stem for path in self._folder.glob("*.json")), reverse=True)
        return [self.find(name) for name in names if _ID.fullmatch(name)]

    def find(self, pull: str) -> Pull:
        """Raises: NotFound; ModelBroken."""
        if not _ID.fullmatch(pull):
            raise NotFound("no such pull")
        try:
            found = msgspec.json.decode(self._record(pull).read_bytes(), type=Pull)
        except FileNotFoundError:
            raise NotFound("no such pull") from None
        except (OSError, msgspec.DecodeError) as error:
            raise ModelBroken(f"{self._record(pull)} cannot be read: {error}; remove it") from error
        if found.state == RUNNING and not self.at_work(pull):
            # It may have ended just before the lock was looked at.
            again = msgspec.json.decode(self._record(pull).read_bytes(), type=Pull)
            return msgspec.structs.replace(again, interrupted=again.state == RUNNING)
        return found

    def save(self, pull: Pull) -> None:
        """Write a pull as it now stands, durable when this returns. Raises: OSError."""
        make_folder(self._folder)
        replace(self._record(pull.id), msgspec.json.encode(pull))

    def forget_old(self) -> None:
        """Drop the records of pulls that ended long ago; what they brought stays on the shelf."""
        ended = [one for one in self.all() if one.state in (DONE, FAILED, STOPPED)]
        for one in ended[KEEP_ENDED:]:
            for path in (self._record(one.id), *map(self._beside, (one.id,) * 3, ("far", "stop", "lock"))):
                path.unlink(missing_ok=True)

    def progress(self, pull: str) -> Progress:
        try:
            return msgspec.json.decode(self._beside(pull, "far").read_bytes(), type=Progress)
        except (OSError, msgspec.DecodeError):
            return Progress()

    def tell(self, pull: str, progress: Progress) -> None:
        """Write how far a pull is; lost in a crash, and counted anew then. Raises: OSError."""
        fresh = self._beside(pull, "far.new")
        fresh.write_bytes(msgspec.json.encode(progress))
        fresh.rename(self._beside(pull, "far"))

    def ask_to_stop(self, pull: str) -> None:
        self._beside(pull, "stop").touch()

    def asked_to_stop(self, pull: str) -> bool:
        return self._beside(pull, "stop").exists()

    @contextmanager
    def locked(self, pull: str) -> Iterator[int | None]:
        """The pull's lock as a descriptor to hand on to the process that does it; None while another has it.

        It is held until every process that has the descriptor is gone.
        """
        make_folder(self._folder)
        descriptor = os.open(self._beside(pull, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not _locked(descriptor):
                yield None
                return
            with contextlib.suppress(FileNotFoundError):
                self._beside(pull, "stop").unlink()
            yield descriptor
        finally:
            os.close(descriptor)

    def at_work(self, pull: str) -> bool:
        """Whether a process does this pull now."""
        try:
            descriptor = os.open(self._beside(pull, "lock"), os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _record(self, pull: str) -> Path:
        return self._folder / f"{pull}.json"

    def _beside(self, pull: str, what: str) -> Path:
        return self._folder / f"{pull}.{what}"
