"""Long work on the shelf that goes on by itself: what each task is and how far, in files for all processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from selat.core.errors import ModelBroken, NotFound
from selat.durable import make_folder, replace

RUNNING, STOPPED, FAILED, DONE = "running", "stopped", "failed", "done"
KEEP_ENDED = 20
LOCK_TRIES = 6
"""Whoever asks whether a task is at work holds its lock for an instant."""
_ID = re.compile(r"[0-9a-f]{32}")


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One task. `by` is the key's id, or the person's.

    `code` and `reason` tell why it failed. One whose process is gone without a word is `interrupted`.
    """

    id: str
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

    @property
    def running(self) -> bool:
        return self.state == RUNNING and not self.interrupted


class Progress(msgspec.Struct, frozen=True):
    """How far a task is: bytes that are done, and bytes a second of late."""

    done_bytes: int = 0
    per_s: float = 0.0

    def left_s(self, size_bytes: int) -> float | None:
        """Seconds until the end at this rate; None where that cannot be said."""
        if self.per_s <= 0 or not size_bytes:
            return None
        return max(0, size_bytes - self.done_bytes) / self.per_s


T = TypeVar("T", bound=Task)


def _locked(descriptor: int) -> bool:
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return True
    return False


class Tasks(Generic[T]):
    """The tasks of one kind in a home, a file each. Once a task runs, only the process that does it writes it."""

    def __init__(self, folder: Path, kind: type[T]) -> None:
        self._folder = folder
        self._kind = kind
        self.noun = kind.__name__.lower()

    def all(self) -> list[T]:
        """The newest first. Raises: ModelBroken, for a record that cannot be read."""
        names = sorted((path.stem for path in self._folder.glob("*.json")), reverse=True)
        return [self.find(name) for name in names if _ID.fullmatch(name)]

    def find(self, task: str) -> T:
        """Raises: NotFound; ModelBroken."""
        if not _ID.fullmatch(task):
            raise NotFound(f"no such {self.noun}")
        try:
            found = msgspec.json.decode(self._record(task).read_bytes(), type=self._kind)
        except FileNotFoundError:
            raise NotFound(f"no such {self.noun}") from None
        except (OSError, msgspec.DecodeError) as error:
            raise ModelBroken(f"{self._record(task)} cannot be read: {error}; remove it") from error
        if found.state == RUNNING and not self.at_work(task):
            # It may have ended just before the lock was looked at.
            again = msgspec.json.decode(self._record(task).read_bytes(), type=self._kind)
            return msgspec.structs.replace(again, interrupted=again.state == RUNNING)
        return found

    def save(self, task: T) -> None:
        """Write a task as it now stands, durable when this returns. Raises: OSError."""
        make_folder(self._folder)
        replace(self._record(task.id), msgspec.json.encode(task))

    def forget_old(self) -> None:
        """Drop the records of tasks that ended long ago; what they did stays."""
        ended = [one for one in self.all() if one.state in (DONE, FAILED, STOPPED)]
        for one in ended[KEEP_ENDED:]:
            for path in (self._record(one.id), *map(self._beside, (one.id,) * 3, ("far", "stop", "lock"))):
                path.unlink(missing_ok=True)

    def progress(self, task: str) -> Progress:
        try:
            return msgspec.json.decode(self._beside(task, "far").read_bytes(), type=Progress)
        except (OSError, msgspec.DecodeError):
            return Progress()

    def tell(self, task: str, progress: Progress) -> None:
        """Write how far a task is; lost in a crash, and counted anew then. Raises: OSError."""
        fresh = self._beside(task, "far.new")
        fresh.write_bytes(msgspec.json.encode(progress))
        fresh.rename(self._beside(task, "far"))

    def ask_to_stop(self, task: str) -> None:
        self._beside(task, "stop").touch()

    def asked_to_stop(self, task: str) -> bool:
        return self._beside(task, "stop").exists()

    @contextmanager
    def locked(self, task: str) -> Iterator[int | None]:
        """The task's lock as a descriptor to hand on to the process that does it; None while another has it.

        It is held until every process that has the descriptor is gone.
        """
        make_folder(self._folder)
        descriptor = os.open(self._beside(task, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not _locked(descriptor):
                yield None
                return
            with contextlib.suppress(FileNotFoundError):
                self._beside(task, "stop").unlink()
            yield descriptor
        finally:
            os.close(descriptor)

    def at_work(self, task: str) -> bool:
        """Whether a process does this task now."""
        try:
            descriptor = os.open(self._beside(task, "lock"), os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _record(self, task: str) -> Path:
        return self._folder / f"{task}.json"

    def _beside(self, task: str, what: str) -> Path:
        return self._folder / f"{task}.{what}"
