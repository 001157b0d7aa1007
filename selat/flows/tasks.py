"""tasks: long work on the shelf, each in a process of its own, that is found again, watched and stopped."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Generic

import msgspec

from selat.core.errors import Misused, SelatError
from selat.models.fetch import Stopped
from selat.models.tasks import DONE, FAILED, RUNNING, STOPPED, Progress, T, Tasks

TELL_EVERY_S = 0.5
RATE_OVER_S = 8.0
STOP_GRACE_S = 2.0
LEAVING_S = 20.0
"""A task says how it ended before its process is gone; so long may that take when it is begun again."""

Launch = Callable[[str, int], subprocess.Popen[bytes]]
"""Starts the process that does a task and holds its lock, a descriptor."""


class Runner(Generic[T]):
    """Starts and stops tasks of one kind, at most so many at once."""

    def __init__(self, tasks: Tasks[T], launch: Launch, at_once: int) -> None:
        self.tasks = tasks
        self._launch = launch
        self._at_once = at_once
        self._started: list[subprocess.Popen[bytes]] = []

    def running(self) -> list[T]:
        return [one for one in self.tasks.all() if one.running]

    def leave_room(self) -> None:
        """Raises: Misused."""
        if len(self.running()) >= self._at_once:
            raise Misused(f"{self._at_once} {self.tasks.noun}s run already; wait for one to end, or stop one")

    def start(self, task: T) -> None:
        """Raises: Misused."""
        for over in [one for one in self._started if one.poll() is not None]:
            over.communicate()
            self._started.remove(over)
        with self.tasks.locked(task.id) as lock:
            if lock is None:
                raise Misused(f"this {self.tasks.noun} is running already")
            self.tasks.save(task)  # under its lock, or whoever looks now would call it interrupted
            self._started.append(self._launch(task.id, lock))

    def running_one(self, task: str) -> T:
        """Raises: NotFound; Misused, where it does not run."""
        found = self.tasks.find(task)
        if not found.running:
            raise Misused(f"this {self.tasks.noun} is not running")
        return found

    def left(self, task: str) -> T:
        """A task that no process is at any more. Raises: NotFound, Misused."""
        deadline = time.monotonic() + LEAVING_S
        while True:
            found = self.tasks.find(task)
            if found.state == DONE:
                raise Misused(f"this {self.tasks.noun} is done; its model is on the shelf")
            if not self.tasks.at_work(task):
                return found
            if found.state == RUNNING or time.monotonic() > deadline:
                raise Misused(f"this {self.tasks.noun} is running already")
            time.sleep(0.05)

    def end(self) -> None:
        """Let go of the tasks that this process began; they stop, and can be begun again later."""
        for process in self._started:
            process.communicate()
        self._started = []


class Teller(Generic[T]):
    """Hears of a task's bytes, in several threads, and writes them down now and then, and how it ended."""

    def __init__(self, tasks: Tasks[T], task: T) -> None:
        self.task = task
        self.done_bytes = 0
        self._tasks = tasks
        self._lock = threading.Lock()
        # The first bytes alone, of a small file, would promise years.
        self._told = time.monotonic()
        self._seen: deque[tuple[float, int]] = deque([(self._told, 0)])

    def told(self, size_bytes: int) -> None:
        """Raises: Stopped, once somebody asked for it."""
        with self._lock:
            self.done_bytes += size_bytes
            now = time.monotonic()
            if now - self._told < TELL_EVERY_S:
                return
            self._told = now
            self._seen.append((now, self.done_bytes))
            while now - self._seen[0][0] > RATE_OVER_S and len(self._seen) > 2:
                self._seen.popleft()
            since, before = self._seen[0]
            per_s = (self.done_bytes - before) / (now - since) if now > since else 0.0
            self._tasks.tell(self.task.id, Progress(self.done_bytes, per_s))
        if self._tasks.asked_to_stop(self.task.id):
            raise Stopped("stopped as it was asked")

    def learned(self, **known: object) -> None:
        """Write down what is known of the task now."""
        self.task = msgspec.structs.replace(self.task, **known)
        self._tasks.save(self.task)

    def see_through(self, does: Callable[[], object], now: Callable[[], str]) -> T:
        """Do it, and write how it ended, whatever way."""
        end = {"state": DONE, "code": "", "reason": ""}
        try:
            does()
        except Stopped:
            end["state"] = STOPPED
        except SelatError as error:
            end = {"state": FAILED, "code": error.code, "reason": str(error)}
        except OSError as error:
            end = {"state": FAILED, "code": "unavailable", "reason": error.strerror or type(error).__name__}
        self._tasks.tell(self.task.id, Progress(self.done_bytes))
        self.learned(ended=now(), **end)
        return self.task


def launching(home: Path, verb: str) -> Launch:
    """Starts `python -m selat.process VERB` for a task."""

    def launch(task: str, lock: int) -> subprocess.Popen[bytes]:
        command = (sys.executable, "-m", "selat.process", verb, "--home", str(home), "--id", task)
        # Its standard input closes when we are gone, and it then stops.
        return subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(lock,), start_new_session=True)  # noqa: S603

    return launch


def end_when_told(tasks: Tasks[T], task: str, gone: Callable[[], bool], leave: Callable[[], None]) -> None:
    """Wait until a stop is asked for or `gone()`, give the task a moment to end by itself, then `leave()`.

    A source that says nothing would otherwise hold a pull until its time is up. Runs in a thread of its own.
    """
    while not gone():
        if tasks.asked_to_stop(task):
            time.sleep(STOP_GRACE_S)
            found = tasks.find(task)
            if found.state == RUNNING:
                tasks.save(msgspec.structs.replace(found, state=STOPPED))
            break
        time.sleep(0.2)
    leave()
